"""A generated economy of regions in shards: two techniques a good, labour and one more resource.

Region r's shard depends on the seed and r alone, as in kantor.data.regional, whose rows say who uses a good: so every
rank makes its own, and any number of ranks makes the same economy. The first technique takes less labour, the second
less energy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import World
from ..errors import OptionError
from ..solvers.economy_part import EconomyPart
from .economy_shards import EconomyShard, ShardedEconomy, write_economy_head, write_economy_shard
from .regional import regional_rows

TECHNIQUES = 2
INDICATORS = ("labour", "energy")


def regional_economy_part(
    region: int, regions: int, goods: int, *, users: int = 20, trade: float | None = 0.05, seed: int = 1
) -> EconomyPart:
    """The shard of one region: its techniques are the first one of every good, then the second.

    >>> part = regional_economy_part(1, 2, 30, users=4)
    >>> part.input.shape, part.own.size, part.intensities.shape
    ((30, 120), 60, (2, 60))
    """
    n, wide = regions * goods, TECHNIQUES * goods
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2 * regions + region])))
    used, targets = sp.csr_array((goods, TECHNIQUES * n)), np.zeros(0)
    for technique in range(TECHNIQUES):
        uses, targets = regional_rows(region, regions, goods, users=users, trade=trade, seed=seed + 1000 * technique)
        place = wide * (uses.indices // goods) + technique * goods + uses.indices % goods
        used = sp.csr_array(used + sp.csr_array((uses.data, place, uses.indptr), shape=used.shape))
    labour = np.concatenate([rng.uniform(0.5, 1.0, goods), rng.uniform(1.0, 2.0, goods)])
    energy = np.concatenate([rng.uniform(0.6, 1.0, goods), rng.uniform(0.2, 0.5, goods)])
    return EconomyPart(used, np.tile(np.arange(goods), TECHNIQUES), np.stack([labour, energy]), targets)


def write_regional_economy(
    folder: str | Path, regions: int, goods: int, *, users: int = 20, trade: float | None = 0.05, seed: int = 1,
    world: World | None = None,
) -> ShardedEconomy:  # fmt: skip
    """Write the economy, one shard a region; the ranks of ``world`` share the work. Collective."""
    for name, value in (("regions", regions), ("goods", goods), ("users", users)):
        if value < 1:
            raise OptionError(f"{name}: {value}, expected at least 1")
    options: dict[str, Any] = {"users": users, "trade": trade, "seed": seed}
    notes = {"kind": "regional", "regions": regions, "goods": goods, **options}
    rank, size = (0, 1) if world is None else (world.rank, world.size)
    mine: list[EconomyShard] = []
    error: Exception | None = None
    try:
        for region in range(rank * regions // size, (rank + 1) * regions // size):
            mine.append(write_economy_shard(folder, region, regional_economy_part(region, regions, goods, **options)))
    except Exception as trouble:  # told to the others, who would wait
        error = trouble
    if world is None:
        if error is not None:
            raise error
        return write_economy_head(folder, mine, INDICATORS, **notes)
    world.agree(error)
    shards = tuple(shard for part in world.comm.allgather(mine) for shard in part)
    try:
        if rank == 0:
            write_economy_head(folder, shards, INDICATORS, **notes)
    except Exception as trouble:
        error = trouble
    world.agree(error)
    return ShardedEconomy(Path(folder), shards, INDICATORS, notes)
