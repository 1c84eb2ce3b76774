"""Härdin's power-law family as plans: certified optima and times beside the published ones.

    python benchmarks/power_law.py 1000 10000 --structure price --beta 0 1.05 1.2 --json out.json

beta = 0 takes the published right-hand sides (no basket binds); otherwise every basket must hold beta times what the
least plan holds. Each line: size, nonzeros, optimum and its proof, seconds of generating, of making the Plan (its
checks included) and of solving it, peak memory of the process so far, method.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

import kantor as kt
from kantor.data.power_law import nonzeros, power_law

# Published: seconds and final relative gap (T. Härdin, repository power_law, result files of version 2).
PUBLISHED = {
    ("interconnected", 1_000): (3.90, 0.0096), ("interconnected", 3_000): (10.1, 0.0074),
    ("interconnected", 10_000): (56.3, 0.0030), ("interconnected", 30_000): (195.0, 0.0064),
    ("interconnected", 100_000): (1412.0, 0.033), ("interconnected", 300_000): (4821.0, 0.038),
    ("interconnected", 1_000_000): (21538.0, np.inf), ("price", 1_000): (4.09, 0.0101),
    ("price", 3_000): (7.55, 0.0064), ("price", 10_000): (36.9, 0.0036), ("price", 30_000): (121.0, 0.0045),
    ("price", 100_000): (352.0, np.inf), ("price", 300_000): (4827.0, 0.059),
}  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("industries", type=int, nargs="+")
    parser.add_argument("--structure", nargs="+", default=["interconnected"], choices=["interconnected", "price"])
    parser.add_argument("--beta", type=float, nargs="+", default=[0.0])
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    power_law(10)  # compile outside the clock
    rows = []
    for structure in given.structure:
        for industries in given.industries:
            rows += instances(industries, structure, given.beta, given.tolerance)
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1))


def instances(industries: int, structure: Any, betas: list[float], tolerance: float) -> list[dict[str, Any]]:
    """One economy with every right-hand side asked for."""
    began = time.perf_counter()
    economy = power_law(industries, structure)
    generated = time.perf_counter() - began
    baskets = economy.intensities.iloc[1:]
    if any(betas):
        x = kt.solve_leontief(economy.A, np.ones(industries), tolerance=1e-14, error_bound=False).x
        held = baskets.to_numpy() @ x
    rows = []
    for beta in betas:
        floors = beta * held if beta else np.ones(len(baskets))
        began = time.perf_counter()
        limits = {name: kt.Limit(at_least=float(b)) for name, b in zip(baskets.index, floors, strict=True)}
        plan = kt.Plan(economy, objective=kt.MinimiseUse("output"), limits=limits)
        made = time.perf_counter()
        result = plan.solve(tolerance=tolerance)
        row = {
            "structure": structure, "industries": industries, "nonzeros": nonzeros(economy), "beta": beta,
            "status": result.status.value, "certified": result.certified, "objective": result.objective,
            "lower": result.lower_bound, "upper": result.upper_bound, "gap": result.gap, "generate_s": generated,
            "plan_s": made - began, "solve_s": time.perf_counter() - made, "why": result.info.why,
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "seconds": result.info.seconds,
        }  # fmt: skip
        rows.append(row)
        show(row)
        del plan, result
    return rows


def show(row: dict[str, Any]) -> None:
    """One line, and what was published for this size."""
    print(
        f"{row['structure']} {row['industries']:,} beta {row['beta']:g}: {row['nonzeros']:,} nonzeros, "
        f"{row['objective']:.12g}, gap {row['gap']:.1e} {'certified' if row['certified'] else row['status']}; "
        f"generate {row['generate_s']:.2f} s, plan {row['plan_s']:.2f} s, solve {row['solve_s']:.2f} s, "
        f"peak {row['peak_gb']:.2f} GB; {row['why']}",
        flush=True,
    )
    published = PUBLISHED.get((row["structure"], row["industries"]))
    if published and not row["beta"]:
        seconds, gap = published
        print(f"    published: {seconds:,.0f} s, " + ("not converged" if np.isinf(gap) else f"gap {gap:.2%}"))


if __name__ == "__main__":
    main()
