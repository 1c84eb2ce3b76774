"""Ctrl-C in any part of a solve ends the whole, at once, with the best point so far and its certificate."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp

import kantor as kt
import plan_folders
from infeasible_plans import random_plan
from kantor.solvers import dispatch, polishing
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.pdhg import Pdhg
from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram
from kantor.solvers.rounds import LpRounds
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp
from test_interior import world
from test_lp_polishing import transport

INF = np.inf


class CtrlC:
    """Ctrl-C in the first loop of PDHG that ``where`` accepts; ``after`` counts the loops begun later."""

    def __init__(self, monkeypatch):
        self.where, self.pressed, self.after = (lambda loop, number: False), False, 0
        self.number, loop, solve = 0, Pdhg._loop, Pdhg.solve

        def pressing(one):
            self.number += 1
            if not self.pressed and self.where(one, self.number):
                self.pressed = True
                raise KeyboardInterrupt
            return loop(one)

        def counting(one, x, y):
            self.after += self.pressed
            return solve(one, x, y)

        monkeypatch.setattr(Pdhg, "_loop", pressing)
        monkeypatch.setattr(Pdhg, "solve", counting)

    def ended_it(self):
        return self.pressed and not self.after


@pytest.fixture
def ctrl_c(monkeypatch):
    return CtrlC(monkeypatch)


# ---- runs inside a run ---------------------------------------------------------------------------------------------
def test_in_feasibility_polishing(ctrl_c, monkeypatch):
    monkeypatch.setattr(polishing, "_CLOSED", 1e5)
    monkeypatch.setattr(Pdhg, "_confirmed", lambda self, residuals: False)
    ctrl_c.where = lambda loop, number: loop.polishing is None
    lp = transport()
    found = solve_lp(lp, 1e-6, method="pdhg", presolve=False)
    assert ctrl_c.ended_it()
    assert found.status is Status.INTERRUPTED
    assert found.info.iterations >= 1_600
    assert max(found.info.primal_residual, found.info.dual_residual) < 1.0
    assert verify_lp(lp, found).ok


@pytest.mark.parametrize("correction", [1, 2])
def test_in_a_correction(ctrl_c, correction):
    """What earlier corrections gained is kept."""
    ctrl_c.where = lambda loop, number: loop.polishing is None and number == correction + 1
    lp = transport(spread=1.0)
    found = solve_lp(lp, 1e-13, method="pdhg", presolve=False, options=PdhgOptions(refine=True))
    assert ctrl_c.ended_it()
    assert found.status is Status.INTERRUPTED
    worst = max(found.info.primal_residual, found.info.dual_residual, found.info.gap)
    assert worst < (1e-6 if correction == 1 else 1e-8)
    assert verify_lp(lp, found).ok


def test_outside_of_the_loop_what_it_reached_is_kept(monkeypatch):
    """Between an attempt and the next, or while a correction is set up, the point of the last loop is the answer."""
    lp = transport(spread=1.0)
    options = PdhgOptions(refine=True)
    with mock.patch("kantor.solvers.finish.refine", side_effect=KeyboardInterrupt):
        found = solve_lp(lp, 1e-13, method="pdhg", options=options)
    assert found.status is Status.INTERRUPTED
    assert found.info.iterations > 0
    assert max(found.info.primal_residual, found.info.dual_residual, found.info.gap) < 1e-5


def test_in_the_search_for_a_direction_of_a_utility(ctrl_c):
    terms = SeparableTerms(np.array([TermKind.HYPERBOLIC, 0], np.uint8), np.ones(2), np.ones(2), np.ones(2))
    lp = LinearProgram([0.0, 1.0], np.array([[1.0, -1.0]]), row_upper=[5.0], terms=terms)
    assert solve_lp(lp, 1e-6).status is Status.OPTIMAL
    before = ctrl_c.number
    with mock.patch("kantor.solvers.run.presolve", side_effect=KeyboardInterrupt):  # of the search: utilities have none
        found = solve_lp(lp, 1e-6)
    assert found.status is Status.INTERRUPTED
    assert ctrl_c.number == before


def test_in_the_search_for_a_feasible_point(ctrl_c):
    """x is then the last iterate, not the recession direction that was found."""
    rng = np.random.default_rng(3)
    K = rng.random((4, 6)) + 0.1
    lp = LinearProgram(-np.ones(6), K, row_lower=K @ np.ones(6))
    assert solve_lp(lp, 1e-6, method="pdhg", presolve=False).status is Status.DUAL_INFEASIBLE
    ctrl_c.number, ctrl_c.where = 0, lambda loop, number: number == 2
    found = solve_lp(lp, 1e-6, method="pdhg", presolve=False)
    assert ctrl_c.ended_it()
    assert found.status is Status.INTERRUPTED
    assert math.isfinite(found.objective)
    assert verify_lp(lp, found).ok


# ---- rounds of a plan ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["exchange", "pdhg"])
def test_in_any_solve_of_the_rounds(ctrl_c, method):
    ctrl_c.where = lambda loop, number: True
    result = plan_folders.PLANS["capacity"]().solve(1e-9, method)
    assert ctrl_c.ended_it()
    assert result.status is Status.INTERRUPTED
    assert math.isfinite(result.lower_bound)


def test_in_an_interior_program(ctrl_c, monkeypatch):
    """It is solved where one side of the certificate is missing, as is pretended here."""
    inside, interior, certify = [], LpRounds._interior, LpRounds._certify
    monkeypatch.setattr(LpRounds, "_interior", lambda *args: inside.append(1) or interior(*args))
    monkeypatch.setattr(LpRounds, "_certify", lambda *args: certify(*args) and SimpleNamespace(gap=INF))
    ctrl_c.where = lambda loop, number: bool(inside)
    solution = dispatch.solve_program(world().compile(), 1e-6, method="pdhg")
    assert ctrl_c.ended_it()
    assert solution.status is Status.INTERRUPTED
    assert math.isfinite(solution.gap)


def unlimited(kind):
    """Good 0 can be made without anything scarce: its utility, or the scale, rises for ever."""
    if kind == "scale":
        return PlanningProgram.build("scale", np.eye(2), [[0.25, 0.4], [0.14, 0.12]], [55.0, 30.0])
    terms = SeparableTerms(np.array([TermKind.LOG], np.uint8), np.ones(1), np.ones(1), np.zeros(1))
    limits = {"resource_use": [[0.0, 1.0]], "resource_upper": [10.0]}
    return PlanningProgram.build("utility", np.ones((1, 2)), [[0.5, 0.1]], np.ones(1), terms=terms, **limits)


@pytest.mark.parametrize("kind", ["scale", "utility"])
def test_a_side_question_that_is_interrupted_ends_the_solve(monkeypatch, kind):
    monkeypatch.setattr("kantor.solvers.endless._far_out", lambda *args: False)
    honest, asked = dispatch.solve_program, []
    assert honest(unlimited(kind)).status is Status.DUAL_INFEASIBLE

    def interrupted(*args, **options):
        asked.append(args)
        return replace(honest(*args, **options), status=Status.INTERRUPTED)

    monkeypatch.setattr(dispatch, "solve_program", interrupted)
    assert honest(unlimited(kind)).status is Status.INTERRUPTED
    assert len(asked) == 1


@pytest.mark.parametrize("where", ["diagnose", "relax"])
def test_in_a_diagnosis(where):
    plan = next(plan for plan in map(random_plan, range(100)) if plan is not None)
    module, honest = f"kantor.planning.{where}.solve_program", dispatch.solve_program
    with mock.patch(module, side_effect=lambda *a, **o: replace(honest(*a, **o), status=Status.INTERRUPTED)) as asked:
        with pytest.raises(KeyboardInterrupt):
            plan.diagnose()
        assert asked.call_count == 1


def test_in_a_frontier():
    """The table ends with the point that Ctrl-C fell on."""
    plan = kt.Plan(plan_folders.two_ways(), [2.0], kt.MinimiseUse("labour"))
    pair, honest = [kt.MinimiseUse("labour"), kt.MinimiseUse("CO2")], kt.Plan.solve
    whole = kt.frontier(plan, pair, points=4)
    assert len(whole) == 4
    asked = []

    def second(self, *args, **options):
        asked.append(self.name)
        result = honest(self, *args, **options)
        return replace(result, status=Status.INTERRUPTED) if len(asked) == before + 2 else result

    with mock.patch.object(kt.Plan, "solve", second):
        before = 100
        kt.frontier(plan, pair, points=4)
        before = len(asked) - 4
        asked.clear()
        cut = kt.frontier(plan, pair, points=4)
    assert cut["status"].tolist() == ["optimal", "interrupted"]


def test_the_vertex_of_a_plan_is_not_worth_the_plan():
    with mock.patch("kantor.planning.solving.at_vertex", side_effect=KeyboardInterrupt):
        result = plan_folders.PLANS["use"]().solve(vertex=True)
    assert result.status is Status.OPTIMAL
    assert result.vertex is None
    assert any("vertex: interrupted" in note for note in result.info.notes)


# ---- HiGHS ---------------------------------------------------------------------------------------------------------
def hard(seed=4, rows=1_500, columns=3_000):
    """Minutes of simplex."""
    rng = np.random.default_rng(seed)
    K = sp.random_array((rows, columns), density=0.02, rng=rng, format="csr")
    x = rng.random(columns) * (rng.random(columns) < 0.3)
    return LinearProgram(rng.random(columns), K, K @ x, K @ x)


def seconds_after_a_signal(solve, wait=1.0):
    """(what came back, seconds from the signal to the end)."""
    sent = []

    def press():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(wait, press)
    timer.start()
    try:
        found = solve()
    finally:
        timer.cancel()
        timer.join()
    assert sent, "it was over before the signal"
    return found, time.perf_counter() - sent[0]


def test_the_simplex_method_hears_ctrl_c():
    lp = hard()
    found, seconds = seconds_after_a_signal(lambda: solve_lp(lp, 1e-9, method="highs"))
    assert found.status is Status.INTERRUPTED
    assert seconds < 5.0
    assert verify_lp(lp, found).ok


def test_the_presolver_hears_ctrl_c():
    """It cannot be asked to end; nobody waits for it either."""
    import highspy

    lp, honest = hard(), highspy.Highs.presolve
    with mock.patch.object(highspy.Highs, "presolve", lambda self: (time.sleep(20), honest(self))):
        found, seconds = seconds_after_a_signal(lambda: solve_lp(lp, 1e-9, method="pdhg"))
    assert found.status is Status.INTERRUPTED
    assert seconds < 5.0
