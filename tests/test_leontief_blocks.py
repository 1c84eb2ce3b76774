"""solve_leontief with many right-hand sides: each ends as it would alone, what is done drops out, blocks are joined."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends import Backend, Operator, get_backend
from kantor.backends.reference import ReferenceBackend
from kantor.solvers import leontief_run
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.methods import METHODS
from kantor.solvers.solution import Status
from leontief_tables import residual, synthetic


class Counting(ReferenceBackend):
    """The reference backend, which notes the width of every product."""

    def __init__(self) -> None:
        self.widths: list[int] = []

    def matvec(self, A: Operator, x: np.ndarray, out: np.ndarray) -> None:
        self.widths.append(1 if x.ndim == 1 else x.shape[1])
        super().matvec(A, x, out)


@pytest.mark.parametrize("method", METHODS)
def test_columns_that_are_done_drop_out(method: str) -> None:
    """Three of four demands fall on a part of the economy with short chains: the fourth goes on by itself."""
    parts = [synthetic(300, rho, 17) for rho in (0.2, 0.95)]
    A = sp.csr_array(sp.block_diag([part[0] for part in parts]))
    easy, hard = np.append(parts[0][1], np.zeros(300)), np.append(np.zeros(300), parts[1][1])
    D = np.stack([easy, hard, 2.0 * easy, 3.0 * easy], axis=1)
    backend = Counting()
    many = solve_leontief(A, D, method=method, backend=backend, error_bound=False)
    assert many.status is Status.OPTIMAL
    assert backend.widths.count(1) > backend.widths.count(4)
    alone = solve_leontief(A, hard, method=method, backend="reference", error_bound=False)
    np.testing.assert_allclose(many.x[:, 1], alone.x, rtol=1e-8, atol=1e-12)
    assert many.iterations == pytest.approx(alone.iterations, rel=0.2)
    assert np.max(residual(A, D, many.x)) <= 1e-10


def test_one_pass_serves_all_columns(backend: Backend) -> None:
    A, d = synthetic(700, 0.8, 21)
    D = d[:, None] * np.random.default_rng(6101).random((700, 8))
    one, many = solve_leontief(A, d, backend=backend), solve_leontief(A, D, backend=backend)
    assert many.info.products < 2 * one.info.products


def test_blocks_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """More columns than go through the matrix at a time: each block has its own steps, the answer is one."""
    A, d = synthetic(700, 0.9, 22)
    D = d[:, None] * np.random.default_rng(6103).random((700, 7))
    whole = solve_leontief(A, D)
    monkeypatch.setattr(leontief_run, "WIDTH", 3)
    seen: list[dict[str, float]] = []
    parts = solve_leontief(A, D, on_progress=seen.append)
    assert parts.status is Status.OPTIMAL
    np.testing.assert_allclose(parts.x, whole.x, rtol=1e-8)
    assert parts.residuals.shape == parts.value_residuals.shape == (7,)
    assert {entry["columns_done"] for entry in seen} == {0.0, 2.0, 5.0}
    exact = np.linalg.solve(np.eye(700) - A.toarray(), D)
    assert np.all(np.abs(parts.x - exact) <= parts.error_bound + 1e-13 * exact)


def test_a_block_that_does_not_converge_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    A, d = synthetic(700, 0.95, 23)
    monkeypatch.setattr(leontief_run, "WIDTH", 1)
    solution = solve_leontief(A, np.stack([np.zeros(700), d], axis=1), max_iterations=4)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.residuals[0] == 0.0
    assert solution.residuals[1] > 1e-10


def test_wide_blocks_are_limited_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    A, d = synthetic(600, 0.5, 24)
    monkeypatch.setattr(leontief_run, "BLOCK_BYTES", 8 * leontief_run.VECTORS * 600 * 2)
    backend = Counting()
    solve_leontief(A, np.stack([d] * 5, axis=1), backend=backend, error_bound=False)
    assert max(backend.widths) == 2


def test_interrupted_between_blocks_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    A, d = synthetic(700, 0.9, 25)
    monkeypatch.setattr(leontief_run, "WIDTH", 1)

    def stop(entry: dict[str, float]) -> None:
        if entry["columns_done"] == 1.0 and entry["iteration"] == 3:
            raise KeyboardInterrupt

    solution = solve_leontief(A, np.stack([d, 2 * d, 3 * d], axis=1), on_progress=stop, error_bound=False)
    assert solution.status is Status.INTERRUPTED
    np.testing.assert_array_equal(solution.residuals <= 1e-10, [True, False, False])
    assert not solution.x[:, 2].any()
    assert solution.residuals[2] == 1.0


def test_backends_agree_on_blocks(backend: Backend) -> None:
    A, d = synthetic(700, 0.8, 26)
    D = d[:, None] * np.random.default_rng(6107).random((700, 5))
    expected = solve_leontief(A, D, backend=get_backend("reference")).x
    np.testing.assert_allclose(solve_leontief(A, D, backend=backend).x, expected, rtol=1e-8)


# ---- sweeps in single precision --------------------------------------------------------------------------------------
def test_sweeps_come_first_for_many_columns(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short chains: float32 sweeps do it all, to a residual that float32 cannot have; columns of any size and sign."""
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    monkeypatch.setattr(type(backend), "sweeps_in_single", True)
    A, d = synthetic(700, 0.5, 43)
    scales = np.array([1e200, 1.0, 1e-200, -1.0, 0.0, 1e30, 1.0, 1.0, 3.0])
    D = d[:, None] * scales * np.random.default_rng(6022).random((700, 9))
    D[:, 6] *= np.sign(np.random.default_rng(1).random(700) - 0.5)
    solution = solve_leontief(A, D, tolerance=1e-12, backend=backend)
    assert solution.status is Status.OPTIMAL
    assert solution.info.method == "sweeps"
    assert "float32" in solution.info.why
    per = np.where(scales == 0.0, 1.0, np.abs(scales))
    exact = np.linalg.solve(np.eye(700) - A.toarray(), D / per)
    assert np.all(np.abs(solution.x / per - exact) <= solution.error_bound / per + 1e-13 * np.abs(exact))
    assert np.max(np.linalg.norm(D / per - (solution.x / per - A @ (solution.x / per)), axis=0)) <= 2e-12 * np.max(
        np.linalg.norm(D / per, axis=0)
    )
    assert not solution.x[:, 4].any()


def test_sweeps_give_way_where_chains_are_long(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    monkeypatch.setattr(type(backend), "sweeps_in_single", True)
    A, d = synthetic(700, 0.95, 44)
    D = d[:, None] * np.random.default_rng(6023).random((700, 8))
    solution = solve_leontief(A, D, backend=backend)
    assert solution.status is Status.OPTIMAL
    assert solution.info.method == "sweeps+bicgstab"
    np.testing.assert_allclose(solution.x, np.linalg.solve(np.eye(700) - A.toarray(), D), rtol=1e-6)


def test_a_sweep_in_single_precision(backend: Backend) -> None:
    """out <- A r, x <- x + out and the sums of squares, right to float32; widths around those of the kernel."""
    for n, k in ((33, 1), (700, 9), (700, 16), (900, 27)):
        A, _ = synthetic(n, 0.9, 45)
        rng = np.random.default_rng(k)
        r, x = rng.standard_normal((2, n, k))
        R, X, out = backend.single(r), backend.single(x), backend.single(np.full((n, k), np.nan))
        squares = backend.single_sweep(backend.prepare(A, transpose=False), R, X, out)
        size = abs(A) @ np.abs(r)
        assert np.all(np.abs(backend.to_host(out) - A @ r) <= 3e-6 * size)
        assert np.all(np.abs(backend.to_host(X) - (x + A @ r)) <= 3e-6 * (size + np.abs(x)))
        np.testing.assert_allclose(squares, np.sum((A @ r) ** 2, axis=0), rtol=1e-5)
