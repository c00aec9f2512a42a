"""The report of a study: what was found, in one object, and all its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from attnae.analysis.audit.audit import Audit
from attnae.analysis.audit.provenance import Provenance, provenance
from attnae.analysis.report.blocks import Section
from attnae.analysis.report.sentences import Sentence, sentences
from attnae.analysis.result import StudyResult
from attnae.reading.run import Run


@dataclass(frozen=True)
class Report:
    """An audit, a result, and what follows from both.

    Attributes:
        remarks: what the command decided by itself, in plain words.
    """

    audit: Audit
    result: StudyResult
    provenance: Provenance
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, runs: Sequence[Run], audit: Audit, result: StudyResult, remarks: Sequence[str] = ()) -> Report:
        used = set(audit.used["run"])
        return cls(audit, result, provenance([run for run in runs if run.name in used]), tuple(remarks))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return sentences(self.result)

    @property
    def headlines(self) -> tuple[str, ...]:
        """What has to be known before the verdicts: divergence that flatters a level, verdicts that turn around."""
        headline = (self.audit.headline,) if self.audit.headline else ()
        turned = tuple(f"the verdict depends on the analysis: {line}" for line in self.result.reversals)
        return headline + turned

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        from attnae.analysis.report.sections.checks import best_cells, diagnostics, next_steps, sensitivity
        from attnae.analysis.report.sections.effects import anova, main_effects, marginal_means, noise
        from attnae.analysis.report.sections.runs import article, audit, response
        from attnae.analysis.statistics import further_blocks

        result = self.result
        sections = (
            audit(self.audit, result, self.provenance, self.remarks),
            response(self.audit, result),
            article(result),
            main_effects(result),
            anova(result),
            noise(result),
            marginal_means(result),
            diagnostics(result),
            sensitivity(result),
            best_cells(result),
            next_steps(result),
        )
        return tuple(
            replace(section, blocks=[*section.blocks, *further_blocks(section.number, result)]) for section in sections
        )
