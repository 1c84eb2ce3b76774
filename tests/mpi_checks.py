"""What every rank of ``mpiexec -n P python mpi_checks.py`` runs; the first prints what it found as one line of JSON.

On its own it checks products, dots and round trips against NumPy; answers are compared by test_distributed.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import sys

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI

import kantor as kt
from kantor.backends import get_backend
from kantor.backends.distributed import DistributedBackend
from kantor.backends.gpu_mpi import sends_from_device
from kantor.backends.partition import best, by_groups
from kantor.backends.world import World, now
from kantor.errors import ProblemError
from kantor.solvers.dispatch import solve_program
from kantor.solvers.program import PlanningProgram

SEED = 20260607


def matrices():
    rng = np.random.default_rng(SEED)
    yield "empty", sp.csr_array((0, 5))
    yield "one", sp.csr_array([[2.0]])
    yield "odd", sp.random_array((31, 33), density=0.2, rng=rng, format="csr")
    yield "no entries", sp.csr_array((9, 4))
    square = sp.random_array((257, 257), density=0.02, rng=rng, format="lil")
    square[100] = 0.0
    yield "an empty row", sp.csr_array(square)
    yield "dense", sp.csr_array(rng.random((24, 24)))
    arrow = sp.lil_array((90, 90))
    arrow.setdiag(2.0)
    arrow[:30, 60:] = rng.random((30, 30)) * (rng.random((30, 30)) < 0.3)
    arrow[40] = (rng.random(90) < 0.4) * 1.0
    yield "better by sums", sp.csr_array(arrow)
    tall = sp.lil_array(sp.eye_array(300, 700))
    tall[7] = 1.0
    tall[:, 690] = 0.5
    yield "a full row and column", sp.csr_array(tall)


@contextlib.contextmanager
def no_copies(local, forbidden):
    """Within the block nothing goes between the host and the device, if forbidden."""
    if not forbidden:
        yield
        return
    kept = local.to_host, local.from_host
    local.to_host = local.from_host = None
    try:
        yield
    finally:
        local.to_host, local.from_host = kept


def local_backend(name):
    if name != "emulated":
        return get_backend(name)
    import emulated_gpu
    from kantor.backends.cuda import CudaBackend

    sys.modules["kantor._cuda"] = emulated_gpu.cuda_module()
    return CudaBackend()


def check_kernels(local, partition):
    """Every product and reduction of a backend made anew for each matrix, so that each has its own layout."""
    rng, used = np.random.default_rng(SEED + 1), set()
    for name, K in matrices():
        world = World(MPI.COMM_WORLD, partition)
        if name == "an empty row":
            world.groups[257] = np.arange(257) % 5
        b = DistributedBackend(local, world)
        M, N = K.shape
        A = b.prepare(K)
        used.add(best(K, b.layout(K.shape[0]), b.layout(K.shape[1])).scheme)
        single = b.prepare(K, transpose=False, values="float32")
        for width in ((), (1,), (3,)):
            x, y = rng.standard_normal((N, *width)), rng.standard_normal((M, *width))
            X, Y = b.from_host(x), b.from_host(y)
            np.testing.assert_array_equal(b.to_host(X), x)
            out, back, rough = b.zeros((M, *width)), b.zeros((N, *width)), b.zeros((M, *width))
            for turn in range(3):  # persistent messages are used again
                with no_copies(local, turn and A.handle.forward.direct):
                    b.matvec(A, X, out)
                    b.rmatvec(A, Y, back)
            b.matvec(single, X, rough)
            np.testing.assert_allclose(b.to_host(out), K @ x, rtol=1e-12, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(b.to_host(back), K.T @ y, rtol=1e-12, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(b.to_host(rough), K.astype(np.float32).astype(float) @ x, rtol=1e-12, atol=1e-12)
            dots = b.dot([(X, X), (X, X)])
            np.testing.assert_allclose(dots[0], np.einsum("i...,i...->...", x, x), rtol=1e-13)
            np.testing.assert_allclose(b.norm([Y])[0], np.sqrt(np.einsum("i...,i...->...", y, y)), rtol=1e-13)
            np.testing.assert_array_equal(b.norm([Y], np.inf)[0], np.abs(y).max(axis=0, initial=0.0))
        if name == "an empty row":
            assert (b.layout(257).owner(b.layout(257).position(np.arange(257)))
                    == by_groups_owner(K, world.size)).all()  # fmt: skip
            bad = np.ones(257)
            bad[200] = np.nan
            assert np.isnan(b.norm([b.from_host(bad)])[0])
            assert np.isnan(b.norm([b.from_host(bad)], np.inf)[0])
    if MPI.COMM_WORLD.Get_size() == 4 and partition == "contiguous":
        assert used == {"rows", "parts", "shorter", "grid"}, used


def by_groups_owner(K, size):
    weights = np.diff(K.indptr) + np.bincount(K.indices, minlength=257) + 1.0
    layout = by_groups(np.arange(257) % 5, weights, size)
    return layout.owner(layout.position(np.arange(257)))


def table(n=600):
    rng = np.random.default_rng(SEED + 2)
    A = sp.random_array((n, n), density=0.01, rng=rng, format="csr")
    return sp.csr_array(A * (0.7 / np.maximum(A.sum(axis=0), 1e-9))[None, :]), rng.random((n, 2))


def linear_program():
    rng = np.random.default_rng(SEED + 3)
    K = sp.csr_array(sp.random_array((40, 60), density=0.2, rng=rng))
    x, y = rng.random(60) * (rng.random(60) < 0.5), rng.random(40) * (rng.random(40) < 0.5)
    c = K.T @ y + (x == 0) * rng.random(60)
    return kt.LinearProgram(c, K, row_lower=K @ x - (y == 0) * rng.random(40), lower=np.zeros(60))


def choice(kind="scale", limits=2):
    """A small choice of techniques with resource limits: the level method; without, and at a cost: policy iteration."""
    rng = np.random.default_rng(SEED + 4)
    n, m = 40, 80
    B = sp.csr_array((np.ones(m), (np.arange(m) % n, np.arange(m))), shape=(n, m))
    A = sp.random_array((n, m), density=0.05, rng=rng, format="csr")
    A = sp.csr_array(A * (0.6 / np.maximum(A.sum(axis=0), 1e-9))[None, :])
    R = rng.random((limits, m))
    cost = rng.random(m) + 0.1 if kind == "use" else None
    return PlanningProgram.build(
        kind, B, A, rng.random(n), resource_use=R, resource_upper=np.full(limits, 9.0), cost=cost
    )


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def answers():
    A, d = table()
    leontief = kt.solve_leontief(A, d)
    linear = kt.solve_lp(linear_program(), method="pdhg", tolerance=1e-8)
    plans = {
        "level": solve_program(choice(), method="level"),
        "policy": solve_program(choice("use", 0), 1e-10, method="policy"),
        "pdhg": solve_program(choice(), 1e-10, method="pdhg"),
    }
    bits = [array for plan in plans.values() for array in (plan.activity, plan.prices, [plan.lower_bound])]
    return {
        "leontief": leontief.x.ravel().tolist(),
        "error_bound": float(leontief.error_bound.max()),
        "lp": [linear.status.value, linear.objective],
        "plans": {
            name: [plan.status.value, plan.info.method, plan.lower_bound, plan.upper_bound, plan.gap]
            for name, plan in plans.items()
        },
        "bits": digest(leontief.x, linear.x, linear.y, *bits),
        "backend": leontief.info.backend,
    }


def main():
    local = local_backend(sys.argv[1] if len(sys.argv) > 1 else "auto")
    check_kernels(local, "contiguous")
    if sys.argv[2:] == ["kernels"]:
        if MPI.COMM_WORLD.Get_rank() == 0:
            print(json.dumps({"direct": sends_from_device(local), "backend": local.name}))
        return
    if MPI.COMM_WORLD.Get_size() == 4 and importlib.util.find_spec("pymetis"):
        check_kernels(local, "graph")
    with kt.distributed(partition="contiguous") as world:
        found = answers()
        assert answers()["bits"] == found["bits"], "not the same bits when repeated"
        times = world.gather(np.array([now()]))
        assert (times == times[0]).all()
        try:
            kt.solve_leontief(sp.csr_array([[0.5, np.nan], [0.1, 0.1]]), np.ones(2))
        except ProblemError as error:
            found["error"] = str(error)
    everyone = MPI.COMM_WORLD.allgather(found["bits"])
    assert len(set(everyone)) == 1, "ranks disagree"
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(json.dumps(found | {"ranks": world.size}))


if __name__ == "__main__":
    main()
