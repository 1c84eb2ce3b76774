"""Linear programs in pieces: every rank writes, and reads, only its own rows, columns and entries.

A folder holds ``program.json`` (sizes, SHA-256 of every piece) and one NPZ a piece: bounds of its rows; cost and bounds
of its columns; and entries, in CSR over the rows ``at`` with the columns' numbers in the whole program. Entries of
other pieces' rows may lie with a piece: a limit that all columns use is not read by one rank. Written and checked as
the tables of kantor.data.shards are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..atomic import new_file
from ..backends.partition import Layout, full_rows
from ..errors import ProblemError
from ..solvers.program_part import ProgramPart
from .shards import cuts_of, get_head, put_head, sha256_of

HEAD = "program.json"
_VERSION = 1
_SIDES = ("row_lower", "row_upper", "c", "lower", "upper")


@dataclass(frozen=True)
class ProgramShard:
    """One piece: its file, own rows and columns, entries and checksum."""

    file: str
    rows: int
    columns: int
    entries: int
    sha256: str


@dataclass(frozen=True)
class ShardedProgram:
    """What ``program.json`` says; pieces are read by the ranks that own them."""

    folder: Path
    shards: tuple[ProgramShard, ...]
    notes: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole program."""
        return sum(shard.rows for shard in self.shards), sum(shard.columns for shard in self.shards)

    @property
    def entries(self) -> int:
        """Entries of the whole program."""
        return sum(shard.entries for shard in self.shards)

    def layout(self, ranks: int) -> tuple[Layout, Layout, list[range]]:
        """(who owns which rows, which columns, the pieces of every rank): whole pieces, balanced by entries."""
        if ranks > len(self.shards):
            raise ProblemError(
                f"{self.folder}: {len(self.shards)} shards for {ranks} ranks; every rank needs one of its own"
            )
        cuts = cuts_of(np.array([shard.entries for shard in self.shards], dtype=np.float64), ranks)
        rows, columns = (
            Layout(np.concatenate([[0], np.cumsum([getattr(s, side) for s in self.shards])]).astype(np.int64)[cuts])
            for side in ("rows", "columns")
        )
        return rows, columns, [range(int(a), int(b)) for a, b in pairwise(cuts)]

    def read(self, pieces: Iterable[int]) -> ProgramPart:
        """Adjacent pieces as one; ProblemError that names a damaged file."""
        found = [self._read(self.shards[i]) for i in pieces]
        if len(found) == 1:
            return found[0]
        at = np.unique(np.concatenate([part.at for part in found]))
        whole = sp.csr_array((at.size, self.shape[1]))
        for part in found:  # rows that several pieces have a share of are added up
            place = sp.csr_array(
                (np.ones(part.at.size), (np.searchsorted(at, part.at), np.arange(part.at.size))),
                shape=(at.size, part.at.size),
            )
            whole = sp.csr_array(whole + place @ part.entries)
        return ProgramPart(whole, at, *(np.concatenate([getattr(part, side) for part in found]) for side in _SIDES))

    def _read(self, shard: ProgramShard) -> ProgramPart:
        path = self.folder / shard.file
        try:
            if sha256_of(path) != shard.sha256:
                raise ProblemError(
                    f"{path}: its SHA-256 is not the one in {HEAD}: the shard is damaged or of another run"
                )
            with np.load(path, allow_pickle=False) as file:
                sides = [file[name] for name in _SIDES]
                at, data, indices, indptr = (file[name] for name in ("at", "data", "indices", "indptr"))
        except OSError as error:
            raise ProblemError(f"{path}: cannot be read ({error.strerror or error})") from None
        if not np.isfinite(data).all() or np.isnan(np.concatenate(sides)).any() or not np.isfinite(sides[2]).all():
            raise ProblemError(f"{path}: an entry or a cost is not finite, or a bound is not a number")
        return ProgramPart(sp.csr_array((data, indices, indptr), shape=(at.size, self.shape[1])), at, *sides)


def write_program_shard(folder: str | Path, number: int, part: ProgramPart) -> ProgramShard:
    """Write one piece; any process may write any piece."""
    path = Path(folder) / f"{number:06d}.npz"
    entries = part.entries
    wide = np.int32 if entries.shape[1] < 2**31 else np.int64
    arrays: dict[str, Any] = {side: np.asarray(getattr(part, side), dtype=np.float64) for side in _SIDES}
    with new_file(path, parents=True) as stream:
        np.savez(
            stream, data=entries.data, indices=entries.indices.astype(wide, copy=False),
            indptr=entries.indptr.astype(np.int64), at=part.at.astype(np.int64), **arrays,
        )  # fmt: skip
    return ProgramShard(path.name, part.row_lower.size, part.c.size, int(entries.nnz), sha256_of(path))


def write_program_head(folder: str | Path, shards: Iterable[ProgramShard], **notes: Any) -> ShardedProgram:
    """Write ``program.json`` when all pieces are there: then the folder is a program."""
    program = ShardedProgram(Path(folder), tuple(shards), notes)
    facts = {"version": _VERSION, "shape": program.shape, "entries": program.entries, "notes": notes}
    put_head(Path(folder) / HEAD, facts, program.shards)
    return program


def open_program(folder: str | Path) -> ShardedProgram:
    """Read ``program.json``; ProblemError if the folder is no program in shards."""
    path = Path(folder) / HEAD

    def build(facts: dict[str, Any]) -> tuple[ShardedProgram, tuple[Any, ...]]:
        found = ShardedProgram(Path(folder), tuple(ProgramShard(**piece) for piece in facts["shards"]), facts["notes"])
        return found, (facts["version"], tuple(facts["shape"]), facts["entries"])

    found, known = get_head(path, "a program", build)
    if known != (_VERSION, found.shape, found.entries):
        raise ProblemError(f"{path}: says {known}, its shards give {(_VERSION, found.shape, found.entries)}")
    return found


def split_program(folder: str | Path, lp: Any, count: int, **notes: Any) -> ShardedProgram:
    """Write a LinearProgram without terms, a minimisation, that one process has, in so many shards.

    Entries lie with their row, those of full rows with their column.
    """
    M, N = lp.shape
    if lp.terms is not None or lp.maximise or lp.offset:
        raise ProblemError(f"{folder}: programs in shards minimise c.x, without concave terms and without a constant")
    if not 1 <= count <= min(M, N):
        raise ProblemError(f"{folder}: {count} shards for {M} rows and {N} columns, expected 1 to {min(M, N)}")
    rows = cuts_of(np.diff(lp.K.indptr), count)
    columns = cuts_of(np.bincount(lp.K.indices, minlength=N), count)
    full = np.zeros(M, dtype=bool)
    full[full_rows(lp.K)] = True
    shards = []
    for piece in range(count):
        own, mine = slice(rows[piece], rows[piece + 1]), slice(columns[piece], columns[piece + 1])
        at = np.flatnonzero(full | (np.arange(M) >= own.start) & (np.arange(M) < own.stop))
        part = sp.csr_array(lp.K[at])
        row = np.repeat(at, np.diff(part.indptr))
        keep = ~full[row] | (part.indices >= mine.start) & (part.indices < mine.stop)
        reached = np.concatenate([[0], np.cumsum(keep)])
        held = sp.csr_array((part.data[keep], part.indices[keep], reached[part.indptr]), shape=part.shape)
        sides = [getattr(lp, side)[own if side.startswith("row") else mine] for side in _SIDES]
        shards.append(write_program_shard(folder, piece, ProgramPart(held, at, *sides)))
    return write_program_head(folder, shards, **notes)
