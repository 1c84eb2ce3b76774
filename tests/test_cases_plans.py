"""Published cases through the public API: Kantorovich's machines, choice of technique, joint production, Leontief."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kantor as kt
from conftest import shared_folder
from kantor import Economy, MaxScale, MinimiseUse, Plan, Status, verify_plan
from kantor.planning.result import PlanResult

# The cases ask for 1e-7; plans are solved to this.
TIGHT = 1e-9
Case = Callable[[str], dict[str, Any]]


def tolerance(case: dict[str, Any], answer: str = "default") -> dict[str, float]:
    given = case["tolerance"].get(answer, case["tolerance"]["default"])
    return {"rtol": given["rtol"], "atol": given["atol"]}


def check(case: dict[str, Any], answer: str, got: Any, expected: Any) -> None:
    np.testing.assert_allclose(
        np.asarray(got, float), np.asarray(expected, float), **tolerance(case, answer), err_msg=answer
    )


def machines(inputs: dict[str, Any]) -> Economy:
    """Every pair (machine group, good) is a technique that takes one machine-day of its group."""
    rate, groups, goods = np.array(inputs["rate"], float), inputs["groups"], inputs["goods"]
    pairs = [(group, good) for group in groups for good in goods]
    output = np.zeros((len(goods), len(pairs)))
    use = np.zeros((len(groups), len(pairs)))
    for j, (group, good) in enumerate(pairs):
        i, k = groups.index(group), goods.index(good)
        output[k, j], use[i, j] = rate[i, k], 1.0
    return Economy.from_arrays(
        input=np.zeros_like(output),
        output=output,
        intensities=use,
        products=goods,
        techniques=[f"{good} on {group}" for group, good in pairs],
        indicators=groups,
        name="machines",
    )


def test_kantorovich_machines(case: Case) -> None:
    """The resolving multipliers are the prices, the hire valuations the rents."""
    data = case("kantorovich_machines")
    inputs, expected = data["inputs"], data["expected"]
    eco = machines(inputs)
    limits = dict(zip(inputs["groups"], map(float, inputs["machines"]), strict=True))
    result = Plan(eco, inputs["assortment"], MaxScale(), limits=limits).solve(TIGHT)
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["objective"])
    check(data, "multipliers", result.prices, expected["multipliers"])
    check(data, "rents", result.rents[inputs["groups"]], expected["rents"])
    time = result.activity.to_numpy().reshape(len(inputs["groups"]), len(inputs["goods"]))
    check(data, "machine_time", time, expected["machine_time"])
    assert int(result.objective + 1e-6) == expected["whole_sets"]
    split = sum(n / sum(p / a for p, a in zip(inputs["assortment"], row, strict=True))
                for n, row in zip(inputs["machines"], inputs["rate"], strict=True))  # fmt: skip
    check(data, "equal_split", split, expected["equal_split"])
    assert set(result.bottlenecks().index) == {("at most", group) for group in inputs["groups"]}


# ---- rectangular choice of technique -------------------------------------------------------------------------
def choice_of_technique(inputs: dict[str, Any]) -> tuple[Economy, MinimiseUse, dict[str, float]]:
    make, use, factors = (np.array(inputs[key], float) for key in ("make", "use", "factors"))
    names = inputs.get("factor_names", [f"factor {k}" for k in range(len(factors))])
    eco = Economy.from_arrays(
        input=use,
        output=make.T,
        intensities=factors,
        products=inputs.get("goods", [f"good {i}" for i in range(make.shape[1])]),
        techniques=inputs.get("techniques", [f"technique {j}" for j in range(len(make))]),
        indicators=names,
        name="technique",
    )
    prices = dict(zip(names, map(float, inputs["factor_prices"]), strict=True))
    limits = {k: float(b) for k, b in zip(names, inputs["factor_limits"], strict=True) if b is not None}
    return eco, MinimiseUse(prices), limits


def solve_choice(inputs: dict[str, Any]) -> PlanResult:
    eco, objective, limits = choice_of_technique(inputs)
    return Plan(eco, np.array(inputs["final_demand"], float), objective, limits=limits).solve(TIGHT)


def test_rcot_base(case: Case) -> None:
    """Every factor is exactly used up: the plan is a single point and the rents are not unique."""
    data = case("rcot_base")
    inputs, expected = data["inputs"], data["expected"]
    result = solve_choice(inputs)
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["objective"])
    check(data, "activity", result.activity, expected["activity"])
    check(data, "factor_use", result.use["use"], expected["factor_use"])
    # Whatever pair (p, r) is returned must be dual feasible and worth the objective.
    p, r = result.prices.to_numpy(), result.rents.to_numpy()
    make, use, factors = (np.array(inputs[key], float) for key in ("make", "use", "factors"))
    slack = factors.T @ (np.array(inputs["factor_prices"]) + r) - (make - use.T) @ p
    assert slack.min() >= -1e-7 * factors.max()
    check(data, "objective", p @ inputs["final_demand"] - r @ inputs["factor_limits"], expected["objective"])
    free = solve_choice({**inputs, "factor_limits": [None] * 4})
    check(data, "prices_at_zero_rents", free.prices, expected["prices_at_zero_rents"])


def test_rcot_without_factor_limits(case: Case) -> None:
    data = case("rcot_without_factor_limits")
    result, expected = solve_choice(data["inputs"]), data["expected"]
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["objective"])
    check(data, "activity", result.activity, expected["activity"])
    check(data, "factor_use", result.use["use"], expected["factor_use"])
    check(data, "prices", result.prices, expected["prices"])


@pytest.mark.parametrize("scenario", ["demand 1", "demand 5/3", "demand 2", "demand 2.5"])
def test_two_techniques_and_a_carbon_cap(case: Case, scenario: str) -> None:
    data = case("two_techniques_and_a_carbon_cap")
    expected = data["expected"][scenario]
    result = solve_choice(data["inputs"] | data["scenarios"][scenario])
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["objective"])
    check(data, "activity", result.activity, expected["activity"])
    if "prices" in expected:
        check(data, "prices", result.prices, expected["prices"])
        rents = [result.rents.get(name, 0.0) for name in data["inputs"]["factor_names"]]
        check(data, "rents", rents, expected["rents"])


def test_above_the_carbon_cap_there_is_no_plan(case: Case) -> None:
    data = case("two_techniques_and_a_carbon_cap")
    inputs = data["inputs"] | data["scenarios"]["demand 2.6"]
    eco, objective, limits = choice_of_technique(inputs)
    plan = Plan(eco, np.array(inputs["final_demand"]), objective, limits=limits)
    assert plan.solve(TIGHT).status is Status.PRIMAL_INFEASIBLE
    found = plan.diagnose(TIGHT)
    assert found.smallest_limits == [("at most", "CO2")]
    excess = found.relaxed["at most", "CO2"] - limits["CO2"]
    check(data, "least_total_excess", excess, data["expected"]["demand 2.6"]["least_total_excess"])


# ---- transport, cutting, whole plants ------------------------------------------------------------------------
def test_dantzig_transport(case: Case) -> None:
    """A plant is a region with a limited supply; a shipment is a technique that turns its cases into a market's."""
    data = case("dantzig_transport")
    inputs, expected = data["inputs"], data["expected"]
    plants, markets = inputs["supply_points"], inputs["demand_points"]
    pairs = [(i, j) for i in range(len(plants)) for j in range(len(markets))]
    use = np.zeros((len(plants) + 1, len(pairs)))
    for k, (i, j) in enumerate(pairs):
        use[0, k], use[1 + i, k] = inputs["cost_per_unit_distance"] * inputs["distance"][i][j], 1.0
    eco = Economy.from_arrays(
        input=np.zeros((len(markets), len(pairs))),
        output=np.array([[float(j == market) for _, j in pairs] for market in range(len(markets))]),
        intensities=use,
        products=markets,
        techniques=[f"{plants[i]} to {markets[j]}" for i, j in pairs],
        indicators=["cost", *(f"cases from {plant}" for plant in plants)],
    )
    limits = {f"cases from {plant}": float(b) for plant, b in zip(plants, inputs["supply"], strict=True)}
    result = Plan(eco, np.array(inputs["demand"], float), MinimiseUse("cost"), limits=limits).solve(TIGHT)
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["objective"])
    check(data, "demand_prices", result.prices, expected["demand_prices"])
    check(data, "supply_rents", result.rents, expected["supply_rents"])


def test_cutting_sheets(case: Case) -> None:
    """A pattern is a joint technique; the pieces must come out exactly, so no more may be made than are wanted."""
    data = case("cutting_sheets")
    inputs, expected = data["inputs"], data["expected"]
    pieces = np.array(inputs["rows"], float)
    eco = Economy.from_arrays(
        input=np.zeros_like(pieces),
        output=pieces,
        intensities=np.vstack([inputs["cost"], pieces]),
        products=["A", "B"],
        techniques=inputs["variables"],
        indicators=["sheets", "pieces A", "pieces B"],
    )
    limits = {f"pieces {name}": float(b) for name, b in zip("AB", inputs["row_upper"], strict=True)}
    result = Plan(eco, np.array(inputs["row_lower"], float), MinimiseUse("sheets"), limits=limits).solve(TIGHT)
    assert result.status is Status.OPTIMAL
    check(data, "objective", result.objective, expected["relaxed_objective"])
    np.testing.assert_allclose(result.activity, expected["activity"], atol=1e-4)


@pytest.mark.parametrize("scenario", ["concrete 1500", "concrete 1400"])
def test_whole_plants_if_they_could_be_shared(case: Case, scenario: str) -> None:
    """kantor plans with divisible techniques: the relaxation of the published case."""
    data = case("whole_plants")
    inputs = data["inputs"] | data["scenarios"][scenario]
    eco = Economy.from_arrays(
        input=np.zeros((1, 1)), output=[[inputs["cost"][0]]], intensities=np.array(inputs["rows"], float),
        products=["cement"], techniques=inputs["variables"], indicators=["concrete", "steel"],
    )  # fmt: skip
    limits = dict(zip(["concrete", "steel"], map(float, inputs["row_upper"]), strict=True))
    result = Plan(eco, [1.0], MaxScale(), limits=limits).solve(TIGHT)
    assert result.status is Status.OPTIMAL
    check(data, "relaxed_objective", result.objective, data["expected"][scenario]["relaxed_objective"])


# ---- joint production ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("basket", ["(8, 7)", "(5, 2)", "wage basket (3, 5)"])
def test_least_labour_under_joint_production(case: Case, basket: str) -> None:
    """Optimal values are never negative, though the additive ones are (-1, 2)."""
    data = case("steedman_joint_production")
    inputs, expected = data["inputs"], data["expected"]
    eco = Economy.from_arrays(
        input=np.array(inputs["inputs"], float).T,
        output=np.array(inputs["outputs"], float).T,
        intensities=np.array([inputs["labour"]], float),
        products=inputs["goods"],
        techniques=["process 1", "process 2"],
        indicators=["labour"],
    )
    check(data, "net_output", eco.net_output.toarray().T, expected["net_output"])
    additive = np.linalg.solve(eco.net_output.toarray().T, eco.indicator("labour"))
    check(data, "additive_labour_values", additive, expected["additive_labour_values"])
    result = Plan(eco, np.array(inputs["baskets"][basket], float), MinimiseUse("labour")).solve(TIGHT)
    assert result.status is Status.OPTIMAL
    check(data, "least_labour", result.objective, expected["least_labour"][basket])
    check(data, "activity", result.activity, expected["activity"][basket])
    check(data, "optimal_values", result.prices, expected["optimal_values"][basket])


# ---- Leontief and labour values through Economy --------------------------------------------------------------
def leontief(inputs: dict[str, Any]) -> Economy:
    labels = inputs["goods"]
    if "A" in inputs:
        A = np.array(inputs["A"], float)
        x = inputs.get("output")
        S = np.array([inputs["labour"]], float) if "labour" in inputs else np.zeros((1, len(labels)))
        return Economy.from_iot(A=A, Y=np.ones(len(labels)), x=x, S=S, labels=labels, indicators=["labour"])
    F = np.array([inputs["labour"]], float) if "labour" in inputs else np.zeros((1, len(labels)))
    return Economy.from_iot(
        Z=np.array(inputs["flows"], float), x=np.array(inputs["output"], float), F=F,
        Y=np.ones(len(labels)), labels=labels, indicators=["labour"],
    )  # fmt: skip


@pytest.mark.parametrize("identifier", ["leontief_wheat_cloth", "leontief_miller_blair", "leontief_eu_2006"])
def test_leontief(case: Case, identifier: str) -> None:
    data = case(identifier)
    inputs, expected = data["inputs"], data["expected"]
    eco = leontief(inputs)
    for name, demand in inputs["final_demand"].items():
        x = eco.base_plan(np.array(demand, float))
        check(data, "gross_output", x, expected["gross_output"][name])
        if name in expected.get("total_labour", {}):
            check(data, "total_labour", eco.use(x)["labour"], expected["total_labour"][name])
    if "coefficients" in expected:
        check(data, "coefficients", eco.A.toarray(), expected["coefficients"])
    if "leontief_inverse" in expected:
        inverse = kt.solve_leontief(eco.A, np.eye(eco.n_goods), tolerance=1e-13).x
        check(data, "leontief_inverse", inverse, expected["leontief_inverse"])
    if "labour_values" in expected:
        values = kt.values(eco.A, eco.indicator("labour").to_numpy())
        check(data, "labour_values", values, expected["labour_values"])
    if "intermediate_use_of_output" in expected:
        output = np.array(inputs["output"], float)
        check(data, "intermediate_use_of_output", eco.A @ output, expected["intermediate_use_of_output"])
        check(data, "labour_for_output", eco.use(output)["labour"], expected["labour_for_output"])


def test_labour_values_eu_2006(case: Case) -> None:
    data = case("labour_values_eu_2006")
    inputs, expected = data["inputs"], data["expected"]
    eco = leontief(inputs)
    check(data, "labour_values", kt.values(eco.A, eco.indicator("labour").to_numpy()), expected["labour_values"])
    check(data, "net_output", eco.net_output @ np.array(inputs["output"], float), expected["net_output"])
    bounds = kt.check_productive(eco.A)
    assert bounds.lower <= expected["spectral_radius"] * (1 + 1e-9)
    assert bounds.upper >= expected["spectral_radius"] * (1 - 1e-9)
    # Least labour for the net output is the labour that was there (identity of the file).
    result = Plan(eco, np.array(expected["net_output"]), MinimiseUse("labour")).solve(TIGHT)
    assert result.objective == pytest.approx(sum(inputs["labour"]), rel=1e-9)
    check(data, "labour_values", result.prices, expected["labour_values"])


def test_every_published_case_is_planned() -> None:
    """Each file is read by a test that plans it with labels, or, where it asks for no plan, analyses it."""
    files = {path.stem for path in shared_folder("cases").glob("*.json")}
    here = Path(__file__).parent
    tested = " ".join(
        (here / f"test_{name}.py").read_text() for name in ("cases_plans", "horizon", "trade", "analysis")
    )
    assert files
    assert {name for name in files if f'"{name}"' not in tested} == set()


# ---- real tables ---------------------------------------------------------------------------------------------
def data_set(name: str, **options: object) -> Economy:
    """A real table, or skip with the reason why it is not here."""
    try:
        return kt.load_economy(name, **options)
    except kt.errors.ProblemError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "options", "limits"),
    [
        ("us_useeio_2012_411", {}, {"labour": "102%", "ghg": "95%"}),
        ("wiod2013", {"year": 2011}, {"labour": "102%", "co2": "95%"}),
    ],
)
def test_five_percent_less_emission(name: str, options: dict[str, Any], limits: dict[str, str], tmp_path: Any) -> None:
    eco = data_set(name, **options)
    result = Plan(eco, limits=limits).solve(1e-7)
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(0.95, abs=1e-6)
    assert result.lower_bound <= 0.95 * (1 + 1e-9)
    assert result.upper_bound >= 0.95 * (1 - 1e-9)
    assert result.gap < 1e-6
    assert [name for _, name in result.bottlenecks().index] == [list(limits)[1]]
    assert result.activity.index.equals(eco.techniques)
    verification = verify_plan(result.save(tmp_path / "plan"))
    assert verification.ok, str(verification)
    assert verification.violation <= 1e-12


def test_harmony_of_the_united_states(tmp_path: Any) -> None:
    """Each product counts the same; the three negative targets (scrap, used goods, rest of world) are left out."""
    category = "2012_US_Consumption_Domestic"
    eco = data_set("us_useeio_2012_411").for_demand(category)
    plan = Plan(eco, eco.demand(category).clip(lower=0.0), kt.Harmony(), limits={"ghg": "90%", "labour": "102%"})
    result = plan.solve(1e-6)
    assert result.status is Status.OPTIMAL
    assert result.gap <= 1e-6
    verification = verify_plan(result.save(tmp_path / "plan"))
    assert verification.ok, str(verification)


def test_least_labour_in_sweden(tmp_path: Any) -> None:
    """A supply-use table as it is, industries with several products: less labour than the observed activity takes."""
    eco = data_set("sweden", year=2015)
    result = Plan(eco, objective=MinimiseUse("labour")).solve(1e-6)
    assert result.status is Status.OPTIMAL
    observed = eco.use(eco.activity)[eco.indicator_name("labour")]
    assert result.objective <= observed * (1 + 1e-6)
    assert result.objective > 0.5 * observed
    verification = verify_plan(result.save(tmp_path / "plan"))
    assert verification.ok, str(verification)
