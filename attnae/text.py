"""Text for people and spreadsheets: numbers and names as they are shown, tables as CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Controls end lines, ring bells and move cursors; bidirectional overrides turn text around; surrogates are no text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")
WORDS = re.compile("[a-z][a-z0-9_]{3,}")
MAX_DECIMALS = 9
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
FORMULA = re.compile(r"[=@\t\r\n]|[+\-].")


def clean(text: object, limit: int | None = None) -> str:
    """Text of a log as it may be shown: on one line, without control characters, cut off behind `limit` characters."""
    shown = UNPRINTABLE.sub(" ", str(text))
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 1]}…"


def title_of(factor: str) -> str:
    """`Spatial attention` for spatial_attention; short names, and those that are no lower-case words, stay."""
    if not WORDS.fullmatch(factor):
        return clean(factor, 80)
    return factor.replace("_", " ").capitalize()


def number(value: float, digits: int = 3) -> str:
    """With so many significant digits: 0.0123, 1,230, 1.23e-07."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    if not 1e-5 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{decimals_for(value, digits)}f}"


def decimals_for(value: float, digits: int = 3) -> int:
    """Decimals that show so many significant digits of a number, as many as it needs to stay readable."""
    return 0 if not value or not math.isfinite(value) else min(MAX_DECIMALS, max(0, digits - 1 - _magnitude(value)))


def common_decimals(columns: Iterable[Sequence[float]], digits: int = 2) -> int | None:
    """Decimals for columns of one unit: two significant digits of the column of the smallest numbers.

    None where no fixed number of decimals serves: the numbers are too large, small or different.
    """
    largest = [max((abs(value) for value in column if math.isfinite(value)), default=0.0) for column in columns]
    sizes = [value for value in largest if value]
    if not sizes:
        return digits
    if max(sizes) >= 1e7 or min(sizes) < 1e-7 or max(sizes) > 1e6 * min(sizes):
        return None
    return decimals_for(min(sizes), digits)


def fixed(value: float, decimals: int | None) -> str:
    """A number of a column with these decimals; blank for none."""
    if decimals is None or not math.isfinite(value):
        return number(value)
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def p_value(p: float) -> str:
    """0.032, 0.0004, < 0.0001; blank for none."""
    if math.isnan(p):
        return ""
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}" if p < 0.9995 else "1"


def p_statement(p: float) -> str:
    """p = 0.032, p < 0.0001."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text or 'unknown'}"


def percent(share: float) -> str:
    """Of a confidence: 95%, 99.9%."""
    return f"{100 * share:.6g}%"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """1 run, 2 runs."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(names: Iterable[object], limit: int = 10) -> str:
    """a, b and c; the first ones of many, and how many more there are."""
    shown = [clean(name, 80) for name in names]
    if len(shown) > limit:
        return f"{', '.join(shown[:limit])} and {len(shown) - limit:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _magnitude(value: float) -> int:
    """The power of ten of the leading digit."""
    return int(f"{value:e}".partition("e")[2])


def csv_text(frame: pd.DataFrame) -> str:
    """Comma-separated, a header, numbers at full precision, blank for none."""
    from pandas.api.types import is_numeric_dtype

    safe = frame.rename(columns=safe_cell)
    for place, name in enumerate(frame):
        if not is_numeric_dtype(frame.dtypes.iloc[place]):
            safe.isetitem(place, frame.iloc[:, place].map(safe_cell).astype(object))
        assert name is not None
    return safe.to_csv(index=False, lineterminator="\n")


def safe_cell(value: Any) -> Any:
    """Text on one line; with an apostrophe in front where a spreadsheet would take it for a formula.

    Numbers, also those written as text (the level -1), and the lone signs + and - stay as they are. The characters are
    OWASP's ("CSV injection").
    """
    if not isinstance(value, str):
        return value
    line = UNPRINTABLE.sub(" ", value)
    starts = FORMULA.match(value) or FORMULA.match(line.lstrip())
    return f"'{line}" if starts and not NUMBER.fullmatch(line) else line
