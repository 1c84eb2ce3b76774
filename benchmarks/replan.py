"""Re-planning against planning anew: a choice of technique after one period's news, at an equal certified gap.

python benchmarks/replan.py [--goods N] [--resources R] [--tolerance T] [--repeats K]

The news: one per cent of the coefficients and five per cent of the targets, each changed by up to ten per cent either
way. Both plans are solved on the same changed data to the same tolerance; only the start differs. Times are of
``Plan.solve`` as a whole: building arrays, solving, proving.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

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


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--goods", type=int, default=100_000)
    parser.add_argument("--resources", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    made = kt.technique_choice(given.goods, resources=given.resources, seed=1)
    eco = made.economy()
    limits = {f"resource {k}": float(b) for k, b in enumerate(made.program.resource_upper)}
    plan = kt.Plan(eco, objective=kt.MinimiseUse("labour"), limits=limits)
    first = plan.solve(given.tolerance)
    rng = np.random.default_rng(20261127)
    rows = []
    for _ in range(given.repeats):
        began = time.perf_counter()
        asked = kt.Replanner(first, tolerance=given.tolerance).ask(news(plan, rng)).plan
        applied = time.perf_counter() - began
        runs = {}
        for name, start in (("cold", None), ("warm", _warm(first, asked, 0))):
            began = time.perf_counter()
            result = asked.solve(given.tolerance, warm_start=start)
            runs[name] = {"seconds": time.perf_counter() - began, "gap": result.gap, "status": result.status.value,
                          "method": result.info.method, "products": result.info.products,
                          "objective": result.objective}  # fmt: skip
        rows.append(runs | {"seconds_to_apply": applied, "ratio": runs["warm"]["seconds"] / runs["cold"]["seconds"]})
    print(json.dumps({"goods": given.goods, "techniques": eco.n_techniques, "tolerance": given.tolerance, "runs": rows},
                     indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
