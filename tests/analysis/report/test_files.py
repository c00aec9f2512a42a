"""The files of a report against the tables they come from."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from attnae.analysis.estimates.article import article_matrix
from attnae.analysis.report.files import report_files, write_report
from attnae.analysis.report.json_report import json_text
from attnae.analysis.report.study_json import csv_tables, tables
from attnae.errors import UserError
from attnae.text import csv_text, safe_cell
from tests.analysis import published
from tests.analysis.reports import analyze, make_report, read_back, without_clock
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial

FIRST_COLUMNS = {
    "coefficients": "term estimate std_error t p ci_low ci_high",
    "effects": "factor level estimate std_error df ci_low ci_high p p_holm percent_change verdict mde "
    "error note scope seeds std_error_here df_here ci_low_here ci_high_here p_here p_holm_here p_negligible "
    "p_negligible_holm",
    "factors": "factor kind F df1 df2 p p_holm verdict scope",
    "anova": "term sum_sq df F p p_holm eta_sq_partial omega_sq",
    "interactions": "factor level estimate std_error df ci_low ci_high p p_holm percent_change verdict mde "
    "error note scope seeds std_error_here df_here ci_low_here ci_high_here p_here p_holm_here p_negligible "
    "p_negligible_holm",
    "marginal_means": "factor level mean std_error ci_low ci_high n",
    "lenth": "contrast effect ratio active active_sme",
}


@pytest.fixture(scope="module")
def article(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("article"), article_study(), ARTICLE_FACTORS)


@pytest.fixture(scope="module")
def filtration(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("filtration"), published.FILTRATION, list("ABCD"))


@pytest.fixture(scope="module")
def article_files(article):
    return report_files(article)


@pytest.fixture(scope="module")
def filtration_files(filtration):
    return report_files(filtration)


@pytest.mark.parametrize("name", ["article", "filtration"])
def test_csv_files_have_the_columns_and_every_digit(name, request, tmp_path) -> None:
    report = request.getfixturevalue(name)
    write_report(request.getfixturevalue(f"{name}_files"), tmp_path)
    for stem, table in csv_tables(report).items():
        path = tmp_path / f"{stem}.csv"
        if table is None:
            assert not path.exists()
            continue
        back = read_back(path)
        if stem in FIRST_COLUMNS:
            wanted = FIRST_COLUMNS[stem].split()
            assert list(back.columns[: len(wanted)]) == wanted
        for column in table:
            expected = table[column].tolist()
            if pd.api.types.is_numeric_dtype(table[column]):
                assert back[column].tolist() == pytest.approx(expected, rel=0, abs=0, nan_ok=True), (stem, column)
            else:
                texts = ["" if value is None or value != value else str(value) for value in expected]
                written = ["" if value != value else str(value) for value in back[column].tolist()]
                assert written == texts, (stem, column)
    if name == "article":
        assert list(read_back(tmp_path / "runs.csv")) == [
            *("run", "status", *report.audit.factors, "seed", "response", "source", "format")
        ]


def test_the_table_of_the_article_equals_statsmodels(article, article_files, tmp_path) -> None:
    write_report(article_files, tmp_path)
    back = read_back(tmp_path / "coefficients.csv").set_index("term")
    names, matrix = article_matrix(article.result.factors, article.result.design.codes)
    fit = sm.OLS(article.result.y, matrix).fit()
    assert names == [
        "BatchNorm", "Dropout", "SpatialAttention",
        "Activation_elu", "Activation_relu", "Activation_selu", "Activation_sigmoid",
    ]  # fmt: skip
    columns = ["estimate", "std_error", "t", "p", "ci_low", "ci_high"]
    expected = np.column_stack([fit.params, fit.bse, fit.tvalues, fit.pvalues, fit.conf_int()])
    np.testing.assert_allclose(back.loc[names, columns], expected, rtol=1e-8)
    summary = json.loads(json_text(article))["article_summary"]
    assert without_clock(summary) == without_clock(fit.summary(xname=names).as_text())


def test_json_is_strict_and_complete(article, filtration) -> None:
    for report in (article, filtration):
        text = json_text(report)
        values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert (values["schema"], values["schema_version"]) == ("attnae-report", 2)
        for name, table in tables(report).items():
            records = values["tables"][name]
            assert (records is None) == (table is None), name
            if table is None:
                continue
            assert len(records) == len(table), name
            for column in table:
                for found, expected in zip((record[column] for record in records), table[column], strict=True):
                    blank = expected is None or (isinstance(expected, float) and not math.isfinite(expected))
                    assert found is None if blank else found == expected, (name, column)
        assert values["verdicts"] == {
            factor: dict(zip(rows.level, rows.verdict, strict=True))
            for factor, rows in report.result.effects.groupby("factor", sort=False)
        }
        assert [item["text"] for item in values["summary"]["sentences"]] == [item.text for item in report.sentences]
        assert values["model"]["formula"] == report.result.model.formula
        assert values["audit"]["used"] == len(report.audit.used)
        assert values["response"]["tag"] == "test/loss"
        assert values["provenance"]["analysis"]["pandas"] == pd.__version__


def test_json_has_the_noise_of_both_methods(article, filtration) -> None:
    pure, screening = (json.loads(json_text(report))["noise"] for report in (article, filtration))
    assert pure["method"] == "pure error"
    assert pure["pure_error_sd"] == article.result.noise.pure_error.sd
    assert pure["lack_of_fit"]["p"] == article.result.noise.pure_error.lack_of_fit_p
    assert (pure["pse"], pure["me"], pure["sme"]) == (None, None, None)
    lenth = filtration.result.noise.lenth
    assert screening["method"] == "lenth"
    assert (screening["pse"], screening["me"], screening["sme"]) == (lenth.pse, lenth.me, lenth.sme)
    assert screening["pse"] == pytest.approx(2.625)  # Montgomery's example 6.2
    assert (screening["pure_error_sd"], screening["lack_of_fit"]) == (None, None)


def test_the_same_study_gives_the_same_files(article, article_files) -> None:
    assert report_files(article) == article_files


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd", "'+cmd"), ("-x", "'-x"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"), ("\r=1", "' =1"), ("  =1", "'  =1"), ("relu", "relu"), ("a\nb", "a b"),
        ("-1", "-1"), ("+0.5", "+0.5"), ("-1e-05", "-1e-05"), ("-1:relu", "'-1:relu"), ("a=b", "a=b"),
        ("-", "-"), ("+", "+"),
        (-1, -1), (-0.5, -0.5), (True, True), ("\ud800", " "),
    ],
)  # fmt: skip
def test_cells_that_a_spreadsheet_would_run_are_prefixed(cell, written) -> None:
    assert safe_cell(cell) == written


def test_csv_headers_are_safe_too_and_numbers_stay_numbers() -> None:
    text = csv_text(pd.DataFrame({"=HYPERLINK(1)": ["@x", "y,z"], "n": [-1.5, math.nan]}))
    assert text == "'=HYPERLINK(1),n\n'@x,-1.5\n\"y,z\",\n"


def test_files_of_an_earlier_report_that_do_not_apply_are_removed(article_files, filtration_files, tmp_path) -> None:
    write_report(filtration_files, tmp_path)
    (tmp_path / "mine.csv").write_text("kept")
    assert (tmp_path / "lenth.csv").exists()
    assert (tmp_path / "figures" / "half_normal.svg").exists()
    names = write_report(article_files, tmp_path)
    assert not (tmp_path / "lenth.csv").exists()
    assert not (tmp_path / "figures" / "half_normal.svg").exists()
    assert (tmp_path / "mine.csv").read_text() == "kept"
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {*names, "mine.csv"}


def test_files_of_other_programs_are_not_removed(article_files, tmp_path) -> None:
    (tmp_path / "lenth.csv").write_text("mine")
    write_report(article_files, tmp_path)
    assert (tmp_path / "lenth.csv").read_text() == "mine"


def test_an_unwritable_directory_is_a_user_error(article_files, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .*--out"):
        write_report(article_files, tmp_path / "file" / "below")


def test_runs_csv_lists_runs_that_are_not_used(tmp_path) -> None:
    table = article_study(1)
    table["status"] = ["diverged", "unfinished", *["finished"] * 30]
    report = make_report(tmp_path / "logs", table, ARTICLE_FACTORS)
    write_report(report_files(report), tmp_path / "out")
    assert read_back(tmp_path / "out" / "runs.csv").status.tolist() == table.status.tolist()


def test_figures_are_the_svg_of_the_page(article_files) -> None:
    page = article_files["report.html"]
    for name, text in article_files.items():
        if name.endswith(".svg") and text is not None:
            assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
            assert text in page


def test_report_of_a_saturated_study_says_so(tmp_path, capsys) -> None:
    from tests.reading.event_logs import write_study

    table = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    write_study(tmp_path / "logs", table, ["a", "b"])
    assert analyze(tmp_path / "logs", "--interactions", "two-way", "--full") == 0
    out = capsys.readouterr().out
    assert "no residual degrees of freedom" in out
    assert "No residual plots: the model fits every run exactly." in out
    values = json.loads((tmp_path / "logs" / "analysis" / "report.json").read_text())
    assert [row["std_error"] for row in values["tables"]["effects"]] == [None, None]
