"""Procedures without a centre: they end at the central optimum and its prices, and only vectors cross a boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError
from kantor.feedback.decentral.councils import facilitate
from kantor.feedback.decentral.exchange import Channel, agree
from kantor.feedback.decentral.regions import Region, federate


def councils(products: int, workers: int, consumers: int, seed: int = 0) -> dict[str, Any]:
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
    table = np.vstack([output - inputs, -labour])
    return {"table": table, "inputs": inputs, "output": output, "labour": labour, "capacity": capacity,
            "weights": weights, "endowment": endowment}  # fmt: skip


def central(made: dict[str, Any]) -> kt.PlanResult:
    n = len(made["output"])
    eco = kt.Economy.from_arrays(input=made["inputs"], output=made["output"], intensities=[made["labour"]],
                                 demand=np.ones(n), indicators=["labour"])  # fmt: skip
    wanted = made["weights"][:, :n].sum(axis=0)
    plan = kt.Plan(eco, np.ones(n), kt.LogUtility(weights=wanted), {"labour": made["endowment"][-1]}, made["capacity"])
    return plan.solve(1e-8)


@pytest.mark.parametrize(("workers", "consumers"), [(60, 40), (600, 400)])
def test_councils_end_at_the_central_plan_and_its_prices(workers: int, consumers: int) -> None:
    made = councils(20, workers, consumers)
    found = facilitate(
        made["table"], made["capacity"], made["weights"], made["endowment"], tolerance=1e-4, most_rounds=4000
    )
    agreement, plan = found.agreement, central(made)
    assert agreement.converged
    n = 20
    assert agreement.prices[:n] == pytest.approx(plan.prices.to_numpy(), rel=1e-3)
    assert agreement.prices[n] == pytest.approx(plan.rents["labour"], rel=1e-3)
    assert found.consumption.sum(axis=0)[:n] == pytest.approx(plan.consumption.to_numpy(), rel=2e-3)
    assert np.abs(agreement.excess).max() < 1e-2
    assert agreement.messages == 2 * 3 * agreement.rounds


def test_units_of_products_do_not_matter() -> None:
    made = councils(6, 12, 5)
    other = np.array([1.0, 1e3, 1e-2, 1.0, 10.0, 1.0, 1e6])
    plain = facilitate(made["table"], made["capacity"], made["weights"], made["endowment"], tolerance=1e-5)
    scaled = facilitate(
        made["table"] * other[:, None], made["capacity"], made["weights"], made["endowment"] * other, tolerance=1e-5
    )
    assert scaled.agreement.prices * other == pytest.approx(plain.agreement.prices, rel=1e-3)


def world(seed: int = 1) -> tuple[kt.Economy, dict[str, Any], dict[str, Any], kt.PlanResult]:
    """Four regions, three sectors each; the joint plan over the same labour limits."""
    rng = np.random.default_rng(seed)
    names, n = [f"r{k}" for k in range(4)], 12
    A = rng.uniform(0, 0.15, (n, n)) * (rng.random((n, n)) < 0.6)
    Y = rng.uniform(0.5, 2, (n, 4))
    eco = kt.Economy.from_mrio(A=A, Y=Y, S=rng.uniform(0.5, 1.5, (1, n)), indicators=["labour"], regions=names,
                               sectors=list("abc"), demand_categories=["use"])  # fmt: skip
    x, labour, owner = eco.activity.to_numpy(), eco.indicator("labour").to_numpy(), eco.techniques.get_level_values(0)
    limits = {r: {"labour": float(labour[owner == r] @ x[owner == r]) * (1.2 if r == "r0" else 0.9)} for r in names}
    own = pd.DataFrame(
        [np.where(owner == r, labour, 0.0) for r in names], [f"labour {r}" for r in names], eco.techniques
    )
    joint = eco.replace(intensities=own, indicator_units=None, aliases={}, reference_use=None)
    wanted = pd.Series(Y.sum(axis=1), eco.products)
    plan = kt.Plan(
        joint, wanted, kt.LogUtility(weights=wanted / wanted.sum()), {f"labour {r}": limits[r]["labour"] for r in names}
    )
    return eco, {r: Y[:, k] for k, r in enumerate(names)}, limits, plan.solve(1e-9)


def test_regions_end_at_the_joint_optimum() -> None:
    eco, demands, limits, joint = world()
    found = federate(eco, demands, limits, rho=0.1, tolerance=1e-6)
    assert found.agreement.converged
    assert found.agreement.rounds < 400
    assert found.objective == pytest.approx(joint.objective, abs=1e-5)
    assert found.agreement.prices == pytest.approx(joint.prices.to_numpy(), rel=1e-4)
    together = np.concatenate([found.activity[r] for r in demands])
    assert together == pytest.approx(joint.activity.to_numpy(), rel=1e-4)
    labour = eco.indicator("labour").to_numpy()
    owner = eco.techniques.get_level_values(0)
    for r in demands:
        assert labour[owner == r] @ found.activity[r] <= limits[r]["labour"] * (1 + 1e-9)
    # One signal to and one proposal from each of four regions in every round, and nothing else.
    assert found.agreement.messages == 8 * found.agreement.rounds


def test_only_vectors_of_n_numbers_cross() -> None:
    channel = Channel(3)
    sent = np.ones(3)
    received = channel.pass_on(sent)
    assert received is not sent
    assert not np.shares_memory(received, sent)
    for smuggled in (
        [1.0, 2.0, 3.0],
        np.ones(4),
        np.ones((3, 3)),
        np.ones(3, complex),
        {"table": sent},
        np.ones(3, object),
    ):
        with pytest.raises(ProblemError, match="only 3 numbers may cross"):
            channel.pass_on(smuggled)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="not finite"):
        channel.pass_on(np.array([1.0, np.nan, 2.0]))
    assert channel.messages == 1


def test_a_region_that_sends_its_technology_is_stopped() -> None:
    class Leaking(Region):
        def propose(self, signal: Any, rho: float) -> Any:
            super().propose(signal, rho)
            return self._table

    region = Leaking(np.eye(2), np.ones((1, 2)), np.ones(1), np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(ProblemError, match="only 2 numbers may cross"):
        agree([region], np.ones(2))


def test_regions_without_limits_are_named() -> None:
    eco, demands, limits, _ = world()
    with pytest.raises(ProblemError, match="'r3' has no limits"):
        federate(eco, demands, {r: limits[r] for r in list(limits)[:3]})
