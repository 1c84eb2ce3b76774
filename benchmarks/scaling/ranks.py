"""One Leontief system by threads, by ranks and by PETSc on ranks: python benchmarks/scaling/ranks.py [-o FILE]

The table of kantor.data.regional in shards, made if --folder is not there. Every solver runs in processes of its own,
one after another, to ||d - (I - A) x|| <= 1e-10 ||d||, reading apart; a figure is the least of --repeats runs, the
slowest rank's. Threads: one process with as many threads as ranks, solve_leontief on the whole table. Ranks:
solve_leontief_shards, one thread each. PETSc: the fastest of the --petsc pairs KSP:PC, assembly apart, through
--petsc-python and --petsc-mpiexec (Debian: python3-petsc4py and /usr/bin/mpirun).

Memory is the peak of a process above what it had before it read the table ("base_bytes": interpreter, libraries, MPI,
after a solve of next to nothing), of the process with most; "ratio" is that over (the peak of one rank / ranks + 16
bytes a fetched value), which should stay below 1.3.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-10
PETSC = "/usr/lib/petscdir/petsc3.18/x86_64-linux-gnu-real/lib/python3/dist-packages"


def peak() -> int:
    """Most bytes this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# ---- what the processes run ------------------------------------------------------------------------------------------
def by_threads(folder: Path, repeats: int) -> dict[str, Any]:
    """One process, all of the table."""
    import numpy as np

    import kantor as kt
    from kantor.data.shards import open_shards

    kt.solve_leontief(np.array([[0.5]]), np.ones(1))  # load everything
    base, table = peak(), open_shards(folder)
    A, d = table.read(range(len(table.shards)))
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = kt.solve_leontief(A, d, tolerance=TOLERANCE, error_bound=False)
        times.append(time.perf_counter() - began)
    return {
        "seconds": min(times), "all_seconds": times, "iterations": found.iterations, "residual": found.residual,
        "method": found.info.method, "parts": found.info.seconds, "sum": float(found.x.sum()),
        "peak_bytes": peak() - base,
    }  # fmt: skip


def by_ranks(folder: Path, repeats: int) -> dict[str, Any]:
    """Every rank its shards."""
    import numpy as np
    import scipy.sparse as sp

    import kantor as kt
    from kantor.backends.partition import Layout
    from kantor.backends.world import active_or_alone
    from kantor.data.shards import open_shards
    from kantor.solvers.sharded import solve_rows

    with kt.distributed():
        world = active_or_alone()
        one = Layout(np.minimum(np.arange(world.size + 1), 1))
        rows = sp.csr_array(([0.5], ([0], [0])), shape=(1, 1)) if world.rank == 0 else sp.csr_array((0, 1))
        solve_rows(rows, np.ones(rows.shape[0]), one, world, error_bound=False)  # load everything
        base, table = peak(), open_shards(folder)
        layout, pieces = table.layout(world.size)
        times, read = [], 0.0
        for _ in range(repeats):
            before = time.perf_counter()
            held = list(table.read(pieces[world.rank]))
            read = time.perf_counter() - before
            world.comm.Barrier()
            began = time.perf_counter()
            d = held.pop()
            found = solve_rows(held.pop(), d, layout, world, tolerance=TOLERANCE, error_bound=False, consume=True)
            world.comm.Barrier()
            times.append(time.perf_counter() - began)
        facts = world.gather(np.array([peak() - base, found.halo, found.x.sum(), read, base]))
        return {
            "seconds": min(times), "all_seconds": times, "iterations": found.iterations, "residual": found.residual,
            "method": found.info.method, "parts": found.info.seconds, "sum": float(facts[:, 2].sum()),
            "peak_bytes": int(facts[:, 0].max()), "halo": int(facts[:, 1].max()), "ranks": world.size, "read": read,
            "rank": world.rank, "base_bytes": int(facts[:, 4].max()),
        }  # fmt: skip


# ---- the processes ---------------------------------------------------------------------------------------------------
def child(command: list[str], threads: int, **more: str) -> dict[str, Any]:
    """The line of JSON of a command."""
    names = ("OMP_NUM_THREADS", "KANTOR_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    env = os.environ | dict.fromkeys(names, f"{threads}") | more
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All solvers, one after another."""
    from kantor.bench.machine import describe
    from kantor.data.shards import open_shards

    here = [sys.executable, str(Path(__file__).resolve())]
    own = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(own) if own.exists() else "mpiexec"
    table, ranks = open_shards(options.folder), options.ranks
    told = ["--folder", f"{options.folder}", "--repeats", f"{options.repeats}"]
    record: dict[str, Any] = {"suite": "ranks", "machine": describe(), "goods": table.n, "entries": table.entries,
                              "table": table.notes, "ranks": ranks, "tolerance": TOLERANCE}  # fmt: skip
    if "threads" in options.only:
        record["threads"] = child([*here, "--as", "threads", *told], ranks)
    if "ranks" in options.only:
        record["ranks_kantor"] = child([mpiexec, "-n", f"{ranks}", *here, "--as", "ranks", *told], 1)
    if "memory" in options.only:
        once = [*told[:2], "--repeats", "1"]
        alone = child([mpiexec, "-n", "1", *here, "--as", "ranks", *once], 1)["peak_bytes"]
        record["memory"] = [{"ranks": 1, "peak_bytes": alone, "ratio": 1.0}]
        for size in options.memory_ranks:
            found = child([mpiexec, "-n", f"{size}", *here, "--as", "ranks", *once], 1)
            ratio = found["peak_bytes"] / (alone / size + 16.0 * found["halo"])
            line = {"ranks": size, "peak_bytes": found["peak_bytes"], "halo": found["halo"], "ratio": ratio,
                    "base_bytes": found["base_bytes"]}  # fmt: skip
            record["memory"].append(line)
    if "petsc" in options.only:
        record["petsc"] = {}
        for pair in options.petsc:
            command = [options.petsc_mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", f"{ranks}",
                       options.petsc_python, f"{HERE / 'peers' / 'petsc_child.py'}", f"{options.folder}",
                       f"{TOLERANCE}", *pair.split(":")]  # fmt: skip
            runs = [child(command, 1, PYTHONPATH=PETSC) for _ in range(options.repeats)]
            best = min(runs, key=lambda run: run["seconds"])
            record["petsc"][pair] = best | {"all_seconds": [run["seconds"] for run in runs]}
    return record


def main() -> None:
    """Make the table, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--regions", type=int, default=16)
    parser.add_argument("--goods", type=int, default=62_500)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["threads", "ranks", "petsc", "memory"])
    parser.add_argument("--memory-ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--petsc", nargs="+", default=["bcgs:none", "gmres:bjacobi", "richardson:none"])
    parser.add_argument("--petsc-python", default="/usr/bin/python3")
    parser.add_argument("--petsc-mpiexec", default="/usr/bin/mpirun")
    parser.add_argument("--as", dest="role", choices=["threads", "ranks"])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.role:
        found = {"threads": by_threads, "ranks": by_ranks}[options.role](options.folder, options.repeats)
        if found.get("rank", 0) == 0:
            print(json.dumps(found))
        return
    if not options.folder.exists():
        from kantor.data.regional import write_regional

        write_regional(options.folder, options.regions, options.goods)
    record = compare(options)
    print(json.dumps(record, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
