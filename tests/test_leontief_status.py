"""solve_leontief: statuses, progress, interruption, what the solution tells."""

from __future__ import annotations

import numpy as np
import pytest

from kantor.backends import Backend
from kantor.solvers.leontief import solve_leontief, values
from kantor.solvers.solution import NotOptimal, Status
from leontief_tables import residual, synthetic

METHODS = ["bicgstab", "anderson", "neumann"]


def test_iteration_limit_is_a_status(backend: Backend) -> None:
    A, d = synthetic(700, 0.95, 12)
    solution = solve_leontief(A, d, max_iterations=9, backend=backend)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.iterations == 9
    assert 1e-10 < solution.residual < 1.0
    assert residual(A, d, solution.x) == pytest.approx(solution.residual, rel=1e-6)
    assert "iteration limit" in solution.info.why
    exact = np.linalg.solve(np.eye(700) - A.toarray(), d)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound * (1 + 1e-9))
    with pytest.raises(NotOptimal, match="iteration limit"):
        solution.raise_for_status()
    with pytest.raises(NotOptimal):
        values(A, d, max_iterations=3, backend=backend)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_a_tolerance_below_rounding_ends(method: str) -> None:
    A, d = synthetic(600, 0.9, 13)
    solution = solve_leontief(A, d, tolerance=1e-18, method=method)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.residual < 1e-13
    assert solution.iterations < 10_000


def test_progress_and_interruption() -> None:
    A, d = synthetic(700, 0.95, 14)
    seen: list[dict[str, float]] = []
    solution = solve_leontief(A, d, method="anderson", on_progress=seen.append, error_bound=False)
    assert [entry["iteration"] for entry in seen] == list(range(1, solution.iterations + 1))
    assert seen[-1]["primal_residual"] <= 1e-10
    assert solution.info.history == seen

    def stop(entry: dict[str, float]) -> None:
        if entry["iteration"] == 5:
            raise KeyboardInterrupt

    for method in METHODS:
        interrupted = solve_leontief(A, d, method=method, on_progress=stop)
        assert interrupted.status is Status.INTERRUPTED
        assert interrupted.iterations == 5
        assert residual(A, d, interrupted.x) == pytest.approx(interrupted.residual, rel=1e-6)


def test_without_error_bound_it_is_none() -> None:
    solution = solve_leontief(np.array([[0.5]]), np.array([1.0]), error_bound=False)
    assert solution.error_bound is None
    np.testing.assert_array_equal(solution.x, [2.0])


def test_info_counts_and_times() -> None:
    A, d = synthetic(600, 0.8, 15)
    solution = solve_leontief(A, d)
    assert set(solution.info.seconds) == {"prepare", "solve", "error_bound", "total"}
    assert solution.info.products > 2 * solution.iterations
    assert solution.info.primal_residual == solution.residual
    assert solution.info.backend
    assert any("spectral radius of |A| at most" in note for note in solution.info.notes)


def test_the_given_arrays_are_left_alone() -> None:
    A, d = synthetic(600, 0.8, 16)
    for format_ in ("csr", "csc"):
        table = A.asformat(format_)
        table.sum_duplicates()
        data, demand = table.data.copy(), d.copy()
        table.data.setflags(write=False)
        d.setflags(write=False)
        solution = solve_leontief(table, d, transpose=format_ == "csc")
        solution.x[:] = 0.0  # and the answer is no view of the question
        np.testing.assert_array_equal(table.data, data)
        np.testing.assert_array_equal(d, demand)
