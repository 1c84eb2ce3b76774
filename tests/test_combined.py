"""Sums, orders, soft limits, steadiness and frontiers against programmes written out by hand, and verified folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

import kantor as kt
from kantor import Economy, Harmony, Limit, Maximise, MaxScale, MinimiseUse, Plan, Status, verify_plan
from kantor.errors import OptionError
from kantor.planning.result import PlanResult
from plan_folders import economy

A = economy().input_coefficients.toarray()
S = economy().intensities.to_numpy()
Y = np.array([10.0, 20.0, 30.0])


def ways(n: int = 3) -> Economy:
    """Two techniques for each of three goods: one takes hours, the other carbon."""
    two = np.repeat(A, 2, axis=1)
    use = np.repeat(S, 2, axis=1) * np.array([[1.5, 0.5] * n, [0.5, 2.0] * n])
    return Economy.from_arrays(
        input=two, output=np.kron(np.eye(n), [1.0, 1.0]), intensities=use, products=["grain", "iron", "cloth"],
        techniques=[f"{g} {w}" for g in ("grain", "iron", "cloth") for w in "ab"], indicators=["HOURS", "CO2"],
    )  # fmt: skip


NET = ways().output_coefficients.toarray() - ways().input_coefficients.toarray()
USE = ways().intensities.to_numpy()


def holds(result: PlanResult, tmp_path: Path) -> bool:
    found = verify_plan(result.save(tmp_path / "plan"))
    assert found.ok, found
    return result.status is Status.OPTIMAL


def test_maximise_is_the_opposite_of_the_least(tmp_path: Path) -> None:
    result = Plan(ways(), Y, Maximise("HOURS"), limits={"CO2": 100.0}).solve(1e-9)
    exact = linprog(-USE[0], np.vstack([-NET, USE[1]]), [*-Y, 100.0])
    assert result.objective == pytest.approx(-exact.fun, rel=1e-8)
    assert result.lower_bound <= -exact.fun * (1 + 1e-9)
    assert result.upper_bound >= -exact.fun * (1 - 1e-9)
    assert holds(result, tmp_path)


def test_a_sum_of_scale_and_use(tmp_path: Path) -> None:
    sums = kt.WeightedSum([MaxScale(), MinimiseUse("HOURS")], weights=[200.0, 0.5])
    result = Plan(ways(), Y, sums, limits={"CO2": 60.0}).solve(1e-8)
    exact = linprog(
        np.append(0.5 * USE[0], -200.0),
        np.vstack([np.column_stack([-NET, Y]), np.append(USE[1], 0.0)]),
        [0, 0, 0, 60.0],
    )
    assert result.objective == pytest.approx(-exact.fun, rel=1e-7)
    assert result.activity["deliver"] == pytest.approx(exact.x[-1], rel=1e-6)
    assert holds(result, tmp_path)


def test_an_order_of_priority(tmp_path: Path) -> None:
    order = kt.Lexicographic([MaxScale(), MinimiseUse("HOURS")])
    result = Plan(ways(), Y, order, limits={"CO2": 60.0}).solve(1e-7)
    first = linprog(
        np.append(np.zeros(6), -1.0), np.vstack([np.column_stack([-NET, Y]), np.append(USE[1], 0.0)]), [0, 0, 0, 60.0]
    )
    second = linprog(USE[0], np.vstack([-NET, USE[1]]), [*(first.fun * (1 - 2e-6) * Y), 60.0])
    assert result.stages[0].objective == pytest.approx(-first.fun, rel=1e-6)
    assert result.objective == pytest.approx(second.fun, rel=1e-4)
    assert holds(result, tmp_path)


def test_harmony_first_then_least_hours() -> None:
    order = kt.Lexicographic([Harmony(), MinimiseUse("HOURS")], slack=1e-5)
    result = Plan(ways(), Y, order, limits={"CO2": 50.0, "HOURS": 300.0}).solve(1e-6)
    assert result.status is Status.OPTIMAL
    delivered = NET @ result.activity.to_numpy()[:6]
    assert (delivered >= result.stages[0].consumption.to_numpy() * (1 - 2e-5)).all()


def test_a_soft_limit_is_broken_where_its_price_is_low(tmp_path: Path) -> None:
    free, least = linprog(USE[0], -NET, -Y), linprog(USE[1], -NET, -Y)
    most = 0.5 * (float(USE[1] @ free.x) + float(least.fun))
    for price, broken in ((0.01, True), (1e4, False)):
        limits = {"CO2": Limit(at_most=most, soft=price)}
        result = Plan(ways(), Y, MinimiseUse("HOURS"), limits=limits).solve(1e-8)
        rows = np.vstack([np.column_stack([-NET, np.zeros(3)]), np.append(USE[1], -1.0)])
        exact = linprog(np.append(USE[0], price), rows, [*-Y, most])
        assert result.objective == pytest.approx(exact.fun, rel=1e-6)
        assert (result.activity["exceed CO2"] > 1.0) == broken
        assert (result.use.loc["CO2", "use"] > most + 1.0) == broken
        assert holds(result, tmp_path)


def test_stable_employment_over_years(tmp_path: Path) -> None:
    horizon = kt.Horizon(years=3, first=2030, growth=-0.2)
    free = Plan(ways(), Y, MinimiseUse("HOURS"), horizon=horizon).solve()
    steady = Plan(ways(), Y, kt.LeastChange("HOURS"), horizon=horizon).solve(1e-6)
    hours = [free.use.loc[f"HOURS {year}", "use"] for year in (2030, 2031, 2032)]
    assert hours[0] - hours[2] > 10
    even = [steady.use.loc[f"HOURS {year}", "use"] for year in (2030, 2031, 2032)]
    assert np.ptp(even) < 1e-4 * max(even)
    priced = kt.WeightedSum([MinimiseUse("HOURS"), kt.LeastChange("HOURS")], weights=[1.0, 0.1])
    result = Plan(ways(), Y, priced, horizon=horizon).solve(1e-6)
    assert result.objective == pytest.approx(free.objective + 0.1 * (hours[0] - hours[2]), rel=1e-6)
    assert holds(result, tmp_path)


def test_new_harmony_meets_its_first_order_conditions(tmp_path: Path) -> None:
    result = Plan(economy(), Y, kt.NewHarmony(), limits={"HOURS": "90%"}).solve(1e-9)
    u = result.consumption.to_numpy() / Y
    assert result.objective == pytest.approx((u / (1.1 + u)).sum(), rel=1e-9)
    assert result.prices.to_numpy() == pytest.approx(1.1 / (1.1 + u) ** 2 / Y, rel=1e-4)
    assert holds(result, tmp_path)


def test_frontier_is_monotone_and_certified() -> None:
    plan = Plan(ways(), Y, limits={"CO2": 150.0})
    table = kt.frontier(plan, [MinimiseUse("HOURS"), MinimiseUse("CO2")], points=5)
    hours, carbon = table["1 minimise-use"].to_numpy(), table["2 minimise-use"].to_numpy()
    assert (np.diff(carbon) < 0).all()
    assert (np.diff(hours) > 0).all()
    assert (table["gap"] <= 1e-6).all()
    exact = [linprog(USE[0], np.vstack([-NET, USE[1]]), [*-Y, c * (1 + 1e-6)]).fun for c in carbon]
    assert hours == pytest.approx(exact, rel=1e-5)
    inside = table.iloc[1:-1]
    assert (inside["price of 2 minimise-use"] > 0).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: kt.WeightedSum([MaxScale()], weights=[-1.0]), "finite numbers > 0"),
        (lambda: kt.WeightedSum([]), "list of objectives"),
        (lambda: kt.Lexicographic([kt.Lexicographic([MaxScale()])]), "one list"),
        (lambda: Limit(at_most=1.0, soft=0.0), "price > 0"),
        (lambda: Plan(ways(), Y, kt.WeightedSum([Harmony(), MinimiseUse("HOURS")])), "Lexicographic"),
        (lambda: Plan(ways(), Y, kt.LeastChange("HOURS")), "several years"),
        (lambda: Plan(ways(), Y, Harmony(), limits={"CO2": Limit(at_most=1.0, soft=1.0)}), "use MaxScale"),
        (lambda: kt.frontier(Plan(ways(), Y), [MaxScale()]), "two or three"),
        (lambda: kt.NewHarmony(kappa=0.0), "kappa"),
    ],
)
def test_what_cannot_be_combined_is_named(make: object, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        make()  # type: ignore[operator]


def test_a_frontier_of_three_objectives_is_the_exact_one_and_starts_from_the_point_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scale, hours and carbon: every point against its linear programme; every start is the best point before it."""
    limits = {"HOURS": 400.0, "CO2": 90.0}
    starts: list[object] = []
    solve = Plan.solve

    def watched(self: Plan, *given: object, **named: object) -> PlanResult:
        if self.asked["held"] and "frontier" in self.name:
            starts.append(named.get("warm_start"))
        return solve(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Plan, "solve", watched)
    plan = Plan(ways(), Y, limits=limits)
    table = kt.frontier(plan, [MaxScale(), MinimiseUse("HOURS"), MinimiseUse("CO2")], points=4)
    assert len(table) == 16
    assert (table["status"] == "optimal").all()
    rows = np.vstack([np.column_stack([-NET, Y]), np.append(USE[0], 0.0), np.append(USE[1], 0.0)])
    for _, point in table.iterrows():
        hours, carbon = (min(point[k] + 1e-6 * abs(point[k]), most) for k, most in
                         (("2 minimise-use", 400.0), ("3 minimise-use", 90.0)))  # fmt: skip
        exact = -linprog(np.append(np.zeros(6), -1.0), rows, [0, 0, 0, hours, carbon]).fun
        assert point["lower_bound"] <= exact * (1 + 1e-9) + 1e-12
        assert point["upper_bound"] >= exact * (1 - 1e-9) - 1e-12
    assert table["1 max-scale"].max() > table["1 max-scale"].min() + 0.1
    assert starts[0] is None
    plans = list(table["plan"])
    assert all(start is before for start, before in zip(starts[1:], plans[:-1], strict=True))
