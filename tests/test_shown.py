"""How results show themselves: data frames, notebooks, figures. Figures are read back from what was drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import OptionError, ProblemError
from kantor.planning.result import PlanResult

plt = pytest.importorskip("matplotlib.pyplot", reason="needs matplotlib")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def harmony() -> PlanResult:
    limits = {"labour": "102%", "ghg": "-5%"}
    return kt.Plan(kt.load_economy("us_2012"), objective=kt.Harmony(), limits=limits).solve()


@pytest.fixture(scope="module")
def three_years() -> PlanResult:
    horizon = kt.Horizon(years=3, growth=0.02, rise=0.03)
    limits = {"labour": "102%", "ghg": kt.Limit(at_most="-5%", over="total")}
    return kt.Plan(kt.load_economy("us_2012"), limits=limits, horizon=horizon).solve(tolerance=1e-5)


def test_frames_hold_what_the_result_holds(harmony: PlanResult) -> None:
    products = harmony.to_frame()
    assert products["consumption"].tolist() == harmony.consumption.tolist()
    assert products["price"].tolist() == harmony.prices.tolist()
    np.testing.assert_allclose(products["share"], harmony.consumption / harmony.targets)
    assert harmony.to_frame("activity")["activity"].tolist() == harmony.activity.tolist()
    assert harmony.to_frame("limits").loc["ghg", "rent"] == harmony.rents["ghg"]
    pd.testing.assert_frame_equal(harmony.to_frame("bottlenecks"), harmony.bottlenecks())
    with pytest.raises(OptionError, match="did you mean 'products'"):
        harmony.to_frame("product")


def test_frame_of_several_years_keeps_its_levels(three_years: PlanResult) -> None:
    frame = three_years.to_frame()
    assert frame.index.equals(three_years.prices.index)
    assert frame.xs(2014, level="year")["target"].sum() == pytest.approx(
        1.02 * frame.xs(2013, level="year")["target"].sum()
    )


def test_notebook_shows_the_proof_and_escapes(harmony: PlanResult) -> None:
    text = harmony._repr_html_()
    assert f"{harmony.lower_bound:.12g}" in text
    assert "ghg" in text
    assert "8 largest targets of 23 products" in text
    labels = ["<script>alert(1)</script>", "b"]
    economy = kt.Economy.from_arrays(input=[[0.0, 0.5], [0.0, 0.0]], intensities=[[2.0, 1.0]], demand=[4.0, 10.0],
                                     products=labels, indicators=["hours"])  # fmt: skip
    assert "<script>" not in kt.Plan(economy, limits={"hours": 28.0}).solve()._repr_html_()


def test_bottlenecks_and_fulfilment(harmony: PlanResult) -> None:
    bars = harmony.plot.bottlenecks().patches
    found = harmony.bottlenecks()["one_more_percent"].tolist()
    assert [bar.get_width() for bar in bars] == pytest.approx(found[::-1])
    shares = [bar.get_width() for bar in harmony.plot.fulfilment(most=100).patches]
    assert shares == pytest.approx(sorted(100 * harmony.consumption / harmony.targets))


def test_prices_against_values(harmony: PlanResult) -> None:
    axes = harmony.plot.prices(by="labour")
    points = np.asarray(axes.collections[0].get_offsets())
    assert points[:, 1] == pytest.approx(harmony.normalised_prices().to_numpy())
    labour = harmony.contents(["labour"]).iloc[:, 1].to_numpy(float)
    assert points[:, 0] / points[0, 0] == pytest.approx(labour / labour[0])
    assert harmony.targets.to_numpy() @ points[:, 0] == pytest.approx(harmony.targets.sum())
    with pytest.raises(ProblemError, match="labur"):
        harmony.plot.prices(by="labur")


def test_prices_of_a_loaded_plan(harmony: PlanResult, tmp_path: Path) -> None:
    loaded = kt.load_plan(harmony.save(tmp_path / "plan"))
    drawn, again = (np.asarray(r.plot.prices().collections[0].get_offsets()) for r in (harmony, loaded))
    np.testing.assert_allclose(drawn, again, rtol=1e-12)


def test_years_and_convergence(three_years: PlanResult) -> None:
    axes = three_years.plot.years()
    assert [line.get_label() for line in axes.lines] == ["labour"]
    use = three_years.use
    expected = [100 * use.loc[f"labour {y}", "share"] for y in (2013, 2014, 2015)]
    assert axes.lines[0].get_ydata() == pytest.approx(expected)
    drawn = three_years.plot.convergence().lines[0].get_ydata()
    kept = [p["primal_residual"] for p in three_years.info.history if p["primal_residual"] > 0]
    assert list(drawn) == pytest.approx(kept)
    with pytest.raises(ProblemError, match="co2 2013"):
        three_years.plot.years("co2")


def test_what_a_plan_has_not_is_said(harmony: PlanResult) -> None:
    for draw, words in ((harmony.plot.years, "one year"), (harmony.plot.trade, "no regions")):
        with pytest.raises(ProblemError, match=words):
            draw()


def test_trade_between_two_regions() -> None:
    """The south lacks iron's ore and buys it: one flow, and nothing the other way."""
    make = lambda ore: kt.Economy.from_arrays(  # noqa: E731
        input=[[0.0, 0.5], [0.0, 0.0]], intensities=[[ore, 1.0]], demand=[0.0, 10.0],
        products=["ore", "iron"], indicators=["hours"], name="region")  # fmt: skip
    world = kt.join_regions(
        {"north": make(1.0), "south": make(9.0)}, kt.Trade(goods=["ore"], pairs=[("north", "south")])
    )
    result = kt.Plan(world, limits={"hours": 100.0}).solve()
    image = result.plot.trade().images[0].get_array()
    assert np.isfinite(image[0, 1])
    assert not np.isfinite(np.ma.filled(image[1, 0], np.nan))
    iron = result.consumption.to_dict()[("south", "iron")]
    scale = result.targets.sum() / (result.prices @ result.targets)
    price = result.prices.to_dict()[("north", "ore")] * scale
    assert 10 ** image[0, 1] == pytest.approx(0.5 * iron * price, rel=1e-4)


def test_frontier(harmony: PlanResult) -> None:
    plan = kt.Plan(kt.load_economy("eu_2006"), limits={"labour": "110%"})
    table = kt.frontier(plan, [kt.MaxScale(), kt.MinimiseUse("labour")], points=3)
    axes = harmony.plot.frontier(table)
    x, y = axes.lines[0].get_data()
    assert list(x) == sorted(table["2 minimise-use"])
    assert sorted(y) == pytest.approx(sorted(table["1 max-scale"]))
    assert re.match("2 minimise-use", axes.get_xlabel())
