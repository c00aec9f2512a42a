"""Dictionaries in the cells of a table: `{'lr': 0.1, 'units': [8, 4]}`, as pandas writes the settings of W&B's runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from attnae.errors import UserError
from attnae.reading.settings import flatten
from attnae.reading.table.cells import MAX_CELLS, MAX_COLUMNS, MAX_NAME, Column, Table

MAX_TEXT = 100_000
# What Python does not read as a value, outside quotes: words, and the numbers of NumPy, such as np.float64(0.5). As
# text, 'nan' means the number wherever a cell is read.
_WORD = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"|\b(?:np|numpy)\.\w{3,10}\(([-+\w.]{1,40})\)"
    r"|(?:\bnp\.)?\b(nan|NaN|inf|Infinity|true|false|null|True_|False_)\b",
    re.DOTALL,
)
_SPELLED = {
    "nan": "'nan'",
    "NaN": "'nan'",
    "inf": "1e999",
    "Infinity": "1e999",
    "true": "True",
    "false": "False",
    "null": "None",
    "True_": "True",
    "False_": "False",
}


def parse(text: str) -> dict[str, Any]:
    """The leaves of the dictionary that a cell spells in Python or JSON, nested names joined by `/`.

    Only literals are read (`ast.literal_eval`), so nothing can be executed.

    Raises:
        ValueError: the text is no dictionary, or it is too long or nested too deeply.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it is longer than {MAX_TEXT:,} characters")
    plain = _WORD.sub(_plain, text)
    try:
        value = ast.literal_eval(plain)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("it is not a dictionary of plain values") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a dictionary")
    return dict(flatten(value))


def _plain(found: re.Match[str]) -> str:
    word = found[2] or found[3]
    return found[1] or _SPELLED.get(word, word)


def expand(table: Table, prefixes: Mapping[str, str]) -> Table:
    """The table with one column for each name in the dictionaries of some columns, instead of these columns.

    Args:
        prefixes: by column, what its names begin with afterwards, such as `config.` for `config`.

    Raises:
        UserError: the names are too many.
    """
    columns = {name: column for name, column in table.columns.items() if name not in prefixes}
    problems = list(table.problems)
    for name, prefix in prefixes.items():
        found: dict[str, list[str]] = {}
        damaged: list[str] = []
        for row, text in enumerate(table.columns[name].texts):
            try:
                leaves = parse(text) if text else {}
            except ValueError as error:
                damaged.append(f"the first is row {row + 1}: {error}")
                continue
            for leaf, value in leaves.items():
                if len(leaf) > MAX_NAME:
                    continue
                if leaf not in found:
                    if len(found) >= MAX_COLUMNS or len(found) * table.rows > MAX_CELLS:
                        raise UserError(f"the column {name} has more than {len(found):,} different names")
                    found[leaf] = [""] * table.rows
                found[leaf][row] = _spell(value)
        if damaged:
            problems.append(f"{name} cannot be read in {len(damaged)} of {table.rows} rows; {damaged[0]}")
        columns |= {prefix + leaf: Column(prefix + leaf, texts) for leaf, texts in found.items()}
    return Table(columns, table.rows, problems, table.empty)


def _spell(value: Any) -> str:
    """The text of a cell; a list as in the settings of other formats, its values separated by blanks."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
