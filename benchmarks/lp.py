"""General and planning linear programmes: kantor beside first-order, simplex and interior point solvers.

python benchmarks/lp.py [--quick | --full] [--peers]
"""

from __future__ import annotations

import csv
import sys
from functools import partial
from pathlib import Path
from typing import Any

from harness import families, judge_lp
from harness.files import Arrays
from harness.options import main
from harness.solvers import KANTOR_LP, KANTOR_PDHG, PEERS
from harness.suite import Case, Forms, Solver

from kantor.data.datasets import data_folder
from kantor.errors import ProblemError
from kantor.solvers.mps import read_mps
from kantor.solvers.program import to_linear_program

_FEW = ("afiro", "adlittle", "sc105", "share2b", "israel", "scagr25", "boeing1", "bandm")


def _mps(path: Path) -> Forms:
    return {"lp": families.lp_arrays(read_mps(path))}


def _planned(program: Any) -> Forms:
    return {"lp": families.lp_arrays(to_linear_program(program())[0])}


def cases(preset: str) -> list[Case]:
    """Netlib, its infeasible problems, choice of technique, national tables."""
    return [*_netlib(preset), *_infeasible(), *_technique_choice(preset), *_tables(preset)]


def _rows(folder: Path, file: str) -> list[dict[str, str]]:
    with open(folder / file, newline="") as text:
        return list(csv.DictReader(text))


def _netlib(preset: str) -> list[Case]:
    try:
        folder = data_folder("netlib")
    except ProblemError as error:
        print(f"lp: without Netlib ({error})", file=sys.stderr)
        return []
    rows = [row for row in _rows(folder, "optima.csv") if preset != "quick" or row["name"] in _FEW]
    return [
        Case(row["name"], "Netlib", int(row["cols"]), partial(_mps, folder / row["file"]),
             {"optimum": float(row["optimum"])})
        for row in rows
    ]  # fmt: skip


def _infeasible() -> list[Case]:
    try:
        folder = data_folder("netlib_infeasible")
    except ProblemError as error:
        print(f"lp: without the infeasible set ({error})", file=sys.stderr)
        return []
    return [
        Case(row["name"], "Netlib, infeasible", int(row["cols"]), partial(_mps, folder / row["file"]),
             {"infeasible": True})
        for row in _rows(folder, "infeasible.csv")
    ]  # fmt: skip


def _technique_choice(preset: str) -> list[Case]:
    """Sizes; resources 0, 5, 50, 500; units sigma 0, 2, 4; capacities on none and on 30 % of the techniques."""
    sizes = {"quick": [1000], "default": [2000, 5000], "full": [2000, 5000, 20_000, 100_000]}[preset]
    found = []
    for n in sizes:
        variants = [(5, 0.0, 0.0), (5, 0.0, 0.3)]
        if preset != "quick":
            variants += [(0, 0.0, 0.0), (50, 0.0, 0.0), (50, 0.0, 0.3), (5, 2.0, 0.0), (5, 4.0, 0.0), (5, 4.0, 0.3)]
        if preset == "full" and n <= 5000:
            variants += [(500, 0.0, 0.0), (500, 0.0, 0.3)]
        for resources, sigma, bounded in variants:
            name = f"choice-{n}-R{resources}-units{sigma:g}-capacities{100 * bounded:.0f}"
            make = partial(families.least_labour, n, resources, bounded, sigma)
            found.append(Case(name, "choice of technique", 3 * n, partial(_planned, make)))
        for name, one_free in ((f"scale-{n}-capacities30", True), (f"scale-{n}-capacities30-all-bounded", False)):
            make = partial(families.largest_scale, n, 0.3, one_free)
            found.append(Case(name, "choice of technique", 2 * n, partial(_planned, make)))
    return found


def _tables(preset: str) -> list[Case]:
    raw = partial(families.national, raw=True)
    found = [Case("us-411-plan", "plans", 411, partial(_planned, families.national), {"optimum": -0.95}),
             Case("us-411-plan-in-dollars", "plans", 411, partial(_planned, raw), {"optimum": -0.95}),
             Case("wiod-1435-plan", "plans", 1435, partial(_planned, families.world))]  # fmt: skip
    sizes = {"quick": [], "default": [10_000], "full": [10_000, 100_000, 1_000_000]}[preset]
    found += [Case(f"us-{n}-plan", "plans", n, partial(_planned, partial(families.national, n)), {"optimum": -0.95})
              for n in sizes]  # fmt: skip
    return found


def judge(
    case: Case, forms: Forms, solver: Solver, outcome: dict[str, Any], answer: Arrays, tolerance: float
) -> dict[str, Any]:
    """See harness.judge_lp."""
    return judge_lp.judge(forms["lp"], case.known, outcome["status"], answer, tolerance)


if __name__ == "__main__":
    about = "Linear programmes: kantor beside OR-tools, HiGHS, SCS, Clarabel and MPAX."
    both = {"quick": [1e-6], "default": [1e-4, 1e-6], "full": [1e-4, 1e-6, 1e-8]}
    limits = {"quick": 5.0, "default": 60.0, "full": 3600.0}
    sys.exit(main("lp", about, cases, [KANTOR_LP, KANTOR_PDHG, *PEERS], judge, both, limits))
