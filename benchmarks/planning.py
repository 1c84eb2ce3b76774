"""Plans with a proved interval: kantor's planning engine beside solvers of the same linear programme.

python benchmarks/planning.py [--quick | --full] [--peers]
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from harness import check_plan, families, judge_lp
from harness.files import Arrays
from harness.options import main
from harness.solvers import KANTOR_PLAN, PEERS
from harness.suite import Case, Forms, Solver

from kantor.solvers.program import to_linear_program

# A plan is proved feasible in exact arithmetic; the recomputation rounds in double precision.
_ROUNDING = 1e-11


def _both(make: Any) -> Forms:
    program = make()
    return {"plan": families.plan_arrays(program), "lp": families.lp_arrays(to_linear_program(program)[0])}


def cases(preset: str) -> list[Case]:
    """National tables, tables in products, choice of technique with and without capacities."""
    found = [Case("us-411", "plans", 411, partial(_both, families.national), {"optimum": 0.95}),
             Case("wiod-1435", "plans", 1435, partial(_both, families.world))]  # fmt: skip
    sizes = {"quick": [], "default": [10_000, 100_000], "full": [10_000, 100_000, 1_000_000]}[preset]
    found += [Case(f"us-{n}", "plans", n, partial(_both, partial(families.national, n)), {"optimum": 0.95})
              for n in sizes]  # fmt: skip
    for n in {"quick": [1000], "default": [1000, 10_000], "full": [1000, 10_000, 100_000, 300_000, 1_000_000]}[preset]:
        for binding in (0.0, 1.05, 1.2) if preset == "full" else (0.0, 1.2):
            name = f"power-law-{n}" + (f"-baskets{binding:g}" if binding else "")
            found.append(Case(name, "power law", n, partial(_both, partial(families.record, n, binding))))
    variants = [(5, 0.0, 0.3)] if preset == "quick" else [(0, 0.0, 0.0), (5, 0.0, 0.0), (5, 4.0, 0.0), (5, 0.0, 0.3)]
    sizes = {"quick": [1000], "default": [2000, 5000], "full": [2000, 5000, 20_000, 100_000]}[preset]
    for n in sizes:
        for resources, sigma, bounded in variants:
            name = f"choice-{n}-R{resources}-units{sigma:g}-capacities{100 * bounded:.0f}"
            make = partial(families.least_labour, n, resources, bounded, sigma)
            found.append(Case(name, "choice of technique", 3 * n, partial(_both, make)))
        for name, one_free in ((f"scale-{n}-capacities30", True), (f"scale-{n}-capacities30-all-bounded", False)):
            make = partial(families.largest_scale, n, 0.3, one_free)
            found.append(Case(name, "choice of technique", 2 * n, partial(_both, make)))
    return found


def judge(
    case: Case, forms: Forms, solver: Solver, outcome: dict[str, Any], answer: Arrays, tolerance: float
) -> dict[str, Any]:
    """A plan of kantor: feasible, its prices valid, its gap within the tolerance. A peer's: as in the suite ``lp``."""
    if solver.form == "lp":
        return judge_lp.judge(forms["lp"], {}, outcome["status"], answer, tolerance)
    check = check_plan.judge(forms["plan"], answer)
    sound = max(check["violation"], check["price_violation"]) <= _ROUNDING
    # The proved gap may be wider than the recomputed one, never narrower.
    proved = outcome.get("gap")
    honest = proved is not None and check["gap"] <= proved + _ROUNDING
    return {
        "check": check,
        "verified": bool(sound and honest and proved <= tolerance),
        "verified_10x": bool(sound and honest and proved <= 10.0 * tolerance),
        "objective": check["objective"],
    }


if __name__ == "__main__":
    about = "Plans: kantor's planning engine beside OR-tools, HiGHS, SCS, Clarabel and MPAX on the same programme."
    both = {"quick": [1e-6], "default": [1e-4, 1e-6], "full": [1e-6, 1e-8]}
    limits = {"quick": 5.0, "default": 60.0, "full": 600.0}
    sys.exit(main("planning", about, cases, [KANTOR_PLAN, *PEERS], judge, both, limits))
