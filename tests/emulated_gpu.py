"""The GPU backends on the CPU, for tests: the same C++ with csrc/cuda/host_runtime.hpp, and a stand-in for CuPy.

What this covers: every kernel body with its index arithmetic and order of additions, launches and grids, buffers, graph
recording and replay, bindings, argument packing. What it cannot cover is the hardware: races, the device's compiler.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
CUDA_SOURCES = ("device.cu", "products.cu", "vectors.cu", "reductions.cu", "pdhg.cu")
FLAGS = ("-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off")


def compiler() -> str:
    """The C++ compiler, or skip."""
    found = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if not found:
        pytest.skip("needs a C++ compiler to emulate the GPU")
    return found


def built(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The file ``name`` that ``build(folder)`` writes, kept under a hash of what it depends on."""
    shared = [CSRC / name for name in ("types.hpp", "error.hpp", "pointwise.hpp", "reduce.hpp")]
    sources = [*shared, *sorted((CSRC / "cuda").iterdir())]
    parts = [path.name.encode() + path.read_bytes() for path in sources]
    digest = hashlib.sha256(b"".join(parts) + f"{key}{sys.version}{FLAGS}".encode()).hexdigest()[:16]
    shelf = ROOT / "build" / "emulated"
    try:
        shelf.mkdir(parents=True, exist_ok=True)
    except OSError:
        shelf = Path(tempfile.gettempdir())
    target = shelf / f"{digest}-{name}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=shelf) as folder:
            build(Path(folder))
            os.replace(Path(folder) / name, target)  # workers may build at the same time: the last one wins
    return target


def run_all(commands: list[list[str]]) -> None:
    """Run the commands side by side; a failure shows the compiler's words."""
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for c in commands]
    said = [process.communicate()[0] for process in running]
    for process, words in zip(running, said, strict=True):
        assert process.returncode == 0, words


def cuda_module() -> Any:
    """kantor._cuda with the host runtime in place of CUDA's."""
    pybind11 = pytest.importorskip("pybind11")
    cxx = compiler()

    def build(folder: Path) -> None:
        kernels = folder / "kernels.cpp"
        kernels.write_text("".join(f'#include "cuda/{name}"\n' for name in CUDA_SOURCES))
        sources = {"bindings": CSRC / "cuda" / "bindings_cuda.cpp", "kernels": kernels}
        flags = [*FLAGS, "-DKANTOR_EMULATE_CUDA", '-DKANTOR_CUDA_ARCHITECTURES="host"', f"-I{CSRC}"]
        flags += [f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}"]
        run_all([[cxx, *flags, "-c", str(path), "-o", str(folder / f"{name}.o")] for name, path in sources.items()])
        link = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
        run_all([[cxx, "-shared", *link, *(str(folder / f"{n}.o") for n in sources), "-o", str(folder / "_cuda.so")]])

    path = str(built("_cuda.so", pybind11.__version__, build))
    # Another name than kantor._cuda: pybind11 gives out one module a name, and the real one may be wanted too.
    name = "kantor_emulated._cuda"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


# ---- a stand-in for CuPy ---------------------------------------------------------------------------------------------
class StandInArray(np.ndarray):
    """A NumPy array that shows its address as a CuPy array does."""

    @property
    def data(self) -> Any:  # type: ignore[override]
        return types.SimpleNamespace(ptr=self.ctypes.data)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.ctypes.data, not self.flags.writeable),
            "strides": None if self.flags.c_contiguous else self.strides,
            "version": 3,
            "stream": 1,
        }


def as_array(value: Any) -> StandInArray:
    """cupy.asarray: a view of whatever has the array interface, a copy of anything else."""
    interface = getattr(value, "__cuda_array_interface__", None)
    if isinstance(value, StandInArray) or interface is None:
        return value if isinstance(value, StandInArray) else np.array(value).view(StandInArray)
    dtype, shape = np.dtype(interface["typestr"]), interface["shape"]
    address = interface["data"][0] or None
    size = int(np.prod(shape)) * dtype.itemsize
    if not address or not size:
        return np.empty(shape, dtype).view(StandInArray)
    memory = (ctypes.c_char * size).from_address(address)
    memory.owner = value  # type: ignore[attr-defined]
    return np.frombuffer(memory, dtype).reshape(shape).view(StandInArray)


class StandInModule:
    """RawModule: the source compiled as plain C++, each kernel walking its grid on the CPU."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        assert options == ("-std=c++17", "--fmad=false")
        cxx = compiler()

        def build(folder: Path) -> None:
            (folder / "kernels.cpp").write_text(code)
            flags = [flag for flag in FLAGS if flag != "-fvisibility=hidden"]
            run_all([[cxx, *flags, "-shared", str(folder / "kernels.cpp"), "-o", str(folder / "kernels.so")]])

        self.library = ctypes.CDLL(str(built("kernels.so", code, build)))
        self.grid = (ctypes.c_longlong * 3).in_dll(self.library, "kantor_grid")

    def get_function(self, name: str) -> Callable[..., None]:
        function = getattr(self.library, name)
        function.restype = None

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            assert block == (256,)
            assert all(0 < size < 2**31 for size in grid)
            for axis in range(3):
                self.grid[axis] = grid[axis] if axis < len(grid) else 1
            function(*(argument(a) for a in arguments))

        return launch


def argument(value: Any) -> Any:
    """As CuPy passes it: arrays by address, NumPy scalars by value, nothing else."""
    if isinstance(value, StandInArray):
        return ctypes.c_void_p(value.ctypes.data)
    return {np.int64: ctypes.c_longlong, np.float64: ctypes.c_double}[type(value)](value)


def stand_in_cupy(devices: int = 1) -> types.ModuleType:
    """A module with the part of CuPy's surface that the cupy backend uses."""
    error = {name: type(name, (Exception,), {}) for name in ("CUDARuntimeError", "CUDADriverError", "OutOfMemoryError")}
    compile_error = type("CompileException", (Exception,), {})
    space = types.SimpleNamespace
    cupy = types.ModuleType("cupy")
    view = lambda array: array.view(StandInArray)  # noqa: E731
    cupy.__dict__.update(
        __version__="stand-in",
        ndarray=StandInArray,
        RawModule=StandInModule,
        array=lambda a, order="C": view(np.array(a, order=order)),
        asarray=as_array,
        clip=np.clip,
        asnumpy=np.array,
        zeros=lambda shape: view(np.zeros(shape)),
        empty=lambda shape: view(np.full(shape, np.nan)),  # whoever reads it before writing gets caught
        copyto=np.copyto,
        cuda=space(
            runtime=space(
                CUDARuntimeError=error["CUDARuntimeError"],
                getDeviceCount=lambda: devices,
                getDevice=lambda: 0,
                getDeviceProperties=lambda _: {"name": b"stand-in", "major": 0, "minor": 0},
            ),
            driver=space(CUDADriverError=error["CUDADriverError"]),
            memory=space(OutOfMemoryError=error["OutOfMemoryError"]),
            compiler=space(CompileException=compile_error),
            get_current_stream=lambda: space(synchronize=lambda: None),
            is_available=lambda: devices > 0,
            Stream=space(from_external=contextlib.nullcontext),
        ),
    )
    return cupy
