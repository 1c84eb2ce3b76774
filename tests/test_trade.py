"""Regions that trade: the published world trade model, and an identity of every multi-regional table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def three_regions(case):
    given = case["inputs"]
    sectors, factors = given["sectors"], ["labour", "land", "capital"]
    regions, limits, prices = {}, {}, {}
    for k, name in enumerate(given["regions"]):
        regions[name] = kt.Economy.from_arrays(
            input=pd.DataFrame(given["A"][k], sectors, sectors),
            intensities=pd.DataFrame(given["factors"][k], factors, sectors),
            demand=np.array(given["final_demand"][k], float),
        )
        for f, factor in enumerate(factors):
            limits[f"{factor} in {name}"] = given["factor_limits"][k][f]
            prices[f"{factor} in {name}"] = given["factor_prices"][k][f]
    transport = {
        tuple(given["regions"][r] for r in pair["regions"]): pd.Series(pair["need"], sectors)
        for pair in given["transport_per_unit_traded"]
    }
    trade = kt.Trade(transport=transport, carrier=sectors[given["transport_sector"]])
    return regions, trade, limits, kt.MinimiseUse(prices)


def test_world_trade_model(case, tmp_path):
    case = case("world_trade_model_3_regions")
    regions, trade, limits, objective = three_regions(case)
    world = kt.join_regions(regions, trade)
    result = kt.Plan(world, "total", objective, limits=limits).solve(1e-9, vertex=True)
    expected, stated = case["expected"], case["tolerance"]["default"]
    assert result.certified, "shipping transport itself costs nothing, so its prices must agree to the last digit"
    assert result.objective == pytest.approx(expected["objective"], rel=1e-7)
    names, sectors = case["inputs"]["regions"], case["inputs"]["sectors"]
    for k, region in enumerate(names):
        own = [(region, sector) for sector in sectors]
        np.testing.assert_allclose(result.activity[own], expected["output"][k], **stated)
        np.testing.assert_allclose(result.prices[own], expected["prices"][k], **stated)
    result.save(tmp_path / "plan")
    assert kt.verify_plan(tmp_path / "plan")


def test_autarky_costs_more(case):
    regions, trade, limits, objective = three_regions(case("world_trade_model_3_regions"))
    open_limits = {name: 10.0 * bound for name, bound in limits.items()}
    alone = kt.Plan(kt.join_regions(regions), "total", objective, limits=open_limits).solve(1e-8)
    together = kt.Plan(kt.join_regions(regions, trade), "total", objective, limits=open_limits).solve(1e-8)
    assert alone.objective > 1.05 * together.objective


def mrio(seed=0, G=3, n=4):
    rng = np.random.default_rng(seed)
    labels = pd.MultiIndex.from_product([["N", "S", "W"][:G], [f"s{k}" for k in range(n)]], names=["region", "sector"])
    A = rng.uniform(0.0, 0.5 / (G * n), (G * n, G * n)) * (rng.uniform(size=(G * n, G * n)) < 0.7)
    Y = pd.DataFrame(
        rng.uniform(0.0, 5.0, (G * n, G)), labels, pd.MultiIndex.from_product([["N", "S", "W"][:G], ["all"]])
    )
    hours = pd.DataFrame(rng.uniform(0.1, 1.0, (1, G * n)), ["hours"], labels)
    return kt.Economy.from_mrio(A=pd.DataFrame(A, labels, labels), Y=Y, S=hours)


def test_observed_trade_closes_every_balance():
    eco = mrio()
    regions, shipments = kt.regions_of(eco)
    world = kt.join_regions(regions, kt.Trade(observed=shipments, observed_only=True))
    net = world.net_output @ world.activity.to_numpy()
    demanded = world.final_demand.to_numpy().sum(axis=1)
    np.testing.assert_allclose(net, demanded, rtol=1e-9, atol=1e-9)
    imports = world.use(world.activity)[[f"net imports in {name}" for name in regions]]
    assert imports.sum() == pytest.approx(0.0, abs=1e-9)
    assert world.use(world.activity)["hours"] == pytest.approx(eco.use(eco.activity)["hours"])


def test_a_sector_that_made_nothing_makes_nothing():
    eco = mrio()
    A, x = eco.A.toarray(), eco.activity.to_numpy().copy()
    A[:, 0] = A[0, :] = x[0] = 0.0
    regions, shipments = kt.regions_of(eco.replace(input_coefficients=A, activity=pd.Series(x, eco.products)))
    world = kt.join_regions(regions, kt.Trade(observed=shipments))
    assert world.capacities[("N", "s0")] == 0.0
    assert np.isinf(world.capacities[("N", "s1")])


def test_balanced_trade_is_a_limit():
    regions, shipments = kt.regions_of(mrio())
    world = kt.join_regions(regions, kt.Trade(observed=shipments))
    total = float(world.use(world.activity)["hours"])
    limits = {f"net imports in {name}": 0.0 for name in regions} | {"hours": total}
    bound = kt.Plan(world, "total", limits=limits).solve(1e-6)
    free = kt.Plan(world, "total", limits={"hours": total}).solve(1e-6)
    assert bound.objective <= free.objective * (1 + 1e-6)
    assert bound.use["use"][list(limits)[:-1]].max() <= 1e-6 * total


def test_gross_imports_count_what_comes_in_whatever_goes_out():
    regions, shipments = kt.regions_of(mrio())
    world = kt.join_regions(regions, kt.Trade(observed=shipments))
    use = world.use(world.activity)
    for name in regions:
        came = shipments.xs(name, level="to").sum()
        assert use[f"gross imports in {name}"] == pytest.approx(came, rel=1e-12)
        assert use[f"net imports in {name}"] == pytest.approx(came - shipments.xs(name, level="from").sum(), abs=1e-9)
    least = kt.Plan(world, "total", kt.MinimiseUse({f"gross imports in {name}": 1.0 for name in regions}))
    limits = {f"gross imports in {name}": 0.5 * float(use[f"gross imports in {name}"]) for name in regions}
    autarky = least.solve().objective
    assert 0.0 <= autarky < sum(use[f"gross imports in {name}"] for name in regions)
    halved = kt.Plan(world, "total", limits=limits | {"hours": float(use["hours"])}).solve(1e-6)
    brought = halved.use["use"][list(limits)].to_numpy()
    assert (brought <= 0.5 * use[list(limits)].to_numpy() * (1 + 1e-9)).all()


def test_regions_over_years():
    regions, shipments = kt.regions_of(mrio())
    world = kt.join_regions(regions, kt.Trade(observed=shipments))
    total = float(world.use(world.activity)["hours"])
    result = kt.Plan(world, "total", limits={"hours": total}, horizon=kt.Horizon(years=2)).solve(1e-6)
    once = kt.Plan(world, "total", limits={"hours": total}).solve(1e-6)
    assert result.objective == pytest.approx(once.objective, rel=5e-6)
    assert result.activity.index.names == ["year", "action", "region", "technique"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"goods": ["s9"]}, "'s9' is none of the products"),
        ({"pairs": [("N", "X")]}, "'X' is none of the regions"),
        ({"pairs": [("N", "S")]}, "no pair names the region 'W'"),
        ({"pairs": [("N", "N"), ("S", "W")]}, "trade with itself"),
        ({"transport": {("N", "S"): pd.Series({"s0": 0.1})}}, "no carrier"),
        ({"transport": {("N", "S"): pd.Series({"s0": -0.1})}, "carrier": "s1"}, "'s0' is -0.1"),
        ({"observed_only": True}, "observed_only needs"),
    ],
)
def test_what_is_refused(options, match):
    regions, _ = kt.regions_of(mrio())
    with pytest.raises(ProblemError, match=match):
        kt.join_regions(regions, kt.Trade(**options))


def test_regions_must_fit():
    regions, _ = kt.regions_of(mrio())
    other = kt.Economy.from_iot(A=[[0.1]], Y=[1.0], labels=["s0"])
    with pytest.raises(ProblemError, match="its products differ"):
        kt.join_regions({**regions, "X": other}, kt.Trade())


def lands() -> tuple[dict[str, kt.Economy], pd.Series]:
    """Two regions; the south makes cloth with a third of the labour."""
    names = ["grain", "cloth"]
    make = lambda hours: kt.Economy.from_arrays(  # noqa: E731
        input=np.array([[0.1, 0.2], [0.0, 0.1]]), intensities=[hours], products=names, indicators=["hours"],
        demand=[10.0, 10.0],
    )  # fmt: skip
    return {"north": make([1.0, 3.0]), "south": make([1.0, 1.0])}, pd.Series({"cloth": 0.25})


def test_a_least_share_is_made_at_home():
    """The north would make no cloth; it must make a quarter of what it has, and no more than that."""
    regions, share = lands()
    free = kt.Plan(kt.join_regions(regions, kt.Trade()), objective=kt.MinimiseUse("hours")).solve(1e-9)
    assert free.activity["north", "cloth"] == pytest.approx(0.0, abs=1e-6)
    world = kt.join_regions(regions, kt.Trade(home_share={"north": share}))
    assert world.products.tolist()[-1] == ("north", "home share of cloth")
    bound = kt.Plan(world, objective=kt.MinimiseUse("hours")).solve(1e-9)
    made, brought = bound.activity["north", "cloth"], bound.activity["north", "cloth from south"]
    assert made == pytest.approx(0.25 * (made + brought), rel=1e-6)
    assert brought > 1.0
    assert bound.objective > free.objective * 1.01
    closed = kt.join_regions(regions, kt.Trade(home_share=1.0))
    everything = kt.Plan(closed, objective=kt.MinimiseUse("hours")).solve(1e-9)
    alone = kt.Plan(kt.join_regions(regions), objective=kt.MinimiseUse("hours")).solve(1e-9)
    assert everything.objective == pytest.approx(alone.objective, rel=1e-7), "all at home is autarky"
    for wrong, words in (({"north": 1.5}, "'grain' is 1.5, expected <= 1"), ({"east": 0.5}, "'east' is none")):
        with pytest.raises(ProblemError, match=words):
            kt.join_regions(regions, kt.Trade(home_share=wrong))


@pytest.mark.parametrize("freight", [0.0, 0.03])
@pytest.mark.parametrize("seed", range(6))
def test_trade_both_ways_in_the_same_goods_is_certified(seed, freight):
    """Techniques that are cheapest at quoted rents may ship a good there and back; no such circle ends the search."""
    rng = np.random.default_rng(seed)
    products = ["grain", "ore", "steel", "transport"]
    takes = np.array([[0.1, 0.0, 0.02, 0.05], [0.0, 0.05, 0.5, 0.0], [0.05, 0.1, 0.1, 0.1], [0.02, 0.02, 0.03, 0.0]])
    hours = np.array([[2.0, 0.4, 1.0, 0.5], [0.8, 3.0, 1.0, 0.5]])
    if seed:
        takes, hours = takes * rng.uniform(0.5, 1.5, takes.shape), hours * rng.uniform(0.5, 1.5, hours.shape)
    regions = {
        name: kt.Economy.from_arrays(
            input=takes, intensities=[own], demand=[60.0, 0.0, 20.0, 5.0], products=products, indicators=["hours"]
        )
        for name, own in zip(("north", "south"), hours, strict=True)
    }
    need = pd.Series(freight, ["grain", "ore"])
    trade = kt.Trade(
        goods=["grain", "ore"], carrier="transport",
        transport={("north", "south"): need, ("south", "north"): need},
    )  # fmt: skip
    world = kt.join_regions(regions, trade)
    plan = kt.Plan(world, limits={"hours in north": 150.0, "hours in south": 150.0})
    result = plan.solve(1e-9)
    exact = plan.solve(1e-9, method="highs")
    assert result.certified
    assert result.objective == pytest.approx(exact.objective, rel=1e-8)
    shipped = result.activity[result.activity.index.get_level_values(-1).str.contains(" from ")]
    assert shipped.max() < 1e3
