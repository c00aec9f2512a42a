"""Figures of a search: the curve of each setting, the two that matter most, and the response in the runs' order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attnae.analysis.report.blocks import Figure as FigureBlock
from attnae.analysis.report.figures.style import ACCENT, FAINT, GREY, MANY_POINTS, MAX_LEVEL, WIDTH, label
from attnae.analysis.report.sentences.search import by_share, value_text
from attnae.analysis.report.tones import BAD, GOOD, TONES
from attnae.analysis.search.assess import FINDINGS
from attnae.analysis.search.result import SearchResult
from attnae.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_CURVES, MAX_LEADING = 12, 4
CURVE_SIZE = (3.3, 1.6)
# Ticks of the axis of scores: shares of the runs that are better.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CROWDED = 30
TRIALS = (
    "The response in the order of the runs. Later runs were chosen where earlier ones were good: that they are better "
    "shows that the sampler works, not which setting matters. For this reason the intervals of effects are optimistic."
)


def curve_names(result: SearchResult) -> tuple[str, ...]:
    """The names of the figures of the settings, in the order of the sentences; "" for those that have none."""
    rows = by_share(result).to_dict("records")
    drawn = [place < MAX_CURVES and _drawable(row["factor"], result) for place, row in enumerate(rows)]
    return tuple(f"setting_{place + 1}" if here else "" for place, here in enumerate(drawn))


def curve_figure(result: SearchResult, place: int) -> Figure | None:
    """The curve or the levels of one setting, in the order of the sentences; None where there is none."""
    from matplotlib.figure import Figure

    names = curve_names(result)
    if place >= len(names) or not names[place]:
        return None
    row = by_share(result).iloc[place].to_dict()
    figure = Figure(figsize=CURVE_SIZE)
    axes = figure.add_subplot()
    if (result.curves["factor"] == row["factor"]).any():
        _curve(axes, row, result)
    else:
        _levels(axes, row, result)
    axes.set_title(label(row["factor"], 40))
    axes.tick_params(labelsize=7.5)
    return figure


def pair_figure(result: SearchResult) -> Figure | None:
    """The runs over the two settings that act together, or else that explain most, coloured by their rank."""
    from matplotlib.figure import Figure

    names = pair_names(result)
    if names is None:
        return None
    runs = result.configurations
    here = result.details[names[0]].active & result.details[names[1]].active
    figure = Figure(figsize=(WIDTH * 0.72, 3.2))
    axes = figure.add_subplot()
    x, y = (_place(axes, name, axis, result)[here] for name, axis in zip(names, "xy", strict=True))
    lost = runs["diverged"].to_numpy()[here]
    z = runs["z"].to_numpy()[here]
    rank = np.argsort(np.argsort(z)) / max(1, len(z) - 1)
    many = len(z) > MANY_POINTS
    shown = axes.scatter(
        x[~lost], y[~lost], c=rank[~lost], cmap="viridis_r", vmin=0, vmax=1, s=26, linewidths=0, rasterized=many
    )
    axes.plot(x[lost], y[lost], "x", color=BAD.light, markersize=6, label="diverged")
    bar = figure.colorbar(shown, ax=axes, ticks=[0, 1], shrink=0.8)
    bar.ax.set_yticklabels(["best run", "worst run"], fontsize=8)
    bar.outline.set_visible(False)
    if lost.any():
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    axes.set_xlabel(label(names[0]))
    axes.set_ylabel(label(names[1]))
    return figure


def pair_names(result: SearchResult) -> tuple[str, str] | None:
    """The pair of settings that is shown; None if there is only one setting."""
    if result.pairs_p < result.alpha:
        return str(result.pairs.iloc[0]["first"]), str(result.pairs.iloc[0]["second"])
    names = [str(name) for name in by_share(result)["factor"]]
    return (names[0], names[1]) if len(names) > 1 else None


def leading(result: SearchResult) -> tuple[FigureBlock, ...]:
    """The curves beside the sentences: of the settings that matter, or else of those that explain most."""
    return tuple(_curve_blocks(result, _leading(result)))


def other_curves(result: SearchResult) -> tuple[FigureBlock, ...]:
    """The curves of all other settings, and the order of the runs of an adaptive search."""
    leads = _leading(result)
    rest = [place for place, name in enumerate(curve_names(result)) if name and place not in leads]
    return (*_curve_blocks(result, rest), FigureBlock("trials", TRIALS))


def pair_caption(result: SearchResult) -> tuple[FigureBlock, ...]:
    """The figure of the two settings that act together, or else that explain most; none with one setting."""
    names = pair_names(result)
    if names is None:
        return ()
    first, second = (clean(name, 60) for name in names)
    why = "which act together" if result.pairs_p < result.alpha else "the two settings that explain most"
    return (FigureBlock("pair", f"Every run over {first} and {second}, {why}; the colour is its rank."),)


def _leading(result: SearchResult) -> list[int]:
    """The places of the curves that stand beside the sentences."""
    names, verdicts = curve_names(result), by_share(result)["verdict"].tolist()
    drawn = [place for place, name in enumerate(names) if name]
    found = [place for place in drawn if verdicts[place] in FINDINGS]
    return found[:MAX_LEADING] or drawn[:2]


def _curve_blocks(result: SearchResult, places: Sequence[int]) -> list[FigureBlock]:
    names, rows = curve_names(result), by_share(result)
    return [
        FigureBlock(names[place], _curve_caption(rows.iloc[place].to_dict(), result), small=True) for place in places
    ]


def _curve_caption(row: dict[Any, Any], result: SearchResult) -> str:
    verdict = row["verdict"] or "no verdict"
    best = "; shaded: where it is best" if verdict in FINDINGS and result.details[row["factor"]].located else ""
    return f"{clean(row['factor'], 40)}: {verdict}{best if isinstance(row['best'], float) else ''}"


def trials_figure(result: SearchResult) -> Figure | None:
    """The response in the order in which the runs were chosen; None for a random search or an unknown order."""
    from matplotlib.figure import Figure

    runs = result.configurations
    if not result.adaptive or "order" not in runs:
        return None
    runs = runs.sort_values("order")
    figure = Figure(figsize=(WIDTH, 2.4))
    axes = figure.add_subplot()
    number, values = np.arange(1, len(runs) + 1), runs["response"].to_numpy(dtype=float)
    axes.plot(number, values, "o", color=ACCENT, markersize=4, alpha=0.75, rasterized=len(runs) > MANY_POINTS)
    best = np.fmin.accumulate(values) if result.goal == "min" else np.fmax.accumulate(values)
    axes.step(number, best, where="post", color=GOOD.light, linewidth=1.2, label="best so far")
    _clip(axes, values)
    lost = runs["diverged"].to_numpy()
    edge = 0.98 if result.goal == "min" else 0.02
    axes.plot(
        number[lost],
        np.full(lost.sum(), edge),
        "x",
        color=BAD.light,
        transform=axes.get_xaxis_transform(),
        markersize=5,
    )
    axes.legend(fontsize=8)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_xlabel("number of the run (x: diverged)" if lost.any() else "number of the run")
    axes.set_ylabel(label(result.response))
    return figure


def _drawable(name: str, result: SearchResult) -> bool:
    rows = result.levels[result.levels["factor"] == name]
    return bool((result.curves["factor"] == name).any() or rows["difference"].notna().any())


def _curve(axes: Axes, row: dict[Any, Any], result: SearchResult) -> None:
    """The curve with its band over the runs, and where it is best."""
    name, runs = row["factor"], result.configurations
    curve = result.curves[result.curves["factor"] == name]
    detail = result.details[name]
    active, lost = detail.active, runs["diverged"].to_numpy()
    x, z = np.array(detail.values, dtype=object), detail.z
    level = float(np.nanmean(z[active]))
    _scale(axes, row)
    if row["verdict"] in FINDINGS and detail.located:
        axes.axvspan(row["best_low"], row["best_high"], color=GOOD.light, alpha=0.13, linewidth=0)
        axes.axvline(row["best"], color=GOOD.light, linewidth=1, linestyle="--")
    tone = TONES.get(row["verdict"])
    here = active & ~lost
    many = int(here.sum()) > MANY_POINTS
    axes.plot(x[here].astype(float), z[here], "o", color=GREY, markersize=3, alpha=0.6, linewidth=0, rasterized=many)
    axes.fill_between(
        curve["value"], curve["ci_low"] + level, curve["ci_high"] + level, color=ACCENT, alpha=0.18, linewidth=0
    )
    axes.plot(curve["value"], curve["fitted"] + level, color=ACCENT if tone is None else tone.light)
    bottom, top = float(np.nanmin(z)) - 0.35, float(np.nanmax(z)) + 0.35
    axes.set_ylim(bottom, top)
    gone = active & lost
    axes.plot(x[gone].astype(float), np.full(gone.sum(), top - 0.1), "x", color=BAD.light, markersize=5, clip_on=False)
    _response_ticks(axes, z, result)
    if result.goal == "max":
        axes.invert_yaxis()


def _response_ticks(axes: Axes, z: np.ndarray, result: SearchResult) -> None:
    """Responses beside the scores of the runs that have them, where one score stands for one response."""
    runs = result.configurations.assign(z=z).dropna(subset=["response", "z"]).sort_values("z")
    response = runs["response"].to_numpy(dtype=float)
    ordered = np.diff(response) if result.goal == "min" else -np.diff(response)
    if len(response) < 3 or (ordered < 0).any():
        axes.set_ylabel("better <- score" if result.goal == "max" else "score -> worse", fontsize=7.5)
        return
    places = np.quantile(runs["z"], QUANTILES)
    texts = [value_text(float(value), 3) for value in np.interp(places, runs["z"], response)]
    axes.set_yticks(places, texts)
    axes.set_ylabel(label(result.response, 20), fontsize=7.5)


def _levels(axes: Axes, row: dict[Any, Any], result: SearchResult) -> None:
    """The differences of the levels to the best one, with their intervals."""
    rows = result.levels[result.levels["factor"] == row["factor"]]
    places = np.arange(len(rows))
    axes.axhline(0, color=FAINT, linewidth=0.8)
    for place, level in zip(places, rows.to_dict("records"), strict=True):
        tone = TONES.get(level["verdict"])
        colour = tone.light if tone is not None and row["verdict"] in FINDINGS else ACCENT
        if np.isfinite(level["ci_low"]):
            axes.plot([place, place], [level["ci_low"], level["ci_high"]], color=colour, linewidth=1.8, alpha=0.6)
        axes.plot(place, level["difference"], "o", color=colour, markersize=4.5)
    names = [label(level, MAX_LEVEL) for level in rows["level"]]
    axes.set_xticks(places, names, fontsize=7.5)
    if sum(map(len, names)) > CROWDED:
        axes.tick_params(axis="x", labelrotation=30)
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right")
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_ylabel("against the best", fontsize=7.5)


def _scale(axes: Axes, row: dict[Any, Any], axis: str = "x") -> None:
    """The scale of a numeric setting on one axis; zeros stand at the low end of a logarithmic one."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    if row["scale"] == "log10":
        zeros: dict[str, Any] = {} if row["tried_low"] > 0 else {"linthresh": max(row["tried_high"] * 1e-4, 1e-12)}
        getattr(axes, f"set_{axis}scale")("symlog" if zeros else "log", **zeros)
    ticks = getattr(axes, f"{axis}axis")
    ticks.set_minor_formatter(NullFormatter())
    ticks.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: object) -> str:
    mantissa, exponent, power = f"{value:.6g}".partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


def _place(axes: Axes, name: str, axis: str, result: SearchResult) -> np.ndarray:
    """Where the runs lie on one axis: numbers on their scale, words beside each other with some space."""
    row = result.settings.set_index("factor").loc[name].to_dict()
    values = result.details[name].values
    if row["kind"] in ("continuous", "integer"):
        _scale(axes, row, axis)
        return np.array([np.nan if value is None else float(value) for value in values])
    levels = list(result.levels[result.levels["factor"] == name]["level"])
    getattr(axes, f"set_{axis}ticks")(range(len(levels)), [label(level, MAX_LEVEL) for level in levels])
    getattr(axes, f"set_{axis}lim")(-0.6, len(levels) - 0.4)
    spread = np.random.default_rng(0).uniform(-0.22, 0.22, len(values))
    codes = {level: place for place, level in enumerate(levels)}
    rare = codes.get("(rare)", np.nan)
    return np.array([np.nan if value is None else codes.get(str(value), rare) for value in values]) + spread


def _clip(axes: Axes, values: np.ndarray) -> None:
    """Keep a few very bad runs from hiding the others: the axis shows the median and 3 times the range around it."""
    known = pd.Series(values).dropna()
    if known.empty:
        return
    low, high = known.quantile(0.05), known.quantile(0.95)
    margin = 0.5 * (high - low) or 1.0
    axes.set_ylim(max(known.min(), low - margin) - 0.08 * margin, min(known.max(), high + margin) + 0.16 * margin)
