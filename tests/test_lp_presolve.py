"""Presolve and postsolve: what is removed comes back exactly, approximate points are judged on the original."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import OptionError
from kantor.solvers import run as run_module
from kantor.solvers.clock import Clock
from kantor.solvers.lp import solve_lp
from kantor.solvers.presolve import presolve, unsuitable
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.solution import Status
from kantor.solvers.termination import residuals
from kantor.solvers.verify import verify_lp

INF = np.inf


def reducible(seed=0, goods=12, spread=0.0):
    """A planning program with something for every reduction: singleton, duplicate, empty and free rows, fixed, free
    (implied), duplicate and dominated columns, a doubleton equation; ``spread`` of the units, lognormal."""
    rng = np.random.default_rng(seed)
    A = sp.random_array((goods, goods), density=0.3, rng=rng).toarray() * (0.5 / (0.3 * goods * 0.5))
    N = np.hstack([np.eye(goods) - A, np.eye(goods) - 1.2 * A, (np.eye(goods) - A)[:, :1]])
    n = N.shape[1]
    labour = np.append(rng.random(goods) + 0.1, rng.random(goods) + 0.2)
    labour = np.append(labour, labour[0])
    rows = [*N, labour, labour, np.eye(n)[1], np.zeros(n), np.eye(n)[2] - 2 * np.eye(n)[3]]
    low = [*rng.random(goods), -INF, -INF, 0.01, -1.0, 0.0]
    high = [*np.full(goods, INF), 30.0 * goods, 40.0 * goods, INF, 1.0, 0.0]
    K, low, high = np.array(rows), np.array(low), np.array(high)
    r, c = np.exp(spread * rng.standard_normal(K.shape[0])), np.exp(spread * rng.standard_normal(n))
    lower = np.zeros(n)
    lower[5], upper = 0.3, np.full(n, INF)
    upper[5] = 0.3
    return LinearProgram(labour / c, K * r[:, None] / c, low * r, high * r, lower * c, upper * c)


@pytest.mark.parametrize("spread", [0.0, 4.0])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_with_and_without_give_the_same_optimum(tolerance, spread):
    lp = reducible(3, spread=spread)
    on, off = (solve_lp(lp, tolerance, presolve=p, backend="reference") for p in (True, False))
    exact = solve_lp(lp, 1e-9, method="highs")
    for solution in (on, off):
        assert solution.status is Status.OPTIMAL
        assert verify_lp(lp, solution).ok
        assert solution.objective == pytest.approx(exact.objective, rel=20 * tolerance)
    assert "presolve" in on.info.seconds
    assert "presolve" not in off.info.seconds


def test_postsolve_of_an_optimal_point_is_exact():
    lp = reducible(1)
    reduced, why = presolve(lp, Clock(), 1e-9)
    assert not why
    assert reduced.lp.shape[0] < lp.shape[0]
    assert reduced.lp.shape[1] < lp.shape[1]
    inner = solve_lp(reduced.lp, 1e-9, method="highs", presolve=False) if not reduced.solved else None
    x, y = (np.zeros(0), np.zeros(0)) if inner is None else (inner.x, inner.y)
    judged = residuals(lp, *reduced.finish(x, y))
    assert judged.worst < 1e-12
    again = residuals(lp, *reduced.finish(x, y))
    assert again == judged


def test_postsolve_of_a_rough_point_is_judged_on_the_original():
    """The residuals reported are those of the raw arrays, whatever postsolve made of the point."""
    lp = big_enough()
    solution = solve_lp(lp, 1e-3, presolve=True, backend="reference")
    assert solution.status is Status.OPTIMAL
    check = verify_lp(lp, solution)
    assert check.ok, check.reasons
    assert check.primal_residual == pytest.approx(solution.info.primal_residual, rel=1e-6, abs=1e-15)
    assert check.dual_residual == pytest.approx(solution.info.dual_residual, rel=1e-6, abs=1e-15)
    assert np.array_equal(solution.reduced_costs, lp.c - lp.K.T @ solution.y)


def big_enough(seed=5, rows=30, columns=50):
    """A dense random program that presolve shrinks but does not solve."""
    rng = np.random.default_rng(seed)
    K = rng.standard_normal((rows, columns))
    x = rng.random(columns)
    K = np.vstack([K, np.eye(columns)[0]])
    b = K @ x
    low, high = b - 0.1, b + rng.random(rows + 1)
    return LinearProgram(rng.standard_normal(columns), K, low, high, np.zeros(columns), np.full(columns, 2.0))


def test_a_point_that_postsolve_spoils_is_not_believed(monkeypatch):
    lp = big_enough()
    honest, spoilt = solve_lp(lp, 1e-6, presolve=True, backend="reference"), []
    finish = run_module.Presolved.finish

    def rough(self, x, y):
        x, y = finish(self, x, y)
        if len(spoilt) < 3:
            spoilt.append(1)
            x = x + 1e-3
        return x, y

    monkeypatch.setattr(run_module.Presolved, "finish", rough)
    solution = solve_lp(lp, 1e-6, presolve=True, backend="reference")
    assert solution.info.iterations > honest.info.iterations
    assert verify_lp(lp, solution).ok


def test_a_warm_start_passes_through():
    lp = big_enough(7)
    first = solve_lp(lp, 1e-8, presolve=True, backend="reference")
    again = solve_lp(lp, 1e-8, presolve=True, backend="reference", warm_start=first)
    assert first.info.iterations >= 400
    assert again.status is Status.OPTIMAL
    assert again.info.iterations < 0.5 * first.info.iterations
    scaled = solve_lp(lp, 1e-8, presolve=True, backend="reference", warm_start=(first.x, first.y))
    assert scaled.info.iterations < 0.5 * first.info.iterations


def test_an_infeasible_program_gets_its_certificate_on_the_original_rows():
    lp = reducible(2)
    row_upper = lp.row_upper.copy()
    row_upper[12] = row_upper[13] = 1e-3  # labour
    lp = LinearProgram(lp.c, lp.K, lp.row_lower, row_upper, lp.lower, lp.upper)
    solution = solve_lp(lp, 1e-6, presolve=True, backend="reference")
    assert solution.status is Status.PRIMAL_INFEASIBLE
    assert verify_lp(lp, solution).ok


@pytest.mark.parametrize("maximise", [False, True])
def test_nothing_left_to_decide(maximise):
    lp = LinearProgram([1.0, 2.0], np.eye(2), [1.0, 2.0], offset=3.0, maximise=maximise)
    solution = solve_lp(lp, 1e-9, backend="reference")
    assert solution.status is Status.OPTIMAL
    assert solution.info.iterations == 0
    assert solution.objective == (-8.0 if maximise else 8.0)
    assert verify_lp(lp, solution).ok


def test_what_presolve_cannot_take_is_left_alone():
    terms = SeparableTerms(np.array([3], np.uint8), np.ones(1), np.zeros(1), np.zeros(1))
    curved = LinearProgram([1.0], np.ones((1, 1)), row_upper=[2.0], terms=terms)
    assert "concave" in unsuitable(curved)
    assert solve_lp(curved, backend="reference").info.notes == []
    asked = solve_lp(curved, backend="reference", presolve=True)
    assert asked.status is Status.OPTIMAL
    assert any("concave" in note for note in asked.info.notes)
    tiny = LinearProgram([1.0, 1.0], np.array([[1.0, 1e-13], [1.0, 1.0]]), row_lower=[1.0, 2.0])
    assert "1e-12" in unsuitable(tiny)
    with pytest.raises(OptionError, match="presolve"):
        solve_lp(reducible(), presolve=True, projection=lambda x: x)


def test_the_objective_is_reported_in_the_users_sense_at_every_check():
    lp = big_enough(9)
    lp = LinearProgram(lp.c, lp.K, lp.row_lower, lp.row_upper, lp.lower, lp.upper, offset=7.0, maximise=True)
    solution = solve_lp(lp, 1e-7, presolve=True, backend="reference")
    assert solution.info.history[-1]["objective"] == pytest.approx(solution.objective, rel=1e-5)
    assert solution.info.history[-1]["dual_objective"] == pytest.approx(solution.dual_objective, rel=1e-5)
