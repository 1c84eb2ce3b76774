"""show_config: what this installation consists of, for bug reports and for choosing a backend."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib import metadata
from typing import Any

from .errors import ProblemError

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pydantic",
    "typer",
    "rich",
    "highspy",
    "numba",
    "cupy",
    "pymrio",
    "xarray",
    "mpi4py",
)
THREAD_VARIABLES = (
    "KANTOR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "NUMBA_NUM_THREADS",
    "KANTOR_BACKEND",
    "KANTOR_DATA",
)


def show_config() -> dict[str, Any]:
    """Return versions, the build of the native cores, backends with reasons, devices, data folder, threads and MPI.

    Nothing is changed and nothing is downloaded; a part that is missing is described in words, never an error.
    ``kantor info`` prints the same as a table, ``kantor info --json`` as JSON.

    >>> sorted(show_config())[:4]
    ['backends', 'cuda', 'data_folder', 'data_sets']
    """
    from . import __version__
    from .backends import available, get_backend

    folder, sets = _data()
    backends = available()
    default = get_backend("auto")
    return {
        "kantor": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})",
        "platform": f"{platform.platform()} ({platform.machine()})",
        "packages": {name: _package(name) for name in PACKAGES},
        "native": _native(),
        "cuda": _cuda(),
        "backends": backends,
        "default_backend": default.name,
        "device": default.device(),
        "threads": {"cores_usable": _cores(), **{name: os.environ.get(name, "not set") for name in THREAD_VARIABLES}},
        "mpi": _mpi(),
        "data_folder": folder,
        "data_sets": sets,
    }


def _package(name: str) -> str:
    for distribution in (name, f"{name}-cuda12x", f"{name}-cuda13x") if name == "cupy" else (name,):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def _native() -> dict[str, Any]:
    """How the C++ core was built, or why it cannot be imported."""
    try:
        core = importlib.import_module("kantor._core")
    except ImportError as error:
        return {"available": False, "reason": str(error)}
    return {"available": True, **dict(core.build_info())}


def _cuda() -> dict[str, Any]:
    """How the CUDA core was built and the devices it finds, or why it cannot be imported."""
    try:
        core = importlib.import_module("kantor._cuda")
    except ImportError as error:
        return {"available": False, "reason": str(error)}
    devices = core.device_count()
    return {
        "available": True,
        "architectures": core.architectures,
        "runtime": core.runtime_version(),
        "driver": core.driver_version(),
        "devices": [core.device_name()] if devices else [f"none: {core.device_reason()}"],
    }


def _cores() -> int:
    """Cores this process may use: a container or a batch system often allows fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def _mpi() -> str:
    """Words on MPI; mpi4py.MPI is not imported, because importing it starts MPI."""
    version = _package("mpi4py")
    return (
        "no: mpi4py is not installed; pip install 'kantor[mpi]'" if version == "not installed" else f"mpi4py {version}"
    )


def _data() -> tuple[str, list[str]]:
    """The data folder in words, and the data sets found in it."""
    from .data.datasets import data_folder

    try:
        folder = data_folder()
    except ProblemError as error:
        return f"none: {error}", []
    return str(folder), sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
