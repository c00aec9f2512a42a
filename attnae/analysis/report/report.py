"""What a report is made from: the audit of the runs, the result of the analysis, and the sentences about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import pandas as pd

from attnae.analysis.audit.audit import Audit
from attnae.analysis.audit.provenance import Provenance, provenance
from attnae.analysis.report.sentences import search as search_sentences
from attnae.analysis.report.sentences.overview import Overview, search_overview, study_overview
from attnae.analysis.report.sentences.study import Sentence, sentences
from attnae.analysis.result import StudyResult
from attnae.analysis.search.result import SearchResult
from attnae.reading.run import Run
from attnae.text import common_decimals

Result = TypeVar("Result", StudyResult, SearchResult)
Self = TypeVar("Self", bound="Report[Any]")


@dataclass(frozen=True)
class Report(Generic[Result]):
    """Everything that the terminal, the page and the files of a report show.

    There are two kinds, `StudyReport` and `SearchReport`; `contents.contents_of` says what each consists of.

    Attributes:
        audit: what was found in the logs.
        result: the analysis of the runs that are used.
        provenance: versions, commits and data sets of these runs, and versions of the analysis.
        remarks: what the command decided by itself, as sentences without their full stop.
    """

    audit: Audit
    result: Result
    provenance: Provenance
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls: type[Self], runs: Sequence[Run], audit: Audit, result: Result, remarks: Sequence[str] = ()) -> Self:
        """The report of an analysis.

        Args:
            runs: all runs that were read; the audit knows which of them are used.
        """
        used = set(audit.used["run"])
        return cls(audit, result, provenance([run for run in runs if run.name in used]), tuple(remarks))

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """One sentence for each factor or setting."""
        raise NotImplementedError

    @property
    def overview(self) -> Overview:
        """The question, the answer, which runs it rests on, and what to run next."""
        raise NotImplementedError

    @property
    def headlines(self) -> tuple[str, ...]:
        """What limits the verdicts, before everything else."""
        raise NotImplementedError

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know, the most serious first: the headlines and the warnings of the audit."""
        answer = self.overview.answer
        lines = (line.removesuffix(".") for line in (*self.headlines, *self.audit.warnings) if line != answer)
        return tuple(dict.fromkeys(f"{line}." for line in lines))

    @property
    def decimals(self) -> int | None:
        """The number of decimals of amounts in the whole report: a mean reads the same in every section."""
        raise NotImplementedError

    @property
    def statistics(self) -> Mapping[str, pd.DataFrame | None]:
        """The tables of the additional statistics, by name."""
        return {}


@dataclass(frozen=True)
class StudyReport(Report[StudyResult]):
    """The report of a designed study."""

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return sentences(self.result)

    @cached_property
    def overview(self) -> Overview:
        return study_overview(self.result, self.audit, self.sentences)

    @property
    def headlines(self) -> tuple[str, ...]:
        """Levels at which more runs diverged, and verdicts that another analysis reverses."""
        headline = (self.audit.headline,) if self.audit.headline else ()
        turned = tuple(f"the verdict depends on the analysis: {line}" for line in self.result.reversals)
        return headline + turned

    @property
    def decimals(self) -> int | None:
        effects = self.result.effects
        return common_decimals(effects[name].tolist() for name in ("estimate", "std_error", "ci_low", "ci_high"))

    @property
    def statistics(self) -> Mapping[str, pd.DataFrame | None]:
        return self.result.statistics


@dataclass(frozen=True)
class SearchReport(Report[SearchResult]):
    """The report of a search."""

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return search_sentences.sentences(self.result)

    @cached_property
    def overview(self) -> Overview:
        return search_overview(self.result, self.audit)

    @property
    def headlines(self) -> tuple[str, ...]:
        """How the runs were chosen, settings that act together, reversed verdicts, and what an empty result means."""
        return search_sentences.headlines(self.result)

    @property
    def decimals(self) -> int | None:
        settings = self.result.settings
        columns = [settings[name].tolist() for name in ("effect", "effect_low", "effect_high")]
        return common_decimals(columns, 3)


AnyReport = StudyReport | SearchReport
