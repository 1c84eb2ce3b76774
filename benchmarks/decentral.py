"""Procedures without a centre against the central plan: 1,000 councils, and the 41 regions of wiod2013.

python benchmarks/decentral.py [councils | regions] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import pandas as pd

import kantor as kt
from kantor.feedback.decentral.councils import facilitate
from kantor.feedback.decentral.regions import federate


def councils(rounds: int, products: int = 20, workers: int = 600, consumers: int = 400) -> dict[str, Any]:
    """Worker councils of one technique each and consumer councils with their own tastes, on 20 products and labour."""
    rng = np.random.default_rng(0)
    own = np.arange(workers) % products
    inputs, output = np.zeros((products, workers)), np.zeros((products, workers))
    for j in range(workers):
        inputs[rng.choice(products, 3, replace=False), j] += rng.uniform(0.02, 0.2, 3)
    output[own, np.arange(workers)] = 1.0
    labour = rng.uniform(0.5, 1.5, workers)
    capacity = rng.uniform(1.0, 3.0, workers) * products / workers
    weights = np.hstack([rng.dirichlet(np.ones(products), consumers) / consumers, np.zeros((consumers, 1))])
    endowment = np.append(np.zeros(products), 0.8 * products)
    began = time.perf_counter()
    table = np.vstack([output - inputs, -labour])
    found = facilitate(table, capacity, weights, endowment, tolerance=1e-4, most_rounds=rounds).agreement
    seconds = time.perf_counter() - began
    eco = kt.Economy.from_arrays(input=inputs, output=output, intensities=[labour], demand=np.ones(products),
                                 indicators=["labour"])  # fmt: skip
    wanted = weights[:, :products].sum(axis=0)
    plan = kt.Plan(eco, np.ones(products), kt.LogUtility(weights=wanted), {"labour": endowment[-1]}, capacity).solve(
        1e-8
    )
    central = np.append(plan.prices.to_numpy(), plan.rents["labour"])
    return {"councils": workers + consumers, "rounds": found.rounds, "converged": found.converged, "seconds": seconds,
            "messages": found.messages,
            "largest_price_error": float(np.abs(found.prices / central - 1.0).max())}  # fmt: skip


def regions(rounds: int) -> dict[str, Any]:
    """Each region values what its people usually take, is limited by its own employment, and keeps its techniques."""
    eco = kt.load_economy("wiod2013", year=2011)
    names = list(dict.fromkeys(eco.products.get_level_values(0)))
    owner = eco.techniques.get_level_values(0)
    work = eco.indicator("employment").to_numpy()
    # Sectors without recorded employment could make anything from nothing: a hundredth of the usual need.
    work = np.maximum(work, 0.01 * np.median(work[work > 0]))
    fields: dict[str, Any] = {"indicator_units": None, "aliases": {}, "reference_use": None, "limits": {}}
    eco = eco.replace(intensities=pd.DataFrame([work], ["employment"], eco.techniques), **fields)
    by_region = eco.final_demand.T.groupby(level=0).sum().T
    demands = {r: by_region[r].clip(lower=0.0).to_numpy() for r in names}
    x = eco.activity.to_numpy()
    limits = {r: {"employment": float(work[owner == r] @ x[owner == r])} for r in names}
    began = time.perf_counter()
    found = federate(eco, demands, limits, rho=0.1, tolerance=2e-5, most_rounds=rounds)
    seconds = time.perf_counter() - began
    own = pd.DataFrame([np.where(owner == r, work, 0.0) for r in names], [f"work {r}" for r in names], eco.techniques)
    wanted = pd.Series(sum(demands.values()), eco.products)
    joint = kt.Plan(eco.replace(intensities=own, **fields), wanted, kt.LogUtility(weights=wanted / wanted.sum()),
                    {f"work {r}": limits[r]["employment"] for r in names}).solve(1e-7)  # fmt: skip
    price, bought = joint.prices.to_numpy(), joint.consumption.to_numpy()
    worth = price * bought
    off = np.abs(found.agreement.prices / np.where(price > 0, price, 1.0) - 1.0)
    return {"regions": len(names), "rounds": found.agreement.rounds, "converged": found.agreement.converged,
            "seconds": seconds, "messages": found.agreement.messages, "objective": found.objective,
            "joint": [joint.lower_bound, joint.upper_bound], "difference": found.objective - joint.objective,
            # What proposals still lack is worth prices times excess; to first order the agreement owes that much.
            "difference_less_excess": found.objective + float(found.agreement.prices @ found.agreement.excess)
            - joint.objective,
            "price_error_by_worth": float(worth @ off / worth.sum())}  # fmt: skip


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["councils", "regions"])
    parser.add_argument("--rounds", type=int, default=4000)
    given = parser.parse_args()
    print(json.dumps({"councils": councils, "regions": regions}[given.what](given.rounds), indent=1))


if __name__ == "__main__":
    main()
