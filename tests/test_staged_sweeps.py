"""Sweeps of block Gauss-Seidel: what one does, and solves that begin with them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.backends.reference import ReferenceBackend
from kantor.errors import ProblemError
from kantor.solvers import leontief_run, staged_sweeps
from kantor.solvers.error_bound import bound_error
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.operand import Operand
from kantor.solvers.proof import Proof
from kantor.solvers.solution import Status
from leontief_tables import residual, synthetic

native = pytest.importorskip("kantor.backends.native")
BITS = 11  # stages of 2,048 rows, the shortest there are
N = 9000


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The native backend, with stages for small tables too."""
    backend = native.NativeBackend()
    monkeypatch.setattr(leontief_run, "ROUGH_FROM", 1)
    monkeypatch.setattr(type(backend), "stages", lambda self, A, bits=BITS: native._core.Stages(A.handle, bits))
    return backend


def exactly(A: sp.csr_array, d: np.ndarray) -> np.ndarray:
    """x = d + A d + A^2 d + ... to the last term that counts; sparse factors of these tables would fill up."""
    x, term = d.copy(), d
    while float(np.max(term)) > 1e-18 * float(np.max(x)):
        term = A @ term
        x += term
    return x


@pytest.mark.parametrize("inner", [1, 2, 3])
def test_a_sweep_is_what_its_definition_says(staged: Any, inner: int) -> None:
    A, d = synthetic(N, 0.7, 50)
    plain = ReferenceBackend()
    stages, definition = (b.stages(b.prepare(A, transpose=False), BITS) for b in (staged, plain))
    x, expected = staged.single(d), plain.single(d)
    for _ in range(3):
        change = staged.stage_sweep(stages, d, x, inner)
        wanted = plain.stage_sweep(definition, d, expected, inner)
    np.testing.assert_allclose(x, expected, rtol=1e-6)
    assert change == pytest.approx(wanted, rel=1e-6)


def test_what_a_solve_laid_out_is_free_when_it_is_done(staged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the collector of cycles, which may come when the memory is missed elsewhere."""
    alive: list[Any] = []
    made = type(staged).stages
    A, d = synthetic(N, 0.5, 61)

    class Laid:
        def __init__(self, stages: Any) -> None:
            self.stages = stages
            alive.append(weakref.ref(self))

    monkeypatch.setattr(type(staged), "stages", lambda self, A: Laid(made(self, A)))
    monkeypatch.setattr(
        type(staged), "stage_sweep",
        lambda self, laid, d, x, inner: native._core.stage_sweep(laid.stages, d, x, inner) ** 0.5,
    )  # fmt: skip
    gc.collect()
    gc.disable()
    try:
        solve_leontief(A, d, backend=staged)
        assert [there() for there in alive] == [None]
    finally:
        gc.enable()


def test_results_do_not_depend_on_the_threads(staged: Any) -> None:
    A, d = synthetic(N, 0.7, 51)
    found = []
    before = staged.threads
    try:
        for threads in (1, 2, 5):
            staged.threads = threads
            solution = solve_leontief(A, d, backend=staged)
            found.append((solution.x, solution.error_bound))
    finally:
        staged.threads = before
    for x, bound in found[1:]:
        np.testing.assert_array_equal(x, found[0][0])
        np.testing.assert_array_equal(bound, found[0][1])


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, -1.0])
def test_a_solve_by_sweeps_is_right_and_certified(staged: Any, transpose: bool, scale: float) -> None:
    A, d = synthetic(N, 0.5, 52)
    A = sp.csr_array(A.T) if transpose else A
    A = A * min(1.0, 0.9 / float(np.max(A.sum(axis=0))))  # in money
    solution = solve_leontief(A, scale * d, tolerance=1e-11, backend=staged)
    assert solution.status is Status.OPTIMAL
    assert solution.info.method == "sweeps"
    assert residual(A, scale * d, solution.x) <= 1.001e-11
    exact = scale * exactly(A, d)
    error = np.abs(solution.x - exact)
    assert np.all(error <= solution.error_bound + 1e-14 * np.abs(exact))
    assert np.median(solution.error_bound[exact != 0.0] / np.abs(exact[exact != 0.0])) < 1e-9
    assert np.all(scale * solution.x >= 0.0)


def test_one_column_is_one_right_hand_side(staged: Any) -> None:
    A, d = synthetic(N, 0.5, 60)
    one, column = solve_leontief(A, d, backend=staged), solve_leontief(A, d[:, None], backend=staged)
    assert column.info.method == "sweeps"
    np.testing.assert_array_equal(column.x[:, 0], one.x)
    assert np.all(np.isfinite(column.error_bound))


def test_fewer_passes_than_other_methods(staged: Any) -> None:
    A, d = synthetic(N, 0.5, 53)
    A = A * (0.9 / float(np.max(A.sum(axis=0))))
    passes = solve_leontief(A, d, backend=staged, error_bound=False).info.products
    assert 2 * passes < solve_leontief(A, d, backend=staged, method="neumann", error_bound=False).info.products + 8


def test_goods_in_many_units_and_a_starting_point(staged: Any) -> None:
    A, d = synthetic(N, 0.5, 54, spread=3.0)
    solution = solve_leontief(A, d, backend=staged)
    assert "own output" in solution.info.why
    assert solution.info.method == "sweeps"
    assert np.all(np.isfinite(solution.error_bound))
    warm = solve_leontief(A, d, backend=staged, x0=solution.x * (1.0 + 1e-8))
    assert warm.iterations < solution.iterations
    np.testing.assert_allclose(warm.x, solution.x, rtol=1e-7)


def test_sweeps_give_way_where_chains_are_long(staged: Any) -> None:
    A, d = synthetic(N, 0.98, 55)
    solution = solve_leontief(A, d, backend=staged)
    assert solution.status is Status.OPTIMAL
    assert solution.info.method == "sweeps+bicgstab"
    exact = exactly(A, d)
    assert np.all(np.abs(solution.x - exact) <= solution.error_bound + 1e-12 * np.abs(exact))


def test_not_productive_is_found(staged: Any) -> None:
    A, d = synthetic(N, 1.05, 56)
    with pytest.raises(ProblemError, match="not productive"):
        solve_leontief(A, d, backend=staged)


def test_negative_entries_take_another_way(staged: Any) -> None:
    A, d = synthetic(N, 0.4, 57)
    A.data[::50] *= -1.0
    solution = solve_leontief(A, d, backend=staged)
    assert "sweeps" not in solution.info.method
    assert solution.status is Status.OPTIMAL


def test_a_proof_by_sweeps_holds_exactly(staged: Any) -> None:
    """(I - M) w >= margin > 0 in rational numbers, for some rows; and the bound is tight on request."""
    from fractions import Fraction

    A, d = synthetic(N, 0.5, 58)
    operand = Operand(A, staged)
    assert operand.in_stages() is not None
    proof = Proof(operand)
    error = np.abs(np.random.default_rng(6201).standard_normal(N)) * (d > 0.0)
    found = proof.find(error, 1.0, 3.0)
    assert found is not None
    w, margin = found
    assert proof.products <= 15
    assert np.all(margin > 0.0)
    for row in range(0, N, 500):
        part = slice(A.indptr[row], A.indptr[row + 1])
        used = sum(
            (Fraction(float(a)) * Fraction(float(w[j])) for a, j in zip(A.data[part], A.indices[part], strict=True)),
            Fraction(0),
        )
        assert Fraction(float(w[row])) - used >= Fraction(float(margin[row]))


def test_the_residual_of_the_solve_serves_the_bound(staged: Any) -> None:
    A, d = synthetic(N, 0.6, 59)
    x = exactly(A, d)
    x = np.maximum(x * (1.0 + 1e-9 * np.random.default_rng(6202).standard_normal(N)), 0.0)
    plain = bound_error(A, d, x, backend=staged)
    known = bound_error(A, d, x, backend=staged, residual=d - (x - A @ x))
    assert known.products == plain.products - 1
    np.testing.assert_allclose(known.bound, plain.bound, rtol=1e-3)
    # What is claimed of the residual covers rounding: with x as good as it gets the bound is not 0.
    again = bound_error(A, d, x, backend=staged, residual=np.zeros(N))
    assert np.all(again.bound >= 2.0**-53 * x)


def test_slow_sweeps_stop_early() -> None:
    assert staged_sweeps._in_sight([1.0, 0.1, 0.01, 1e-3], 1e-10)
    assert not staged_sweeps._in_sight([1.0, 0.99, 0.98, 0.97, 0.96], 1e-10)
    assert not staged_sweeps._in_sight([1.0, 2.0, 4.0, 8.0], 1e-10)
