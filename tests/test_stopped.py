"""Solves that are stopped, by a limit or by Ctrl-C, whatever the method: bounds that hold, a folder that verifies."""

from __future__ import annotations

import math
from unittest import mock

import pytest

import plan_folders
from kantor import MinimiseUse, Plan, Status, verify_plan

STOPPED = {Status.TIME_LIMIT, Status.ITERATION_LIMIT, Status.INTERRUPTED}
# method: the plan, and what Ctrl-C interrupts
METHODS = {
    "reduced": (plan_folders.PLANS["scale"], "dispatch.solve_reduced"),
    "policy": (lambda: Plan(plan_folders.two_ways(), [2.0], MinimiseUse("labour")), "choice.cheapest_policy"),
    "level": (plan_folders.PLANS["use"], "level.Level._master"),
    "exchange": (plan_folders.PLANS["capacity"], "exchange.Exchange._master"),
    "interior": (plan_folders.PLANS["capacity"], "interior._by_highs"),
    "pdhg": (plan_folders.PLANS["capacity"], "run.PdhgRun.solve"),
    "highs": (plan_folders.PLANS["capacity"], "exact._run"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["Ctrl-C", "time", "iterations"])
def test_bounds_hold_wherever_a_solve_stops(tmp_path, method, how):
    make, target = METHODS[method]
    best = make().solve(1e-9)
    if how == "Ctrl-C":
        with mock.patch(f"kantor.solvers.{target}", side_effect=KeyboardInterrupt):
            result = make().solve(1e-9, method)
    else:
        limit = {"time_limit_s": 1e-9} if how == "time" else {"iteration_limit": 1}
        result = make().solve(1e-9, method, **limit)
    assert result.status is Status.OPTIMAL or result.status in STOPPED
    assert result.lower_bound <= best.upper_bound
    assert result.upper_bound >= best.lower_bound
    # Each side is proved but one: no repair finds a mix of techniques that a limit forces.
    assert math.isfinite(result.lower_bound)
    assert math.isfinite(result.gap) or method == "level"
    assert (result.gap <= 1e-9) == (result.status is Status.OPTIMAL)
    found = verify_plan(result.save(tmp_path / "plan"))
    assert found.ok, found


def test_a_second_interruption_ends_without_bounds(tmp_path):
    with (
        mock.patch("kantor.solvers.dispatch.solve_reduced", side_effect=KeyboardInterrupt),
        mock.patch("kantor.solvers.proved.plain_start", side_effect=KeyboardInterrupt),
    ):
        result = plan_folders.PLANS["scale"]().solve(1e-9)
    assert result.status is Status.INTERRUPTED
    assert (result.lower_bound, result.upper_bound) == (-math.inf, math.inf)
    assert verify_plan(result.save(tmp_path / "plan")).ok


def test_a_warm_start_is_what_an_interrupted_solve_falls_back_on():
    first = plan_folders.PLANS["scale"]().solve(1e-9)
    with mock.patch("kantor.solvers.dispatch.solve_reduced", side_effect=KeyboardInterrupt):
        again = plan_folders.PLANS["scale"]().solve(1e-9, warm_start=first)
    assert again.gap == pytest.approx(first.gap, abs=1e-10)
