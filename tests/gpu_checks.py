"""What both GPU backends must do beyond their kernels; test_cuda.py and test_cupy.py run these.

Each gives two fixtures: ``gpu``, the backend, and ``cupy``, CuPy or its stand-in (emulated_gpu.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import test_kernels as kernel_tests
from kantor import LinearProgram, Status, solve_leontief, solve_lp
from kantor.backends import Backend
from kantor.errors import OptionError, ProblemError


def test_solves_as_the_reference_does(gpu: Backend) -> None:
    rng = np.random.default_rng(31)
    A = sp.csr_array(0.1 * sp.random_array((60, 60), density=0.1, rng=rng))
    lp = LinearProgram(0.1 + rng.random(60), sp.eye_array(60) - A, row_lower=rng.random(60))
    demand = rng.random((60, 3))
    found = []
    for backend in (gpu, kernel_tests.REFERENCE):
        planned = solve_lp(lp, tolerance=1e-8, method="pdhg", backend=backend)
        made = solve_leontief(A, demand, method="bicgstab", backend=backend)
        assert planned.status is made.status is Status.OPTIMAL
        found.append((planned.objective, planned.x, made.x))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-7, atol=1e-9)


def test_other_buffers_are_noticed(gpu: Backend) -> None:
    """A block that is replayed must not write into the arrays of the one before."""
    start = kernel_tests.random_state(33, 31, True)
    mine, default = kernel_tests.state_on(gpu, start), kernel_tests.state_on(kernel_tests.REFERENCE, start)
    for _ in range(3):
        gpu.pdhg_block(mine, 4)
        kernel_tests.REFERENCE.pdhg_block(default, 4)
    mine.x_anchor = gpu.from_host(default.x_hat)
    default.x_anchor = default.x_hat.copy()
    gpu.pdhg_block(mine, 4)
    kernel_tests.REFERENCE.pdhg_block(default, 4)
    kernel_tests.compare_states(mine, gpu, default, kernel_tests.RESULTS)


@pytest.mark.parametrize("in_place", [False, True])
def test_projection_is_any_function_of_cupy_arrays(gpu: Backend, cupy: Any, in_place: bool) -> None:
    start = kernel_tests.random_state(33, 31, True)
    mine, default = kernel_tests.state_on(gpu, start), kernel_tests.state_on(kernel_tests.REFERENCE, start)
    lower, upper = cupy.asarray(default.lower), cupy.asarray(default.upper)

    def project(v: Any) -> Any:
        assert isinstance(v, cupy.ndarray)
        return cupy.clip(v, lower, upper, out=v if in_place else None)

    mine.projection = project
    mine.lower = mine.upper = gpu.from_host(np.full(31, np.nan))  # nothing else reads the bounds
    gpu.pdhg_block(mine, 6)
    kernel_tests.REFERENCE.pdhg_block(default, 6)
    kernel_tests.compare_states(mine, gpu, default, kernel_tests.RESULTS)


def test_solve_with_a_projection(gpu: Backend, cupy: Any) -> None:
    """min -c.x over the unit box through a user's own CuPy projection."""
    rng = np.random.default_rng(37)
    c, K = -rng.random(20), sp.csr_array(rng.random((4, 20)))
    lp = LinearProgram(c, K, row_upper=np.full(4, 3.0), upper=np.ones(20))
    project = lambda v: cupy.clip(v, 0.0, 1.0)  # noqa: E731
    mine = solve_lp(lp, tolerance=1e-7, method="pdhg", backend=gpu, projection=project)
    expected = solve_lp(lp, tolerance=1e-7, method="pdhg", backend="reference")
    assert mine.status is Status.OPTIMAL
    assert mine.objective == pytest.approx(expected.objective, rel=1e-5)


def test_wrong_arguments_are_named(gpu: Backend) -> None:
    op, out = gpu.prepare(sp.eye_array(4).tocsr()), gpu.zeros(4)
    with pytest.raises(ProblemError, match=r"x: shape \(3,\), expected \(4,\)"):
        gpu.matvec(op, gpu.zeros(3), out)
    with pytest.raises(ProblemError, match=r"out: shape \(4,\), expected \(4, 2\)"):
        gpu.matvec(op, gpu.zeros((4, 2)), out)
    with pytest.raises(ProblemError, match="prepared without its transpose"):
        gpu.rmatvec(gpu.prepare(sp.eye_array(4).tocsr(), transpose=False), out, gpu.zeros(4))
    with pytest.raises(ProblemError, match=r"a: (3 weights|shape \(3,\), expected a number or shape \(2,\))"):
        gpu.axpby(np.ones(3), gpu.zeros((4, 2)), 1.0, gpu.zeros((4, 2)))
    with pytest.raises(OptionError, match="ord"):
        gpu.norm([out], ord=1)
    broken = sp.eye_array(4).tocsr()
    broken.indices[2] = 9
    with pytest.raises(ProblemError, match=r"nonzero 2 has column 9, expected 0 \.\. 3"):
        gpu.prepare(broken)


TESTS = {name: test for name, test in list(globals().items()) if name.startswith("test_") and callable(test)}
