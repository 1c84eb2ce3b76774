"""Plans over several years: published cases, an independent linear program, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

import kantor as kt
from kantor.errors import OptionError, ProblemError


def cockshott(case):
    """The four-good economy, its capital, targets by year and labour by year."""
    given = case["inputs"]
    goods, output = given["goods"], np.array(given["output"], float)
    eco = kt.Economy.from_arrays(
        input=pd.DataFrame(np.array(given["flow"]) / output, goods, goods),
        intensities=pd.DataFrame([np.array(given["labour"]) / output], ["labour"], goods),
        demand=np.array(given["targets"], float)[0],
    )
    stocks = pd.DataFrame(np.array(given["capital"], float), goods, goods)
    wear = pd.DataFrame(given["depreciation"], goods, goods)
    capital = kt.Capital.by_industry(stocks / output, depreciation=wear, initial=stocks, terminal="none")
    years = range(1, 6)
    targets = pd.DataFrame(np.array(given["targets"], float).T, goods, years)
    limits = {"labour": kt.Limit(at_most=dict(zip(years, given["labour_supply"], strict=True)))}
    return eco, targets, limits, kt.Horizon(years=5, capital=capital)


def test_five_year_plan(case, tmp_path):
    case = case("five_year_plan_cockshott")
    eco, targets, limits, horizon = cockshott(case)
    plan = kt.Plan(eco, targets, kt.MaxScale(each="year"), limits=limits, horizon=horizon)
    result = plan.solve(1e-9)
    assert result.certified
    assert result.lower_bound <= case["expected"]["objective"] * (1 + 1e-9)
    assert result.upper_bound >= case["expected"]["objective"] * (1 - 1e-9)
    assert result.objective == pytest.approx(case["expected"]["objective"], rel=1e-7)
    by_year = result.activity.xs("deliver", level="action").to_numpy()
    assert by_year == pytest.approx(case["expected"]["fulfilment"], rel=1e-7, abs=1e-7)
    result.save(tmp_path / "plan")
    assert kt.verify_plan(tmp_path / "plan")


def test_five_year_harmony(case):
    case = case("harmony_cockshott")
    eco, targets, limits, horizon = cockshott(case)
    result = kt.Plan(eco, targets, kt.Harmony(), limits=limits, horizon=horizon).solve(1e-9)
    assert result.certified
    assert result.objective == pytest.approx(case["expected"]["objective"], rel=1e-8)
    delivered = result.consumption.xs("product", level="account").unstack("year")[targets.columns]
    expected = np.array(case["expected"]["fulfilment"], float).T
    wanted = targets.loc[delivered.index].to_numpy()
    shares = np.divide(delivered.to_numpy(), wanted, where=wanted > 0, out=np.full(wanted.shape, np.nan))
    order = [list(targets.index).index(label) for label in delivered.index]
    np.testing.assert_allclose(shares, expected[order], rtol=2e-4, atol=1e-4)


def test_williams_economic_planning(case):
    """Inputs a year ahead, capacity two years ahead, stocks, manpower, a last year that must be able to go on."""
    case = case("williams_economic_planning")
    given = case["inputs"]
    names, years = given["industries"], list(range(1, given["years"] + 2))
    A = pd.DataFrame(given["A"], names, names)
    static = np.linalg.solve(np.eye(3) - A.to_numpy(), given["terminal_demand"])
    assert static == pytest.approx(case["expected"]["static_output"])
    uses = pd.DataFrame([given["manpower"], [1.0] * 3], ["manpower", "output"], names)
    eco = kt.Economy.from_arrays(input=A, intensities=uses, demand=np.array(given["demand"], float))
    capital = kt.Capital(
        requirements=pd.DataFrame(np.eye(3), names, names),
        composition={2: pd.DataFrame(given["capacity_inputs"], names, names)},
        intensities={1: pd.DataFrame([given["capacity_manpower"], [0.0] * 3], ["manpower", "output"], names)},
        depreciation=0.0,
        gestation=2,
        initial=pd.Series(given["capacity"], names, dtype=float),
        terminal="none",
    )
    horizon = kt.Horizon(
        years=years,
        input_lag=1,
        capital=capital,
        storage=kt.Storage(initial=pd.Series(given["initial_stocks"], names, dtype=float)),
        minimum=pd.DataFrame({years[-1]: static}, index=names),
    )
    no_late_building = {(years[-1] - 2, "invest", name): 0.0 for name in names}
    objective = kt.MinimiseUse({f"output {year}": -1.0 for year in given["objective_years"]})
    limits = {"manpower": given["manpower_limit"]}
    plan = kt.Plan(eco, objective=objective, limits=limits, capacities=no_late_building, horizon=horizon)
    result = plan.solve(1e-8)
    assert result.certified
    assert -result.objective == pytest.approx(case["expected"]["objective"], rel=1e-7)


# ---- against a linear program with the stocks as variables ---------------------------------------------------------
def small(seed):
    rng = np.random.default_rng(seed)
    names, n = ["grain", "steel", "power"], 3
    A = pd.DataFrame(rng.uniform(0.0, 0.25, (n, n)), names, names)
    labour = pd.DataFrame([rng.uniform(0.5, 1.5, n)], ["labour"], names)
    demand = rng.uniform(1.0, 3.0, n)
    x = np.linalg.solve(np.eye(n) - A.to_numpy(), demand)
    eco = kt.Economy.from_arrays(input=A, intensities=labour, demand=demand, activity=x)
    return rng, eco, x


def stock_program(eco, T, needs, made_of, wear, initial, left, labour, targets):
    """max t with stocks K_at as variables: K_1 = initial, K_t+1 <= (1 - wear) K_t + new_t; K_T+1 >= left."""
    n, m, a = eco.n_goods, eco.n_techniques, len(initial)
    A, hours = eco.input_coefficients.toarray(), eco.intensities.to_numpy()[0]
    at = {"x": 0, "new": T * m, "K": T * m + T * a, "t": T * m + T * a + (T + 1) * a}
    size, rows, sides, equal, values = at["t"] + 1, [], [], [], []

    def row():
        return np.zeros(size)

    for t in range(T):
        x, new, K = (slice(at[k] + t * w, at[k] + (t + 1) * w) for k, w in (("x", m), ("new", a), ("K", a)))
        for i in range(n):
            r = row()
            r[x] = A[i] - np.eye(n)[i]
            r[new] = made_of[i]
            r[at["t"]] = targets[t][i]
            rows.append(r)
            sides.append(0.0)
        for k in range(a):
            r = row()
            r[x] = needs[k]
            r[K.start + k] = -1.0
            rows.append(r)
            sides.append(0.0)
            r = row()
            r[K.stop + k], r[K.start + k], r[new.start + k] = 1.0, -(1.0 - wear[k]), -1.0
            equal.append(r)
            values.append(0.0)
        r = row()
        r[x] = hours
        rows.append(r)
        sides.append(labour)
    for k in range(a):
        r = row()
        r[at["K"] + k] = 1.0
        equal.append(r)
        values.append(initial[k])
        r = row()
        r[at["K"] + T * a + k] = -1.0
        rows.append(r)
        sides.append(-left[k])
    cost = row()
    cost[at["t"]] = -1.0
    answer = linprog(cost, np.array(rows), sides, np.array(equal), values)
    assert answer.status == 0
    return -answer.fun


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("terminal", ["none", "keep"])
def test_capital_as_a_stock_equation(seed, terminal):
    rng, eco, x = small(seed)
    T, names = 4, list(eco.products)
    needs = pd.DataFrame(rng.uniform(0.2, 1.0, (2, 3)), ["machines", "halls"], names)
    made_of = pd.DataFrame(rng.uniform(0.0, 0.6, (3, 2)), names, needs.index)
    wear = pd.Series([0.15, 0.05], needs.index)
    initial = needs @ x
    capital = kt.Capital(requirements=needs, composition=made_of, depreciation=wear, terminal=terminal)
    horizon = kt.Horizon(years=T, growth=0.03, capital=capital)
    labour = 1.05 * float(eco.intensities.to_numpy()[0] @ x)
    result = kt.Plan(eco, limits={"labour": labour}, horizon=horizon).solve(1e-8)
    targets = [eco.final_demand.to_numpy().sum(axis=1) * 1.03**t for t in range(T)]
    left = initial.to_numpy() if terminal == "keep" else np.zeros(2)
    arrays = needs.to_numpy(), made_of.to_numpy(), wear.to_numpy(), initial.to_numpy(), left
    expected = stock_program(eco, T, *arrays, labour, targets)
    assert result.certified
    assert result.lower_bound <= expected * (1 + 1e-9)
    assert result.upper_bound >= expected * (1 - 1e-9)


def test_the_last_year_does_not_eat_the_capital():
    _, eco, _ = small(7)
    names = list(eco.products)
    needs = pd.DataFrame([[0.8, 0.8, 0.8]], ["machines"], names)
    made_of = pd.DataFrame([[0.1], [0.7], [0.0]], names, needs.index)
    scales = {}
    for terminal in ("none", "keep", "balanced"):
        capital = kt.Capital(requirements=needs, composition=made_of, depreciation=0.2, terminal=terminal)
        limits = {"labour": "105%"}
        plan = kt.Plan(eco, limits=limits, horizon=kt.Horizon(years=3, capital=capital))
        scales[terminal] = plan.solve(1e-7).objective
    assert scales["none"] > scales["keep"] * 1.001
    assert scales["none"] > scales["balanced"] * 1.001


def test_rates_of_change_and_least_activity():
    _, eco, x = small(3)
    grain = eco.techniques[0]
    rise = pd.Series({grain: 0.02})
    plan = kt.Plan(eco, horizon=kt.Horizon(years=3, rise=rise), limits={"labour": "150%"})
    result = plan.solve(1e-8)
    assert result.objective == pytest.approx(1.02, rel=1e-7), "the first year may rise by 2 % against the base"
    least = pd.Series({grain: 2.0 * x[0]})
    plan = kt.Plan(eco, objective=kt.MinimiseUse("labour"), horizon=kt.Horizon(years=2, minimum=least))
    result = plan.solve(1e-8)
    assert result.certified
    run = result.activity.xs("run", level="action").xs(grain, level=-1).to_numpy()
    assert run == pytest.approx([2.0 * x[0]] * 2, rel=1e-6)
    falling = kt.Horizon(years=2, fall=pd.Series({grain: 0.1}), growth=-0.5)
    result = kt.Plan(eco, objective=kt.MinimiseUse("labour"), horizon=falling).solve(1e-8)
    run = result.activity.xs("run", level="action").xs(grain, level=-1).to_numpy()
    assert run == pytest.approx([x[0], 0.9 * x[0]], rel=1e-6)


def test_limits_by_year_and_in_total():
    _, eco, x = small(5)
    base = float(eco.intensities.to_numpy()[0] @ x)
    each = kt.Plan(eco, limits={"labour": "90%"}, horizon=kt.Horizon(years=2)).solve(1e-9)
    assert each.objective == pytest.approx(0.9, rel=1e-8)
    assert each.use["base"].tolist()[:2] == pytest.approx([base, base])
    total = {"labour": kt.Limit(at_most="90%", over="total")}
    second = {"labour": kt.Limit(at_most={2: "80%"})}
    for limits, expected in ((total, 0.9), (second, 0.8)):
        result = kt.Plan(eco, limits=limits, horizon=kt.Horizon(years=2)).solve(1e-9)
        assert result.objective == pytest.approx(expected, rel=1e-8)


def test_learning_lowers_later_years():
    _, eco, _ = small(6)
    better = eco.replace(intensities=eco.intensities * 0.5)
    horizon = kt.Horizon(years=3, technology={2: better})
    result = kt.Plan(eco, None, kt.MaxScale(each="year"), limits={"labour": "100%"}, horizon=horizon)
    scales = result.solve(1e-9).activity.xs("deliver", level="action").to_numpy()
    assert scales == pytest.approx([1.0, 2.0, 2.0], rel=1e-7)


def refused(eco, error, match, limits=None, targets=None, **horizon):
    with pytest.raises(error, match=match):
        kt.Plan(eco, targets, limits=limits, horizon=kt.Horizon(**horizon) if horizon else None)


def test_what_is_refused():
    _, eco, _ = small(1)
    names = list(eco.products)
    needs = pd.DataFrame([[0.5, 0.5, 0.5]], ["machines"], names)
    made_of = pd.DataFrame([[0.0], [1.0], [0.0]], names, ["machines"])
    refused(eco, OptionError, "2029 does not follow 2027", years=[2026, 2027, 2029])
    refused(eco, OptionError, "at least 1", years=0)
    wear = kt.Capital(requirements=needs, composition=made_of, depreciation=pd.Series({"machines": 1.5}))
    refused(eco, ProblemError, r"machines.*1\.5", years=2, capital=wear)
    wrong = kt.Capital(requirements=needs.rename(columns={"steel": "steal"}), composition=made_of, depreciation=0.0)
    refused(eco, ProblemError, r"capital requirements.*steal", years=2, capital=wrong)
    eternal = kt.Capital(requirements=needs, composition=made_of)
    refused(eco, ProblemError, r"depreciation of 'machines' is missing.*depreciation=0", years=2, capital=eternal)
    hasty = kt.Capital(requirements=needs, composition=made_of, gestation=0)
    refused(eco, OptionError, "gestation", years=2, capital=hasty)
    late = {"labour": kt.Limit(at_most={3: 1.0})}
    refused(eco, ProblemError, "'3' is none of the years", limits=late, years=2)
    refused(eco, OptionError, "several years", limits={"labour": kt.Limit(at_most=1.0, over="total")})
    refused(eco, ProblemError, "the table has the years", targets=pd.DataFrame(1.0, names, [1, 2, 3]), years=2)


def test_expanded_rows_add_up():
    """Run alone, every year is the economy of one year."""
    _, eco, x = small(2)
    over = kt.over_years(eco, kt.Horizon(years=3))
    net = sp.csr_array(over.net_output) @ np.tile(x, 3)
    np.testing.assert_allclose(net, np.tile(eco.final_demand.to_numpy().sum(axis=1), 3), rtol=1e-12)


@pytest.mark.parametrize("terminal", ["keep", "balanced"])
def test_twenty_years(terminal, tmp_path):
    """Capital, growth, learning and a budget over twenty years, against the same programme written out by hand."""
    names, years = ["grain", "machines"], 20
    A = np.array([[0.2, 0.1], [0.05, 0.1]])
    learnt = A * 0.9
    labour = np.array([[1.0, 2.0], [0.3, 0.6]])
    made = lambda table: kt.Economy.from_iot(  # noqa: E731
        A=table, Y=[10.0, 0.0], S=labour, labels=names, indicators=["labour", "GHG"]
    )
    eco = made(A)
    needs, wear, growth = np.array([0.5, 0.4]), 0.1, 0.01
    capital = kt.Capital(
        requirements=pd.DataFrame([needs], ["plant"], names),
        composition=pd.DataFrame([[0.0], [1.0]], names, ["plant"]),
        depreciation=wear,
        initial=pd.Series({"plant": 12.0}),
        terminal=terminal,
    )
    horizon = kt.Horizon(years=years, first=2030, growth=growth, capital=capital, technology={2040: made(learnt)})
    limits = {"labour": 40.0, "GHG": kt.Limit(at_most=160.0, over="total")}
    result = kt.Plan(eco, [10.0, 0.0], limits=limits, horizon=horizon).solve(1e-8)

    # x (grain, machines) by year, plants begun by year, t
    x, new, t = (lambda k, i: 2 * k + i), (lambda k: 2 * years + k), 3 * years
    rows, right = [], []

    def at_most(entries, bound):
        row = np.zeros(3 * years + 1)
        for j, value in entries.items():
            row[j] += value
        rows.append(row)
        right.append(bound)

    for k in range(years):
        table = A if k < 10 else learnt
        for i, wanted in enumerate((10.0 * (1 + growth) ** k, 0.0)):
            used = {x(k, j): table[i, j] - float(i == j) for j in range(2)}
            at_most(used | {t: wanted} | ({new(k): 1.0} if i == 1 else {}), 0.0)
        stand = {new(u): -((1 - wear) ** (k - u - 1)) for u in range(k)}
        at_most(stand | {x(k, j): needs[j] for j in range(2)}, 12.0 * (1 - wear) ** k)
        at_most({x(k, j): labour[0, j] for j in range(2)}, 40.0)
    at_most({x(k, j): labour[1, j] for k in range(years) for j in range(2)}, 160.0)
    end = {new(u): -((1 - wear) ** (years - u - 1)) for u in range(years)}
    left = 12.0 * (1 - wear) ** years
    if terminal == "keep":
        at_most(end, left - 12.0)
    else:
        at_most(end | {x(years - 1, j): needs[j] for j in range(2)}, left)
    exact = linprog(np.append(np.zeros(3 * years), -1.0), np.array(rows), right)
    assert result.status is kt.Status.OPTIMAL
    assert result.objective == pytest.approx(-exact.fun, rel=1e-7)
    assert result.activity.xs("run", level="action").groupby(level="year").sum().size == years
    result.save(tmp_path / "plan")
    assert kt.verify_plan(tmp_path / "plan")
