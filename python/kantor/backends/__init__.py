"""Kernels: reference (NumPy), numba, native (C++/OpenMP), cuda (C++/CUDA), cupy. ``get_backend`` is the only door."""

from __future__ import annotations

import functools
import importlib
import os

from ..errors import BackendUnavailable, OptionError, suggest
from .protocol import Backend, DeviceTerms, Operator, PdhgState
from .world import active

__all__ = ["BACKENDS", "Backend", "DeviceTerms", "Operator", "PdhgState", "available", "get_backend"]

# name -> (module, class); "auto" tries AUTO_ORDER. Modules are imported only when asked for.
BACKENDS = {
    "reference": ("reference", "ReferenceBackend"),
    "numba": ("numba_cpu", "NumbaBackend"),
    "native": ("native", "NativeBackend"),
    "cuda": ("cuda", "CudaBackend"),
    "cupy": ("cupy_gpu", "CupyBackend"),
}
AUTO_ORDER = ("cuda", "native", "numba", "reference")


@functools.cache
def _load(name: str) -> Backend:
    module, cls = BACKENDS[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), cls)()


def get_backend(name: str | Backend = "auto") -> Backend:
    """Return a backend by name; "auto" takes $KANTOR_BACKEND, else the fastest available one.

    Inside :func:`kantor.distributed` it is that backend on every rank, behind one face.

    Raises OptionError for an unknown name and BackendUnavailable, with the install line, for a missing one.

    >>> get_backend("reference").name
    'reference'
    """
    if isinstance(name, Backend):
        return name
    local, world = _local(name), active()
    if world is None:
        return local
    if local.name not in world.backends:
        from .distributed import DistributedBackend

        world.backends[local.name] = DistributedBackend(local, world)
    found: Backend = world.backends[local.name]
    return found


def _local(name: str) -> Backend:
    if name == "auto":
        name = os.environ.get("KANTOR_BACKEND", "auto")
    if name == "auto":
        for candidate in AUTO_ORDER:
            try:
                return _load(candidate)
            except BackendUnavailable:
                continue
    if name not in BACKENDS:
        raise OptionError(f"backend: {name!r} is unknown{suggest(name, ['auto', *BACKENDS])}")
    return _load(name)


def available() -> dict[str, str]:
    """Every backend and "yes", or the reason why it cannot be used here."""
    said = {}
    for name in BACKENDS:
        try:
            said[name] = f"yes ({_load(name).device()})"
        except BackendUnavailable as error:
            said[name] = f"no: {error}"
    return said
