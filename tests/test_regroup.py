"""Aggregation, splitting and expansion undo each other and keep what must be kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kantor as kt
from kantor.data.generators import thin
from kantor.errors import ProblemError


def table(seed: int, n: int = 4) -> kt.Economy:
    rng = np.random.default_rng(seed)
    Z, Y = rng.uniform(0, 2, (n, n)), rng.uniform(1, 5, (n, 2))
    return kt.Economy.from_iot(
        Z=Z, Y=Y, F=rng.uniform(0, 3, (2, n)), labels=[f"s{k}" for k in range(n)], indicators=["hours", "co2"],
        categories=["people", "plant"],
    )  # fmt: skip


def same(a: kt.Economy, b: kt.Economy, rtol: float = 1e-10) -> None:
    assert a.products.equals(b.products)
    np.testing.assert_allclose(a.A.toarray(), b.A.toarray(), rtol=rtol, atol=1e-13)
    np.testing.assert_allclose(a.S, b.S, rtol=rtol)
    np.testing.assert_allclose(a.Y, b.Y, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(a.x, b.x, rtol=rtol)


@given(seed=st.integers(0, 1000), sigma=st.sampled_from([0.0, 2.0]), kmax=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_aggregate_undoes_expand(seed: int, sigma: float, kmax: int) -> None:
    eco = table(seed)
    fine = kt.expand(eco, products=60, seed=seed, cover=0.9, kmax=kmax, sigma_units=sigma)
    same(fine.aggregate(), thin(eco, 0.9))


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_jitter_keeps_the_base_year_and_nothing_else(sigma: float) -> None:
    eco = table(3)
    options: dict[str, Any] = {"products": 80, "seed": 5, "cover": 1.0, "sigma_units": sigma}
    plain, fine = kt.expand(eco, **options), kt.expand(eco, **options, jitter=0.4)
    same(fine.aggregate(), thin(eco, 1.0))
    again = kt.expand(eco, **options, jitter=0.4)
    np.testing.assert_array_equal(fine.A.data, again.A.data)
    assert not np.allclose(fine.A.data, plain.A.data)
    one = kt.contents(plain).total.loc["co2"] * (plain.expansion.unit_scale if sigma else 1.0)
    other = kt.contents(fine).total.loc["co2"] * (fine.expansion.unit_scale if sigma else 1.0)
    assert one.groupby(level=0).std().max() < 1e-10  # products of a sector embody the same
    assert other.groupby(level=0).std().min() > 1e-3  # and here they do not
    with pytest.raises(kt.errors.OptionError, match="jitter"):
        kt.expand(eco, products=80, jitter=-1.0)


@given(seed=st.integers(0, 1000), shares=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_aggregate_undoes_split_and_the_split_is_in_balance(seed: int, shares: list[float]) -> None:
    eco, names = table(seed), [f"part {k}" for k in range(len(shares))]
    rng = np.random.default_rng(seed)
    known = {
        "inputs": pd.DataFrame(rng.uniform(0.5, 2, (3, len(names))), ["s0", "s1", "s2"], names),
        "uses": pd.DataFrame(rng.uniform(0.5, 2, (len(names), 3)), names, ["s0", "s1", "people"]),
        "intensities": pd.DataFrame(rng.uniform(0.5, 2, (1, len(names))), ["co2"], names),
    }
    for options in ({}, known):
        fine = eco.split("s1", dict(zip(names, shares, strict=True)), **options)
        sales = fine.A @ fine.x.to_numpy() + fine.Y.sum(axis=1).to_numpy()
        np.testing.assert_allclose(sales, fine.x)
        np.testing.assert_allclose(fine.x[names] / eco.x["s1"], np.array(shares) / sum(shares))
        back = fine.aggregate({label: "s1" if label in names else label for label in fine.products})
        same(back, eco, 1e-8)
    if len(names) > 1:
        assert fine.indicator("co2")[names].nunique() == len(names)


def test_levels_and_functions_name_groups() -> None:
    rng = np.random.default_rng(0)
    eco = kt.Economy.from_mrio(
        Z=rng.uniform(0, 1, (6, 6)), Y=rng.uniform(1, 3, (6, 2)), F=rng.uniform(1, 2, (1, 6)),
        regions=["N", "S"], sectors=["a", "b", "c"], demand_categories=["use"], indicators=["co2"],
    )  # fmt: skip
    world = eco.aggregate("sector")
    assert list(world.products) == ["a", "b", "c"]
    np.testing.assert_allclose(world.use(world.x), eco.use(eco.x))
    fewer = eco.aggregate({"sector": {"a": "ab", "b": "ab"}})
    assert list(fewer.products) == [("N", "ab"), ("N", "c"), ("S", "ab"), ("S", "c")]
    assert fewer.products.names == ["region", "sector"]
    same(fewer, eco.aggregate(lambda label: (label[0], "c" if label[1] == "c" else "ab")))
    np.testing.assert_allclose(fewer.base_plan("total"), fewer.x)
    np.testing.assert_allclose(kt.footprints(fewer).D_pba_reg, kt.footprints(eco).D_pba_reg)


def test_joint_production_keeps_its_techniques() -> None:
    eco = kt.Economy.from_sut(
        U=[[5.0, 1.0], [2.0, 10.0], [1.0, 1.0]], V=[[6.0, 1.0, 3.0], [3.0, 12.0, 1.0]], Y=[3.0, 1.0, 2.0],
        products=["p", "q", "r"], industries=["i", "j"],
    )  # fmt: skip
    small = eco.aggregate({"p": "pq", "q": "pq", "r": "r"})
    np.testing.assert_allclose(small.gross_output, [22.0, 4.0])
    one = eco.aggregate({"p": "pq", "q": "pq", "r": "r"}, techniques=lambda label: "all")
    assert one.A.shape == (2, 1)
    np.testing.assert_allclose(one.A @ one.x.to_numpy(), small.A @ small.x.to_numpy())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda eco: eco.aggregate(), "not expanded"),
        (lambda eco: eco.aggregate({"s0": "x", "s1": "x"}), "s2"),
        (lambda eco: eco.aggregate({**dict.fromkeys(eco.products, "x"), "s9": "y"}), "s9"),
        (lambda eco: eco.aggregate({**dict.fromkeys(eco.products, "x"), "s1": None}), "s1"),
        (lambda eco: eco.aggregate("region"), "region"),
        (lambda eco: eco.aggregate(3), "int"),
        (lambda eco: eco.replace(unit=pd.Series(["t", "kg", "t", "t"], eco.products)).aggregate(lambda _: "x"), "kg"),
        (lambda eco: eco.split("s9", {"a": 1.0}), "s9"),
        (lambda eco: eco.split("s1", {"a": 1.0, "b": 0.0}), "positive"),
        (lambda eco: eco.split("s1", {"a": 1.0, "s2": 1.0}), "s2"),
        (lambda eco: eco.split("s1", {"a": 1.0}, inputs=pd.DataFrame({"a": [1.0]}, ["s9"])), "s9"),
        (lambda eco: eco.split("s1", {"a": 1.0}, uses=pd.DataFrame({"s1": [np.nan]}, ["a"])), "uses"),
    ],
)
def test_what_cannot_be_regrouped_is_named(call: Any, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        call(table(0))
