"""How all figures look, and how one becomes SVG text."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from attnae.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCENT, GREY, FAINT = "#2b6cb0", "#6b7280", "#d1d5db"
LINES = ("#2b6cb0", "#c05621", "#1a7f4b", "#805ad5", "#b83280", "#4a5568")
WIDTH = 6.4  # inches
MAX_LABEL, MAX_LEVEL = 26, 15
# More markers than this are drawn as one bitmap, because the size of the SVG would otherwise grow with their number.
MANY_POINTS = 1500

STYLE: Any = {
    "svg.fonttype": "none",
    # Names of hyper-parameters may contain dollar signs; they are text, not formulas.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.formatter.use_mathtext": False,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "legend.frameon": False,
}
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


@contextmanager
def figure_style() -> Iterator[None]:
    """The style of all figures, without a display and without touching anyone's settings."""
    import matplotlib

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The browser draws the text, and has fonts for characters that DejaVu lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def label(text: object, limit: int = MAX_LABEL) -> str:
    """A name as a figure shows it. A long one keeps its start and its end."""
    return clean(text, limit)


def to_svg(figure: Figure, name: str, description: str) -> str:
    """A figure as SVG text that can be part of a page: unique ids, a title, no metadata.

    Args:
        name: in front of every id.
        description: the title, which screen readers read aloud.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        # Drawing lays the figure out. `savefig` does the same, and draws it once more before.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(buffer.getvalue())
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))
    root.set("role", "img")
    root.set("aria-label", description)
    title = ElementTree.Element(f"{{{SVG}}}title")
    title.text = description
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")
