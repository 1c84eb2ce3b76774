"""Strong and weak scaling of one Leontief solve in shards, with what it moves; run under mpiexec or srun.

The table is kantor.data.regional's, made by every rank for itself. Strong: a fixed number of regions; weak: so many a
rank. Each number is the slowest rank's: time of a product and of its messages alone, of a batch of sums, of a solve.
"""

from __future__ import annotations

import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..atomic import new_file
from ..backends import get_backend
from ..backends.distributed import DistributedBackend, SpreadBackend
from ..backends.halo import start, wait
from ..backends.partition import Layout
from ..backends.world import World
from ..data.regional import regional_rows
from ..errors import ProblemError
from ..solvers.sharded import solve_rows
from .machine import describe

_WARM = 2


def run(world: World, *, regions: int, goods: int, users: int, trade: float | None, repeats: int) -> dict[str, Any]:
    """Both scalings on the ranks of ``world``; all ranks get the same record. Collective."""
    if regions < world.size:
        raise ProblemError(f"regions: {regions} for {world.size} ranks; every rank needs one")
    hosts = world.comm.allgather(platform.node())
    head = {"suite": "scaling", "machine": describe() if world.rank == 0 else {}, "ranks": world.size,
            "nodes": len(set(hosts))}  # fmt: skip
    cases = [
        {"scaling": kind} | _case(world, count, goods, users, trade, repeats)
        for kind, count in (("strong", regions), ("weak", max(1, regions // 4) * world.size))
    ]
    record: dict[str, Any] = world.comm.bcast(head | {"cases": cases})
    return record


def _case(world: World, regions: int, goods: int, users: int, trade: float | None, repeats: int) -> dict[str, Any]:
    cuts = [rank * regions // world.size for rank in range(world.size + 1)]
    made = [
        regional_rows(r, regions, goods, users=users, trade=trade)
        for r in range(cuts[world.rank], cuts[world.rank + 1])
    ]
    rows, d = sp.csr_array(sp.vstack([part for part, _ in made], format="csr")), np.concatenate([q for _, q in made])
    del made
    layout = Layout(goods * np.array(cuts, dtype=np.int64))
    local = get_backend("auto")
    local = local.local if isinstance(local, DistributedBackend) else local
    backend = SpreadBackend(local, world, layout)
    operator = backend.prepare_rows(rows)
    product = operator.handle.forward
    x, out = backend.from_host(d), backend.zeros(d.size)
    own = lambda: local.matvec(product.own, x, out)  # noqa: E731
    times = {
        "product": _slowest(world, lambda: backend.matvec(operator, x, out), repeats),
        "own_part": _slowest(world, own, repeats),
        "messages": _slowest(world, lambda: _messages(product), repeats),
        "sums": _slowest(world, lambda: backend.dot([(x, x), (x, out)]), repeats),
    }
    entries, fetched = int(rows.nnz), int(product.fetched)
    partners = int(np.count_nonzero(product.exchange.counts))
    world.comm.Barrier()
    before = time.perf_counter()
    solution = solve_rows(rows, d, layout, world, error_bound=False)
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    facts = world.gather(np.array([entries, fetched, partners, peak, seconds], dtype=np.float64))
    return {
        "regions": regions, "goods": layout.n, "entries": int(facts[:, 0].sum()), "trade": trade,
        "entries_most": int(facts[:, 0].max()), "halo_most": int(facts[:, 1].max()),
        "halo_total": int(facts[:, 1].sum()), "partners_most": int(facts[:, 2].max()),
        "peak_bytes_most": int(facts[:, 3].max()), "status": solution.status.value,
        "iterations": solution.iterations, "products": solution.info.products, "residual": solution.residual,
        "seconds": times | {"solve": float(facts[:, 4].max())},
    }  # fmt: skip


def _messages(product: Any) -> None:
    requests = product.mail(()).values
    start(requests)
    wait(requests)


def _slowest(world: World, work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the slowest rank, the best of the repetitions."""
    best = np.inf
    for turn in range(_WARM + repeats):
        world.comm.Barrier()
        before = time.perf_counter()
        work()
        taken = float(world.gather(np.array([time.perf_counter() - before])).max())
        if turn >= _WARM:
            best = min(best, taken)
    return best


def append(path: Path, record: dict[str, Any]) -> None:
    """Add a record to a JSON file with a list of them, which is made if it is not there."""
    try:
        records = json.loads(path.read_text()) if path.exists() else []
    except ValueError as error:
        raise ProblemError(f"{path}: is no JSON ({error})") from None
    if not isinstance(records, list):
        raise ProblemError(f"{path}: holds no list of results; choose another file")
    with new_file(path) as stream:
        stream.write((json.dumps([*records, record], indent=1) + "\n").encode())
