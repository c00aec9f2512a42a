"""Figures show the numbers of the tables."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from attnae.analysis.report.figures import draw_figures
from attnae.analysis.report.figures.checks import box_cox_figure, half_normal_figure, residuals_figure
from attnae.analysis.report.figures.forest import forest_figure
from attnae.analysis.report.figures.means import interactions_figure, marginal_means_figure
from attnae.analysis.report.figures.style import figure_style, label
from attnae.analysis.report.tones import TONES
from attnae.analysis.study import fit_study
from attnae.text import number
from tests.analysis.published import FILTRATION, MOORE
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


@pytest.fixture(scope="module")
def article():
    return fit_study(article_study(), ARTICLE_FACTORS, permutations=0)


@pytest.fixture(scope="module")
def filtration():
    return fit_study(FILTRATION, list("ABCD"), permutations=0)


@pytest.fixture(scope="module")
def drawn(article, filtration):
    """The SVG texts of both studies."""
    return {"article": draw_figures(article), "filtration": draw_figures(filtration)}


def lines(axes, length: int) -> list[np.ndarray]:
    return [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == length]


def test_forest_has_one_row_per_effect_in_the_colour_and_shape_of_its_verdict(article) -> None:
    axes = forest_figure(article).axes[0]
    intervals = [line for line in axes.lines if line.get_linewidth() == 2]
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    effects = article.effects
    np.testing.assert_allclose([line.get_xdata() for line in intervals], effects[["ci_low", "ci_high"]])
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], effects.estimate)
    assert [line.get_color() for line in points] == [TONES[word].light for word in effects.verdict]
    assert [line.get_marker() for line in points] == [TONES[word].marker for word in effects.verdict]
    assert len({tone.marker for tone in TONES.values()}) == len({tone.light for tone in TONES.values()})
    assert [text.get_text() for text in axes.texts] == effects.verdict.tolist()


def test_marginal_means_are_those_of_the_table(article) -> None:
    panels = marginal_means_figure(article).axes
    means = article.marginal_means
    assert [axes.get_title(loc="center") or axes.get_title(loc="left") for axes in panels] == [
        factor.name for factor in article.factors
    ]
    drawn = np.concatenate([axes.lines[0].get_ydata() for axes in panels])
    np.testing.assert_allclose(drawn, means["mean"])


def test_interaction_lines_are_cell_means_of_a_balanced_two_factor_study() -> None:
    table = MOORE.groupby(["partner_status", "fcategory"]).head(4)
    result = fit_study(table, ["partner_status", "fcategory"], permutations=0)
    axes = interactions_figure(result).axes[0]
    means = table.groupby(["partner_status", "fcategory"]).response.mean().unstack()
    means = means.loc[["low", "high"], ["low", "medium", "high"]]
    np.testing.assert_allclose([line.get_ydata() for line in axes.lines], means.to_numpy())


def test_half_normal_plot_names_contrasts_above_me(filtration) -> None:
    axes = half_normal_figure(filtration).axes[0]
    points = axes.collections[0].get_offsets()
    table = filtration.lenth.sort_values("half_normal")
    np.testing.assert_allclose(points, np.column_stack([table.half_normal, table.effect.abs()]))
    names = {text.get_text() for text in axes.texts} - {"ME", "SME"}
    assert names == set(table.contrast[table.active]) == {"A", "C", "D", "A:C", "A:D"}


def test_residuals_are_drawn_against_fitted_values_and_quantiles(article) -> None:
    left, right = residuals_figure(article).axes
    table = article.diagnostics.residuals
    np.testing.assert_allclose(left.collections[0].get_offsets(), table[["fitted", "residual"]])
    np.testing.assert_allclose(right.collections[0].get_offsets(), table[["quantile", "residual"]])


def test_box_cox_curve_is_the_profile(article) -> None:
    curve = lines(box_cox_figure(article).axes[0], len(article.diagnostics.box_cox.profile))[0]
    np.testing.assert_allclose(curve, article.diagnostics.box_cox.profile)


def test_a_curve_is_drawn_for_a_continuous_factor() -> None:
    table = factorial(replicates=2, lr=[10.0**-k for k in range(8)])
    table["response"] = (np.log10(table.lr) + 3.5) ** 2 + 1 + 0.01 * np.tile([-1, 1], 8)
    result = fit_study(table, ["lr"], permutations=0)
    curve = marginal_means_figure(result).axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(curve, (np.arange(-7, 1) + 3.5) ** 2 + 1, atol=1e-9)


def test_figures_that_do_not_apply_are_left_out(article, drawn) -> None:
    assert half_normal_figure(article) is None
    assert set(drawn["article"]) == {"forest", "interactions", "marginal_means", "residuals", "box_cox"}
    assert set(drawn["filtration"]) == {*drawn["article"], "half_normal"}
    alone = fit_study(article_study(), ["act"], permutations=0)
    assert interactions_figure(alone) is None
    saturated = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    result = fit_study(saturated, ["a", "b"], interactions="two-way", permutations=0)
    assert set(draw_figures(result)) == {"forest", "interactions", "half_normal", "marginal_means"}


def test_many_points_become_a_bitmap() -> None:
    table = factorial(replicates=800, a=[0, 1])
    table["response"] = 5 + np.random.default_rng(0).standard_normal(len(table))
    figures = draw_figures(fit_study(table, ["a"], permutations=0))
    assert "data:image/png;base64" in figures["residuals"]
    assert len(figures["residuals"]) < 300_000


def test_dollar_signs_are_not_formulas(article) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    table = article_study().rename(columns={"dropout": "$\\frac{1$"})
    factors = ["batch_norm", "$\\frac{1$", "spatial_attention", "act"]
    figures = draw_figures(fit_study(table, factors, permutations=0))
    assert "$\\frac{1$" in figures["forest"]
    assert dict(matplotlib.rcParams) == before
    with figure_style():
        assert matplotlib.rcParams["text.parse_math"] is False


def test_text_alternatives_say_what_is_to_be_seen(article, filtration, drawn) -> None:
    described = {}
    for result, figures in zip((article, filtration), drawn.values(), strict=True):
        for name, svg in figures.items():
            root = ElementTree.fromstring(svg)
            assert root.get("role") == "img"
            assert root.get("aria-label") == root[0].text
            described[result is article, name] = root[0].text
    effect = article.effects.set_index("factor").loc["dropout"]
    assert f"dropout True {number(effect.estimate)} ({number(effect.ci_low)} to " in described[True, "forest"]
    assert effect.verdict in described[True, "forest"]
    mean = article.marginal_means.iloc[0]
    assert f"{mean.factor} {mean.level} {number(mean['mean'])}" in described[True, "marginal_means"]
    active = filtration.lenth[filtration.lenth.active].contrast
    assert all(contrast in described[False, "half_normal"] for contrast in active)
    assert f"{filtration.diagnostics.box_cox.best:g}" in described[False, "box_cox"]
    assert len(set(described.values())) == len(described)


def test_long_names_keep_start_and_end() -> None:
    assert label("model/encoder/attention/kernel_size", 15) == "model/e…el_size"
    assert label("act", 15) == "act"
