"""Plan: checks when it is made, what it compiles to, labelled results, bottlenecks, diagnosis."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor import Economy, Harmony, Limit, LogUtility, MaxScale, MinimiseUse, Plan, PowerUtility, Status
from kantor.errors import OptionError, ProblemError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

GOODS = ["grain", "iron", "cloth"]


def economy(**changes: object) -> Economy:
    given: dict[str, object] = {
        "A": np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        "Y": np.array([[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]]),
        "S": np.array([[1.0, 2.0, 3.0], [0.5, 0.1, 0.25]]),
        "labels": GOODS,
        "categories": ["households", "state"],
        "indicators": ["HOURS", "CO2"],
        "indicator_units": pd.Series({"HOURS": "h", "CO2": "t"}),
        "aliases": {"labour": "HOURS"},
        "unit": "tonnes",
        "name": "three goods",
    }
    return Economy.from_iot(**(given | changes))  # type: ignore[arg-type]


def two_ways() -> Economy:
    """One good, two techniques: A takes 2 labour and 3 CO2, B takes 3 and 2 (Härdin)."""
    return Economy.from_arrays(
        input=np.zeros((1, 2)),
        output=np.ones((1, 2)),
        intensities=np.array([[2.0, 3.0], [3.0, 2.0]]),
        products=["good"],
        techniques=["A", "B"],
        indicators=["labour", "CO2"],
    )


# ---- making a plan -------------------------------------------------------------------------------------------
def test_targets_by_name_series_array_and_total() -> None:
    eco = economy()
    assert Plan(eco, "households").targets.tolist() == [10.0, 20.0, 30.0]
    shuffled = pd.Series({"cloth": 3.0, "grain": 1.0, "iron": 2.0})
    assert Plan(eco, shuffled).targets.tolist() == [1.0, 2.0, 3.0]
    assert Plan(eco, np.array([1.0, 2.0, 3.0])).targets.index.tolist() == GOODS
    assert Plan(eco).targets.tolist() == [11.0, 22.0, 33.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": "housholds"}, "housholds.*households"),
        ({"targets": [1.0, 2.0]}, r"shape \(2,\)"),
        ({"targets": [1.0, float("nan"), 2.0]}, "'iron'.*nan"),
        ({"targets": pd.Series({"grain": 1.0, "irn": 1.0, "cloth": 1.0})}, "'irn'"),
        ({"limits": {"CO": 1.0}}, "'CO'.*CO2"),
        ({"limits": {"CO2": Limit(at_least=2.0, at_most=1.0)}}, "exceeds"),
        ({"capacities": {"irn": 1.0}}, "'irn'.*'iron'"),
        ({"capacities": {"iron": -1.0}}, "'iron'.*-1"),
        ({"capacities": {"iron": float("nan")}}, "'iron'.*nan"),
        ({"capacities": [1.0]}, r"shape \(1,\)"),
        ({"objective": MinimiseUse("C02")}, "C02.*CO2"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Plan(economy(), **arguments)  # type: ignore[arg-type]


def test_wrong_types() -> None:
    with pytest.raises(ProblemError, match="expected an Economy"):
        Plan(np.eye(2))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="expected MaxScale"):
        Plan(economy(), objective="harmony")  # type: ignore[arg-type]


def test_a_non_productive_economy_names_its_sectors() -> None:
    A = np.array([[0.2, 0.0, 0.0], [0.1, 0.9, 0.4], [0.0, 0.4, 0.5]])  # nobody who fails uses grain
    with pytest.raises(ProblemError, match="iron") as caught:
        Plan(economy(A=A, x=[1.0, 1.0, 1.0]))
    assert "cloth" in str(caught.value)
    assert "grain" not in str(caught.value)


def test_targets_of_another_technology_switch_the_table() -> None:
    domestic = np.array([[0.1, 0.1, 0.0], [0.1, 0.2, 0.2], [0.0, 0.1, 0.1]])
    eco = economy().replace(
        technology="total",
        technologies={"domestic": domestic},
        demand_technology={"households": "domestic", "state": "total"},
    )
    plan = Plan(eco, "households")
    np.testing.assert_array_equal(plan.economy.A.toarray(), domestic)
    assert any("domestic" in note for note in plan.notes)
    assert Plan(eco, "state").economy is eco


def test_compiled_arrays() -> None:
    plan = Plan(
        economy(),
        "households",
        limits={"labour": 90.0, "air": Limit(indicator="CO2", at_least=1.0)},
        capacities={"iron": 50.0},
    )
    program = plan.compile()
    assert program.kind == "scale"
    np.testing.assert_array_equal(program.resource_use.toarray(), economy().S.to_numpy())
    assert program.resource_upper.tolist() == [90.0, np.inf]
    assert program.resource_lower.tolist() == [-np.inf, 1.0]
    assert program.capacity.tolist() == [np.inf, 50.0, np.inf]


def test_a_fixed_supply_of_a_utility_is_one_more_technique() -> None:
    plan = Plan(economy(), [10.0, -4.0, 30.0], Harmony(), limits={"labour": 100.0})
    program = plan.compile()
    assert program.shape == (3, 4, 1)
    assert program.output.toarray()[:, 3].tolist() == [0.0, 1.0, 0.0]
    assert program.capacity.tolist() == [np.inf, np.inf, np.inf, 4.0]
    assert program.resource_use.toarray()[0, 3] == 0.0
    assert any("negative" in note for note in plan.notes)


# ---- results -------------------------------------------------------------------------------------------------
def test_scale_with_one_limit_is_its_share() -> None:
    result = Plan(economy(), "households", limits={"labour": "90%", "CO2": "150%"}).solve(1e-9)
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(0.9, rel=1e-9)
    assert result.lower_bound <= 0.9 * (1 + 1e-12)
    assert result.upper_bound >= 0.9 * (1 - 1e-12)
    assert result.gap <= 1e-9
    assert result.consumption.tolist() == pytest.approx([9.0, 18.0, 27.0], rel=1e-9)
    assert result.activity.index.tolist() == GOODS
    assert float(result.prices @ result.targets) == pytest.approx(1.0, rel=1e-9)
    bound = result.limits[0].upper
    assert result.rents["labour"] * bound == pytest.approx(0.9, rel=1e-8)  # t* = lambda.b
    assert result.rents["CO2"] == pytest.approx(0.0, abs=1e-9)
    use = result.use
    assert use.loc["labour", "share"] == pytest.approx(1.0, rel=1e-9)
    assert use.loc["labour", "unit"] == "h"
    assert use.loc["CO2", "share"] == pytest.approx(0.6, rel=1e-9)
    assert result.unit == "tonnes"


def test_prices_are_proportional_to_labour_values_when_labour_is_short() -> None:
    eco = economy()
    result = Plan(eco, "households", limits={"labour": "90%"}).solve(1e-9)
    values = kt.values(eco.A, eco.indicator("labour").to_numpy())
    np.testing.assert_allclose(result.prices / result.prices.iloc[0], np.asarray(values) / values[0], rtol=1e-7)
    by_grain = result.normalised_prices("grain")
    assert by_grain["grain"] == 1.0
    basket = result.normalised_prices()
    assert float(basket @ result.targets) == pytest.approx(float(result.targets.sum()))
    with pytest.raises(ProblemError, match=r"'grian'.*'grain'"):
        result.normalised_prices("grian")


def test_bottlenecks_predict_what_more_would_bring() -> None:
    """One more percent of a binding limit changes the objective as its rent says."""
    limits = {"labour": "90%", "CO2": "150%"}
    result = Plan(economy(), "households", limits=limits, capacities={"iron": 1e6}).solve(1e-10)
    table = result.bottlenecks()
    assert table.index.tolist() == [("at most", "labour")]
    more = Plan(economy(), "households", limits=limits | {"labour": "90.9%"}).solve(1e-10)
    gain = more.objective - result.objective
    assert table.loc[("at most", "labour"), "one_more_percent"] == pytest.approx(gain, rel=1e-6)
    row = table.loc[("at most", "labour")]
    assert row["one_more_unit"] * row["bound"] / 100 == pytest.approx(row["one_more_percent"])


def test_prices_are_made_of_the_rents_of_limits() -> None:
    eco = economy()
    limits = {"labour": "90%", "CO2": "84%"}
    result = Plan(eco, "households", Harmony(), limits=limits).solve(1e-9)
    parts = result.price_parts()
    assert parts.columns.tolist() == ["labour", "CO2"]
    np.testing.assert_allclose(parts.sum(axis=1), result.prices, rtol=1e-6)
    labour = kt.values(eco.A, eco.indicator("labour").to_numpy())
    np.testing.assert_allclose(parts["labour"], result.rents["labour"] * np.asarray(labour), rtol=1e-9)
    least = Plan(eco, "households", MinimiseUse("labour"), limits={"CO2": "120%"}).solve(1e-9).price_parts()
    np.testing.assert_allclose(least["direct"], labour, rtol=1e-9)
    with pytest.raises(ProblemError, match="not square"):
        Plan(two_ways(), [1.0], MinimiseUse("CO2")).solve().price_parts()


def test_a_capacity_can_be_the_bottleneck() -> None:
    eco = economy()
    base = eco.base_plan("households")
    result = Plan(eco, "households", limits={"labour": "150%"}, capacities={"iron": 0.8 * base["iron"]}).solve(1e-9)
    assert result.objective == pytest.approx(0.8, rel=1e-8)
    table = result.bottlenecks()
    assert table.index.tolist() == [("capacity", "iron")]
    assert table["one_more_percent"].iloc[0] == pytest.approx(0.008, rel=1e-6)
    assert table["unit"].iloc[0] == "tonnes"


def test_a_floor_has_its_own_rent() -> None:
    """Least labour with at least so much CO2 used (two techniques): the floor forces the dirtier one."""
    plan = Plan(two_ways(), [2.0], MinimiseUse("CO2"), limits={"work": Limit(indicator="labour", at_most=5.0)})
    result = plan.solve(1e-9)
    assert result.objective == pytest.approx(5.0, rel=1e-8)  # one of each
    assert result.rents["work"] == pytest.approx(1.0, rel=1e-6)
    floor = Plan(two_ways(), [2.0], MinimiseUse("labour"), limits={"work": Limit(indicator="CO2", at_least=7.0)}).solve(
        1e-9
    )
    # 7 CO2 take 14/3 labour with technique A alone (7/3 units).
    assert floor.objective == pytest.approx(14 / 3, rel=1e-8)
    assert floor.floor_rents["work"] == pytest.approx(2 / 3, rel=1e-6)
    assert floor.bottlenecks().index.tolist() == [("at least", "work")]
    assert floor.bottlenecks()["one_more_unit"].iloc[0] == pytest.approx(-2 / 3, rel=1e-6)


def test_least_labour_is_the_labour_value_of_the_demand() -> None:
    eco = economy()
    result = Plan(eco, "households", MinimiseUse("labour")).solve(1e-10)
    values = np.asarray(kt.values(eco.A, eco.indicator("labour").to_numpy()))
    assert result.objective == pytest.approx(float(values @ [10.0, 20.0, 30.0]), rel=1e-9)
    np.testing.assert_allclose(result.prices, values, rtol=1e-7)
    assert result.objective_unit == "h"
    assert result.consumption.tolist() == [10.0, 20.0, 30.0]


@pytest.mark.parametrize("objective", [Harmony(), LogUtility(epsilon=0.1), LogUtility(), PowerUtility(sigma=2.0)])
def test_utilities_meet_their_first_order_conditions(objective: kt.Harmony) -> None:
    """At the optimum every consumed good's marginal utility is its price, and prices are rents times embodied use."""
    eco = economy()
    result = Plan(eco, "households", objective, limits={"labour": "90%"}).solve(1e-8)
    assert result.status is Status.OPTIMAL
    u = (result.consumption / result.targets).to_numpy()
    if isinstance(objective, Harmony):
        slope = np.where(u < 1, 2 - u, 1 / u)
    elif isinstance(objective, LogUtility):
        slope = 1 / (u + objective.epsilon)
    else:
        slope = u**-2.0
    np.testing.assert_allclose(result.prices, slope / result.targets, rtol=1e-3)
    values = np.asarray(kt.values(eco.A, eco.indicator("labour").to_numpy()))
    np.testing.assert_allclose(result.prices, result.rents["labour"] * values, rtol=1e-3)
    value = {"harmony": np.where(u < 1, (u - 1) - (u - 1) ** 2 / 2, np.log(np.maximum(u, 1)))}
    if isinstance(objective, LogUtility):
        value["log"] = np.log(u + objective.epsilon)
    if isinstance(objective, PowerUtility):
        value["power"] = -1 / u
    assert result.objective == pytest.approx(float(value[objective.name].sum()), rel=1e-6)


def test_harmony_is_zero_when_the_base_is_allowed_exactly() -> None:
    """With weights proportional to labour values times targets, prices of the base plan support it."""
    eco = economy()
    values = np.asarray(kt.values(eco.A, eco.indicator("labour").to_numpy()))
    targets = eco.demand("households").to_numpy()
    result = Plan(eco, "households", Harmony(weights=values * targets), limits={"labour": "100%"}).solve(1e-9)
    assert result.objective == pytest.approx(0.0, abs=1e-6 * float(values @ targets))
    np.testing.assert_allclose(result.consumption, targets, rtol=1e-3)


def test_fixed_supply_relieves_the_plan() -> None:
    targets = np.array([10.0, -4.0, 30.0])
    with_supply = Plan(economy(), targets, Harmony(), limits={"labour": 100.0}).solve(1e-7)
    without = Plan(economy(), np.maximum(targets, 0.0), Harmony(), limits={"labour": 100.0}).solve(1e-7)
    assert with_supply.status is Status.OPTIMAL
    assert with_supply.activity.index.tolist() == GOODS
    # Four tonnes of iron are worth about their price in harmony.
    gain = with_supply.objective - without.objective
    assert 4 * with_supply.prices["iron"] <= gain * (1 + 1e-4)
    assert gain <= 4 * without.prices["iron"] * (1 + 1e-4)


def test_an_unlimited_scale_is_unbounded() -> None:
    plan = Plan(economy(), "households")
    assert plan.solve().status is Status.DUAL_INFEASIBLE
    assert "nothing limits" in str(plan.diagnose())


def test_a_product_that_needs_nothing_limited_is_named() -> None:
    eco = economy(S=np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), A=np.diag([0.2, 0.3, 0.1]))
    eco = eco.replace(intensities=eco.intensities.assign(iron=[0.0, 0.0]))
    plan = Plan(eco, "households", Harmony(), limits={"labour": 10.0})
    assert plan.solve().status is Status.DUAL_INFEASIBLE
    assert "nothing limits 'iron'" in str(plan.diagnose())


def test_warm_start_gives_the_same_answer() -> None:
    first = Plan(economy(), "households", limits={"labour": "90%"}).solve(1e-9)
    second = Plan(economy(), "households", limits={"labour": "91%"}).solve(1e-9, warm_start=first)
    assert second.objective == pytest.approx(0.91, rel=1e-9)


def test_json_has_the_promised_keys() -> None:
    facts = Plan(economy(), "households", limits={"labour": "90%"}).solve().to_dict()
    wanted = "status objective lower_bound upper_bound gap primal_residual dual_residual iterations method why backend"
    assert {*wanted.split(), "seconds"} <= set(facts)
    assert facts["seconds"]["total"] > 0
    json.dumps(facts, allow_nan=False)
    unbounded = Plan(economy(), "households").solve().to_dict()
    json.dumps(unbounded, allow_nan=False)


def test_summary_says_what_binds() -> None:
    result = Plan(economy(), "households", limits={"labour": "90%"}, name="less work").solve()
    text = "\n".join(result.summary())
    assert "less work: optimal" in text
    assert "binds: labour (at most)" in text


# ---- diagnosis -----------------------------------------------------------------------------------------------
def test_diagnosis_of_one_limit() -> None:
    plan = Plan(two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": 5.0, "labour": 100.0})
    assert plan.solve().status is Status.PRIMAL_INFEASIBLE
    found = plan.diagnose()
    assert found.smallest_limits == [("at most", "CO2")]
    assert found.deliverable == pytest.approx(2.5 / 2.6, rel=1e-5)
    assert found.relaxation == pytest.approx(0.04, rel=1e-4)
    assert found.relaxed["at most", "CO2"] == pytest.approx(5.2, rel=1e-5)
    assert found.conflict.iloc[0]["name"] == "good"
    assert "CO2" in str(found)
    assert "96.15" in str(found)
    relaxed = Plan(
        two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": found.relaxed["at most", "CO2"] * (1 + 1e-6)}
    )
    assert relaxed.solve().status is Status.OPTIMAL


def test_diagnosis_of_two_limits_that_conflict_only_together() -> None:
    limits = {"labour": 4.5, "CO2": 4.6}
    for one in limits:
        alone = Plan(two_ways(), [1.9], MinimiseUse("labour"), limits={one: limits[one]})
        assert alone.solve().status is Status.OPTIMAL
    found = Plan(two_ways(), [1.9], MinimiseUse("labour"), limits=limits).diagnose()
    assert sorted(name for _, name in found.smallest_limits) == ["CO2", "labour"]
    # x_A + x_B = 1.9 at best uses 9.5 of labour + CO2 in sum, and 9.1 are allowed.
    assert found.relaxation == pytest.approx(0.4 / 9.1, rel=1e-4)


def test_diagnosis_leaves_out_a_limit_that_is_not_needed() -> None:
    """Each of the two limits alone excludes the plan, so the smallest set holds only one of them."""
    found = Plan(two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": 5.0, "labour": 5.0}).diagnose()
    assert len(found.smallest_limits) == 1


def test_diagnosis_of_a_product_nobody_makes() -> None:
    eco = Economy.from_arrays(
        input=np.zeros((2, 1)), output=np.array([[1.0], [0.0]]), intensities=np.ones((1, 1)),
        products=["bread", "roses"], techniques=["bakery"], indicators=["labour"],
    )  # fmt: skip
    plan = Plan(eco, [1.0, 1.0], MinimiseUse("labour"), limits={"labour": 10.0})
    assert any("roses" in note for note in plan.notes)
    found = plan.diagnose()
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert found.smallest_limits == []
    assert "roses" in str(found)
    assert "no limit is at fault" in str(found)


def test_diagnosis_of_a_floor_above_what_is_allowed() -> None:
    plan = Plan(two_ways(), [1.0], MaxScale(), limits={"labour": 2.0, "busy": Limit(indicator="CO2", at_least=10.0)})
    found = plan.diagnose()
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert set(found.smallest_limits) == {("at most", "labour"), ("at least", "busy")}
    # A makes 1.5 CO2 per labour: 10 (1 - s) = 3 (1 + s).
    assert found.relaxation == pytest.approx(7 / 13, rel=1e-4)


def test_diagnosis_of_a_possible_plan() -> None:
    found = Plan(two_ways(), [2.0], MinimiseUse("labour"), limits={"CO2": 5.0}).diagnose()
    assert found.status is Status.OPTIMAL
    assert "no conflict" in str(found)


def test_a_limit_of_zero_leaves_nothing_and_says_so_exactly() -> None:
    plan = Plan(kt.load_economy("eu_2006"), targets="total", limits={"labour": 0})
    result = plan.solve()
    assert (result.status, result.lower_bound, result.upper_bound, result.gap) == (kt.Status.OPTIMAL, 0.0, 0.0, 0.0)
