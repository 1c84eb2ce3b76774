"""Answers of a plan: who uses what, what is embodied, what targets cost; identities, and every bound perturbed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError

GOODS, WAYS = ["coal", "iron", "bread"], ["pit", "smelter", "coke smelter", "mill", "field"]
TARGETS = np.array([2.0, 5.0, 20.0])
LIMITS = {"hours": 90.0, "air": kt.Limit(indicator="CO2", at_most=60.0)}


def economy() -> kt.Economy:
    """Two ways to make iron; the coke smelter also makes coal gas that counts as coal."""
    return kt.Economy.from_arrays(
        input=np.array([[0.1, 1.2, 0.8, 0.1, 0.05], [0.05, 0.0, 0.1, 0.02, 0.01], [0.1, 0.2, 0.2, 0.0, 0.1]]),
        output=np.array([[1.0, 0.0, 0.2, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0]]),
        intensities=np.array([[1.0, 0.5, 2.0, 1.5, 2.5], [0.2, 3.0, 1.0, 0.8, 0.1]]),
        products=GOODS, techniques=WAYS, indicators=["hours", "CO2"], unit=pd.Series(["t", "t", "kg"], GOODS),
        indicator_units=pd.Series(["h", "kg"], ["hours", "CO2"]),
    )  # fmt: skip


def plan(objective: Any = None, targets: Any = TARGETS, limits: Any = None, mill: float = 12.0) -> kt.Plan:
    return kt.Plan(economy(), targets, objective, limits=limits or LIMITS, capacities={"mill": mill})


@pytest.mark.parametrize("objective", [None, kt.MinimiseUse("CO2"), kt.Harmony()])
def test_nothing_is_lost_on_the_way(objective: Any) -> None:
    """Direct use and use by final target both add up to the whole use; so does every product to its gross output."""
    if objective is not None and objective.sense == "min":
        result = plan(objective, limits={"hours": 200.0}, mill=15.0).solve(1e-9)
    else:
        result = plan(objective).solve(1e-9)
    eco = result.plan.economy
    for name in ("hours", "CO2"):
        whole = float(result.use.loc[result.use["indicator"] == name, "use"].iloc[0])
        assert result.users(name)["use"].sum() == pytest.approx(whole, rel=1e-9)
        assert result.by_target(name)["use"].sum() == pytest.approx(whole, rel=1e-9)
        m = result.contents([name])[name].iloc[:, 0]
        net = eco.net_output @ result.activity.to_numpy()
        assert float(m @ net) == pytest.approx(whole, rel=1e-9)
    made = eco.output_coefficients @ result.activity.to_numpy()
    for i, good in enumerate(GOODS):
        for table in (result.users(good), result.by_target(good)):
            assert table["use"].sum() == pytest.approx(made[i], rel=1e-9)
            assert table["share"].sum() == pytest.approx(1.0)
            assert set(table["unit"]) == {eco.unit[good]}


def test_by_hand() -> None:
    """A square table: contents are labour values, and the table by target is values times consumption."""
    eco = economy().replace(
        techniques=(names := pd.Index(GOODS)), products=names, output_coefficients=np.eye(3),
        input_coefficients=economy().input_coefficients[:, [0, 1, 3]], activity=pd.Series(1.0, names), capacities=None,
        intensities=pd.DataFrame(economy().intensities.to_numpy()[:, [0, 1, 3]], ["hours", "CO2"], names),
    )  # fmt: skip
    result = kt.Plan(eco, TARGETS, limits={"hours": 90.0}).solve(1e-10)
    l = np.linalg.solve(np.eye(3) - eco.A.toarray().T, eco.indicator("hours"))  # noqa: E741
    np.testing.assert_allclose(result.contents()["hours"].iloc[:, 0], l, rtol=1e-9)
    assert result.contents().columns.tolist() == [("price", "times the targets"), ("hours", "h"), ("per", "unit of")]
    table = result.by_target("hours")["use"]
    for i, good in enumerate(GOODS):
        assert table["consumption", good] == pytest.approx(l[i] * result.objective * TARGETS[i], rel=1e-8)
    inverse = np.linalg.inv(np.eye(3) - eco.A.toarray())
    chain = result.by_target("coal")["use"]
    assert chain["consumption", "bread"] == pytest.approx(inverse[0, 2] * result.consumption["bread"], rel=1e-8)


def test_over_the_years_what_is_left_behind_is_a_target() -> None:
    """Capital that must stand at the end is a final use like any other; every year's labour finds its purpose."""
    capital = kt.Capital(
        requirements=pd.DataFrame([[0.5, 1.0, 1.0, 0.4, 0.2]], ["machines"], WAYS),
        composition=pd.DataFrame([[0.5]], ["iron"], ["machines"]),
        depreciation=0.1,
        initial=pd.Series({"machines": 30.0}),
    )
    horizon = kt.Horizon(years=3, first=2030, capital=capital)
    result = kt.Plan(economy(), TARGETS, limits={"hours": 150.0}, horizon=horizon).solve(1e-8)
    for year in (2030, 2031):
        table = result.by_target(f"hours {year}")
        assert table["use"].sum() == pytest.approx(float(result.use["use"][f"hours {year}"]), rel=1e-7)
    assert "technique" in result.by_target("hours 2031").index.get_level_values("kind")


def change(base: kt.PlanResult, other: kt.Plan) -> float:
    return float(other.solve(1e-11).objective) - base.objective


@pytest.mark.parametrize("objective", [None, kt.MinimiseUse("CO2")])
def test_one_more_unit_changes_the_optimum_as_it_says(objective: Any) -> None:
    """Every limit, the capacity and every target, moved a little in turn."""
    limits = dict(LIMITS) if objective is None else {"hours": 63.0}
    mill = 12.0
    result = plan(objective, limits=limits, mill=mill).solve(1e-11)
    step, seen = 1e-4, result.bottlenecks()
    assert len(seen) >= 2
    for (kind, name), row in seen.iterrows():
        if kind == "capacity":
            moved = plan(objective, limits=limits, mill=mill + step)
        else:
            old = limits[name]
            bound = old + step if isinstance(old, float) else kt.Limit(indicator="CO2", at_most=old.at_most + step)
            moved = plan(objective, limits=limits | {name: bound}, mill=mill)
        assert change(result, moved) == pytest.approx(step * row["one_more_unit"], rel=1e-3), (kind, name)
    costs = result.opportunity_costs()
    assert set(costs.index) == set(GOODS)
    for i, good in enumerate(GOODS):
        moved = plan(objective, TARGETS + step * np.eye(3)[i], limits=limits, mill=mill)
        assert change(result, moved) == pytest.approx(step * costs["one_more_unit"][good], rel=1e-3, abs=1e-9), good


def test_weights_of_a_scale_are_in_the_cost_of_a_target() -> None:
    objective = kt.MaxScale(weights={"bread": 2.0})
    result, step = plan(objective).solve(1e-11), 1e-4
    moved = plan(objective, TARGETS + step * np.eye(3)[2])
    cost = result.opportunity_costs()["one_more_unit"]["bread"]
    assert change(result, moved) == pytest.approx(step * cost, rel=1e-3)


def test_what_is_refused() -> None:
    result = plan().solve(1e-6)
    with pytest.raises(ProblemError, match="'stone' is no limit, indicator or product"):
        result.users("stone")
    impossible = plan(kt.MinimiseUse("CO2"), limits={"hours": 1.0}).solve(1e-6)
    with pytest.raises(ProblemError, match="by_target: there is no plan"):
        impossible.by_target("hours")
