"""Type-II analysis of variance of model M by nested fits, which stay correct with missing cells and aliased terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from attnae.analysis.design.aliases import CONSTANT, aliased_with
from attnae.analysis.design.model import INTERCEPT, RANK_TOLERANCE, RESIDUAL, Design
from attnae.analysis.inference.contrasts import ROUNDING
from attnae.analysis.inference.distributions import f_sf
from attnae.analysis.inference.families import holm


def anova_table(design: Design, y: np.ndarray) -> pd.DataFrame:
    """`anova.csv`: term, sum_sq, df, F, p, p_holm, eta_sq_partial, omega_sq, note.

    A term's sum of squares is the drop of the residual one when the term joins all terms that do not contain
    it (Yates 1934; Fox 2016, section 8.2), its df the gain in rank. The error is model M's. Holm families:
    main effects; interactions. Partial eta^2 = SS / (SS + SS_residual); partial omega^2 = (SS - df *
    MS_residual) / (SS + (n - df) * MS_residual), cut at 0 (Olejnik & Algina 2003).
    """
    residual_ss = sum_of_squares(design.residuals(y - y.mean())) if design.residual_df else 0.0
    mean_square = residual_ss / design.residual_df if design.residual_df else np.nan
    # Of balanced designs, an exact zero comes out as the square of a rounding error.
    tiny = ROUNDING**2 * sum_of_squares(y - y.mean())
    sums, rows = design.row_sums(y - y.mean()), []
    for term in [term for term in design.terms if term != INTERCEPT]:
        space = added_space(design, term)
        ss, df = sum_of_squares(space.T @ sums), space.shape[1]
        ss = ss if ss > tiny else 0.0
        f, p = f_row(ss, df, residual_ss, design.residual_df)
        rows.append(
            {
                "term": term,
                "sum_sq": ss if df else np.nan,
                "df": df,
                "F": f,
                "p": p,
                "p_holm": np.nan,
                "eta_sq_partial": ss / (ss + residual_ss) if df and design.residual_df and ss else np.nan,
                "omega_sq": _omega_squared(ss, df, mean_square, design.n) if df else np.nan,
                "note": _alias_note(design, term, df),
            }
        )
    residual = {"term": RESIDUAL, "sum_sq": residual_ss, "df": design.residual_df, "note": ""}
    table = pd.DataFrame([*rows, residual])
    is_interaction = table.term.map(lambda term: len(design.members.get(term, ())) == 2)
    is_main = table.term.map(lambda term: len(design.members.get(term, ())) == 1)
    for family in (is_main, is_interaction):
        table.loc[family, "p_holm"] = holm(table.loc[family, "p"].to_numpy())
    return table


def added_space(design: Design, term: str) -> np.ndarray:
    """(rows, df) columns that are orthonormal over the runs: what the term adds to all terms that do not contain it."""
    # All terms lie in the model's space: work with its coordinates, rank instead of rows many.
    columns = design.coordinates([term])
    given = design.coordinates(not_containing(design, term))
    left, singular, _ = np.linalg.svd(given, full_matrices=False)
    basis = left[:, singular > RANK_TOLERANCE * singular[0]]
    return design.basis @ orthogonal_part(columns, basis)


def not_containing(design: Design, term: str) -> list[str]:
    """All terms of model M but the term itself and the interactions it is part of."""
    members = design.members[term]
    return [
        other for other, factors in design.members.items() if other != term and not (members and members <= factors)
    ]


def orthogonal_part(columns: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(rows, rank gained) orthonormal columns that span what of the columns is orthogonal to an orthonormal basis."""
    rest = columns - basis @ (basis.T @ columns)
    left, singular, _ = np.linalg.svd(rest, full_matrices=False)
    return left[:, singular > 1e-7 * np.linalg.norm(columns, axis=0).max()]


def sum_of_squares(values: np.ndarray) -> float:
    return float(np.sum(values**2))


def f_row(ss: float, df: int, error_ss: float, error_df: int) -> tuple[float, float]:
    """F = (ss / df) / (error_ss / error_df) and its p; NaN if a df is 0 or there is no error."""
    if not df or not error_df or error_ss <= 0:
        return np.nan, np.nan
    f = (ss / df) / (error_ss / error_df)
    return f, float(f_sf(f, df, error_df))


def _omega_squared(ss: float, df: int, mean_square: float, n: int) -> float:
    denominator = ss + (n - df) * mean_square
    return max(0.0, (ss - df * mean_square) / denominator) if denominator > 0 else np.nan


def _alias_note(design: Design, term: str, df: int) -> str:
    nominal = design.rows[:, design.terms[term]].shape[1]
    if df == nominal:
        return ""
    others: Sequence[str] = aliased_with(design, term, not_containing(design, term))
    if df == 0:
        return f"aliased with {', '.join(others)}" if others else CONSTANT
    return f"{nominal - df} of {nominal} degrees of freedom are aliased"
