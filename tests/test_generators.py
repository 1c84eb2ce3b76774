"""The exactly lumpable disaggregation: P A = At P, and the aggregate of the product solution is the sector solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.data.datasets import load_economy
from kantor.data.economy import Economy
from kantor.data.generators import expand, lump, sector_sizes, spread, thin
from kantor.errors import OptionError, ProblemError
from kantor.solvers.leontief import solve_leontief


@pytest.fixture(scope="module")
def table() -> Economy:
    """The packaged table of 23 sectors."""
    return load_economy("us_2012")


def adder(eco: Economy) -> sp.csr_array:
    """P (sectors, products): adds up the products of a sector."""
    assert eco.expansion is not None
    n, N = len(eco.expansion.sectors), eco.n_goods
    return sp.csr_array((np.ones(N), (eco.expansion.parent, np.arange(N))), shape=(n, N))


@pytest.mark.parametrize(("cover", "kmax"), [(0.9, 1), (0.9, 2), (1.0, 3)])
def test_expansion_is_lumpable(table: Economy, cover: float, kmax: int) -> None:
    fine, coarse = expand(table, 3000, seed=7, cover=cover, kmax=kmax), thin(table, cover)
    P = adder(fine)
    assert abs(P @ fine.A - coarse.A @ P).max() < 2e-15
    np.testing.assert_allclose(P @ fine.Y.to_numpy(), coarse.Y.to_numpy(), rtol=1e-12)
    np.testing.assert_array_equal(fine.S.to_numpy(), coarse.S.to_numpy()[:, fine.parent])
    np.testing.assert_allclose(P @ fine.x.to_numpy(), coarse.x, rtol=1e-12)
    assert fine.A.has_sorted_indices
    assert fine.A.has_canonical_format
    assert (fine.A.data > 0).all()


def test_aggregate_of_the_solution_is_the_sector_solution(table: Economy) -> None:
    fine, coarse = expand(table, 5000, seed=3), thin(table, 0.9)
    y, Y = fine.demand("total"), coarse.demand("total")
    x = solve_leontief(fine.A, y, tolerance=1e-13, error_bound=False).x
    X = np.linalg.solve(np.eye(23) - coarse.A.toarray(), Y)
    np.testing.assert_allclose(lump(fine, x), X, rtol=1e-11)
    np.testing.assert_allclose(fine.use(x), coarse.use(X), rtol=1e-11)
    # Values: every product has the value of its sector.
    labour, hours = fine.indicator("labour"), coarse.indicator("labour")
    v = solve_leontief(fine.A, labour, transpose=True, tolerance=1e-13, error_bound=False).x
    vt = np.linalg.solve(np.eye(23) - coarse.A.toarray().T, hours)
    np.testing.assert_allclose(v, vt[fine.parent], rtol=1e-11)
    np.testing.assert_allclose(lump(fine, v, prices=True), vt, rtol=1e-11)


def test_physical_units_are_undone_by_lump(table: Economy) -> None:
    fine, plain = expand(table, 1000, seed=3, sigma_units=4.0), expand(table, 1000, seed=3)
    assert np.ptp(np.log10(fine.A.data)) > np.ptp(np.log10(plain.A.data)) + 5
    assert fine.expansion is not None
    assert fine.expansion.unit_scale is not None
    u = fine.expansion.unit_scale
    back = sp.diags_array(1 / u) @ fine.A @ sp.diags_array(u)
    np.testing.assert_allclose(back.toarray(), plain.A.toarray(), rtol=1e-12)
    np.testing.assert_allclose(lump(fine, fine.x), thin(table, 0.9).x, rtol=1e-12)
    np.testing.assert_allclose(lump(fine, fine.base_plan("total")), lump(plain, plain.base_plan("total")), rtol=1e-9)
    np.testing.assert_allclose(fine.use(fine.x), plain.use(plain.x), rtol=1e-12)
    np.testing.assert_allclose(spread(fine, thin(table, 0.9).x), fine.x, rtol=1e-12)


def test_same_seed_same_economy(table: Economy) -> None:
    one, same, other = (expand(table, 500, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.A.indices, same.A.indices)
    np.testing.assert_array_equal(one.A.data, same.A.data)
    np.testing.assert_array_equal(one.Y, same.Y)
    assert one.A.nnz != other.A.nnz or (one.A.data != other.A.data).any()


def test_suppliers_are_drawn_by_their_share(table: Economy) -> None:
    """A large product of a sector supplies more users: the number of them follows its share."""
    fine = expand(table, 4000, seed=11, kmax=1)
    assert fine.expansion is not None
    sector = int(np.argmax(np.bincount(fine.expansion.parent)))
    members = np.flatnonzero(fine.expansion.parent == sector)
    share = fine.expansion.share[members]
    users = np.diff(fine.A.indptr)[members]
    drawn = users.sum() * share
    deviation = (users - drawn) / np.sqrt(np.maximum(drawn * (1 - share), 1.0))
    assert np.abs(deviation).max() < 6
    assert np.corrcoef(users, share)[0, 1] > 0.99


def test_labels_and_parent(table: Economy) -> None:
    fine = expand(table, 200)
    assert isinstance(fine.products, pd.MultiIndex)
    assert fine.products.names == ["sector", "product"]
    assert fine.products[0] == (table.products[0], 0)
    assert fine.products.is_unique
    assert fine.parent is not None
    assert (fine.products.get_level_values(0) == table.products[fine.parent]).all()
    assert fine.parent.dtype == np.int32
    assert fine.indicator("labour").name == "jobs"
    assert fine.is_square
    world = Economy.from_mrio(Z=np.ones((4, 4)), Y=np.full(4, 9.0), regions=["N", "S"], sectors=["a", "b"])
    deep = expand(world, 40, cover=1.0)
    assert deep.products.names == ["region", "sector", "product"]
    assert deep.products[-1][:2] == ("S", "b")


def test_sizes_follow_the_root_of_output() -> None:
    sizes = sector_sizes(np.array([400.0, 100.0, 0.0]), 300)
    assert sizes.tolist() == [200, 100, 1]


def test_thin_keeps_the_largest_inputs_that_cover_the_share() -> None:
    A = np.array([[0.5, 0.10, 0.0], [0.3, 0.10, -0.2], [0.1, 0.05, 0.3]])
    eco = Economy.from_iot(A=A, Y=[1.0, -1.0, 1.0], x=[1.0, 1.0, 1.0], labels=["a", "b", "c"])
    coarse = thin(eco, 0.8)
    np.testing.assert_array_equal(coarse.A.toarray(), [[0.5, 0.10, 0.0], [0.3, 0.10, 0.0], [0.0, 0.0, 0.3]])
    assert coarse.Y.iloc[:, 0].tolist() == [1.0, 0.0, 1.0]
    assert any("1 negative coefficients were set to 0" in note for note in coarse.notes)
    assert any("1 negative final demands were set to 0" in note for note in coarse.notes)
    np.testing.assert_array_equal(thin(eco, 1.0).A.toarray(), np.maximum(A, 0))


def test_published_figures_of_the_united_states() -> None:
    try:
        eco = load_economy("us_useeio_2012_411", technology="domestic")
    except ProblemError as error:
        pytest.skip(str(error))
    coarse = thin(eco, 0.9)
    assert coarse.A.nnz == 16_971
    assert thin(eco, 0.99).A.nnz == 40_023
    assert np.abs(np.linalg.eigvals(coarse.A.toarray())).max() == pytest.approx(0.47479, abs=1e-5)
    X = np.linalg.solve(np.eye(411) - coarse.A.toarray(), coarse.demand("total"))
    assert X.sum() == pytest.approx(27.3342e12, rel=1e-5)
    fine = expand(eco, 10_000, kmax=1)
    assert fine.n_goods == 10_007
    assert fine.A.nnz == 421_089
    assert list(fine.Y.columns) == ["2012_US_Consumption_Domestic", "2012_US_Production_Domestic"]
    np.testing.assert_allclose(lump(fine, fine.base_plan("total")), X, rtol=1e-9, atol=1e-9 * X.max())
    with pytest.raises(ProblemError, match="belongs to technology 'total'"):
        fine.demand("2012_US_Production_Complete")


def test_only_the_total_demand_is_kept_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch, table: Economy) -> None:
    monkeypatch.setattr("kantor.data.generators.MOST_DEMANDS", 1000)
    fine = expand(table, 500)
    assert list(fine.Y.columns) == ["total"]
    np.testing.assert_allclose(lump(fine, fine.demand("total")), thin(table, 0.9).demand("total"), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"products": 10}, "at least 23"),
        ({"products": 100.5}, "whole number"),
        ({"products": 100, "cover": 0.0}, r"cover: 0.0, expected a share in \(0, 1\]"),
        ({"products": 100, "kmax": 0}, "kmax: 0"),
        ({"products": 100, "seed": -1}, "seed: -1"),
        ({"products": 100, "sigma_units": -1.0}, "sigma_units: -1.0"),
    ],
)
def test_impossible_options(table: Economy, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        expand(table, **options)


def test_what_cannot_be_expanded(table: Economy) -> None:
    with pytest.raises(ProblemError, match="1 techniques of 'us_2012' have finite capacities"):
        expand(table.with_capacities({"Electricity": 1.0}), 100)
    joint = Economy.from_arrays([[0.1, 0.2]], [[1.0, 1.0]])
    with pytest.raises(ProblemError, match="is not square"):
        expand(joint, 100)
    with pytest.raises(ProblemError, match="is expanded already"):
        expand(expand(table, 100), 200)
    with pytest.raises(ProblemError, match="was not expanded"):
        lump(table, table.x)
    with pytest.raises(ProblemError, match="no sector has positive output"):
        expand(Economy.from_iot(A=[[0.5]]), 100)


def test_products_keep_the_names_of_their_sectors() -> None:
    names = pd.Series(["Grain mills", "Iron works"], ["grain", "iron"])
    eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], labels=["grain", "iron"], product_names=names)
    fine = expand(eco, products=20, cover=1.0)
    assert fine.readable_names()[("iron", 1)] == "Iron works"
    assert fine.product_names is not None
    assert len(fine.product_names) == fine.n_goods
