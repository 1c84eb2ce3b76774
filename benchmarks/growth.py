"""Growth: seconds of solving against nonzeros, fitted over sizes, for every family of plans.

    python benchmarks/growth.py --families choice-r0 capacities-c1 --sizes 5000 10000 20000 40000 --json out.json

Seconds are those of the solve alone, certificate included, on the wall and of all processors together; on a machine
that does other work only the latter say something. The exponent e of seconds = a nonzeros^e is fitted by least squares
on logarithms, with its standard error. Instances not certified to the tolerance are shown and left out of the fit.
Families that the file holds and this run does not are kept, so that long ones can be run apart.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import families

from kantor.bench.machine import describe
from kantor.data.technique_choice import technique_choice
from kantor.solvers.dispatch import solve_program
from kantor.solvers.program import PlanningProgram

SIZES = [10_000, 20_000, 40_000, 80_000]
TABLES = [100_000, 200_000, 400_000, 800_000]
TARGET = 1.15


def _choice(resources: int) -> Callable[[int], PlanningProgram]:
    return lambda n: families.least_labour(n, resources)


# name: (makes a program of n goods, tolerance, sizes)
FAMILIES: dict[str, tuple[Callable[[int], PlanningProgram], float, list[int]]] = {
    "choice-r0": (_choice(0), 1e-8, SIZES),
    "choice-r5": (_choice(5), 1e-8, SIZES),
    "capacities-c1": (lambda n: families.least_labour(n, 5, 0.3), 1e-6, SIZES),
    "capacities-c2": (lambda n: families.largest_scale(n, 0.3), 1e-6, SIZES),
    "capacities-c1-none-free": (
        lambda n: technique_choice(n, limits="blend", capacities=0.3, leave_one_free=False).program, 1e-6, SIZES,
    ),
    "power-law": (lambda n: families.record(n), 1e-8, SIZES),
    "power-law-baskets": (lambda n: families.record(n, 1.05), 1e-8, SIZES),
    "us-products": (lambda n: families.national(n), 1e-6, TABLES),
}  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--sizes", type=int, nargs="+", help="goods; by default four sizes of each family")
    parser.add_argument("--time-limit", type=float, default=600.0, help="seconds for one instance")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    machine, found = describe(), []
    if given.json is not None and given.json.exists():
        kept = json.loads(given.json.read_text())["families"]
        found = [entry for entry in kept if entry["family"] not in given.families]
    for name in given.families:
        make, tolerance, sizes = FAMILIES[name]
        _run(make(1000), tolerance, given.time_limit)  # compile and load outside the clock
        runs = []
        for goods in given.sizes or sizes:
            row = {"goods": goods, **_run(make(goods), tolerance, given.time_limit)}
            runs.append(row)
            print(
                f"{name} {goods:,}: {row['nonzeros']:,} nonzeros, {row['wall_s']:.2f} s, {row['cpu_s']:.2f} s of "
                f"processors, gap {row['gap']:.1e} ({row['status']})",
                flush=True,
            )
        entry: dict[str, Any] = {
            "family": name, "machine": machine, "tolerance": tolerance, "target": TARGET, "runs": runs
        }  # fmt: skip
        certified = [row for row in runs if row["gap"] <= tolerance]
        for clock in ("wall_s", "cpu_s"):
            entry[clock] = fit([row["nonzeros"] for row in certified], [row[clock] for row in certified])
        found.append(entry)
        print(
            f"    exponent {entry['wall_s']['exponent']:.2f} +- {entry['wall_s']['error']:.2f} on the wall, "
            f"{entry['cpu_s']['exponent']:.2f} +- {entry['cpu_s']['error']:.2f} of processors, "
            f"over {len(certified)} sizes; the target is {TARGET:g}",
            flush=True,
        )
        if given.json is not None:
            given.json.write_text(json.dumps({"families": found}, indent=1) + "\n")


def _run(program: PlanningProgram, tolerance: float, limit: float) -> dict[str, Any]:
    """One solve."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = solve_program(program, tolerance, time_limit_s=limit)
    return {
        "nonzeros": int(program.input.nnz), "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu, "gap": result.gap, "status": result.status.value,
        "iterations": result.info.iterations, "products": result.info.products, "method": result.info.method,
    }  # fmt: skip


def fit(nonzeros: list[int], seconds: list[float]) -> dict[str, float]:
    """Exponent and its standard error of seconds = a nonzeros^exponent; NaN with too few sizes."""
    if len(set(nonzeros)) < 2:
        return {"exponent": math.nan, "error": math.nan}
    x, y = np.log(nonzeros), np.log(seconds)
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    error = math.sqrt(float(rest @ rest) / (len(nonzeros) - 2) / float(x @ x)) if len(nonzeros) > 2 else math.nan
    return {"exponent": slope, "error": error}


if __name__ == "__main__":
    main()
