"""Published results come out of the event files to the printed digits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.study import fit_study
from tests.analysis.published import (
    BATTERY,
    FILTRATION,
    FILTRATION_EFFECTS,
    GRAFTS,
    HALF_FRACTION,
    MOORE,
    PILOT_PLANT,
    PILOT_PLANT_EFFECTS,
    PROCESS,
    PROCESS_EFFECTS,
    SILICON,
    SILVER,
    TOOTH_GROWTH,
    WARP_BREAKS,
    through_event_files,
)


def study(tmp_path, table, factors, **options):
    return fit_study(through_event_files(tmp_path, table, factors), factors, permutations=0, **options)


def column(table: pd.DataFrame, key: str, value: str) -> dict[str, float]:
    return dict(zip(table[key], table[value], strict=True))


def check_anova(anova: pd.DataFrame, printed: dict[str, tuple[float | None, ...]], digits: tuple[int, ...]) -> None:
    """Each term's df, sum of squares, F and p, rounded to the printed digits; None where none is printed."""
    rows = anova.set_index("term")
    for term, (df, *figures) in printed.items():
        assert rows.df[term] == df
        for name, figure, places in zip(("sum_sq", "F", "p"), figures, digits, strict=False):
            if figure is not None:
                # Half a unit of the last digit, and what float32 responses may add.
                assert abs(rows[name][term] - figure) <= 0.5001 * 10.0**-places + 1e-6 * abs(figure), (
                    term,
                    name,
                )


@pytest.mark.parametrize(
    ("table", "printed"),
    [(FILTRATION, FILTRATION_EFFECTS), (PROCESS, PROCESS_EFFECTS)],
    ids=["filtration", "process"],
)
def test_unreplicated_factorials(tmp_path, table, printed):
    result = study(tmp_path, table, list(table.columns[:4]), goal="max")
    effects = column(result.lenth, "contrast", "effect")
    assert effects.keys() == printed.keys()
    for name, effect in printed.items():
        # Box, Hunter & Hunter print two decimals; all of these are multiples of 1/8.
        assert effects[name] == pytest.approx(effect, abs=1e-5), name
    mains = column(result.effects, "factor", "estimate")
    assert all(mains[name] == pytest.approx(printed[name], abs=1e-5) for name in mains)
    pairs = column(result.interactions, "factor", "estimate")
    assert all(pairs[name] == pytest.approx(printed[name], abs=1e-5) for name in pairs)


def test_filtration_rate_by_lenth(tmp_path):
    result = study(tmp_path, FILTRATION, ["A", "B", "C", "D"], goal="max")
    screening = result.noise.lenth
    # Montgomery's figures: Minitab prints PSE 2.625 and ME 6.748; SME 13.699 is the same t at 15 contrasts.
    assert screening.pse == pytest.approx(2.625, abs=1e-6)
    assert screening.me == pytest.approx(6.748, abs=5e-4)
    assert screening.sme == pytest.approx(13.699, abs=5e-4)
    table = screening.table
    assert set(table.contrast[table.active]) == {"A", "C", "D", "A:C", "A:D"}
    assert set(table.contrast[table.active_sme]) == {"A", "D", "A:C", "A:D"}
    # The half-normal plot: the five active effects are the five largest, and quantiles rise with |effect|.
    order = table.sort_values("half_normal")
    assert order.effect.abs().is_monotonic_increasing
    assert set(order.contrast[-5:]) == {"A", "C", "D", "A:C", "A:D"}
    total = result.anova.sum_sq.sum()
    assert total == pytest.approx(5730.94, abs=0.005)
    printed = {
        "A": 1870.56,
        "B": 39.06,
        "C": 390.06,
        "D": 855.56,
        "A:B": 0.06,
        "A:C": 1314.06,
        "A:D": 1105.56,
    }
    sums = column(result.anova, "term", "sum_sq")
    assert all(round(sums[term], 2) == pytest.approx(ss, abs=0.011) for term, ss in printed.items())


def test_half_fraction_of_the_filtration_rate(tmp_path):
    result = study(tmp_path, HALF_FRACTION, ["A", "B", "C", "D"], goal="max")
    effects = column(result.lenth, "contrast", "effect")
    printed = {"A": 19.0, "B": 1.5, "C": 14.0, "D": 16.5, "A:B": -1.0, "A:C": -18.5, "A:D": 19.0}
    assert effects == pytest.approx(printed, abs=1e-5)
    aliases = column(result.lenth, "contrast", "aliases")
    assert {name: aliases[name] for name in ("A:B", "A:C", "A:D")} == {
        "A:B": "C:D",
        "A:C": "B:D",
        "A:D": "B:C",
    }


def test_pilot_plant(tmp_path):
    result = study(tmp_path, PILOT_PLANT, ["T", "C", "K"], goal="max")
    effects = column(result.effects, "factor", "estimate") | column(result.interactions, "factor", "estimate")
    assert effects == pytest.approx(PILOT_PLANT_EFFECTS, abs=1e-5)
    # Variance of a run 8 on 8 degrees of freedom; with the factorial saturated the error of an effect is 1.4.
    assert result.noise.method == "pure error"
    assert result.noise.pure_error.df == 8
    assert result.noise.pure_error.sd == pytest.approx(np.sqrt(8.0), abs=1e-5)
    assert 2 * result.noise.pure_error.sd / np.sqrt(16) == pytest.approx(1.4, abs=0.05)
    # The one term that model M leaves out, T:C:K = 0.5, is the lack of fit: 4 * 0.5^2.
    assert result.noise.pure_error.lack_of_fit_df == 1
    assert result.noise.pure_error.lack_of_fit_sum_sq == pytest.approx(1.0, abs=1e-4)
    verdicts = column(result.effects, "factor", "verdict")
    assert verdicts == {"T": "helps here", "C": "hurts here", "K": "undetermined"}
    # No seeds are recorded: the verdicts are about these runs.
    assert set(result.effects.scope) == {"these runs"}


def test_battery_life(tmp_path):
    result = study(tmp_path, BATTERY, ["material", "temperature"], goal="max")
    printed = {
        "material": (2, 10683.72, 7.91, 0.0020),
        "temperature": (2, 39118.72, 28.97, None),
        "material:temperature": (4, 9613.78, 3.56, 0.0186),
        "residual": (27, 18230.75),
    }
    check_anova(result.anova, printed, (2, 2, 4))
    assert result.anova.sum_sq.sum() == pytest.approx(77646.97, abs=0.005)
    means = {(row.factor, row.level): row.mean for row in result.marginal_means.itertuples()}
    assert means["material", "1"] == pytest.approx(83.17, abs=0.005)
    assert means["material", "2"] == pytest.approx(108.33, abs=0.005)
    assert means["material", "3"] == pytest.approx(125.08, abs=0.005)
    # A significant interaction asks for simple effects. At 70 degrees materials 2 and 3 beat 1 (Montgomery,
    # 5.3.1).
    simple = result.simple_effects
    at_70 = simple[(simple.factor == "material") & (simple["at"] == "70")].set_index("level").estimate
    assert at_70.to_dict() == pytest.approx({"1": 57.25 - 107.58333, "2": 119.75 - 107.58333, "3": 145.75 - 107.58333})


def test_grafts_in_blocks(tmp_path):
    table = through_event_files(tmp_path, GRAFTS, ["pressure"])
    result = fit_study(table, ["pressure"], goal="max", permutations=0)
    printed = {"seed": (5, 192.25), "pressure": (3, 178.17, 8.11, 0.0019), "residual": (15, 109.89)}
    check_anova(result.anova, printed, (2, 2, 4))
    assert result.noise.blocks
    assert result.noise.seeds == ("1", "2", "3", "4", "5", "6")


def test_tooth_growth(tmp_path):
    result = study(tmp_path, TOOTH_GROWTH, ["supp", "dose"], goal="max")
    printed = {
        "supp": (1, 205.35, 15.572, 0.000231),
        "dose": (2, 2426.4, 92.0, None),
        "supp:dose": (2, 108.3, 4.107, 0.021860),
        "residual": (54, 712.1),
    }
    check_anova(result.anova, printed, (1, 3, 6))
    # R's TukeyHSD prints the same differences of means, with signs by its order of the levels.
    assert result.effects.set_index("factor").estimate["supp"] == pytest.approx(-3.7, abs=1e-5)
    pairs = {(row.level, row.versus): row.estimate for row in result.pairwise.itertuples()}
    assert pairs == pytest.approx({("0.5", "1"): -9.130, ("0.5", "2"): -15.495, ("1", "2"): -6.365}, abs=1e-5)


def test_warp_breaks(tmp_path):
    result = study(tmp_path, WARP_BREAKS, ["wool", "tension"])
    printed = {
        "wool": (1, 450.7, 3.765, 0.058213),
        "tension": (2, 2034.3, 8.498, 0.000693),
        "wool:tension": (2, 1002.8, 4.189, 0.021044),
        "residual": (48, 5745.1),
    }
    check_anova(result.anova, printed, (1, 3, 6))


def test_moore_and_krupat_type_two(tmp_path):
    """Unbalanced; type-II sums of squares printed by Fox & Weisberg, An R Companion to Applied Regression."""
    result = study(tmp_path, MOORE, ["partner_status", "fcategory"], goal="max")
    printed = {
        "partner_status": (1, 212.21, 10.1207, 0.002874),
        "fcategory": (2, 11.61, 0.2770, 0.759564),
        "partner_status:fcategory": (2, 175.49, 4.1846, 0.022572),
        "residual": (39, 817.76),
    }
    check_anova(result.anova, printed, (2, 4, 6))


def test_silicon_resistivity_from_files(tmp_path):
    """Single precision keeps four of NIST's certified digits of sums that are 1e-8 of the responses'
    square."""
    result = study(tmp_path, SILICON, ["instrument"])
    rows = result.anova.set_index("term")
    assert rows.F["instrument"] == pytest.approx(1.18046237440255, rel=2e-4)


def test_certified_anova_in_double_precision():
    silicon = fit_study(SILICON, ["instrument"], permutations=0)
    rows = silicon.anova.set_index("term")
    assert rows.sum_sq["instrument"] == pytest.approx(5.11462616000000e-02, rel=1e-10)
    assert rows.sum_sq["residual"] == pytest.approx(2.16636560000000e-01, rel=1e-10)
    assert rows.F["instrument"] == pytest.approx(1.18046237440255, rel=1e-10)
    assert silicon.model.residual_sd == pytest.approx(1.04076068334656e-01, rel=1e-10)
    assert silicon.model.r_squared == pytest.approx(1.90999039051129e-01, rel=1e-10)
    rows = fit_study(SILVER, ["instrument"], permutations=0).anova.set_index("term")
    assert rows.sum_sq["instrument"] == pytest.approx(3.63834187500000e-09, rel=1e-6)
    assert rows.F["instrument"] == pytest.approx(1.59467335677930e01, rel=1e-6)
