"""Checkpoints of a solve: one file, written whole under another name and renamed, with its own checksum.

What is kept is the state at a check, after the decision on a restart: the loop continued from it computes the same
bits as one that was never interrupted (on the same backend). The file names the problem and the scaled program it
belongs to by their SHA-256, so that a checkpoint of another problem, or of other options, is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ProblemError
from .options import PdhgOptions
from .problem import LinearProgram
from .scaling import ScaledProgram

FILE_NAME = "checkpoint.npz"
_SECONDS_BETWEEN = 30.0
_VERSION = 1


class Checkpoint:
    """The checkpoint of one solve in ``folder``, made if it is not there; ProblemError if it cannot be."""

    def __init__(self, folder: str | Path, lp: LinearProgram, scaled: ScaledProgram, options: PdhgOptions) -> None:
        self.path = Path(folder) / FILE_NAME
        self.problem = fingerprint(lp.c, lp.K.data, lp.K.indices, lp.K.indptr, lp.row_lower, lp.row_upper, lp.lower,
                                   lp.upper, *_terms(lp.terms))  # fmt: skip
        self.scaled = fingerprint(scaled.c, scaled.K.data, scaled.K.indices, scaled.K.indptr, scaled.row_lower,
                                  scaled.row_upper, scaled.lower, scaled.upper, *_terms(scaled.terms),
                                  json.dumps(asdict(options), sort_keys=True).encode())  # fmt: skip
        self._pending: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
        self._written = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProblemError(f"checkpoint: {self.path.parent} is no folder that can be made ({error})") from None

    def keep(self, scalars: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Remember a state; it goes to disk every half minute and at :meth:`write`."""
        self._pending = scalars, arrays
        if time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the state last kept, if it is not on disk yet."""
        if self._pending is None:
            return
        scalars, arrays = self._pending
        head = {"version": _VERSION, "problem": self.problem, "scaled": self.scaled, "scalars": scalars}
        head["sum"] = _sum(head, arrays)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
        handle, partial = tempfile.mkstemp(prefix=".checkpoint-", suffix=".partial", dir=self.path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(buffer.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        finally:
            Path(partial).unlink(missing_ok=True)
        self._pending, self._written = None, time.monotonic()

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """(scalars, arrays) to continue from, or None if there is no checkpoint; ProblemError if it does not fit."""
        if not self.path.is_file():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            head = json.loads(arrays.pop("head").tobytes())
            said = head.pop("sum")
            whole = said == _sum(head, arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ProblemError(f"checkpoint: {self.path} cannot be read ({error}); delete it to start anew") from None
        if not whole:
            raise ProblemError(
                f"checkpoint: {self.path} is damaged, its checksum does not hold; delete it to start anew"
            )
        if head["version"] != _VERSION:
            raise ProblemError(f"checkpoint: {self.path} has format {head['version']}, this version reads {_VERSION}")
        if head["problem"] != self.problem:
            raise ProblemError(f"checkpoint: {self.path} belongs to another problem; choose another folder")
        if head["scaled"] != self.scaled:
            raise ProblemError(
                f"checkpoint: {self.path} was written with other options, value_scaling or presolve (or another "
                "version of HiGHS); choose another folder, or the same options"
            )
        return head["scalars"], arrays


def fingerprint(*parts: Any) -> str:
    """SHA-256 over arrays and bytes in order, lengths included."""
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).view(np.uint8).data
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.hexdigest()


def _sum(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    names = sorted(arrays)
    return fingerprint(
        json.dumps(head, sort_keys=True).encode(), *(arrays[n] for n in names), *(n.encode() for n in names)
    )


def _terms(terms: Any) -> tuple[Any, ...]:
    return () if terms is None else (terms.kind, terms.a, terms.b, terms.e)
