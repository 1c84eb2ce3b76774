"""Square tables in pieces: every rank writes, and reads, only its own rows.

A folder holds ``shards.json`` (size, cuts, SHA-256 of every piece) and one NPZ a piece, rows of A in CSR with the
columns' numbers in the whole table, and the demand for its goods. Pieces are written under another name, flushed and
renamed; ``shards.json`` comes last, so a folder without it is not a table. Nothing is ever read whose checksum does
not hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from ..atomic import new_file
from ..backends.partition import Layout, contiguous
from ..errors import ProblemError

T = TypeVar("T")

HEAD = "shards.json"
_VERSION = 1
_PIECE = 1 << 18


@dataclass(frozen=True)
class Shard:
    """One piece: its file, rows, entries and checksum."""

    file: str
    rows: int
    entries: int
    sha256: str


@dataclass(frozen=True)
class ShardedTable:
    """What ``shards.json`` says; pieces are read by the ranks that own them."""

    folder: Path
    shards: tuple[Shard, ...]
    notes: dict[str, Any]

    @property
    def n(self) -> int:
        """Goods of the whole table."""
        return sum(shard.rows for shard in self.shards)

    @property
    def entries(self) -> int:
        """Entries of the whole table."""
        return sum(shard.entries for shard in self.shards)

    def layout(self, ranks: int) -> tuple[Layout, list[range]]:
        """(who owns which goods, the pieces of every rank): whole pieces, balanced by entries.

        ProblemError if there are more ranks than pieces.
        """
        if ranks > len(self.shards):
            raise ProblemError(
                f"{self.folder}: {len(self.shards)} shards for {ranks} ranks; every rank needs one of its own"
            )
        cuts = cuts_of(np.array([shard.entries for shard in self.shards], dtype=np.float64), ranks)
        first = np.concatenate([[0], np.cumsum([shard.rows for shard in self.shards])]).astype(np.int64)
        return Layout(first[cuts]), [range(int(a), int(b)) for a, b in pairwise(cuts)]

    def read(self, pieces: Iterable[int]) -> tuple[sp.csr_array, np.ndarray]:
        """(rows (own goods, n), demand (own goods,)) of adjacent pieces; ProblemError that names a damaged file."""
        found = [self._read(self.shards[i]) for i in pieces]
        rows = found[0][0] if len(found) == 1 else sp.csr_array(sp.vstack([part for part, _ in found], format="csr"))
        return rows, np.concatenate([demand for _, demand in found])

    def _read(self, shard: Shard) -> tuple[sp.csr_array, np.ndarray]:
        path = self.folder / shard.file
        try:
            if sha256_of(path) != shard.sha256:
                raise ProblemError(
                    f"{path}: its SHA-256 is not the one in {HEAD}: the shard is damaged or of another run"
                )
            with np.load(path, allow_pickle=False) as file:
                data, indices, indptr, demand = (file[name] for name in ("data", "indices", "indptr", "demand"))
        except OSError as error:
            raise ProblemError(f"{path}: cannot be read ({error.strerror or error})") from None
        # SciPy gives both index arrays one type: wide row pointers would make the columns wide too.
        narrow = indptr.astype(np.int32) if data.size < 2**31 else indptr
        rows = sp.csr_array((data, indices, narrow), shape=(shard.rows, self.n))
        if rows.nnz and not np.isfinite(data).all():
            raise ProblemError(f"{path}: an entry is not finite")
        if not np.isfinite(demand).all():
            raise ProblemError(f"{path}: a demand is not finite")
        return rows, demand


def write_shard(folder: str | Path, number: int, rows: sp.csr_array, demand: np.ndarray) -> Shard:
    """Write one piece: rows (any, n) of A in CSR and the demand for those goods; any process may write any piece."""
    path = Path(folder) / f"{number:06d}.npz"
    wide = np.int32 if rows.shape[1] < 2**31 else np.int64
    with new_file(path, parents=True) as stream:
        np.savez(
            stream, data=rows.data, indices=rows.indices.astype(wide, copy=False), indptr=rows.indptr.astype(np.int64),
            demand=np.asarray(demand, dtype=np.float64),
        )  # fmt: skip
    return Shard(path.name, int(rows.shape[0]), int(rows.nnz), sha256_of(path))


def split_table(folder: str | Path, A: sp.csr_array, demand: np.ndarray, count: int, **notes: Any) -> ShardedTable:
    """Write a table that one process has in so many shards of about equal numbers of entries.

    Raises ProblemError for a table that is not square or has fewer goods than shards.
    """
    n = int(A.shape[0])
    if A.shape != (n, n):
        raise ProblemError(f"{folder}: a table of shape {A.shape}; only square ones are kept in shards")
    if not 1 <= count <= n:
        raise ProblemError(f"{folder}: {count} shards for {n} goods, expected 1 to {n}")
    cuts = cuts_of(np.diff(A.indptr), count)
    shards = [write_shard(folder, i, sp.csr_array(A[a:b]), demand[a:b]) for i, (a, b) in enumerate(pairwise(cuts))]
    return write_head(folder, shards, **notes)


def write_head(folder: str | Path, shards: Iterable[Shard], **notes: Any) -> ShardedTable:
    """Write ``shards.json`` when all pieces are there: then the folder is a table."""
    table = ShardedTable(Path(folder), tuple(shards), notes)
    facts = {"version": _VERSION, "n": table.n, "entries": table.entries, "notes": notes}
    put_head(Path(folder) / HEAD, facts, table.shards)
    return table


def put_head(path: Path, facts: dict[str, Any], shards: Iterable[Any]) -> None:
    """Write the head file of a folder in shards: ``facts`` and what each shard is."""
    with new_file(path) as stream:
        stream.write(json.dumps(facts | {"shards": [vars(shard) for shard in shards]}, indent=1).encode())


def get_head(path: Path, what: str, build: Callable[[dict[str, Any]], T]) -> T:
    """What ``build`` makes of a head file's facts; ProblemError if it is missing or damaged: no ``what`` in shards."""
    try:
        return build(json.loads(path.read_text()))
    except OSError as error:
        why = f"cannot be read ({error.strerror or error}): is {path.parent} {what} in shards?"
        raise ProblemError(f"{path}: {why}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(f"{path}: is damaged ({error})") from None


def open_shards(folder: str | Path) -> ShardedTable:
    """Read ``shards.json``; ProblemError if the folder is no table in shards."""
    path = Path(folder) / HEAD

    def build(facts: dict[str, Any]) -> tuple[ShardedTable, tuple[Any, ...]]:
        table = ShardedTable(Path(folder), tuple(Shard(**piece) for piece in facts["shards"]), facts["notes"])
        return table, (facts["version"], facts["n"], facts["entries"])

    table, known = get_head(path, "a table", build)
    if known != (_VERSION, table.n, table.entries):
        raise ProblemError(f"{path}: says {known}, its shards give {(_VERSION, table.n, table.entries)}")
    return table


def cuts_of(weights: np.ndarray, count: int) -> np.ndarray:
    """Where to cut for pieces of about equal weights, none of them empty."""
    cuts = contiguous(weights, count).offsets
    for piece in range(1, count):
        cuts[piece] = min(max(cuts[piece], cuts[piece - 1] + 1), weights.size - (count - piece))
    return np.asarray(cuts)


def sha256_of(path: Path) -> str:
    """Of a file, read piece by piece."""
    sha = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            sha.update(piece)
    return sha.hexdigest()
