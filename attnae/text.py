"""Numbers and names as text for terminals and reports, and tables as CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Control characters, bidirectional overrides and surrogates: they move the cursor, reorder text, or cannot be encoded.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")
WORDS = re.compile("[a-z][a-z0-9_]{3,}")
MAX_DECIMALS = 9
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
FORMULA = re.compile(r"[=@\t\r\n]|[+\-].")


def clean(text: object, limit: int | None = None) -> str:
    """Text on one line, without control characters; a text of more than `limit` characters is shortened in the middle,
    because names often differ at their ends."""
    shown = UNPRINTABLE.sub(" ", str(text))
    if limit is None or len(shown) <= limit:
        return shown
    half = (limit - 1) // 2
    return f"{shown[: limit - 1 - half]}…{shown[len(shown) - half :]}"


def title_of(factor: str) -> str:
    """`Spatial attention` for spatial_attention. Short names and names that are not lower-case words are kept."""
    if not WORDS.fullmatch(factor):
        return clean(factor, 80)
    return factor.replace("_", " ").capitalize()


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits: 0.0123, 1,230, 1.23e-07; empty for NaN."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    if not 1e-5 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{decimals_for(value, digits)}f}"


def decimals_for(value: float, digits: int = 3) -> int:
    """The number of decimals, at most 9, that shows so many significant digits of a number."""
    return 0 if not value or not math.isfinite(value) else min(MAX_DECIMALS, max(0, digits - 1 - _magnitude(value)))


def common_decimals(columns: Iterable[Sequence[float]], digits: int = 2) -> int | None:
    """The number of decimals for columns of one unit: `digits` significant digits of the column of the smallest.

    None if no fixed number of decimals suits all of them, because they are too large, too small or too different.
    """
    largest = [max((abs(value) for value in column if math.isfinite(value)), default=0.0) for column in columns]
    sizes = [value for value in largest if value]
    if not sizes:
        return digits
    if max(sizes) >= 1e7 or min(sizes) < 1e-7 or max(sizes) > 1e6 * min(sizes):
        return None
    return decimals_for(min(sizes), digits)


def fixed(value: float, decimals: int | None) -> str:
    """A number with these decimals, as `number` if `decimals` is None; empty for NaN."""
    if decimals is None or not math.isfinite(value):
        return number(value)
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def p_value(p: float) -> str:
    """A p-value as text: 0.032, 0.0004, < 0.0001; empty for NaN."""
    if math.isnan(p):
        return ""
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}" if p < 0.9995 else "1"


def p_statement(p: float) -> str:
    """A p-value in a sentence: p = 0.032, p < 0.0001, p = unknown for NaN."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text or 'unknown'}"


def percent(share: float) -> str:
    """A share as a percentage: 95%, 99.9%."""
    return f"{100 * share:.6g}%"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun: 1 run, 2 runs."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(names: Iterable[object], limit: int = 10) -> str:
    """Names in a sentence: a, b and c; of more than `limit` names, the first ones and the number of the others."""
    shown = [clean(name, 80) for name in names]
    if len(shown) > limit:
        return f"{', '.join(shown[:limit])} and {len(shown) - limit:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _magnitude(value: float) -> int:
    """The exponent of the leading digit."""
    return int(f"{value:e}".partition("e")[2])


def csv_text(frame: pd.DataFrame) -> str:
    """The table as CSV: a header, numbers at full precision, empty cells for missing values; see `safe_cell`."""
    from pandas.api.types import is_numeric_dtype

    safe = frame.rename(columns=safe_cell)
    for place in range(frame.shape[1]):
        if not is_numeric_dtype(frame.dtypes.iloc[place]):
            safe.isetitem(place, frame.iloc[:, place].map(safe_cell).astype(object))
    return safe.to_csv(index=False, lineterminator="\n")


def safe_cell(value: Any) -> Any:
    """Text on one line, with a leading apostrophe if a spreadsheet would run it as a formula.

    Numbers, even as text (such as the level -1), and the signs + and - alone are unchanged. The list of dangerous first
    characters is that of OWASP, "CSV Injection".
    """
    if not isinstance(value, str):
        return value
    line = UNPRINTABLE.sub(" ", value)
    starts = FORMULA.match(value) or FORMULA.match(line.lstrip())
    return f"'{line}" if starts and not NUMBER.fullmatch(line) else line
