"""Checkpoints of a solve: one file, written whole under another name and renamed, with its own checksum.

What is kept is the state at a check, after the decision on a restart: the loop continued from it computes the same
bits as one that was never interrupted (on the same backend). The file names the problem and the scaled program it
belongs to by their SHA-256, so that a checkpoint of another problem, or of other options, is refused. Of several ranks
the first writes and reads it for all; the vectors in it are whole, so any number of ranks can go on from it, and the
same number goes on with the same bits.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import new_file
from ..backends.world import once, rank
from ..errors import ProblemError
from .options import PdhgOptions
from .problem import LinearProgram, TermKind
from .scaling import ScaledProgram

FILE_NAME = "checkpoint.npz"
_SECONDS_BETWEEN = 30.0
_VERSION = 2


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
        _make(self.path.parent)

    def keep(self, scalars: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Remember a state; it goes to disk every half minute and at :meth:`write`."""
        self._pending = scalars, arrays
        if time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the state last kept, if it is not on disk yet."""
        if self._pending is None or rank() > 0:
            return
        scalars, arrays = self._pending
        head = {"version": _VERSION, "problem": self.problem, "scaled": self.scaled, "scalars": scalars}
        head["sum"] = _sum(head, arrays)
        with new_file(self.path) as file:
            np.savez(file, allow_pickle=False, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
        self._pending, self._written = None, time.monotonic()

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """(scalars, arrays) to continue from, or None if there is no checkpoint; ProblemError if it does not fit."""
        found = _load(self.path)
        if found is None:
            return None
        head, arrays = found
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


@once
def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProblemError(f"checkpoint: {folder} is no folder that can be made ({error})") from None


@once
def _load(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """(head, arrays) of a file whose checksum holds, None if there is none; ProblemError for a damaged one."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop("head").tobytes())
        said = head.pop("sum")
        whole = said == _sum(head, arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ProblemError(f"checkpoint: {path} cannot be read ({error}); delete it to start anew") from None
    if not whole:
        raise ProblemError(f"checkpoint: {path} is damaged, its checksum does not hold; delete it to start anew")
    return head, arrays


@contextmanager
def checkpoints(folder: str | Path | None) -> Iterator[None]:
    """Every first-order solve inside the block that has no checkpoint of its own keeps one in ``folder``: 0001/, ...

    They are numbered as they come, so a later run of the same calls finds each where it was. None: no checkpoints.
    """
    global _places
    before = _places
    _places = None if folder is None else (Path(folder) / f"{i:04d}" for i in itertools.count(1))
    try:
        yield
    finally:
        _places = before


def place_of(given: str | Path | None) -> str | Path | None:
    """The folder of a solve's checkpoint: the one given, else the next of :func:`checkpoints`, else None."""
    return next(_places) if given is None and _places is not None else given


_places: Iterator[Path] | None = None


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
    if terms is None:
        return ()
    own = np.flatnonzero(terms.kind == TermKind.USER)
    user = () if terms.user is None or not own.size else terms.user.take(own).fingerprint()
    return (terms.kind, terms.a, terms.b, terms.e, *user)
