"""Re-planning against planning anew: a choice of technique after one period's news, at an equal certified gap.

python benchmarks/replan.py [--goods N] [--family F ...] [--seeds S ...] [--tolerance T] [--json FILE]

The news: one per cent of the coefficients and five per cent of the targets, each changed by up to ten per cent either
way. Both plans are solved on the same changed data to the same tolerance; only the start differs. Times are of
``Plan.solve`` as a whole: building arrays, solving, proving.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness.keep import keep

import kantor as kt
from kantor.feedback.replan import _warm


def news(plan: kt.Plan, rng: np.random.Generator) -> kt.Change:
    """One per cent of the coefficients and five per cent of the targets."""
    eco = plan.economy
    inputs = eco.input_coefficients.tocoo()
    k = rng.choice(inputs.nnz, inputs.nnz // 100, replace=False)
    moved = inputs.data[k] * rng.uniform(0.9, 1.1, k.size)
    wanted = np.flatnonzero(plan.targets.to_numpy() > 0)
    t = rng.choice(wanted, wanted.size // 20, replace=False)
    asked = plan.targets.to_numpy()[t] * rng.uniform(0.9, 1.1, t.size)
    techniques, products = list(eco.techniques), list(eco.products)
    pairs = [(products[i], techniques[j]) for i, j in zip(inputs.row[k].tolist(), inputs.col[k].tolist(), strict=True)]
    return kt.Change.of(
        coefficient=dict(zip(pairs, moved.tolist(), strict=True)),
        target=dict(zip([products[i] for i in t.tolist()], asked.tolist(), strict=True)),
    )


FAMILIES: dict[str, dict[str, Any]] = {
    "use": {"resources": 5},
    "use-50": {"resources": 50},
    "scale": {"family": "scale"},
    "use-capacities": {"resources": 5, "limits": "blend", "capacities": 0.3},
    "scale-capacities": {"family": "scale", "capacities": 0.3},
}


def plan_of(family: str, goods: int, seed: int) -> kt.Plan:
    """The plan before the news: least labour within limits, or the largest scale within labour and other limits."""
    made = kt.technique_choice(goods, seed=seed, **FAMILIES[family])
    eco, most = made.economy(), made.program.resource_upper
    if made.program.kind == "scale":
        return kt.Plan(eco, limits={str(k): float(b) for k, b in zip(eco.indicators, most, strict=True)})
    limits = {f"resource {k}": float(b) for k, b in enumerate(most)}
    return kt.Plan(eco, objective=kt.MinimiseUse("labour"), limits=limits)


def run(family: str, goods: int, seed: int, tolerance: float) -> dict[str, Any]:
    """One draw: the same changed plan solved from nothing and from the earlier plan."""
    plan = plan_of(family, goods, seed)
    first = plan.solve(tolerance)
    began = time.perf_counter()
    asked = kt.Replanner(first, tolerance=tolerance).ask(news(plan, np.random.default_rng([seed, 20261127]))).plan
    row: dict[str, Any] = {"family": family, "goods": goods, "techniques": asked.economy.n_techniques, "seed": seed,
                           "tolerance": tolerance, "seconds_to_apply": time.perf_counter() - began}  # fmt: skip
    for name, start in (("cold", None), ("warm", _warm(first, asked, 0))):
        wall, cpu = time.perf_counter(), time.process_time()
        result = asked.solve(tolerance, warm_start=start)
        row[name] = {"seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "gap": result.gap,
                     "status": result.status.value, "method": result.info.method, "products": result.info.products,
                     "objective": result.objective}  # fmt: skip
    for what in ("seconds", "cpu_s", "products"):
        row[f"ratio_{what}"] = row["warm"][what] / row["cold"][what]
    return row


def main() -> None:
    """Run, print one JSON object, and keep it if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--goods", type=int, default=100_000)
    parser.add_argument("--family", nargs="+", choices=list(FAMILIES), default=["use"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--json", type=Path, help="results file to keep the runs in, beside others")
    given = parser.parse_args()
    for family in given.family:
        runs = [run(family, given.goods, seed, given.tolerance) for seed in given.seeds]
        print(json.dumps(runs, indent=1), flush=True)
        if given.json is not None:
            keep(given.json, "living", f"replan {family} {given.goods}", {"runs": runs})


if __name__ == "__main__":
    main()
