"""Instances and answers as .npz files, readable with NumPy alone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def put_matrix(arrays: Arrays, name: str, matrix: Any) -> None:
    """Store a SciPy sparse matrix as ``name``_data, _indices, _indptr, _shape (CSR)."""
    csr = matrix.tocsr()
    arrays |= {f"{name}_data": csr.data, f"{name}_indices": csr.indices, f"{name}_indptr": csr.indptr}
    arrays[f"{name}_shape"] = np.array(csr.shape, dtype=np.int64)


def get_matrix(arrays: Arrays, name: str) -> Any:
    """The matrix as scipy.sparse.csr_array; its arrays are those of ``arrays``, not copies."""
    import scipy.sparse as sp

    parts = (arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"])
    return sp.csr_array(parts, shape=tuple(int(k) for k in arrays[f"{name}_shape"]))


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write under a temporary name and rename, so that a file that exists is whole."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)


def read_arrays(path: Path) -> Arrays:
    """All arrays of a file, in memory."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_json(path: Path, content: Any) -> None:
    """Write under a temporary name and rename; numbers that are not finite become null."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(finite(content), indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)


def finite(content: Any) -> Any:
    """The same content in plain types that JSON has; NaN and infinities become None."""
    if isinstance(content, dict):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, bool | np.bool_):
        return bool(content)
    if isinstance(content, int | np.integer):
        return int(content)
    if isinstance(content, float | np.floating):
        return float(content) if np.isfinite(content) else None
    return content


def fingerprint(arrays: Arrays) -> str:
    """A short hash of names and contents: two results belong to one instance only if it is equal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()[:16]
