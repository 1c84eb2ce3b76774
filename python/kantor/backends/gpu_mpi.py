"""Whether MPI sends from and receives into a GPU's memory by itself; where it does not, halos are staged on the host.

Asked of the MPI library: ``MPIX_GPU_query_support`` (MPICH and its kin), ``MPIX_Query_cuda_support`` (Open MPI). An
MPI that knows neither is taken to need staging. $KANTOR_GPU_MPI set to 0 or 1 overrules it.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

from ..errors import OptionError
from .protocol import Backend

VARIABLE = "KANTOR_GPU_MPI"
_CUDA = 0  # MPIX_GPU_SUPPORT_CUDA


def sends_from_device(local: Backend) -> bool:
    """Whether this backend's arrays are device memory that MPI can be handed as it is."""
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "0", "1"):
        raise OptionError(f"{VARIABLE}={said}: expected 0, 1 or nothing")
    if not hasattr(local.zeros(1), "__cuda_array_interface__"):
        return False
    return said == "1" or (not said and _library_says())


@functools.cache
def _library_says() -> bool:
    from mpi4py import MPI

    return any(
        asked(library) for library in (ctypes.CDLL(MPI.__file__), ctypes.CDLL(None)) for asked in (_mpich, _open)
    )


def _mpich(library: Any) -> bool:
    query = getattr(library, "MPIX_GPU_query_support", None)
    supported = ctypes.c_int(0)
    return query is not None and query(_CUDA, ctypes.byref(supported)) == 0 and bool(supported.value)


def _open(library: Any) -> bool:
    query = getattr(library, "MPIX_Query_cuda_support", None)
    return query is not None and query() == 1


def address_of(array: Any) -> int:
    """Where the first element of a NumPy or a device array lies."""
    if hasattr(array, "__cuda_array_interface__"):
        return int(array.__cuda_array_interface__["data"][0])
    return int(array.__array_interface__["data"][0])
