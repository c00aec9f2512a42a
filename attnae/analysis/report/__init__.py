"""The report of a study: on a terminal, as a page, and in files.

A `Report` holds all results; there is one for designed studies and one for searches, and `contents` says what each
consists of. `sections` turns it into blocks, which `terminal` and `html` lay out; `figures` draws the figures,
`json_report` lists every number, and `files` writes all files.
"""

from attnae.analysis.report.files import report_files, write_report
from attnae.analysis.report.report import AnyReport, SearchReport, StudyReport
from attnae.analysis.report.screen import print_screen
from attnae.analysis.report.terminal import print_files, print_report

__all__ = [
    "AnyReport",
    "SearchReport",
    "StudyReport",
    "print_files",
    "print_report",
    "print_screen",
    "report_files",
    "write_report",
]
