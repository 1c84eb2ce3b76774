"""Sectors that make nothing: read with a word about it, checked, solved for; never divided by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.checks import check_economy
from kantor.data.economy import Economy

SECTORS = ["corn", "iron", "fairs"]


def economy(last_column: list[float], outputs: list[float] | None = None) -> Economy:
    Z = np.array([[20.0, 5.0, 0.0], [10.0, 40.0, 0.0], [0.0, 0.0, 0.0]])
    Z[:, 2] = last_column
    factors = pd.DataFrame([[20.0, 55.0, 0.0]], ["value_added"], SECTORS)
    return Economy.from_iot(Z=Z, Y=[25.0, 50.0, 0.0], x=outputs, labels=SECTORS, F=factors)


def test_zero_output_is_read_and_reported() -> None:
    eco = economy([0.0, 0.0, 0.0])
    assert any("without positive output: 'fairs'" in note for note in eco.notes)
    report = check_economy(eco)
    assert report.without_output == ["fairs"]
    assert report.productive is True
    assert report.balanced
    assert "1 techniques without output: fairs" in str(report)


def test_inputs_of_a_sector_with_zero_output_are_not_lost_in_silence() -> None:
    eco = economy([1.0, 2.0, 0.0], outputs=[51.0, 102.0, 0.0])
    assert np.isfinite(eco.A.data).all()
    assert any("dropped, 3 in all: 'fairs'" in note for note in eco.notes)
    report = check_economy(eco)
    assert not report.balanced  # what fairs used is nobody's use any more
    assert {name for name, _ in report.worst_rows} >= {"corn", "iron"}


def test_zero_output_in_solve_leontief() -> None:
    """Nothing is asked of it: output 0. Something is: it comes from nothing, as a table without its inputs says."""
    eco = economy([0.0, 0.0, 0.0])
    solution = kt.solve_leontief(eco.A, eco.demand("total"))
    np.testing.assert_allclose(solution.x, [50.0, 100.0, 0.0], rtol=1e-12)
    assert solution.x["fairs"] == 0.0
    assert np.all(np.isfinite(solution.error_bound))
    more = kt.solve_leontief(eco.A, eco.demand("total") + pd.Series([0.0, 0.0, 7.0], eco.products))
    assert more.x["fairs"] == pytest.approx(7.0)
    np.testing.assert_allclose(more.x[["corn", "iron"]], [50.0, 100.0], rtol=1e-12)


def test_zero_output_embodies_nothing() -> None:
    eco = economy([0.0, 0.0, 0.0])
    feet = kt.footprints(eco)
    assert feet.M.loc["value_added", "fairs"] == 0.0
    np.testing.assert_allclose(feet.M.loc["value_added", ["corn", "iron"]].astype(float), 1.0, rtol=1e-10)
    assert np.isfinite(feet.D_cba.to_numpy()).all()


@pytest.mark.parametrize("n", [40, 700])
def test_zero_output_in_large_tables(n: int) -> None:
    """By factorisation and by iteration: rows and columns without entries, with a bound for every sector."""
    rng = np.random.default_rng(6301)
    A = rng.random((n, n)) * (rng.random((n, n)) < 0.05)
    A *= 0.6 / np.maximum(A.sum(axis=0), 1.0)
    idle = rng.choice(n, n // 10, replace=False)
    A[idle] = 0.0
    A[:, idle] = 0.0
    d = np.where(rng.random(n) < 0.5, rng.random(n), 0.0)
    d[idle] = 0.0
    solution = kt.solve_leontief(sp.csr_array(A), d)
    assert not solution.x[idle].any()
    exact = np.linalg.solve(np.eye(n) - A, d)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-14)
    assert np.max(solution.error_bound) < 1e-8
