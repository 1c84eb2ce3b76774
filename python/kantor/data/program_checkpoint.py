"""Checkpoints of programs in shards: every rank writes its own part of the state, and nobody has the whole.

``state.json`` names the files of one state with their SHA-256 and comes last, so that at any moment it tells of a state
that is whole on disk; files of the one before are removed after that. The same number of ranks goes on with the same
bits; another one reads the files that overlap its own rows and columns.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import new_file
from ..backends.partition import Layout
from ..backends.world import World
from ..errors import ProblemError
from .shards import sha256_of

HEAD = "state.json"
_VERSION = 1
_SECONDS_BETWEEN = 30.0

State = tuple[dict[str, Any], dict[str, np.ndarray]]


class ProgramCheckpoint:
    """The checkpoint of one solve in ``folder``; ``identity`` says of which program and options. All is collective."""

    def __init__(self, folder: str | Path, identity: str, rows: Layout, columns: Layout, world: World) -> None:
        self.folder, self.identity, self.world = Path(folder), identity, world
        self.own = {
            axis: (int(layout.offsets[world.rank]), int(layout.offsets[world.rank + 1]))
            for axis, layout in (("rows", rows), ("columns", columns))
        }
        self._pending: State | None = None
        self._written = world.now()

    def keep(self, scalars: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Remember a state; it goes to disk every half minute and at :meth:`write`."""
        self._pending = scalars, arrays
        if self.world.now() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the state last kept, if it is not on disk yet."""
        # On its way out with an error a rank is alone: the others are elsewhere, and would not write with it.
        if self._pending is None or sys.exc_info()[0] is not None:
            return
        scalars, arrays = self._pending
        world, error, mine = self.world, None, None
        path = self.folder / f"{scalars['total']:012d}-{world.rank:05d}of{world.size}.npz"
        try:
            with new_file(path, parents=True) as stream:
                np.savez(stream, allow_pickle=False, **arrays)
            mine = {"file": path.name, "sha256": sha256_of(path), **self.own}
        except Exception as trouble:  # told to the others, who would wait
            error = trouble
        world.agree(error)
        files = world.comm.allgather(mine)
        try:
            if world.rank == 0:
                facts = {"version": _VERSION, "identity": self.identity, "scalars": scalars, "files": files}
                with new_file(self.folder / HEAD) as stream:
                    stream.write(json.dumps(facts).encode())
                for old in {entry.name for entry in self.folder.glob("*-*of*.npz")} - {f["file"] for f in files}:
                    (self.folder / old).unlink(missing_ok=True)
        except Exception as trouble:
            error = trouble
        world.agree(error)
        # Not world.now(): a signal seen there would end the writing of what it asks for.
        self._pending, self._written = None, world.comm.bcast(time.perf_counter())

    def read(self) -> State | None:
        """(scalars, own parts of the arrays) to go on from, None if there is no checkpoint; ProblemError, on all ranks,
        for one that is damaged, which is named, or of something else."""
        found, error = None, None
        try:
            found = self._read()
        except (ProblemError, MemoryError) as trouble:
            error = trouble
        self.world.agree(error)
        return found

    def _read(self) -> State | None:
        path = self.folder / HEAD
        if not path.is_file():
            return None
        try:
            facts = json.loads(path.read_text())
            version, identity, scalars, files = (facts[key] for key in ("version", "identity", "scalars", "files"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProblemError(
                f"checkpoint: {path} cannot be read ({error}); delete the folder to start anew"
            ) from None
        if version != _VERSION:
            raise ProblemError(f"checkpoint: {path} has format {version}, this version reads {_VERSION}")
        if identity != self.identity:
            raise ProblemError(f"checkpoint: {path} belongs to another program or other options; choose another folder")
        pieces: dict[str, list[np.ndarray]] = {}
        for file in files:
            cut = {axis: _overlap(self.own[axis], file[axis]) for axis in self.own}
            if all(part.start >= part.stop for part in cut.values()):
                continue
            for name, array in _load(self.folder / file["file"], file["sha256"]).items():
                pieces.setdefault(name, []).append(array[cut[_axis(name)]])
        return scalars, {name: np.concatenate(parts) for name, parts in pieces.items()}


def _axis(name: str) -> str:
    return "rows" if name.removeprefix("best_").startswith("y") else "columns"


def _overlap(own: tuple[int, int], theirs: list[int]) -> slice:
    """Where what both have lies in theirs; empty, with a start not below its end, if they share nothing."""
    start, stop = max(own[0], theirs[0]) - theirs[0], min(own[1], theirs[1]) - theirs[0]
    return slice(start, max(start, stop))


def _load(path: Path, sha256: str) -> dict[str, np.ndarray]:
    try:
        if sha256_of(path) != sha256:
            raise ProblemError(f"checkpoint: {path} is damaged, its checksum does not hold; delete it to start anew")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise ProblemError(f"checkpoint: {path} cannot be read ({error.strerror or error})") from None
