"""Economies in pieces: every rank writes, and reads, only its own goods and the techniques that make them.

A folder holds ``economy_shards.json`` (sizes, indicators, SHA-256 of every piece) and one NPZ a piece: who uses its
goods, rows of A in CSR over all techniques; which good each of its techniques makes, a unit for a unit of activity;
their use of every indicator; and the targets. Written and checked as the tables of kantor.data.shards are. A plan of
one (kantor.planning.sharded) is solved without any process having the whole of A.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..atomic import new_file
from ..backends.partition import Layout
from ..errors import ProblemError
from ..solvers.economy_part import EconomyPart
from .economy import Economy
from .shards import cuts_of, get_head, put_head, sha256_of

HEAD = "economy_shards.json"
_VERSION = 1
_ARRAYS = ("data", "indices", "indptr", "own", "intensities", "targets")


@dataclass(frozen=True)
class EconomyShard:
    """One piece: its file, goods, techniques, entries and checksum."""

    file: str
    goods: int
    techniques: int
    entries: int
    sha256: str


@dataclass(frozen=True)
class ShardedEconomy:
    """What ``economy_shards.json`` says; pieces are read by the ranks that own them."""

    folder: Path
    shards: tuple[EconomyShard, ...]
    indicators: tuple[str, ...]
    notes: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Goods and techniques of the whole economy."""
        return sum(shard.goods for shard in self.shards), sum(shard.techniques for shard in self.shards)

    @property
    def entries(self) -> int:
        """Entries of the whole of A."""
        return sum(shard.entries for shard in self.shards)

    def layout(self, ranks: int) -> tuple[Layout, Layout, list[range]]:
        """(who owns which goods, which techniques, the pieces of every rank): whole pieces, balanced by entries."""
        if ranks > len(self.shards):
            raise ProblemError(
                f"{self.folder}: {len(self.shards)} shards for {ranks} ranks; every rank needs one of its own"
            )
        cuts = cuts_of(np.array([shard.entries for shard in self.shards], dtype=np.float64), ranks)
        goods, techniques = (
            Layout(np.concatenate([[0], np.cumsum([getattr(s, side) for s in self.shards])]).astype(np.int64)[cuts])
            for side in ("goods", "techniques")
        )
        return goods, techniques, [range(int(a), int(b)) for a, b in pairwise(cuts)]

    def read(self, pieces: Iterable[int]) -> EconomyPart:
        """Adjacent pieces as one; ProblemError that names a damaged file."""
        found = [self._read(self.shards[i]) for i in pieces]
        if len(found) == 1:
            return found[0]
        first = np.concatenate([[0], np.cumsum([part.targets.size for part in found])])
        return EconomyPart(
            sp.csr_array(sp.vstack([part.input for part in found], format="csr")),
            np.concatenate([part.own + start for part, start in zip(found, first, strict=False)]),
            np.concatenate([part.intensities for part in found], axis=1),
            np.concatenate([part.targets for part in found]),
        )

    def _read(self, shard: EconomyShard) -> EconomyPart:
        path = self.folder / shard.file
        try:
            if sha256_of(path) != shard.sha256:
                raise ProblemError(
                    f"{path}: its SHA-256 is not the one in {HEAD}: the shard is damaged or of another run"
                )
            with np.load(path, allow_pickle=False) as file:
                data, indices, indptr, own, intensities, targets = (file[name] for name in _ARRAYS)
        except OSError as error:
            raise ProblemError(f"{path}: cannot be read ({error.strerror or error})") from None
        # SciPy gives both index arrays one type: wide row pointers would make the columns wide too.
        narrow = indptr.astype(np.int32) if data.size < 2**31 else indptr
        part = EconomyPart(
            sp.csr_array((data, indices, narrow), shape=(shard.goods, self.shape[1])), own, intensities, targets
        )
        check_part(part, f"{path}")
        return part


def check_part(part: EconomyPart, where: str) -> None:
    """ProblemError unless every number is finite and none is negative, and every good has a technique."""
    for name, array in (("input", part.input.data), ("intensities", part.intensities), ("targets", part.targets)):
        if array.size and not (np.isfinite(array).all() and array.min() >= 0.0):
            raise ProblemError(f"{where}: {name} holds a number that is negative or not finite")
    goods = part.targets.size
    if part.own.size and not 0 <= part.own.min() <= part.own.max() < goods:
        raise ProblemError(f"{where}: a technique makes a good that lies in another shard")
    without = np.flatnonzero(np.bincount(part.own, minlength=goods) == 0)
    if without.size:
        raise ProblemError(f"{where}: no technique makes good {int(without[0])} of this shard")


def write_economy_shard(folder: str | Path, number: int, part: EconomyPart) -> EconomyShard:
    """Write one piece; any process may write any piece."""
    path = Path(folder) / f"{number:06d}.npz"
    check_part(part, f"{path}")
    wide = np.int32 if part.input.shape[1] < 2**31 else np.int64
    with new_file(path, parents=True) as stream:
        np.savez(
            stream, data=part.input.data, indices=part.input.indices.astype(wide, copy=False),
            indptr=part.input.indptr.astype(np.int64), own=part.own.astype(np.int64),
            intensities=part.intensities.astype(np.float64), targets=part.targets.astype(np.float64),
        )  # fmt: skip
    return EconomyShard(path.name, part.targets.size, part.own.size, int(part.input.nnz), sha256_of(path))


def write_economy_head(
    folder: str | Path, shards: Iterable[EconomyShard], indicators: Sequence[str], **notes: Any
) -> ShardedEconomy:
    """Write ``economy_shards.json`` when all pieces are there: then the folder is an economy."""
    found = ShardedEconomy(Path(folder), tuple(shards), tuple(indicators), notes)
    facts = {"version": _VERSION, "shape": found.shape, "entries": found.entries, "indicators": found.indicators,
             "notes": notes}  # fmt: skip
    put_head(Path(folder) / HEAD, facts, found.shards)
    return found


def open_economy(folder: str | Path) -> ShardedEconomy:
    """Read ``economy_shards.json``; ProblemError if the folder is no economy in shards."""
    path = Path(folder) / HEAD

    def build(facts: dict[str, Any]) -> tuple[ShardedEconomy, tuple[Any, ...]]:
        shards = tuple(EconomyShard(**piece) for piece in facts["shards"])
        found = ShardedEconomy(Path(folder), shards, tuple(facts["indicators"]), facts["notes"])
        return found, (facts["version"], tuple(facts["shape"]), facts["entries"])

    found, known = get_head(path, "an economy", build)
    if known != (_VERSION, found.shape, found.entries):
        raise ProblemError(f"{path}: says {known}, its shards give {(_VERSION, found.shape, found.entries)}")
    return found


def split_economy(folder: str | Path, economy: Economy, count: int, **notes: Any) -> ShardedEconomy:
    """Write an economy that one process has in so many shards of about equal numbers of entries.

    Goods keep their order; techniques are put beside the goods they make. Targets are the total final demand.
    Raises ProblemError for techniques that make several goods or none, capacities, and negative numbers.
    """
    B, A = sp.csc_array(economy.output_coefficients), sp.csc_array(economy.input_coefficients)
    B.eliminate_zeros()
    n = A.shape[0]
    if not 1 <= count <= n:
        raise ProblemError(f"{folder}: {count} shards for {n} goods, expected 1 to {n}")
    if (np.diff(B.indptr) != 1).any():
        raise ProblemError(f"{folder}: a technique makes several goods or none; economies in shards make one each")
    if economy.capacities is not None and np.isfinite(economy.capacities.to_numpy()).any():
        raise ProblemError(f"{folder}: techniques have capacities, which plans in shards do not know")
    order = np.argsort(B.indices, kind="stable")
    own, made = B.indices[order], B.data[order]
    use = sp.csr_array(A[:, order] / made[None, :])
    intensities = economy.intensities.to_numpy()[:, order] / made
    targets = economy.demand("total").to_numpy()
    cuts = cuts_of(np.diff(use.indptr), count)
    at = np.searchsorted(own, cuts)
    shards = [
        write_economy_shard(
            folder, i, EconomyPart(sp.csr_array(use[a:b]), own[s:t] - a, intensities[:, s:t], targets[a:b])
        )
        for i, ((a, b), (s, t)) in enumerate(zip(pairwise(cuts), pairwise(at), strict=True))
    ]
    return write_economy_head(folder, shards, [str(name) for name in economy.indicators], **notes)
