"""Analyses against brute force with dense inverses, against pymrio, against published cases, and against identities."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pymrio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kantor as kt
from kantor.data.datasets import data_folder
from kantor.errors import OptionError, ProblemError

CLOSE = {"rtol": 1e-8, "atol": 1e-8}


def world(seed: int = 0, regions: int = 3, sectors: int = 4, stressors: int = 2, signed: bool = False) -> kt.Economy:
    """A random multi-regional table in balance, some flows zero."""
    rng = np.random.default_rng(seed)
    n = regions * sectors
    Z = rng.uniform(0.0, 1.0, (n, n)) * (rng.random((n, n)) < 0.6)
    if signed:
        Z[rng.random((n, n)) < 0.05] *= -0.5
    Y = rng.uniform(0.0, 4.0, (n, 2 * regions))
    names = [f"r{k}" for k in range(regions)], [f"s{k}" for k in range(sectors)]
    x = Z.sum(axis=1) + Y.sum(axis=1)
    F = rng.uniform(0.0, 3.0, (stressors, n))
    return kt.Economy.from_mrio(
        Z=Z, Y=Y, x=x, F=F, regions=names[0], sectors=names[1], demand_categories=["people", "plant"],
        indicators=[f"k{k}" for k in range(stressors)],
    )  # fmt: skip


def inverse(eco: kt.Economy) -> np.ndarray:
    return np.linalg.inv(np.eye(eco.n_goods) - eco.A.toarray())


# ---- contents and footprints -----------------------------------------------------------------------------------------
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_contents_are_those_of_the_inverse_within_their_bounds(seed: int) -> None:
    eco = world(seed, signed=seed % 2 == 1)
    found = kt.contents(eco)
    exact = eco.S.to_numpy() @ inverse(eco)
    np.testing.assert_allclose(found.total, exact, **CLOSE)
    # The reference itself is good to about 1e-14 here.
    assert (np.abs(found.total.to_numpy() - exact) <= found.error_bound.to_numpy() + 1e-13 * np.abs(exact).max()).all()
    assert found.error_bound.to_numpy().max() < 1e-8


def test_contents_have_units_and_published_labour_values(case: Any) -> None:
    facts = case("labour_values_eu_2006")
    inputs = facts["inputs"]
    flows = pd.DataFrame(inputs["flows"], inputs["goods"], inputs["goods"])
    eco = kt.Economy.from_iot(
        Z=flows, x=inputs["output"], F=[inputs["labour"]], Y=np.zeros(5), indicators=["labour"],
        indicator_units=pd.Series({"labour": "million EUR"}), unit="million EUR",
    )  # fmt: skip
    found = kt.contents(eco, "labour")
    np.testing.assert_allclose(found.total.loc["labour"], facts["expected"]["labour_values"], rtol=1e-9)
    assert found.unit["labour"] == "million EUR per million EUR"


def compare_with_pymrio(io: Any, feet: Any, rows: list[int], extension: Any) -> None:
    for name in ("S", "M", "D_cba", "D_pba", "D_imp", "D_exp"):
        theirs = getattr(extension, name)
        ours = getattr(feet, name).iloc[rows]
        assert list(ours.columns) == [tuple(c) for c in theirs.columns], name
        scale = np.abs(theirs.to_numpy()).max(axis=1, keepdims=True)
        np.testing.assert_allclose(ours.to_numpy() / scale, theirs.to_numpy() / scale, rtol=1e-8, atol=1e-10)


def test_footprints_are_those_of_pymrio_on_its_test_system() -> None:
    io = pymrio.load_test().calc_all()
    eco = kt.Economy.from_pymrio(io)
    extensions = list(io.get_extensions(data=True))
    extra = pd.concat([e.F_Y for e in extensions if getattr(e, "F_Y", None) is not None])
    row = 0
    for extension in extensions:
        rows = list(range(row, row + len(extension.S)))
        row += len(rows)
        feet = kt.footprints(eco)
        compare_with_pymrio(io, feet, rows, extension)
        with_people = feet if extension.F_Y is None else kt.footprints(
            eco, list(eco.S.index[rows]), households=extra
        )  # fmt: skip
        own = rows if extension.F_Y is None else list(range(len(rows)))
        for name in ("D_cba_reg", "D_pba_reg", "D_imp_reg", "D_exp_reg"):
            ours, theirs = getattr(with_people, name).iloc[own], getattr(extension, name)
            np.testing.assert_allclose(ours.to_numpy(), theirs[list(ours.columns)].to_numpy(), rtol=1e-8)


def test_footprints_are_those_of_pymrio_on_the_world_table() -> None:
    try:
        data_folder("wiod2013")
    except ProblemError as error:
        pytest.skip(str(error))
    eco = kt.load_economy("wiod2013")
    feet = kt.footprints(eco, ["co2", "employment"])
    A = pd.DataFrame(eco.A.toarray(), eco.products, eco.products)
    Y = eco.final_demand.T.groupby(level=0, sort=False).sum().T
    L = pymrio.calc_L(A)
    S = eco.S.loc[["co2", "employment"]]
    theirs = dict(zip(("D_cba", "D_pba", "D_imp", "D_exp"), pymrio.calc_accounts(S, L, Y), strict=True))
    theirs["M"] = pymrio.calc_M(S, L)
    for name, account in theirs.items():
        ours = getattr(feet, name)
        assert list(ours.columns) == list(account.columns)
        scale = np.abs(account.to_numpy()).max(axis=1, keepdims=True)
        np.testing.assert_allclose(ours.to_numpy() / scale, account.to_numpy() / scale, rtol=1e-8, atol=1e-11)
        bound = feet.error_bound(name).to_numpy()
        assert (np.abs(ours.to_numpy() - account.to_numpy()) <= bound + 1e-12 * scale).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_accounts_agree_with_each_other(seed: int) -> None:
    eco = world(seed)
    feet = kt.footprints(eco)
    np.testing.assert_allclose(feet.D_cba.sum(axis=1), feet.D_pba.sum(axis=1))
    np.testing.assert_allclose(feet.D_imp.sum(axis=1), feet.D_exp.sum(axis=1))
    np.testing.assert_allclose(feet.D_pba.sum(axis=1), eco.use(eco.x))
    np.testing.assert_allclose(feet.D_imp_reg, feet.D_imp.T.groupby(level=0, sort=False).sum().T)
    flows = feet.trade("k0")
    np.testing.assert_allclose(flows.sum(axis=1), feet.D_pba_reg.loc["k0"])
    np.testing.assert_allclose(flows.sum(axis=0), feet.D_cba_reg.loc["k0"])
    # Both ways to the imports: by source region, and by demanded sector.
    np.testing.assert_allclose(feet._at_home_by_source().value, feet._at_home_by_output().value, **CLOSE)


def test_many_indicators_take_the_way_over_outputs() -> None:
    eco = world(5, stressors=9)
    feet = kt.footprints(eco)
    assert len(feet.S) * 3 > feet.D_imp.shape[1]
    few = kt.footprints(eco, "k4")
    np.testing.assert_allclose(feet.D_imp.loc[["k4"]], few.D_imp, **CLOSE)


def test_footprints_of_one_region_and_of_one_category() -> None:
    eco = kt.load_economy("us_2012")
    feet = kt.footprints(eco, ["ghg", "labour"])
    assert feet.D_cba.columns.equals(eco.products)
    np.testing.assert_allclose(feet.D_cba.sum(axis=1), feet.D_pba.sum(axis=1), rtol=1e-9)
    assert not feet.D_imp.to_numpy().any()
    mrio = world(2)
    both = [kt.footprints(mrio, demand=category).D_cba for category in ("people", "plant")]
    np.testing.assert_allclose(both[0] + both[1], kt.footprints(mrio).D_cba)


@pytest.mark.parametrize(
    ("call", "culprit"),
    [
        (lambda eco: kt.footprints(eco, "k7"), "k7"),
        (lambda eco: kt.footprints(eco, ["k0", "k0"]), "twice"),
        (lambda eco: kt.footprints(eco, demand="arms"), "arms"),
        (lambda eco: kt.footprints(eco, households=pd.DataFrame({"r9": [1.0, 2.0]}, ["k0", "k1"])), "r9"),
        (lambda eco: kt.footprints(eco, households=pd.DataFrame({"r1": [1.0, np.nan]}, ["k0", "k1"])), "NaN"),
        (lambda eco: kt.footprints(eco).error_bound("D_net"), "D_net"),
        (lambda eco: kt.extraction(eco, "s9"), "s9"),
        (lambda eco: kt.extraction(eco, []), "empty"),
        (lambda eco: kt.price_model(eco, {"s": 1.0}), "costs"),
        (lambda eco: kt.price_model(eco, "k0", fixed={"no": 1.0}), "no"),
        (lambda eco: kt.structural_paths(eco, "k0", sectors="mars"), "mars"),
        (lambda eco: kt.decompose(eco, world(0, sectors=3)), "label"),
        (lambda eco: kt.decompose(eco, world(0, stressors=1)), "indicators"),
        (lambda eco: kt.contents(eco.replace(intensities=eco.S.iloc[:0], indicator_units=None)), "no indicators"),
    ],
)
def test_wrong_names_are_named(call: Any, culprit: str) -> None:
    with pytest.raises(ProblemError, match=culprit):
        call(world())


@pytest.mark.parametrize(
    "call",
    [
        lambda eco: kt.extraction(eco, "s1", kind="sideways"),
        lambda eco: kt.extraction(eco, "s1", share=0.0),
        lambda eco: kt.structural_paths(eco, "k0", count=0),
        lambda eco: kt.structural_paths(eco, "k0", max_tier=1.5),
        lambda eco: kt.multipliers(eco, income="k0"),
        lambda eco: kt.production_prices(eco, "k0"),
        lambda eco: kt.production_prices(eco, "k0", profit_rate=0.1, wages="never"),
        lambda eco: kt.production_prices(eco, "k0", profit_rate=-0.1),
    ],
)
def test_impossible_options(call: Any) -> None:
    with pytest.raises(OptionError):
        call(world())


# ---- multipliers and linkages ----------------------------------------------------------------------------------------
def test_multipliers_of_both_types() -> None:
    eco = world(3)
    L, S = inverse(eco), eco.S.to_numpy()
    found = kt.multipliers(eco, income="k0", consumption="people")
    np.testing.assert_allclose(found["output", "total"], L.sum(axis=0))
    np.testing.assert_allclose(found["k1", "total"], S[1] @ L)
    np.testing.assert_allclose(found["k1", "ratio"], S[1] @ L / S[1])
    spending = eco.demand("people").to_numpy() / (S[0] @ eco.x.to_numpy())
    closed = np.block([[eco.A.toarray(), spending[:, None]], [S[:1], np.zeros((1, 1))]])
    big = np.linalg.inv(np.eye(eco.n_goods + 1) - closed)[:-1, :-1]
    np.testing.assert_allclose(found["output", "total II"], big.sum(axis=0))
    np.testing.assert_allclose(found["k1", "total II"], S[1] @ big)
    with pytest.raises(ProblemError, match="productive"):
        kt.multipliers(eco.replace(final_demand=eco.final_demand * 40), income="k0", consumption="people")


def test_linkages_against_both_inverses() -> None:
    eco = world(4)
    L, x = inverse(eco), eco.x.to_numpy()
    G = np.linalg.inv(np.eye(eco.n_goods) - eco.A.toarray() * x[None, :] / x[:, None])
    found = kt.linkages(eco)
    np.testing.assert_allclose(found["backward"], L.sum(axis=0))
    np.testing.assert_allclose(found["forward"], G.sum(axis=1))
    np.testing.assert_allclose(found["sensitivity_of_dispersion"], L.sum(axis=1) / L.sum(axis=1).mean())
    assert found["key"].equals((found["power_of_dispersion"] > 1) & (found["forward_index"] > 1))


# ---- extraction ------------------------------------------------------------------------------------------------------
def test_total_extraction_leaves_the_economy_without_the_group() -> None:
    eco = world(6)
    found = kt.extraction(eco, "r1")
    inside = eco.products.get_level_values(0) == "r1"
    A, y = eco.A.toarray(), eco.demand("total").to_numpy()
    rest = np.linalg.solve(np.eye((~inside).sum()) - A[~inside][:, ~inside], y[~inside])
    np.testing.assert_allclose(found.output["after"][~inside], rest)
    assert (found.output["after"][inside] == 0.0).all()
    # One sector: the loss is L[:, k] x_k / L[k, k] (Miller and Blair 2009, chapter 12).
    L = inverse(eco)
    one = kt.extraction(eco, [("r0", "s2")])
    k = eco.products.get_loc(("r0", "s2"))
    np.testing.assert_allclose(one.output["loss"], L[:, k] / L[k, k] * eco.x.to_numpy()[k], atol=1e-9)
    np.testing.assert_allclose(one.use["loss"], eco.S.to_numpy() @ one.output["loss"])
    assert one.loss == pytest.approx(one.output["loss"].sum())
    assert one.loss_elsewhere == pytest.approx(one.loss - eco.x.to_numpy()[k])


@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1.0))
@settings(max_examples=15, deadline=None)
def test_backward_and_forward_extraction_by_brute_force(seed: int, share: float) -> None:
    eco = world(seed)
    n, x, k = eco.n_goods, eco.x.to_numpy(), seed % eco.n_goods
    A = eco.A.toarray()
    left = A.copy()
    left[:, k] *= 1.0 - share
    after = np.linalg.solve(np.eye(n) - left, eco.demand("total").to_numpy())
    label = [eco.products[k]]
    np.testing.assert_allclose(kt.extraction(eco, label, kind="backward", share=share).output["after"], after)
    B = A * x[None, :] / x[:, None]
    v = x - x @ B
    B[k] *= 1.0 - share
    forward = kt.extraction(eco, label, kind="forward", share=share)
    np.testing.assert_allclose(forward.output["after"], np.linalg.solve(np.eye(n) - B.T, v))
    np.testing.assert_allclose(forward.output["before"], x)


def test_ranking_extracts_one_after_another() -> None:
    eco = world(8)
    table = kt.extraction_ranking(eco, ["r0", "r2"])
    assert table.loc["r0", "output"] == pytest.approx(kt.extraction(eco, "r0").loss)
    assert table["output"].is_monotonic_decreasing


# ---- structural paths ------------------------------------------------------------------------------------------------
def all_chains(eco: kt.Economy, tiers: int) -> list[float]:
    """Contributions of every chain up to a length, by enumeration."""
    A, s = eco.A.toarray(), eco.S.to_numpy()[0]
    level = {(i,): f for i, f in enumerate(eco.demand("total").to_numpy())}
    values: list[float] = []
    for _ in range(tiers + 1):
        values += [s[chain[-1]] * flow for chain, flow in level.items()]
        level = {(*c, i): A[i, c[-1]] * flow for c, flow in level.items() for i in range(len(s)) if A[i, c[-1]]}
    return sorted(values, key=abs, reverse=True)


@given(seed=st.integers(0, 10_000), signed=st.booleans())
@settings(max_examples=10, deadline=None)
def test_paths_are_the_largest_of_all_chains(seed: int, signed: bool) -> None:
    eco = world(seed, regions=2, sectors=2, stressors=1, signed=signed)
    found = kt.structural_paths(eco, "k0", count=30, max_tier=4)
    assert found.complete
    np.testing.assert_allclose(found.paths["contribution"].abs(), np.abs(all_chains(eco, 4)[:30]), rtol=1e-12)
    total = float(eco.S.to_numpy()[0] @ inverse(eco) @ eco.demand("total").to_numpy())
    assert found.total == pytest.approx(total)
    assert found.paths["contribution"].sum() + found.remainder == pytest.approx(total)


def test_paths_of_one_product_sum_to_the_footprint() -> None:
    eco = world(1, regions=1, sectors=3, stressors=1)
    eco = eco.replace(input_coefficients=0.3 * eco.A, technologies={})
    found = kt.structural_paths(eco, "k0", sectors=[("r0", "s1")], count=4000)
    expected = kt.contents(eco).total.iloc[0, 1] * eco.demand("total").iloc[1]
    assert found.total == pytest.approx(expected)
    assert abs(found.remainder) < 1e-3 * expected
    assert {path[0] for path in found.paths["sectors"]} == {("r0", "s1")}
    hurried = kt.structural_paths(eco, "k0", count=50, max_nodes=20)
    assert not hurried.complete
    everything = all_chains(eco, 6)
    listed = sorted(hurried.paths["contribution"], reverse=True)
    unlisted = [v for v in everything if not any(np.isclose(v, w, rtol=1e-12) for w in listed)]
    assert unlisted[0] <= hurried.largest_unlisted


# ---- prices ----------------------------------------------------------------------------------------------------------
def test_price_model_of_base_year_prices_is_one_and_fixed_prices_pass_on() -> None:
    eco = world(9)
    added = 1.0 - np.asarray(eco.A.sum(axis=0)).ravel()
    np.testing.assert_allclose(kt.price_model(eco, added).prices, 1.0)
    A, s = eco.A.toarray(), eco.S.to_numpy().sum(axis=0)
    found = kt.price_model(eco, ["k0", "k1"])
    np.testing.assert_allclose(found.prices, np.linalg.solve(np.eye(12) - A.T, s))
    first = eco.products[0]
    given_price = kt.price_model(eco, added, fixed={first: 3.0})
    rest = np.linalg.solve(np.eye(11) - A[1:, 1:].T, added[1:] + 3.0 * A[0, 1:])
    np.testing.assert_allclose(given_price.prices[1:], rest)
    np.testing.assert_allclose(given_price.prices, A.T @ given_price.prices.to_numpy() + given_price.costs)


def test_prices_of_production_by_steedman(case: Any) -> None:
    facts = case("steedman_prices_of_production")
    given_, expected = facts["inputs"], facts["expected"]
    eco = kt.Economy.from_arrays(
        input=np.array(given_["inputs"]).T, output=np.array(given_["outputs"]).T, intensities=[given_["labour"]],
        indicators=["labour"], products=given_["goods"], techniques=["one", "two"],
    )  # fmt: skip
    wage = np.array(given_["wage_basket"]) / given_["wage_basket_labour"]
    found = kt.production_prices(eco, real_wage=wage, numeraire="good 2")
    assert found.profit_rate == pytest.approx(expected["profit_rate"], rel=1e-9)
    np.testing.assert_allclose(found.prices, expected["prices"], rtol=1e-9)
    assert found.wage == pytest.approx(expected["wage"], rel=1e-9)
    again = kt.production_prices(eco, profit_rate=0.2, numeraire="good 2")
    np.testing.assert_allclose(again.prices, expected["prices"], rtol=1e-9)
    assert found.residual < 1e-12


@pytest.mark.parametrize("wages", ["after", "advanced"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_prices_of_production_by_eigenvalues(seed: int, wages: str) -> None:
    rng = np.random.default_rng(seed)
    A, l = rng.uniform(0, 0.2, (4, 4)), rng.uniform(0.1, 1, 4)  # noqa: E741
    b = rng.uniform(0, 0.3, 4)
    eco = kt.Economy.from_iot(A=A, Y=np.ones(4), S=[l], indicators=["labour"])
    found = kt.production_prices(eco, real_wage=b, wages=wages, numeraire=0)
    if wages == "advanced":
        values, vectors = np.linalg.eig((A + np.outer(b, l)).T)
        top = np.argmax(values.real)
        exact, p = 1 / values[top].real - 1, np.abs(vectors[:, top].real)
        np.testing.assert_allclose(found.prices, p / p[0], rtol=1e-9)
    else:
        values = np.linalg.eigvals(np.linalg.solve((np.eye(4) - np.outer(b, l)).T, A.T))
        exact = 1 / values.real.max() - 1
    low, high = found.profit_rate_bounds
    assert found.profit_rate == pytest.approx(exact, rel=1e-10)
    assert low - 1e-14 <= exact <= high + 1e-14
    assert high - low < 1e-9
    assert found.maximum_profit_rate == pytest.approx(1 / np.abs(np.linalg.eigvals(A)).max() - 1)
    p, w, g = found.prices.to_numpy(), found.wage, 1 + found.profit_rate
    cost = g * (p @ A + w * l) if wages == "advanced" else g * (p @ A) + w * l
    np.testing.assert_allclose(p, cost, rtol=1e-9)


def test_prices_of_production_refuse_what_cannot_be() -> None:
    eco = kt.Economy.from_iot(A=[[0.5, 0.1], [0.1, 0.4]], Y=[1.0, 1.0], S=[1.0, 2.0], indicators=["labour"])
    with pytest.raises(ProblemError, match="maximum"):
        kt.production_prices(eco, profit_rate=0.99)
    with pytest.raises(ProblemError, match="real_wage"):
        kt.production_prices(eco, real_wage=[0.5, 0.5])
    with pytest.raises(ProblemError, match="numeraire"):
        kt.production_prices(eco, profit_rate=0.1, numeraire="gold")
    zero = kt.production_prices(eco, profit_rate=0.0)
    np.testing.assert_allclose(zero.prices, kt.values(eco.A, np.array([1.0, 2.0])))


# ---- decomposition ---------------------------------------------------------------------------------------------------
def test_decomposition_is_the_average_over_all_orders() -> None:
    a, b = world(11, stressors=1), world(12, stressors=1)
    parts = {}
    for year, eco in enumerate((a, b)):
        y = eco.demand("total").to_numpy()
        parts[year] = (eco.S.to_numpy()[0], inverse(eco), y / y.sum(), y.sum())
    effects = np.zeros(4)
    for order in permutations(range(4)):
        now = [0, 0, 0, 0]
        for factor in order:
            values = []
            for step in (0, 1):
                now[factor] = step
                s, L, mix, level = (parts[year][k] for k, year in enumerate(now))
                values.append(s @ L @ mix * level)
            effects[factor] += (values[1] - values[0]) / 24
    found = kt.decompose(a, b)
    np.testing.assert_allclose(found.totals.iloc[0][["intensity", "technology", "mix", "level"]], effects)
    assert found.totals.iloc[0]["change"] == pytest.approx(effects.sum())
    np.testing.assert_allclose(found.by_product.sum(), found.totals.iloc[0][2:])
    shuffled = b.replace(
        products=b.products[::-1], techniques=b.products[::-1],
        input_coefficients=b.A[::-1][:, ::-1], technologies={}, product_names=None,
        intensities=b.S.iloc[:, ::-1], final_demand=b.final_demand.iloc[::-1], activity=b.x[::-1], capacities=None,
    )  # fmt: skip
    np.testing.assert_allclose(kt.decompose(a, shuffled).totals, found.totals)
