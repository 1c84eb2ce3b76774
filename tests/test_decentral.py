"""Procedures without a centre: they end at the central optimum and its prices, and only vectors cross a boundary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError
from kantor.feedback.decentral.councils import facilitate
from kantor.feedback.decentral.exchange import Channel, agree
from kantor.feedback.decentral.regions import Region, federate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from decentral import society


@pytest.mark.parametrize(("workers", "consumers"), [(60, 40), (600, 400)])
def test_councils_end_at_the_central_plan_and_its_prices(workers: int, consumers: int) -> None:
    made = society(20, workers, consumers)
    found = made.facilitate(tolerance=1e-4, most_rounds=4000)
    agreement, plan = found.agreement, made.central()
    assert agreement.converged
    n = 20
    assert agreement.prices[:n] == pytest.approx(plan.prices.to_numpy(), rel=1e-3)
    assert agreement.prices[n] == pytest.approx(plan.rents["labour"], rel=1e-3)
    assert found.consumption.sum(axis=0)[:n] == pytest.approx(plan.consumption.to_numpy(), rel=2e-3)
    assert np.abs(agreement.excess).max() < 1e-2
    assert agreement.messages == 2 * 3 * agreement.rounds


def test_units_of_products_do_not_matter() -> None:
    made = society(6, 12, 5)
    other = np.array([1.0, 1e3, 1e-2, 1.0, 10.0, 1.0, 1e6])
    plain = made.facilitate(tolerance=1e-5)
    scaled = facilitate(
        made.table * other[:, None], made.capacity, made.weights, made.endowment * other, tolerance=1e-5
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


def nations(seed: int = 5) -> tuple[kt.Economy, dict[str, Any], dict[str, Any], kt.PlanResult]:
    """Three nations of two provinces and three sectors; labour does not leave its province, and each nation has a
    limit on land besides. The joint plan has all nine limits."""
    rng = np.random.default_rng(seed)
    names, n = ["A", "B", "C"], 18
    labels = [f"{sector} {province}" for province in ("north", "south") for sector in "xyz"]
    A = rng.uniform(0, 0.1, (n, n)) * (rng.random((n, n)) < 0.5)
    Y = rng.uniform(0.5, 2, (n, 3))
    north = np.tile([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], 3)
    labour, land = rng.uniform(0.5, 1.5, n), rng.uniform(0.1, 1.0, n)
    S = np.vstack([labour * north, labour * (1.0 - north), land])
    kinds = ["labour north", "labour south", "land"]
    eco = kt.Economy.from_mrio(A=A, Y=Y, S=S, indicators=kinds, regions=names, sectors=labels,
                               demand_categories=["use"])  # fmt: skip
    x, owner = eco.activity.to_numpy(), eco.techniques.get_level_values(0)
    limits = {r: {kind: float(S[k, owner == r] @ x[owner == r]) * rng.uniform(0.9, 1.1) for k, kind in enumerate(kinds)}
              for r in names}  # fmt: skip
    rows = {f"{kind} {r}": np.where(owner == r, S[k], 0.0) for r in names for k, kind in enumerate(kinds)}
    joint = eco.replace(intensities=pd.DataFrame(list(rows.values()), list(rows), eco.techniques),
                        indicator_units=None, aliases={}, reference_use=None)  # fmt: skip
    wanted = pd.Series(Y.sum(axis=1), eco.products)
    bounds = {f"{kind} {r}": limits[r][kind] for r in names for kind in kinds}
    plan = kt.Plan(joint, wanted, kt.LogUtility(weights=wanted / wanted.sum()), bounds)
    return eco, {r: Y[:, k] for k, r in enumerate(names)}, limits, plan.solve(1e-9)


def test_a_federation_of_national_plans_ends_at_the_central_optimum() -> None:
    eco, demands, limits, joint = nations()
    found = federate(eco, demands, limits, rho=0.1, tolerance=1e-6, most_rounds=4000)
    assert found.agreement.converged
    assert 10 < found.agreement.rounds < 1000
    assert len(found.agreement.history) == found.agreement.rounds
    assert found.objective == pytest.approx(joint.objective, abs=1e-4)
    assert found.agreement.messages == 2 * 3 * found.agreement.rounds
    owner = eco.techniques.get_level_values(0)
    for nation, own in limits.items():
        for kind, most in own.items():
            assert eco.indicator(kind).to_numpy()[owner == nation] @ found.activity[nation] <= most * (1 + 1e-9)
    # Every nation has a limit that binds, so autonomy inside its limits is what is tested.
    assert all(any(joint.rents[f"{kind} {r}"] > 1e-6 for kind in own) for r, own in limits.items())


def test_ten_thousand_councils_answer_at_once() -> None:
    made = society(20, 6_000, 4_000)
    agreement = made.facilitate(tolerance=1e-4, most_rounds=60).agreement
    assert agreement.messages == 2 * 3 * agreement.rounds
    worst = [entry["primal"] for entry in agreement.history]
    assert min(worst[-10:]) < 0.2 * worst[0]


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
