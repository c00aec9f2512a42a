"""CSV tables with one row per run, whichever program wrote them.

`cells` reads the file, `objects` the dictionaries in its cells, `layouts` knows the tables of experiment trackers,
`not_runs` recognises the files whose rows are no runs, `roles` decides what each column is, and `reader` makes runs.
"""

from attnae.reading.table.reader import TABLE
from attnae.reading.table.words import is_result_name

__all__ = ["TABLE", "is_result_name"]
