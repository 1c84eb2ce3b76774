"""How long a model takes to build, and what memory, against copying its matrix; and five years against one.

    python benchmarks/model_building.py --products 100000 --nonzeros 10000000 --years 5

builds a plan over the years from one table of that many nonzeros (so the model has ``years`` times as many, and the
entries that link the years), in a process of its own, and prints process times and resident memory. The plan has a rate
limit on every technique, an emission budget over all years and labour in each year.

Rates of change refer to the base plan of one year, so building solves a Leontief system; what that takes is also said
by itself. Building and copying are timed alike: the least of three, each after as much memory was touched and given
back. In a virtual machine the first use of a page the host has taken away costs ten times what copying it does, whoever
uses it. Memory is that of the first build.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

import kantor as kt
from kantor.planning import plan as _plan  # noqa: F401 - imported here, so that no import is timed

RUNS = 3


def table(products: int, nonzeros: int, seed: int) -> kt.Economy:
    """A productive table in money with ``nonzeros`` inputs at random places, labour and emissions."""
    rng = np.random.default_rng(seed)
    per_column = max(1, nonzeros // products)
    rows = np.sort(rng.integers(0, products, (products, per_column), dtype=np.int32), axis=1)
    pointer = np.arange(products + 1, dtype=np.int64) * per_column
    columns = sp.csc_array((np.full(rows.size, 0.5 / per_column), rows.ravel(), pointer), shape=(products, products))
    matrix = sp.csr_array(columns)
    matrix.sum_duplicates()
    labels = pd.Index(np.arange(products))
    use = rng.uniform(0.5, 2.0, (2, products))
    return kt.Economy.from_arrays(
        input=matrix, intensities=pd.DataFrame(use, ["labour", "CO2"], labels), products=labels,
        demand=rng.uniform(0.5, 2.0, products), activity=np.full(products, 4.0), name="random",
    )  # fmt: skip


def peak() -> float:
    """Highest resident memory of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def size(program: Any) -> int:
    """Bytes of the matrices of a program."""
    parts = (program.output, program.input, program.resource_use)
    return sum(part.data.nbytes + part.indices.nbytes + part.indptr.nbytes for part in parts)


def touch(count: float) -> None:
    """Use that many bytes and give them back to the system."""
    np.ones(int(count / 8.0))


def copying(program: Any) -> float:
    """Least process time of three copies of its matrices, seconds."""
    best = np.inf
    for _ in range(RUNS):
        touch(size(program))
        began = time.process_time()
        for part in (program.output, program.input, program.resource_use):
            part.copy()
        best = min(best, time.process_time() - began)
    return float(best)


def base_plan(eco: kt.Economy) -> float:
    """Least process time of the base plan of one year, seconds: a Leontief system, to which rates of change refer."""
    best = np.inf
    for _ in range(RUNS):
        began = time.process_time()
        eco.base_plan("total")
        best = min(best, time.process_time() - began)
    return float(best)


def build(products: int, nonzeros: int, years: int, seed: int) -> dict[str, float]:
    """Build the plan and say what it took."""
    eco = table(products, nonzeros, seed)
    horizon = kt.Horizon(years=years, first=2030, rise=0.2) if years > 1 else None
    labour = float(eco.use(eco.activity)["labour"])
    limits = {"labour": labour, "CO2": kt.Limit(at_most=4e9, over="total")} if years > 1 else {"labour": labour}
    before, took = peak(), np.inf
    program: Any = kt.Plan(eco, limits=limits, horizon=horizon).compile()
    above, bytes_of = peak() - before, size(program)
    for _ in range(RUNS):
        program = None  # the memory of the last build is free for the next
        touch(1.5 * bytes_of)
        began = time.process_time()
        program = kt.Plan(eco, limits=limits, horizon=horizon).compile()
        took = min(took, time.process_time() - began)
    solved = base_plan(eco) if years > 1 else 0.0
    entries = program.output.nnz + program.input.nnz + program.resource_use.nnz
    once = copying(program)
    return {
        "years": years, "nonzeros": entries, "matrix_mb": bytes_of / 1e6, "build_s": took, "base_plan_s": solved,
        "copy_s": once, "times_the_copy": took / once, "times_without_base_plan": (took - solved) / once,
        "memory_times_the_matrix": above / bytes_of,
    }  # fmt: skip


def main() -> None:
    """Measure one year and several, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--nonzeros", type=int, default=10_000_000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(build(asked.products, asked.nonzeros, asked.years, asked.seed)))
        return
    for years in dict.fromkeys((1, asked.years)):
        command = [sys.executable, str(Path(__file__).resolve()), "--child", "--years", str(years)]
        command += ["--products", str(asked.products), "--nonzeros", str(asked.nonzeros), "--seed", str(asked.seed)]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print("  ".join(f"{key} {value:.4g}" for key, value in answer.items()), flush=True)


if __name__ == "__main__":
    main()
