"""Tables as CSV text that a spreadsheet shows and does not run."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from attnae.analysis.wording import UNPRINTABLE

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
FORMULA = re.compile(r"[=@\t\r\n]|[+\-].")


def csv_text(frame: pd.DataFrame) -> str:
    """Comma-separated, a header, numbers at full precision, blank for none."""
    safe = frame.rename(columns=safe_cell)
    for place, name in enumerate(frame):
        if not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[place]):
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
