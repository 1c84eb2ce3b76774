"""Procedures without a centre against the central plan: 1,000 and 10,000 councils, and the 41 regions of wiod2013.

python benchmarks/decentral.py [councils | many-councils | regions] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.keep import keep

import kantor as kt
from kantor.feedback.decentral.councils import Councils, facilitate
from kantor.feedback.decentral.regions import federate


@dataclass(frozen=True)
class Society:
    """Councils to agree: net output (n + 1, workers) of products and labour, capacities, tastes, what there is."""

    inputs: np.ndarray
    output: np.ndarray
    labour: np.ndarray
    capacity: np.ndarray
    weights: np.ndarray
    endowment: np.ndarray

    @property
    def table(self) -> np.ndarray:
        """What a level of one of each worker council makes less what it uses."""
        return np.vstack([self.output - self.inputs, -self.labour])

    def facilitate(self, **options: Any) -> Councils:
        """Let the councils agree."""
        return facilitate(self.table, self.capacity, self.weights, self.endowment, **options)

    def central(self) -> kt.PlanResult:
        """The plan of somebody who knows everything."""
        n = len(self.output)
        eco = kt.Economy.from_arrays(input=self.inputs, output=self.output, intensities=[self.labour],
                                     demand=np.ones(n), indicators=["labour"])  # fmt: skip
        wanted = kt.LogUtility(weights=self.weights[:, :n].sum(axis=0))
        return kt.Plan(eco, np.ones(n), wanted, {"labour": self.endowment[-1]}, self.capacity).solve(1e-8)


def society(products: int, workers: int, consumers: int, seed: int = 0) -> Society:
    """Worker councils that each make one product from three others and labour; consumers with their own tastes."""
    rng = np.random.default_rng(seed)
    own = np.arange(workers) % products
    inputs, output = np.zeros((products, workers)), np.zeros((products, workers))
    for j in range(workers):
        inputs[rng.choice(products, 3, replace=False), j] += rng.uniform(0.02, 0.2, 3)
    output[own, np.arange(workers)] = 1.0
    labour = rng.uniform(0.5, 1.5, workers)
    weights = np.hstack([rng.dirichlet(np.ones(products), consumers) / consumers, np.zeros((consumers, 1))])
    endowment = np.append(np.zeros(products), 0.8 * products)
    capacity = rng.uniform(1.0, 3.0, workers) * products / workers
    return Society(inputs, output, labour, capacity, weights, endowment)


def councils(rounds: int, products: int = 20, workers: int = 600, consumers: int = 400) -> dict[str, Any]:
    """Rounds until councils agree, and how far their prices are from the duals of the central plan."""
    made = society(products, workers, consumers)
    began = time.perf_counter()
    found = made.facilitate(tolerance=1e-4, most_rounds=rounds).agreement
    seconds = time.perf_counter() - began
    plan = made.central()
    central = np.append(plan.prices.to_numpy(), plan.rents["labour"])
    return {"councils": workers + consumers, "products": products, "rounds": found.rounds,
            "converged": found.converged, "seconds": seconds, "messages": found.messages,
            "central_gap": plan.gap,
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
    parser.add_argument("what", choices=["councils", "many-councils", "regions"])
    parser.add_argument("--rounds", type=int, default=4000)
    parser.add_argument("--json", type=Path, help="results file to keep the figures in, beside others")
    given = parser.parse_args()
    if given.what == "regions":
        facts = regions(given.rounds)
    else:
        facts = councils(given.rounds) if given.what == "councils" else councils(given.rounds, 20, 6_000, 4_000)
    print(json.dumps(facts, indent=1))
    if given.json is not None:
        keep(given.json, "living", given.what, facts)


if __name__ == "__main__":
    main()
