"""The cupy backend: kernels and argument packing on a stand-in for CuPy, its layout against the C++ headers."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import emulated_gpu
import gpu_checks
import kantor
import test_kernels as kernel_tests
from kantor.backends import cupy_kernels as layout
from kantor.backends.cupy_gpu import CupyBackend
from kantor.errors import BackendError, BackendUnavailable, ProblemError

CSRC = Path(__file__).resolve().parents[1] / "csrc"


def without_large(test: Any) -> Any:
    """The test without its cases of a million rows: test_cuda.py runs the same kernels on those."""
    for at, mark in enumerate(getattr(test, "pytestmark", [])):
        names, cases = mark.args
        kept = [case for case in cases if not {kernel_tests.LARGE, "large", "giant row"} & set(np.atleast_1d(case))]
        test.pytestmark[at] = pytest.mark.parametrize(names, kept or cases).mark
    return test


tests = {name: test for name, test in vars(kernel_tests).items() if name.startswith("test_")}
globals().update({name: without_large(test) for name, test in tests.items() if name != "test_repeatable_to_the_bit"})
globals().update(gpu_checks.TESTS)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.setitem(sys.modules, "cupy", emulated_gpu.stand_in_cupy())
    return sys.modules["cupy"]


@pytest.fixture
def backend(cupy: types.ModuleType) -> CupyBackend:
    return CupyBackend()


@pytest.fixture
def gpu(backend: CupyBackend) -> CupyBackend:
    """What gpu_checks runs on."""
    return backend


# ---- availability ----------------------------------------------------------------------------------------------------
def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=r"CuPy is not installed.*pip install 'kantor\[gpu13\]'"):
        CupyBackend()


def test_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = emulated_gpu.stand_in_cupy(devices=0)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(BackendUnavailable, match="CuPy finds no GPU"):
        CupyBackend()

    def no_driver() -> int:
        raise cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", no_driver)
    with pytest.raises(BackendUnavailable, match="no GPU: cudaErrorInsufficientDriver"):
        CupyBackend()


def test_without_headers(cupy: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "header_folder", lambda package: None)
    with pytest.raises(BackendUnavailable, match=r"headers are missing.*_csrc"):
        CupyBackend()


def test_header_folder(tmp_path: Path) -> None:
    """An installed package's own copy comes before a checkout's csrc."""
    package = tmp_path / "python" / "kantor"
    assert layout.header_folder(package) is None
    for folder in (tmp_path / "csrc", package / "_csrc"):
        (folder / "cuda").mkdir(parents=True)
        (folder / layout.ENTRY_POINTS).touch()
        assert layout.header_folder(package) == folder


# ---- layout ----------------------------------------------------------------------------------------------------------
def constant(header: str, name: str) -> int:
    found = re.search(rf"constexpr \w+ {name} = (\d+);", (CSRC / "cuda" / header).read_text())
    assert found, f"{name} is not in {header}"
    return int(found.group(1))


def test_numbers_are_those_of_the_headers() -> None:
    assert constant("block.hpp", "kBlockThreads") == layout.BLOCK_THREADS
    assert constant("block.hpp", "kBlockThreads") // constant("block.hpp", "kWarpLanes") == layout.BLOCK_WARPS
    assert constant("block.hpp", "kWarpLanes") == layout.MOST_COLUMNS
    assert constant("vector_bodies.hpp", "kChunkElements") == layout.CHUNK_ELEMENTS
    limits = re.findall(r"Offset (thread|warp|block|segment) = (\d+);", (CSRC / "cuda" / "row_buckets.hpp").read_text())
    assert limits == list(zip(("thread", "warp", "block", "segment"), map(str, layout.BUCKET_LIMITS), strict=True))


def test_source_is_one_text() -> None:
    """No include is left but those a run-time compiler does not see, and each header stands in it once."""
    text = layout.source_text(CSRC)
    assert '#include "' not in text
    assert text.count("struct CsrView {") == 1
    outside = re.sub(r"#if !defined\(__CUDACC_RTC__\)\n.*?#(endif|else)", "", text, flags=re.DOTALL)
    outside = re.sub(r"#if defined\(__CUDACC_RTC__\)\n.*?#endif", "", outside, flags=re.DOTALL)
    assert "#include" not in outside
    assert "std::" not in outside


def test_source_compiles_for_the_device(tmp_path: Path) -> None:
    """nvcc, where there is one, takes the text as the run-time compiler gets it: as one file."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("needs nvcc")
    (tmp_path / "kernels.cu").write_text(layout.source_text(CSRC))
    command = [nvcc, "-std=c++17", "--fmad=false", "-arch=sm_90", "-ptx", "-Werror", "all-warnings"]
    done = subprocess.run([*command, "kernels.cu"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@given(lengths=st.lists(st.integers(0, 40), max_size=60))
def test_buckets_hold_every_row_once(lengths: list[int]) -> None:
    indptr = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))])
    built = layout.bucket_rows(indptr, (2, 5, 11, 4))
    order = built.order if built.order.size else np.arange(len(lengths))
    assert sorted(order.tolist()) == list(range(len(lengths)))
    sizes = [(12, 40), (6, 11), (3, 5), (0, 2)]  # giant, long, medium, short
    for bucket, (least, most) in enumerate(sizes):
        rows = order[built.first[bucket] : built.first[bucket + 1]]
        assert all(least <= lengths[row] <= most for row in rows)
        assert (np.diff(rows) > 0).all()
    giants = [length for length in lengths if length > 11]
    assert built.segments == sum(-(-length // 4) for length in giants)
    assert (np.bincount(built.segment_owner, minlength=built.giants) == np.diff(built.giant_first)).all()


def test_buckets_are_those_of_the_module() -> None:
    try:
        cuda = importlib.import_module("kantor._cuda")
    except ImportError as error:
        pytest.skip(f"kantor._cuda is not built: {error}")
    lengths = np.random.default_rng(7).zipf(1.3, size=3000).clip(max=400_000)
    for some in (lengths, lengths[:0], np.full(9, 3), np.full(9, 300_000)):
        indptr = np.concatenate([[0], np.cumsum(some)]).astype(np.int64)
        mine, theirs = layout.bucket_rows(indptr), cuda.bucket_rows(indptr)
        for name in ("first", "order", "giant_first", "segment_owner"):
            np.testing.assert_array_equal(getattr(mine, name), theirs[name])
    assert tuple(cuda.bucket_limits) == layout.BUCKET_LIMITS


# ---- behaviour -------------------------------------------------------------------------------------------------------
def test_giant_row(backend: CupyBackend) -> None:
    """Several segments and both launches, one and several columns."""
    rng = np.random.default_rng(11)
    lengths = [3, 0, 100_000, 2000, 65_537]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    A = sp.csr_array((rng.random(indptr[-1]), rng.integers(0, 50, indptr[-1]), indptr), shape=(5, 50))
    for shape in ((50,), (50, 3)):
        x = rng.random(shape)
        out = backend.from_host(np.full((5, *shape[1:]), np.nan))
        backend.matvec(backend.prepare(A, transpose=False), backend.from_host(x), out)
        np.testing.assert_allclose(backend.to_host(out), A @ x, rtol=1e-12)


def test_wrong_arrays_are_named(backend: CupyBackend, cupy: types.ModuleType) -> None:
    out = backend.zeros(4)
    with pytest.raises(ProblemError, match=r"x: got ndarray, expected a cupy\.ndarray"):
        backend.multiply(np.zeros(4), out, out)
    with pytest.raises(ProblemError, match="x: dtype float32, expected float64"):
        backend.clip(cupy.asarray(np.zeros(4, np.float32)), out, out, out)
    with pytest.raises(ProblemError, match="y: strided"):
        backend.axpby(1.0, out, 1.0, cupy.asarray(np.zeros((4, 2)))[:, 0])
    with pytest.raises(ProblemError, match="dtype float32, expected float64 or uint8"):
        backend.from_host(np.zeros(4, np.float32))


def test_errors_of_cupy_are_ours(backend: CupyBackend, cupy: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(shape: Any) -> Any:
        raise cupy.cuda.memory.OutOfMemoryError("wanted 8 bytes")

    monkeypatch.setattr(cupy, "zeros", out_of_memory)
    with pytest.raises(BackendError, match="OutOfMemoryError: wanted 8 bytes"):
        backend.zeros(1)


def test_package_finds_its_headers() -> None:
    assert layout.header_folder(Path(kantor.__file__).parent) is not None
