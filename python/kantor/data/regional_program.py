"""A generated plan of regions in shards: least labour for a final demand, two techniques a good, one common resource.

Region r's shard depends on the seed and r alone, as in kantor.data.regional, whose rows say who uses a good: so every
rank makes its own, and any number of ranks makes the same program. Rows are the balances of the region's goods; the
limit on the resource is the last row of all, of which each shard has the entries of its own columns. The first
technique takes less labour, the second less of the resource; the limit lies between what each would take alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import World
from ..errors import OptionError
from ..solvers.program_part import ProgramPart
from .program_shards import ProgramShard, ShardedProgram, write_program_head, write_program_shard
from .regional import regional_rows

TECHNIQUES = 2
# Gross output is about 1.2 a good; alone the techniques would take 0.96 and 0.42 of the resource for each.
_LIMIT = 0.7


def regional_part(
    region: int, regions: int, goods: int, *, users: int = 20, trade: float | None = 0.05, seed: int = 1
) -> ProgramPart:
    """The shard of one region: columns are its first technique's for every good, then its second's.

    >>> part = regional_part(1, 2, 30, users=4)
    >>> part.entries.shape, part.c.size, part.row_upper[-1].item()
    ((31, 120), 60, 42.0)
    """
    n, wide = regions * goods, TECHNIQUES * goods
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, regions + region])))
    balance, demand = [], np.zeros(0)
    for technique in range(TECHNIQUES):
        uses, demand = regional_rows(region, regions, goods, users=users, trade=trade, seed=seed + 1000 * technique)
        place = wide * (uses.indices // goods) + technique * goods + uses.indices % goods
        balance.append(sp.csr_array((-uses.data, place, uses.indptr), shape=(goods, TECHNIQUES * n)))
        own = np.arange(goods)
        at = (own, wide * region + technique * goods + own)
        balance.append(sp.csr_array((np.ones(goods), at), shape=(goods, TECHNIQUES * n)))
    labour = np.concatenate([rng.uniform(0.5, 1.0, goods), rng.uniform(1.0, 2.0, goods)])
    resource = np.concatenate([rng.uniform(0.6, 1.0, goods), rng.uniform(0.2, 0.5, goods)])
    columns = wide * region + np.arange(wide)
    shared = sp.csr_array((resource, (np.zeros(wide, dtype=np.int64), columns)), shape=(1, TECHNIQUES * n))
    entries = sp.csr_array(sp.vstack([sum(balance[1:], balance[0]), shared], format="csr"))
    entries.sum_duplicates()
    low, high = demand, np.full(goods, np.inf)
    if region == regions - 1:
        low, high = np.append(low, -np.inf), np.append(high, _LIMIT * n)
    at_rows = np.append(goods * region + np.arange(goods), n)
    return ProgramPart(entries, at_rows, low, high, labour, np.zeros(wide), np.full(wide, np.inf))


def write_regional_program(
    folder: str | Path, regions: int, goods: int, *, users: int = 20, trade: float | None = 0.05, seed: int = 1,
    world: World | None = None,
) -> ShardedProgram:  # fmt: skip
    """Write the program, one shard a region; the ranks of ``world`` share the work. Collective."""
    for name, value in (("regions", regions), ("goods", goods), ("users", users)):
        if value < 1:
            raise OptionError(f"{name}: {value}, expected at least 1")
    options: dict[str, Any] = {"users": users, "trade": trade, "seed": seed}
    rank, size = (0, 1) if world is None else (world.rank, world.size)
    mine: list[ProgramShard] = []
    error: Exception | None = None
    try:
        for region in range(rank * regions // size, (rank + 1) * regions // size):
            mine.append(write_program_shard(folder, region, regional_part(region, regions, goods, **options)))
    except Exception as trouble:  # told to the others, who would wait
        error = trouble
    if world is None:
        if error is not None:
            raise error
        return write_program_head(folder, mine, kind="regional", regions=regions, goods=goods, **options)
    world.agree(error)
    shards = [shard for part in world.comm.allgather(mine) for shard in part]
    notes = {"kind": "regional", "regions": regions, "goods": goods, **options}
    try:
        if rank == 0:
            write_program_head(folder, shards, **notes)
    except Exception as trouble:
        error = trouble
    world.agree(error)
    return ShardedProgram(Path(folder), tuple(shards), notes)
