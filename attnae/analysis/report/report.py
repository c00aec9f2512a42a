"""What a report is made from: the audit of the runs, the result of the study, and the sentences about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from attnae.analysis.audit.audit import Audit
from attnae.analysis.audit.provenance import Provenance, provenance
from attnae.analysis.report.sentences import Sentence, sentences
from attnae.analysis.result import StudyResult
from attnae.reading.run import Run


@dataclass(frozen=True)
class Report:
    """Everything that the terminal, the page and the files of a report show.

    Attributes:
        audit: what was found in the logs.
        result: the analysis of the runs that are used.
        provenance: versions, commits and data sets of these runs, and versions of the analysis.
        remarks: what the command decided by itself, as sentences without their full stop.
    """

    audit: Audit
    result: StudyResult
    provenance: Provenance
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, runs: Sequence[Run], audit: Audit, result: StudyResult, remarks: Sequence[str] = ()) -> Report:
        """The report of a study.

        Args:
            runs: all runs that were read; the audit knows which of them are used.
        """
        used = set(audit.used["run"])
        return cls(audit, result, provenance([run for run in runs if run.name in used]), tuple(remarks))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """One sentence for each factor."""
        return sentences(self.result)

    @property
    def headlines(self) -> tuple[str, ...]:
        """What limits the verdicts: levels at which more runs diverged, and verdicts that another analysis reverses."""
        headline = (self.audit.headline,) if self.audit.headline else ()
        turned = tuple(f"the verdict depends on the analysis: {line}" for line in self.result.reversals)
        return headline + turned
