"""Restart rules and the primal weight as pure functions, just inside and just outside every threshold."""

import math

import numpy as np
import pytest

from kantor.solvers.options import PdhgOptions
from kantor.solvers.restart import WeightState, fixed_point_error, restart_reason, update_weight

# The gains of the paper; kantor's own lean towards the side with the larger residual is tested apart.
OPTIONS = PdhgOptions(weight_proportional=0.99, weight_integral=0.01, weight_balance=0.0)


def below(x):
    return float(np.nextafter(x, -math.inf))


def above(x):
    return float(np.nextafter(x, math.inf))


def test_first_check_always_restarts():
    assert restart_reason(9.0, 1.0, 0.5, 1, 10**9, True, OPTIONS) == "first"


@pytest.mark.parametrize(("r", "expected"), [(0.2, "sufficient"), (above(0.2), "")])
def test_sufficient_decrease(r, expected):
    assert restart_reason(r, 1.0, r, 1, 10**9, False, OPTIONS) == expected


@pytest.mark.parametrize(
    ("r", "r_previous", "expected"),
    [(0.5, below(0.5), "necessary"), (above(0.5), 0.4, ""), (0.5, 0.5, ""), (0.3, 0.31, ""), (0.3, math.inf, "")],
)
def test_necessary_decrease_without_progress(r, r_previous, expected):
    assert restart_reason(r, 1.0, r_previous, 1, 10**9, False, OPTIONS) == expected


@pytest.mark.parametrize(("k", "expected"), [(360, "artificial"), (359, "")])
def test_artificial_restart_of_a_long_epoch(k, expected):
    assert restart_reason(0.9, 1.0, 0.95, k, 1000, False, OPTIONS) == expected


def test_fixed_point_error_is_the_p_norm():
    rng = np.random.default_rng(5)
    K, dx, dy, w = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3), 2.5
    eta = 0.9 / np.linalg.norm(K, 2)
    P = np.block([[w * np.eye(4), eta * K.T], [eta * K, np.eye(3) / w]])
    z = np.concatenate([dx, dy])
    assert fixed_point_error(dx @ dx, dy @ dy, dy @ K @ dx, eta, w) == pytest.approx(math.sqrt(z @ P @ z))


def test_fixed_point_error_says_when_the_step_is_too_long():
    assert fixed_point_error(1.0, 1.0, -1.0, 1.0 + 1e-12, 1.0) == -1.0
    assert fixed_point_error(1.0, 1.0, -1.0, 1.0, 1.0) == 0.0
    assert math.isnan(fixed_point_error(math.nan, 1.0, 0.0, 1.0, 1.0))


def test_weight_follows_the_ratio_of_movements():
    state = update_weight(WeightState.start(1.0), 1.0, 8.0, 1e-3, 1e-3, OPTIONS)
    e = math.log(8.0)
    assert state.weight == pytest.approx(math.exp(0.99 * e + 0.01 * e))
    assert state.error_sum == pytest.approx(e)
    again = update_weight(state, 1.0, 8.0, 1e-3, 1e-3, OPTIONS)
    assert again.weight == pytest.approx(8.0 * math.exp(0.01 * 0.3 * e))  # e is 0 now; the memory remains


@pytest.mark.parametrize(
    ("dx", "dy", "primal", "dual"),
    [
        (1e-17, 1.0, 1.0, 1.0),
        (1.0, 1e-17, 1.0, 1.0),
        (2e12, 1.0, 1.0, 1.0),
        (1.0, 2e12, 1.0, 1.0),
        (1.0, 1.0, 1.0, 0.5e-8),
        (1.0, 1.0, 0.5e-8, 1.0),
        (0.0, 0.0, 1.0, 1.0),
    ],
)
def test_weight_falls_back_to_the_best_so_far(dx, dy, primal, dual):
    state = WeightState(weight=7.0, error_sum=3.0, last_error=1.0, best_weight=0.25, best_imbalance=0.0)
    moved = update_weight(state, dx, dy, primal, dual, OPTIONS)
    assert (moved.weight, moved.error_sum, moved.last_error) == (0.25, 0.0, 0.0)


@pytest.mark.parametrize(("primal", "dual"), [(1e-3, 0.0), (0.0, 1e-3)])
def test_a_residual_that_is_always_zero_does_not_freeze_the_weight(primal, dual):
    state = WeightState(weight=1.0, best_weight=0.25, best_imbalance=0.0)
    moved = update_weight(state, 1.0, 8.0, primal, dual, OPTIONS)
    assert moved.weight == pytest.approx(8.0)
    assert (moved.best_weight, moved.best_imbalance) == (0.25, 0.0)


def test_imbalance_without_a_better_weight_to_fall_back_on_moves_the_weight():
    stuck = WeightState(weight=1.0, best_weight=1.0, best_imbalance=17.0)
    assert update_weight(stuck, 1.0, 8.0, 1e-18, 0.3, OPTIONS).weight == pytest.approx(8.0)
    known = WeightState(weight=1.0, best_weight=0.25, best_imbalance=2.0)
    assert update_weight(known, 1.0, 8.0, 1e-18, 0.3, OPTIONS).weight == 0.25


def test_best_weight_is_the_one_with_the_most_balanced_residuals():
    state = update_weight(WeightState.start(1.0), 1.0, 4.0, 1e-3, 1e-2, OPTIONS)
    assert state.best_imbalance == pytest.approx(1.0)
    worse = update_weight(state, 1.0, 9.0, 1e-6, 1e-2, OPTIONS)
    assert (worse.best_weight, worse.best_imbalance) == (state.weight, state.best_imbalance)
    better = update_weight(worse, 1.0, 9.0, 1e-3, 2e-3, OPTIONS)
    assert better.best_weight == better.weight


def test_the_weight_leans_towards_the_side_that_is_further_from_feasible():
    options = PdhgOptions(weight_proportional=0.0, weight_integral=0.0, weight_balance=0.2)
    start = WeightState.start(2.0)
    assert update_weight(start, 1.0, 1.0, 1e-2, 1e-4, options).weight == pytest.approx(2.0 * 100**0.2)
    assert update_weight(start, 1.0, 1.0, 1e-4, 1e-2, options).weight == pytest.approx(2.0 / 100**0.2)
    assert update_weight(start, 1.0, 1.0, 1e-2, 1e-9, options).weight == pytest.approx(2.0 * math.exp(1.8))  # bounded
    assert update_weight(start, 1.0, 1.0, 1e-2, 0.0, options).weight == 2.0  # structure, not imbalance


def test_the_weight_of_a_program_on_which_travel_alone_drifts_stays_near_balance():
    """With only travel to go by, a steady ratio of movements of 2 multiplies the weight for ever; the lean stops it
    where the residuals it causes balance the pull."""
    drifting, leaning = WeightState.start(1.0), WeightState.start(1.0)
    for _ in range(100):
        pull = 2.0  # dy / dx = 2 w whatever the weight
        drifting = update_weight(drifting, 1.0, pull * drifting.weight, 1.0, drifting.weight, OPTIONS)
        leaning = update_weight(leaning, 1.0, pull * leaning.weight, 1.0, leaning.weight**4, PdhgOptions())
    assert drifting.weight > 1e5
    assert leaning.weight < 1e2
