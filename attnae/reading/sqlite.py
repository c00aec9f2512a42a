"""SQLite files of other programs, which may come from a stranger: read-only, real tables only, within limits.

Nothing that a file can bring along is executed: no view is read, no trigger fires, and functions that a schema calls
are not trusted (https://www.sqlite.org/security.html).
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

MAGIC = b"SQLite format 3\0"
MAX_TEXT = 1 << 20  # bytes of one value
MAX_ROWS = 20_000_000
MAX_SECONDS = 120.0
MAX_STEPS = 10_000  # between two looks at the clock


class DatabaseDamaged(ValueError):
    """A table cannot be read; the message says why."""


class Database:
    """The tables of an open SQLite file.

    Attributes:
        tables: their names.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows_left = MAX_ROWS
        # Views have another type, and virtual tables, which call code, have no page of their own.
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        self.tables = {name for (name,) in self._rows(query) if isinstance(name, str)}

    def columns(self, table: str) -> set[str]:
        """The names of the columns of a table."""
        return {str(row[1]) for row in self._rows(f"PRAGMA table_info({_quoted(table)})")}

    def read(self, table: str, columns: Sequence[str], order: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a table, sorted by the columns `order`.

        Raises:
            DatabaseDamaged: there is no such table or column, the file is damaged, or it exceeds a limit.
        """
        if table not in self.tables:
            raise DatabaseDamaged(f"there is no table {table}")
        query = f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}"
        if order:
            query += f" ORDER BY {', '.join(map(_quoted, order))}"
        yield from self._rows(query)

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            for row in self._connection.execute(query):
                self._rows_left -= 1
                if self._rows_left < 0:
                    raise DatabaseDamaged(f"it has more than {MAX_ROWS:,} rows")
                yield row
        except (sqlite3.Error, OverflowError) as error:
            reason = "reading takes too long" if "interrupted" in str(error) else str(error)
            raise DatabaseDamaged(reason) from None


def is_sqlite(path: Path) -> bool:
    """Whether a path is a file that begins as an SQLite file does. Raises `OSError` if it cannot be opened."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def has_tables(path: Path, tables: Sequence[str]) -> bool:
    """Whether a path is an SQLite file with all these tables. Raises `OSError` if it cannot be opened."""
    if not is_sqlite(path):
        return False
    try:
        with open_database(path) as database:
            return database.tables.issuperset(tables)
    except DatabaseDamaged:
        return False


@contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """Open an SQLite file. Nothing is written beside it.

    A non-empty `-wal` file beside it holds newer rows, which SQLite reads only where it may write; both are then
    copied to a temporary directory first.

    Raises:
        DatabaseDamaged: it is not an SQLite file, or a table cannot be read.
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        # An empty path of a link would lead out of the logs; what is copied is what was recognised.
        if log.is_file() and not log.is_symlink() and log.stat().st_size:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "copy.db"
                shutil.copyfile(path, copy)
                shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
                with closing(_connect(f"{copy.as_uri()}?mode=rw")) as connection:
                    yield Database(connection)
        else:
            with closing(_connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1")) as connection:
                yield Database(connection)
    except OSError as error:
        raise DatabaseDamaged(error.strerror or str(error)) from None


def _connect(uri: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(uri, uri=True)
        connection.text_factory = lambda content: content.decode("utf-8", errors="replace")
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TEXT)
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise DatabaseDamaged(str(error)) from None
    deadline = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), MAX_STEPS)
    return connection


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
