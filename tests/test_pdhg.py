"""The outer loop: norm estimate and its repair, limits, interruption, determinism, the block contract, projections."""

import math
import time
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends import get_backend
from kantor.errors import OptionError, ProblemError
from kantor.solvers import lp as lp_module
from kantor.solvers.kkt import Kkt
from kantor.solvers.options import PdhgOptions
from kantor.solvers.pdhg import spectral_norm
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.scaling import scale_program
from kantor.solvers.solution import Status
from kantor.solvers.termination import multiplier_range, residuals

INF = np.inf
# The loop itself is under test: small programs would be solved by presolve.
solve_lp = partial(lp_module.solve_lp, presolve=False)


def planning_lp(goods=30, techniques=2, seed=3):
    """min labour, (B - A) x >= d, one resource; feasible and bounded."""
    rng = np.random.default_rng(seed)
    m = goods * techniques
    A = sp.random_array((goods, m), density=0.2, rng=rng) * (0.5 / (0.2 * goods * 0.5))
    N = sp.hstack([sp.eye_array(goods)] * techniques) - A
    labour, resource = rng.random(m) + 0.1, rng.random(m)
    K = sp.vstack([N, sp.csr_array(resource[None, :])])
    demand = rng.random(goods)
    return LinearProgram(labour, K, np.append(demand, -INF), np.append(np.full(goods, INF), 3.0 * goods))


def test_solves_to_the_requested_tolerance_on_every_backend(backend):
    lp = planning_lp()
    solution = solve_lp(lp, 1e-7, backend=backend)
    assert solution.status is Status.OPTIMAL
    assert residuals(lp, solution.x, solution.y).within(1e-7)
    info = solution.info
    assert info.backend == backend.name
    assert max(info.primal_residual, info.dual_residual, info.gap) <= info.tolerance == 1e-7
    assert set(info.seconds) >= {"scaling", "transfer", "norm", "iterate", "check", "total"}
    assert info.iterations % 200 == 0
    assert info.products >= 2 * info.iterations


def test_same_input_gives_the_same_bits(backend):
    lp = planning_lp()
    first, second = (solve_lp(lp, 1e-6, backend=backend) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    assert first.info.iterations == second.info.iterations


def test_pieces_of_a_block_do_not_change_the_answer(monkeypatch):
    lp = planning_lp()
    whole = solve_lp(lp, 1e-6, backend="reference")
    monkeypatch.setattr("kantor.solvers.pdhg._PIECE_SECONDS", 1e-9)
    pieces = solve_lp(lp, 1e-6, backend="reference")
    assert pieces.x.tobytes() == whole.x.tobytes()


@pytest.mark.parametrize("build", ["random", "twin blocks", "one dense row", "zero column"])
def test_norm_estimate_is_an_upper_bound(build):
    rng = np.random.default_rng(13)
    if build == "random":
        K = rng.standard_normal((20, 30))
    elif build == "twin blocks":  # a double largest singular value
        block = rng.random((8, 8))
        K = np.kron(np.eye(2), block)
    elif build == "one dense row":
        K = np.vstack([np.eye(40), np.full((1, 40), 100.0)])
    else:
        K = np.eye(5)
        K[2, 2] = 0.0
    lp = LinearProgram(np.ones(K.shape[1]), K)
    kkt = Kkt(get_backend("reference"), lp, scale_program(lp, PdhgOptions()))
    estimate, products = spectral_norm(kkt, PdhgOptions())
    exact = np.linalg.norm(kkt.A.handle.toarray(), 2)
    assert exact <= estimate <= 1.05 * exact
    assert products > 0


def test_an_underestimated_norm_is_repaired(monkeypatch):
    lp = planning_lp()
    monkeypatch.setattr("kantor.solvers.pdhg.spectral_norm", lambda kkt, options, stop: (0.2, 0))
    solution = solve_lp(lp, 1e-6, backend="reference", iteration_limit=100_000)
    assert solution.status is Status.OPTIMAL
    assert residuals(lp, solution.x, solution.y).within(1e-6)


def test_iteration_limit_returns_the_best_point():
    lp = planning_lp()
    full = solve_lp(lp, 1e-9, backend="reference")
    for limit in (0, 1, 7, 200, 350):
        cut = solve_lp(lp, 1e-9, backend="reference", iteration_limit=limit)
        assert cut.status is Status.ITERATION_LIMIT
        assert cut.info.iterations == limit
        assert np.isfinite(cut.x).all()
        assert np.isfinite(cut.y).all()
        worst = max(cut.info.primal_residual, cut.info.dual_residual, cut.info.gap)
        seen = min(max(h["primal_residual"], h["dual_residual"], h["gap"]) for h in cut.info.history)
        assert worst == pytest.approx(seen, rel=1e-6)
        assert (cut.x >= lp.lower).all()
    assert full.info.iterations > 350


def test_time_limit_stops_within_a_piece():
    lp = planning_lp(seed=4)
    solution = solve_lp(lp, 1e-15, backend="reference", time_limit_s=0.03)
    assert solution.status is Status.TIME_LIMIT
    assert solution.info.seconds["total"] >= 0.03


def test_time_limit_splits_long_blocks(monkeypatch):
    backend = type(get_backend("reference"))()
    lengths = []
    block = backend.pdhg_block

    def slow(state, iterations):
        lengths.append(iterations)
        time.sleep(0.02 * iterations)
        block(state, min(iterations, 1))

    monkeypatch.setattr(backend, "pdhg_block", slow)
    monkeypatch.setattr("kantor.solvers.pdhg._PIECE_SECONDS", 0.1)
    solution = solve_lp(planning_lp(), 1e-12, backend=backend, time_limit_s=0.5)
    assert solution.status is Status.TIME_LIMIT
    assert max(lengths) <= 6


def test_interrupt_returns_the_best_point(backend):
    def stop(progress):
        if progress["iteration"] >= 400:
            raise KeyboardInterrupt

    solution = solve_lp(planning_lp(), 1e-15, backend=backend, on_progress=stop)
    assert solution.status is Status.INTERRUPTED
    assert solution.info.iterations == 400
    assert np.isfinite(solution.x).all()
    assert math.isfinite(solution.info.primal_residual)


def test_interrupt_inside_a_block(monkeypatch):
    backend = type(get_backend("reference"))()
    block, calls = backend.pdhg_block, []

    def interrupted(state, iterations):
        calls.append(iterations)
        if len(calls) == 5:
            state.x_hat[...] = np.nan  # whatever the interrupted block left behind
            raise KeyboardInterrupt
        block(state, iterations)

    monkeypatch.setattr(backend, "pdhg_block", interrupted)
    solution = solve_lp(planning_lp(), 1e-15, backend=backend)
    assert solution.status is Status.INTERRUPTED
    assert np.isfinite(solution.x).all()
    assert solution.info.primal_residual < 1.0


def test_progress_is_reported_at_every_check():
    seen = []
    solution = solve_lp(planning_lp(), 1e-6, backend="reference", on_progress=seen.append)
    assert [p["iteration"] for p in seen] == list(range(0, solution.info.iterations + 1, 200))
    assert set(seen[0]) >= {"iteration", "primal_residual", "dual_residual", "gap", "objective", "seconds"}
    assert seen == solution.info.history
    assert seen[-1]["objective"] == pytest.approx(solution.objective)


def test_a_number_that_is_not_finite_ends_the_solve(monkeypatch):
    backend = type(get_backend("reference"))()
    block, calls = backend.pdhg_block, []

    def broken(state, iterations):
        block(state, iterations)
        calls.append(1)
        if len(calls) >= 4:
            state.x_hat[0] = np.nan

    monkeypatch.setattr(backend, "pdhg_block", broken)
    solution = solve_lp(planning_lp(), 1e-12, backend=backend)
    assert solution.status is Status.NUMERICAL_ERROR
    assert np.isfinite(solution.x).all()


def test_a_wrong_check_on_the_backend_is_not_believed(monkeypatch):
    """OPTIMAL is only said after the raw arrays confirm it."""
    lp = planning_lp()
    true = Kkt.residuals

    def flattering(self, x, y):
        got = true(self, x, y)
        return type(got)(0.0, 0.0, 0.0, got.objective, got.dual_objective)

    monkeypatch.setattr(Kkt, "residuals", flattering)
    solution = solve_lp(lp, 1e-7, backend="reference")
    assert solution.status is Status.OPTIMAL
    assert residuals(lp, solution.x, solution.y).within(1e-7)


def test_check_every_and_the_checks_agree_with_the_raw_arrays(backend):
    lp = planning_lp()
    solution = solve_lp(lp, 1e-12, backend=backend, iteration_limit=150, options=PdhgOptions(check_every=50))
    assert [h["iteration"] for h in solution.info.history] == [0, 50, 100, 150]
    best = min(solution.info.history, key=lambda h: max(h["primal_residual"], h["dual_residual"], h["gap"]))
    raw = residuals(lp, solution.x, solution.y)
    assert best["primal_residual"] == pytest.approx(raw.primal, rel=1e-8, abs=1e-13)
    assert best["dual_residual"] == pytest.approx(raw.dual, rel=1e-8, abs=1e-13)
    assert best["gap"] == pytest.approx(raw.gap, rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("curved", [False, True])
def test_residuals_on_the_backend_are_those_of_the_raw_arrays(backend, curved):
    """At points with every kind of defect, with and without concave columns."""
    rng = np.random.default_rng(11)
    rows, columns = 9, 30
    K = sp.random_array(
        (rows, columns), density=0.5, rng=rng, data_sampler=lambda size: rng.lognormal(0, 2, size)
    ).tocsr()
    lower, upper = np.where(rng.random(columns) < 0.7, 0.0, -INF), np.where(rng.random(columns) < 0.5, 2.0, INF)
    terms = None
    if curved:
        kinds = np.append(np.arange(12) % 6, np.zeros(columns - 12)).astype(np.uint8)
        lower = np.where(kinds > 1, 0.0, lower)
        terms = SeparableTerms(kinds, rng.random(columns) + 0.1, rng.random(columns) + 0.1, np.full(columns, 1.7))
    row_lower = np.where(rng.random(rows) < 0.6, rng.standard_normal(rows), -INF)
    row_upper = np.where(rng.random(rows) < 0.5, np.maximum(row_lower, 0.0) + 1.0, INF)
    lp = LinearProgram(rng.standard_normal(columns), K, row_lower, row_upper, lower, upper, terms=terms)
    scaled = scale_program(lp, PdhgOptions())
    kkt = Kkt(backend, lp, scaled)
    for _ in range(5):
        x = np.clip(rng.random(columns) * 3, lower, upper)
        y = np.clip(rng.standard_normal(rows), *multiplier_range(row_lower, row_upper))
        put = backend.from_host
        got = kkt.residuals(put(scaled.scaling.x_in(x)), put(scaled.scaling.y_in(y)))
        raw = residuals(lp, x, y)
        assert raw.dual > 0.0
        for name in ("primal", "dual", "gap", "objective", "dual_objective"):
            assert getattr(got, name) == pytest.approx(getattr(raw, name), rel=1e-9), name


# ---- a user's own set ---------------------------------------------------------------------------------------
def simplex_projection(v):
    """Euclidean projection on x >= 0, sum x = 1."""
    u = np.sort(v)[::-1]
    excess = np.cumsum(u) - 1.0
    k = np.flatnonzero(u - excess / np.arange(1, v.size + 1) > 0)[-1]
    return np.maximum(v - excess[k] / (k + 1), 0.0)


def test_projection_replaces_the_box_and_support_makes_the_bound_rigorous(backend):
    if not isinstance(backend.zeros(1), np.ndarray):
        pytest.skip("this projection is written in NumPy; the device backends have their own test")
    rng = np.random.default_rng(17)
    c, K = rng.random(6), rng.random((3, 6))
    rows = K.mean(axis=1) * 1.05
    boxed = solve_lp(
        LinearProgram(c, np.vstack([K, np.ones((1, 6))]), np.append(rows, 1.0), [INF] * 3 + [1.0]), 1e-9, "highs"
    )
    lp = LinearProgram(c, K, rows)
    estimate = solve_lp(lp, 1e-8, backend=backend, projection=simplex_projection, iteration_limit=50_000)
    bound = solve_lp(lp, 1e-8, backend=backend, projection=simplex_projection, support=lambda v: float(v.max()))
    for solution in (estimate, bound):
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(boxed.objective, abs=1e-6)
        assert solution.x.sum() == pytest.approx(1.0)
    assert bound.dual_objective <= boxed.objective + 1e-9
    assert any("estimate" in note for note in estimate.info.notes)
    assert bound.info.notes == []


def test_a_projection_out_of_bounds_is_refused():
    lp = LinearProgram(np.ones(2), np.eye(2), row_lower=[0.5, 0.5], upper=[1.0, 1.0])
    with pytest.raises(ProblemError, match="entry 0"):
        solve_lp(lp, backend="reference", projection=lambda x: x + 5.0)
    with pytest.raises(ProblemError, match="shape"):
        solve_lp(lp, backend="reference", projection=lambda x: x[:1])
    with pytest.raises(ProblemError, match="not finite"):
        solve_lp(lp, backend="reference", projection=lambda x: x * np.nan)
    with pytest.raises(OptionError, match="support"):
        solve_lp(lp, backend="reference", support=lambda v: 0.0)
