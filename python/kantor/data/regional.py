"""A generated economy of regions, made piece by piece: region r's rows depend on the seed and r alone.

So every rank makes only its own, and any number of ranks makes the same table. Good i buys nothing here: row i says
who uses i. A row has ``users`` draws, a share ``trade`` of them in other regions and the rest at home, and adds up to
between 0.3 and 0.7, so the spectral radius of A is below 0.7. Traded goods go to few places: a region's partners are
near it on a ring with a probability that falls with the square of the distance, and within a partner to users drawn
with a power law. With ``trade=None`` there is no regional structure: users are drawn from everywhere alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import World
from ..errors import OptionError
from .shards import Shard, ShardedTable, write_head, write_shard

_LEAST, _MOST = 0.3, 0.7


def regional_rows(
    region: int, regions: int, goods: int, *, users: int = 40, trade: float | None = 0.05, seed: int = 1
) -> tuple[sp.csr_array, np.ndarray]:
    """(rows (goods, regions * goods) of A, demand (goods,)) of one region.

    >>> rows, demand = regional_rows(1, 3, 50, users=8)
    >>> rows.shape, bool(rows.sum(axis=1).max() <= 0.7), demand.shape
    ((50, 150), True, (50,))
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, region])))
    n, draws = regions * goods, goods * users
    row = np.repeat(np.arange(goods), users)
    if trade is None:
        column = rng.integers(0, n, draws)
    else:
        place = np.full(draws, region)
        away = (rng.random(draws) < trade) & (regions > 1)
        distance = _distances(rng, int(away.sum()), regions)
        place[away] = (region + distance) % regions
        # Users at home alike; users abroad by a power law: a few large importers of every region.
        good = np.where(away, (goods * rng.random(draws) ** 3).astype(np.int64), rng.integers(0, goods, draws))
        column = place * goods + good
    values = rng.random(draws) + 0.05
    rows = sp.csr_array((values, (row, column)), shape=(goods, n))
    rows.sum_duplicates()
    total = rng.uniform(_LEAST, _MOST, goods)
    rows.data *= np.repeat(total / rows.sum(axis=1), np.diff(rows.indptr))
    return rows, rng.random(goods) + 0.1


def _distances(rng: np.random.Generator, count: int, regions: int) -> np.ndarray:
    """Signed distances on the ring, 1, 2, ... with probability as 1 / distance^2."""
    if regions < 2:
        return np.zeros(count, dtype=np.int64)
    far = np.arange(1, max(2, regions // 2 + 1))
    chance = np.cumsum(1.0 / far**2)
    size = far[np.searchsorted(chance / chance[-1], rng.random(count))]
    return size * np.where(rng.random(count) < 0.5, -1, 1)


def write_regional(
    folder: str | Path, regions: int, goods: int, *, users: int = 40, trade: float | None = 0.05, seed: int = 1,
    world: World | None = None,
) -> ShardedTable:  # fmt: skip
    """Write the table, one shard a region; the ranks of ``world`` share the work. Collective.

    Raises OptionError for sizes below one or a share outside [0, 1].
    """
    for name, value in (("regions", regions), ("goods", goods), ("users", users)):
        if value < 1:
            raise OptionError(f"{name}: {value}, expected at least 1")
    if trade is not None and not 0.0 <= trade <= 1.0:
        raise OptionError(f"trade: {trade}, expected a share in [0, 1], or None")
    options: dict[str, Any] = {"users": users, "trade": trade, "seed": seed}
    rank, size = (0, 1) if world is None else (world.rank, world.size)
    mine: list[Shard] = []
    error: Exception | None = None
    try:
        for region in range(rank * regions // size, (rank + 1) * regions // size):
            mine.append(write_shard(folder, region, *regional_rows(region, regions, goods, **options)))
    except Exception as trouble:  # told to the others, who would wait
        error = trouble
    if world is None:
        if error is not None:
            raise error
        return write_head(folder, mine, kind="regional", regions=regions, goods=goods, **options)
    world.agree(error)
    shards = [shard for part in world.comm.allgather(mine) for shard in part]
    table = ShardedTable(
        Path(folder), tuple(shards), {"kind": "regional", "regions": regions, "goods": goods, **options}
    )
    try:
        if rank == 0:
            write_head(folder, shards, **table.notes)
    except Exception as trouble:
        error = trouble
    world.agree(error)
    return table
