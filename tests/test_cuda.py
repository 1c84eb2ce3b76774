"""The cuda backend: kernels, graphs, zero-copy exchange, errors; on an emulated runtime, and on a GPU if there is."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import emulated_gpu
import gpu_checks
import test_kernels as kernel_tests
from kantor import backends
from kantor.backends import PdhgState
from kantor.backends.cuda import CudaBackend
from kantor.errors import BackendError, BackendUnavailable, ProblemError

# Every kernel test of the other backends, here with the fixture below: on the emulated runtime.
globals().update({name: test for name, test in vars(kernel_tests).items() if name.startswith("test_")})
globals().update(gpu_checks.TESTS)


@pytest.fixture(scope="module")
def emulated() -> Any:
    return emulated_gpu.cuda_module()


@pytest.fixture
def backend(emulated: Any, monkeypatch: pytest.MonkeyPatch) -> CudaBackend:
    monkeypatch.setitem(sys.modules, "kantor._cuda", emulated)
    monkeypatch.setitem(sys.modules, "cupy", None)
    return CudaBackend()


@pytest.fixture(params=["emulated", "device"])
def cuda(request: pytest.FixtureRequest) -> CudaBackend:
    """The backend on the emulated runtime, and on a GPU where there is one."""
    if request.param == "emulated":
        return request.getfixturevalue("backend")
    try:
        return CudaBackend()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def cupy(cuda: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy beside the real device, its stand-in beside the emulated one."""
    if sys.modules.get("cupy", "absent") is None:
        monkeypatch.setitem(sys.modules, "cupy", emulated_gpu.stand_in_cupy())
        return sys.modules["cupy"]
    found = pytest.importorskip("cupy")
    if not found.cuda.is_available():
        pytest.skip("CuPy sees no GPU")
    return found


@pytest.fixture
def gpu(cuda: CudaBackend) -> CudaBackend:
    """What gpu_checks runs on."""
    return cuda


def state_of(backend: CudaBackend, m: int = 33, n: int = 31, **scalars: Any) -> tuple[PdhgState, PdhgState]:
    """The same random state on the backend and on the reference backend."""
    start = kernel_tests.random_state(m, n, True)
    reference = kernel_tests.REFERENCE
    return kernel_tests.state_on(backend, start, **scalars), kernel_tests.state_on(reference, start, **scalars)


# ---- availability --------------------------------------------------------------------------------------------------
def test_without_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kantor._cuda", None)
    with pytest.raises(BackendUnavailable, match=r"not built.*cmake\.define\.KANTOR_CUDA=ON"):
        CudaBackend()


def test_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = types.SimpleNamespace(device_count=lambda: 0, device_reason=lambda: "no NVIDIA driver is installed")
    monkeypatch.setitem(sys.modules, "kantor._cuda", absent)
    with pytest.raises(BackendUnavailable, match="no GPU can be used: no NVIDIA driver is installed"):
        CudaBackend()


def test_module_imports_without_a_driver() -> None:
    """The real module says why it has no device, and fails politely when used all the same."""
    try:
        real = importlib.import_module("kantor._cuda")
    except ImportError as error:
        pytest.skip(f"kantor._cuda is not built: {error}")
    if real.device_count() > 0:
        assert real.device_reason() == ""
        return
    assert real.device_reason()
    with pytest.raises(BackendUnavailable, match="no GPU can be used"):
        CudaBackend()
    with pytest.raises(BackendError, match=r"CUDA: .*device\.cu:\d+"):
        real.zeros(3)


# ---- arrays --------------------------------------------------------------------------------------------------------
def test_array_describes_itself(cuda: CudaBackend) -> None:
    array = cuda.from_host(np.arange(6.0).reshape(3, 2))
    assert (array.shape, array.ndim, array.size, array.nbytes, len(array)) == ((3, 2), 2, 6, 48, 3)
    assert array.dtype == np.float64
    assert repr(array) == "<DeviceArray float64 (3, 2)>"
    interface = array.__cuda_array_interface__
    assert interface["version"] == 3
    assert interface["shape"] == (3, 2)
    assert interface["typestr"] == "<f8"
    assert interface["stream"] not in (0, None)


def test_fortran_order_and_other_types(cuda: CudaBackend) -> None:
    host = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(cuda.to_host(cuda.from_host(host)), host)
    with pytest.raises(ProblemError, match="type <f4, expected float64"):
        cuda.from_host(np.zeros(3, np.float32))
    with pytest.raises(ProblemError, match="one or two dimensions"):
        cuda.zeros((2, 2, 2))
    with pytest.raises(ProblemError, match="negative"):
        cuda.zeros(-1)


@pytest.mark.parametrize("shape", [(0,), (5,), (4, 3), (0, 3), (3, 0)])
def test_exchange_without_copies(cuda: CudaBackend, cupy: Any, shape: tuple[int, ...]) -> None:
    theirs = cupy.asarray(np.random.default_rng(3).random(shape))
    ours = cuda.from_cupy(theirs)
    assert ours.shape == shape
    if ours.size:
        assert ours.__cuda_array_interface__["data"][0] == theirs.data.ptr
    cuda.axpby(1.0, cuda.from_host(np.ones(shape)), 2.0, ours)  # seen through their array
    cuda.synchronise()
    np.testing.assert_array_equal(cupy.asnumpy(theirs), cuda.to_host(ours))
    back = cuda.as_cupy(ours)
    assert isinstance(back, cupy.ndarray)


def test_foreign_arrays_as_arguments(cuda: CudaBackend, cupy: Any) -> None:
    A = sp.random_array((40, 30), density=0.3, rng=np.random.default_rng(5)).tocsr()
    x = np.random.default_rng(6).random(30)
    out = cupy.asarray(np.zeros(40))
    cuda.matvec(cuda.prepare(A), cupy.asarray(x), out)
    np.testing.assert_allclose(cuda.to_host(out), A @ x, rtol=1e-12)


def test_foreign_array_is_kept_alive(cuda: CudaBackend, cupy: Any) -> None:
    theirs = cupy.asarray(np.arange(4.0))
    before = sys.getrefcount(theirs)
    ours = cuda.from_cupy(theirs)
    assert sys.getrefcount(theirs) == before + 1
    del ours
    assert sys.getrefcount(theirs) == before


def test_foreign_arrays_that_do_not_fit(backend: CudaBackend) -> None:
    base = emulated_gpu.stand_in_cupy().asarray(np.arange(12.0).reshape(4, 3))
    with pytest.raises(ProblemError, match="strided"):
        backend.from_cupy(base[:, 1])
    with pytest.raises(ProblemError, match="type <c16"):
        backend.from_cupy(base.astype(np.complex128))
    with pytest.raises(ProblemError, match="one or two dimensions"):
        backend.from_cupy(base.reshape(2, 2, 3))
    masked = types.SimpleNamespace(__cuda_array_interface__={**base.__cuda_array_interface__, "mask": base})
    with pytest.raises(ProblemError, match="masked"):
        backend.from_cupy(masked)
    base.flags.writeable = False
    with pytest.raises(ProblemError, match="y: is read-only"):
        backend.axpby(1.0, base, 1.0, base)
    backend.axpby(1.0, base, 0.0, backend.zeros((4, 3)))  # to read it is fine


def test_as_cupy_without_cupy(backend: CudaBackend) -> None:
    with pytest.raises(BackendUnavailable, match="CuPy is not installed"):
        backend.as_cupy(backend.zeros(3))


# ---- wrong arguments -----------------------------------------------------------------------------------------------
def test_wrong_arrays_are_named(cuda: CudaBackend) -> None:
    op, out = cuda.prepare(sp.eye_array(4).tocsr()), cuda.zeros(4)
    with pytest.raises(ProblemError, match="out: overlaps x"):
        cuda.matvec(op, out, out)
    with pytest.raises(ProblemError, match=r"x: got .*numpy\.ndarray.*from_host"):
        cuda.matvec(op, np.zeros(4), out)
    with pytest.raises(ProblemError, match="from_host"):
        cuda.to_host([1.0, 2.0])
    with pytest.raises(ProblemError, match="as many columns"):
        cuda.norm([out, cuda.zeros((4, 2))])


def test_state_with_a_wrong_vector(cuda: CudaBackend) -> None:
    state, _ = state_of(cuda)
    state.dx = cuda.zeros(30)
    with pytest.raises(ProblemError, match=r"dx: shape \(30,\), expected \(31,\)"):
        cuda.pdhg_block(state, 2)
    state, _ = state_of(cuda)
    with pytest.raises(ProblemError, match="iterations: 0"):
        cuda.pdhg_block(state, 0)


# ---- blocks and graphs ---------------------------------------------------------------------------------------------
def test_replay_gives_what_direct_launches_give(cuda: CudaBackend) -> None:
    """Block after block, with changed step sizes and restarts: launched, recorded, then replayed."""
    mine, default = state_of(cuda, k=3)
    reference = kernel_tests.REFERENCE
    for block in range(6):
        for state, on in ((mine, cuda), (default, reference)):
            on.pdhg_block(state, 9)
        assert mine.k == default.k
        kernel_tests.compare_states(mine, cuda, default, kernel_tests.RESULTS)
        for state, on in ((mine, cuda), (default, reference)):
            state.weight *= 1.3
            if block % 2 == 0:  # a restart
                on.copy(state.x_hat, state.x)
                on.copy(state.x_hat, state.x_anchor)
                on.copy(state.y_hat, state.y)
                on.copy(state.y_hat, state.y_anchor)
                state.k = 0
    assert mine.private["cuda_blocks"].graphs == 1


@pytest.fixture
def streams(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The streams a function of the user was run on, as far as the stand-in can tell."""
    found: list[Any] = []

    @contextlib.contextmanager
    def current(stream: Any) -> Any:
        found.append(stream.__cuda_stream__())
        yield

    if cupy.__version__ == "stand-in":
        monkeypatch.setattr(cupy.cuda, "Stream", types.SimpleNamespace(from_external=current))
    return found


@pytest.mark.parametrize("in_place", [False, True])
def test_projection_as_a_cupy_function(cuda: CudaBackend, cupy: Any, streams: list[Any], in_place: bool) -> None:
    """A user's CuPy function sees the iterate as a CuPy array, on our stream, without a copy."""
    mine, default = state_of(cuda)
    lower, upper = cupy.asarray(default.lower), cupy.asarray(default.upper)
    addresses = set()

    def project(v: Any) -> Any:
        assert isinstance(v, cupy.ndarray)
        addresses.add(v.data.ptr)
        return cupy.clip(v, lower, upper, out=v if in_place else None)

    mine.projection = project
    cuda.pdhg_block(mine, 5)
    kernel_tests.REFERENCE.pdhg_block(default, 5)
    kernel_tests.compare_states(mine, cuda, default, kernel_tests.RESULTS)
    assert addresses == {mine.x_hat.__cuda_array_interface__["data"][0]}
    assert streams in ([], [(0, mine.x_hat.__cuda_array_interface__["stream"])] * 5)


# ---- whole solves ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("script", ["kernels.py", "pdhg.py"])
def test_benchmark_scripts_run(
    backend: CudaBackend,
    script: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They check what they time; here at a hundred-thousandth of their size, for whether they run at all."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu" / script
    found = tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", [str(path), str(found), "--scale", "1e-5", "--seconds", "0"])
    backends._load.cache_clear()
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        backends._load.cache_clear()  # the emulated backend must not stay behind the common door
    rows = json.loads(found.read_text())
    assert all(row["seconds"]["median"] > 0.0 for row in rows if "seconds" in row)
    assert len(rows) > 10
    assert rows[-1]["case"] in capsys.readouterr().out


def test_bucket_sizes_are_reported(cuda: CudaBackend) -> None:
    lengths = [0, 16, 17, 1024, 1025, 65536, 65537]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    A = sp.csr_array((np.ones(indptr[-1]), np.zeros(indptr[-1], np.int32), indptr), shape=(7, 1))
    assert cuda.prepare(A, transpose=False).handle.buckets == {"short": 2, "medium": 2, "long": 2, "giant": 1}
