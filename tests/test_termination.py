"""The stopping rule and its residuals: hand-computed numbers, and both sides of every threshold."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import OptionError
from kantor.solvers.options import PdhgOptions, StoppingCriteria
from kantor.solvers.problem import LinearProgram
from kantor.solvers.termination import (
    Residuals,
    multiplier_range,
    norm,
    relative_gap,
    residuals,
    side_norm,
    support,
)

INF = np.inf


@pytest.mark.parametrize("which", ["primal", "dual", "gap"])
def test_within_is_inclusive_and_needs_all_three(which):
    at = {"primal": 0.0, "dual": 0.0, "gap": 0.0, "objective": 1.0, "dual_objective": 1.0}
    assert Residuals(**{**at, which: 1e-6}).within(1e-6)
    assert not Residuals(**{**at, which: np.nextafter(1e-6, 1)}).within(1e-6)
    assert not Residuals(**{**at, which: math.nan}).within(1e300)


def test_gap_by_hand_and_infinite_when_a_side_is():
    assert relative_gap(10.0, 9.0) == pytest.approx(1 / 20)
    assert relative_gap(-10.0, -9.0) == relative_gap(-9.0, -10.0)
    for pair in ((INF, INF), (1.0, -INF), (math.nan, 0.0)):
        assert relative_gap(*pair) == INF


def test_side_norm_counts_an_equality_once_and_no_infinite_side():
    lower, upper = np.array([3.0, -INF, 2.0, -INF]), np.array([3.0, 4.0, 6.0, INF])
    assert side_norm(lower, upper) == pytest.approx(math.sqrt(9 + 16 + 4 + 36))


def test_norm_survives_sizes_whose_squares_do_not():
    assert norm(np.array([3e200, 4e200])) == pytest.approx(5e200)
    assert norm(np.array([3e-200, 4e-200])) == pytest.approx(5e-200)
    assert norm(np.zeros(0)) == 0.0


def test_multiplier_range_and_support():
    lower, upper = np.array([0.0, -INF, 1.0, -INF]), np.array([INF, 5.0, 2.0, INF])
    low, high = multiplier_range(lower, upper)
    assert low.tolist() == [0, -INF, -INF, 0]
    assert high.tolist() == [INF, 0, INF, 0]
    assert support(np.array([2.0, -3.0, -1.0, 0.0]), lower, upper) == pytest.approx(0 - 15 - 2)


def test_residuals_by_hand():
    # min 2 a + b, a + b >= 3, a <= 1 as a row, 0 <= a, 0 <= b <= 2: a = 1, b = 2, both rows and the bound tight.
    lp = LinearProgram([2.0, 1.0], np.array([[1.0, 1.0], [1.0, 0.0]]), [3.0, -INF], [INF, 1.0], upper=[INF, 2.0])
    got = residuals(lp, np.array([1.0, 2.0]), np.array([2.0, 0.0]))
    assert got == Residuals(0.0, 0.0, 0.0, 4.0, 4.0)
    off = residuals(lp, np.array([0.5, 2.0]), np.array([3.0, 0.0]))
    assert off.primal == pytest.approx(0.5 / (1 + math.sqrt(10)))
    assert off.dual == pytest.approx(1.0 / (1 + math.sqrt(5)))  # rho_a = -1 where a has no upper bound
    assert (off.objective, off.dual_objective) == (3.0, 9.0 - 2.0 * 2.0)


def test_a_dual_of_the_wrong_sign_counts_as_residual():
    lp = LinearProgram([1.0], np.array([[1.0]]), row_lower=[1.0])
    assert residuals(lp, np.ones(1), np.array([-0.5])).dual == pytest.approx(math.hypot(0.5, 0.0) / 2.0)


def test_weak_duality_for_random_points():
    rng = np.random.default_rng(7)
    for _ in range(50):
        K = rng.integers(-2, 3, (4, 5)).astype(float)
        x, y = rng.random(5), rng.random(4)
        lp = LinearProgram(rng.random(5), sp.csr_array(K), row_lower=K @ x - 0.1, lower=np.zeros(5), upper=np.ones(5))
        got = residuals(lp, x, y)
        assert got.primal == 0.0
        assert got.dual == 0.0
        assert got.dual_objective <= got.objective + 1e-12


@pytest.mark.parametrize(
    "bad",
    [
        {"tolerance": 0.0},
        {"tolerance": -1e-6},
        {"tolerance": math.nan},
        {"tolerance": "small"},
        {"iteration_limit": -1},
        {"iteration_limit": 2.5},
        {"time_limit_s": 0.0},
        {"time_limit_s": math.nan},
        {"iteration_limit": True},
    ],
)
def test_impossible_stopping_criteria_are_named(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        StoppingCriteria(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"check_every": 0}, {"step_factor": 1.0}, {"restart_sufficient": 0.6}, {"initial_weight": 0.0}, {"seed": -1},
        {"norm_margin": -0.1}, {"ruiz_iterations": 1.5}, {"weight_memory": 2.0},
    ],
)  # fmt: skip
def test_impossible_options_are_named(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        PdhgOptions(**bad)
