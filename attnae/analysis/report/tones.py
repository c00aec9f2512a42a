"""How verdicts look: one table for the terminal, the figures and the page."""

from __future__ import annotations

from dataclasses import dataclass

from attnae.analysis.inference.verdicts import (
    BEST,
    HELPS,
    HELPS_HERE,
    HURTS,
    HURTS_HERE,
    MATTERS,
    NEGLIGIBLE,
    NOT_DISTINGUISHABLE,
    SUGGESTIVE,
    UNDETERMINED,
    WORSE,
)
from attnae.analysis.search.assess import OPTIMUM
from attnae.analysis.search.tables import TIED


@dataclass(frozen=True)
class Tone:
    """A colour by its purpose.

    Attributes:
        mark: a shape of its own, so that tones differ without colour; `marker` is the same shape in figures.
        name: its class and its variable in the style sheet of the page.
        terminal: a colour of rich, which follows the theme of the terminal.
        light, dark: hexadecimal RGB on a white and on a dark page; both reach a contrast of 4.5 to 1. Figures have a
            white background and use `light`.
    """

    name: str
    mark: str
    marker: str
    terminal: str
    light: str
    dark: str


GOOD = Tone("good", "▲", "^", "green", "#1a7f4b", "#4ade80")
BAD = Tone("bad", "▼", "v", "red", "#c0362c", "#f87171")
MAYBE = Tone("maybe", "◆", "D", "yellow", "#96610f", "#fbbf24")
SMALL = Tone("small", "■", "s", "cyan", "#2b6cb0", "#63b3ed")
OPEN = Tone("open", "○", "o", "bright_black", "#5b6472", "#a8b0bd")

# Colour is never the only sign: the word of the verdict always stands beside it.
TONES: dict[str, Tone] = {
    HELPS: GOOD,
    BEST: GOOD,
    HURTS: BAD,
    WORSE: BAD,
    MATTERS: GOOD,
    OPTIMUM: GOOD,
    HELPS_HERE: MAYBE,
    HURTS_HERE: MAYBE,
    SUGGESTIVE: MAYBE,
    NEGLIGIBLE: SMALL,
    UNDETERMINED: OPEN,
    NOT_DISTINGUISHABLE: OPEN,
    TIED: OPEN,
}


def tone_css() -> str:
    """The rules of the style sheet for all tones, with a dark variant of each."""
    tones = tuple(dict.fromkeys(TONES.values()))
    light, dark = (" ".join(f"--{tone.name}: {getattr(tone, page)};" for tone in tones) for page in ("light", "dark"))
    rules = "\n".join(f".{tone.name} .badge, td.{tone.name} {{ color: var(--{tone.name}); }}" for tone in tones)
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{rules}\n"
