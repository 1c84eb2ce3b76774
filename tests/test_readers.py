"""Readers: input-output, supply-use, multi-regional tables, pymrio objects, arrays of techniques, files and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.data.checks import check_economy
from kantor.data.datasets import load_economy
from kantor.data.economy import Economy
from kantor.data.generators import expand
from kantor.data.saved import save_economy
from kantor.errors import OptionError, ProblemError

GOODS, BRANCHES = ["food", "tools"], ["farms", "works", "gardens"]


# ---- input-output tables -------------------------------------------------------------------------------------------
def test_iot_flows_and_coefficients_agree(case: Any) -> None:
    flows = case("labour_values_eu_2006")["inputs"]
    eco = Economy.from_iot(flows["flows"], x=flows["output"], F=[flows["labour"]], labels=flows["goods"])
    rounded = case("leontief_eu_2006")["inputs"]
    other = Economy.from_iot(
        A=rounded["A"], Y=rounded["final_demand"]["old"], S=[rounded["labour"]], labels=rounded["goods"]
    )
    np.testing.assert_allclose(eco.A.toarray(), other.A.toarray(), atol=5.1e-5)  # four decimals in the source
    np.testing.assert_allclose(eco.S, other.S, atol=5.1e-5)
    expected = case("leontief_eu_2006")["expected"]
    np.testing.assert_allclose(other.x, expected["gross_output"]["old"], rtol=1e-9)
    np.testing.assert_allclose(
        other.base_plan(rounded["final_demand"]["new"]), expected["gross_output"]["new"], rtol=1e-9
    )
    np.testing.assert_allclose(
        other.base_use(rounded["final_demand"]["new"]), expected["total_labour"]["new"], rtol=1e-9
    )


def test_sectors_without_output_keep_their_labels_and_are_noted() -> None:
    eco = Economy.from_iot(
        Z=[[2.0, 1.0, 5.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        Y=[7.0, 3.0, 0.0],
        x=[10.0, 4.0, 0.0],
        F=[[1.0, 2.0, 8.0]],
        labels=["a", "b", "idle"],
        indicators=["work"],
    )
    assert eco.products.tolist() == ["a", "b", "idle"]
    assert eco.A.toarray()[:, 2].tolist() == [0, 0, 0]
    assert eco.S.loc["work", "idle"] == 0
    notes = "\n".join(eco.notes)
    assert "1 products without positive output: 'idle'" in notes
    assert "inputs of 1 sectors without positive output dropped, 5 in all" in notes
    assert "work of 1 sectors without positive output dropped, 8 in all" in notes


def test_negative_entries_are_kept_and_noted() -> None:
    eco = Economy.from_iot(Z=[[2.0, -1.0], [3.0, 4.0]], Y=[9.0, -1.0], x=[10.0, 10.0], labels=["a", "scrap"])
    assert eco.A.toarray()[0, 1] == -0.1
    assert eco.Y.iloc[1, 0] == -1
    assert any("1 negative input coefficients kept" in note and "'a' in 'scrap'" in note for note in eco.notes)
    assert any("1 negative final demands kept" in note and "'scrap'" in note for note in eco.notes)


def test_sparse_input_stays_sparse() -> None:
    n = 20_000
    A = sp.random_array((n, n), density=1e-4, rng=np.random.default_rng(3), format="csr") * 0.1
    eco = Economy.from_iot(A=A, x=np.ones(n), Y=np.ones(n))
    assert eco.A.nnz == A.nnz
    assert eco.A.indices.dtype == np.int32


# ---- supply-use tables ---------------------------------------------------------------------------------------------
def supply_use() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    use = pd.DataFrame([[10.0, 20.0, 1.0], [15.0, 30.0, 2.0]], GOODS, BRANCHES)
    make = pd.DataFrame([[90.0, 10.0], [0.0, 150.0], [9.0, 1.0]], BRANCHES, GOODS)
    demand = (make.sum() - use.sum(axis=1)).rename("people").to_frame()
    return use, make, demand, pd.DataFrame([[40.0, 60.0, 3.0]], ["hours"], BRANCHES)


def test_sut_joint_production_keeps_the_industries() -> None:
    use, make, demand, factors = supply_use()
    eco = Economy.from_sut(use, make, demand, factors)
    assert eco.techniques.tolist() == BRANCHES
    np.testing.assert_allclose(eco.output_coefficients.toarray()[:, 0], [0.9, 0.1])
    np.testing.assert_allclose(eco.net_output @ eco.x, eco.demand("people"), rtol=1e-14)
    np.testing.assert_allclose(eco.base_plan("people"), eco.x, rtol=1e-12)
    np.testing.assert_allclose(eco.use(eco.x), [103.0])


def test_sut_industry_technology() -> None:
    use, make, demand, factors = supply_use()
    eco = Economy.from_sut(use, make, demand, factors, assumption="industry-technology")
    B, D = use / make.sum(axis=1), make / make.sum()
    np.testing.assert_allclose(eco.A.toarray(), B @ D, rtol=1e-14)
    np.testing.assert_allclose(eco.S, (factors / make.sum(axis=1)) @ D, rtol=1e-14)
    np.testing.assert_allclose(eco.base_plan("people"), make.sum(), rtol=1e-11)


def test_sut_product_technology() -> None:
    use, make, demand, factors = (table.iloc[:, :2] for table in supply_use())
    make, demand = supply_use()[1].iloc[:2], supply_use()[2]
    eco = Economy.from_sut(use, make, demand, factors, assumption="product-technology")
    # Each industry's inputs are those of its products, each made the one way: U = A V', F = S V'.
    np.testing.assert_allclose(eco.A.toarray() @ make.T, use, rtol=1e-13)
    np.testing.assert_allclose(eco.S.to_numpy() @ make.T, factors, rtol=1e-13)
    with pytest.raises(ProblemError, match="as many industries as products, got 3 and 2"):
        Economy.from_sut(*supply_use()[:2], assumption="product-technology")
    make["tools"], make.loc["works", "food"] = 0.0, 5.0
    with pytest.raises(ProblemError, match="no entry for product"):
        Economy.from_sut(use, make, assumption="product-technology")


def test_negative_supply_becomes_an_input() -> None:
    use, make, demand, factors = supply_use()
    make.loc["farms", "tools"] = -10.0
    eco = Economy.from_sut(use, make, demand, factors, x=[80.0, 150.0, 10.0])
    assert eco.output_coefficients.data.min() >= 0
    np.testing.assert_allclose(eco.net_output.toarray(), (make.T.to_numpy() - use.to_numpy()) / [80.0, 150.0, 10.0])
    assert any("1 negative entries of the make table" in note for note in eco.notes)


def test_unknown_assumption() -> None:
    with pytest.raises(OptionError, match="did you mean 'joint'"):
        Economy.from_sut([[1.0]], [[2.0]], assumption="jont")


def test_published_rectangular_choice(case: Any) -> None:
    """The supply-use table of the choice-of-technique case: demand met by activity 1, factors used up exactly."""
    given = case("rcot_base")["inputs"]
    eco = Economy.from_arrays(
        given["use"], np.array(given["make"]).T, intensities=given["factors"], demand=given["final_demand"]
    )
    np.testing.assert_allclose(eco.base_plan("final demand"), [1, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(eco.base_use("final demand"), case("rcot_base")["expected"]["factor_use"], rtol=1e-12)
    np.testing.assert_allclose(np.dot(given["factor_prices"], eco.S) @ np.ones(3), 261.9, rtol=1e-12)


def test_machines_as_techniques(case: Any) -> None:
    """Kantorovich's machines: a technique for each machine group and part."""
    given = case("kantorovich_machines")["inputs"]
    rate = np.array(given["rate"], dtype=float)
    ways = pd.MultiIndex.from_product([given["groups"], given["goods"]])
    eco = Economy.from_arrays(
        np.zeros((2, 6)),
        np.hstack([np.diag(row) for row in rate]),
        intensities=np.kron(np.eye(3), np.ones((1, 2))),
        products=given["goods"],
        techniques=ways,
        indicators=given["groups"],
    )
    split = np.array(case("kantorovich_machines")["expected"]["machine_time"]).ravel()
    np.testing.assert_allclose(eco.net_output @ split, [86.6666666667] * 2, rtol=1e-10)
    np.testing.assert_allclose(eco.use(split), given["machines"])


# ---- pymrio --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["parsed", "calculated", "only A", "only Z"])
def test_pymrio_system(state: str) -> None:
    pymrio = pytest.importorskip("pymrio")
    io = pymrio.load_test()
    if state != "parsed":
        io.calc_all()
    if state == "only A":
        io.Z = None
    if state == "only Z":
        io.A, io.x = None, None
    eco = Economy.from_pymrio(io, aliases={"labour": "Value Added"})
    reference = pymrio.load_test().calc_all()
    assert eco.products.names == ["region", "sector"]
    assert eco.unit == "Mill USD"
    np.testing.assert_allclose(eco.A.toarray(), reference.A, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(eco.x, reference.x.iloc[:, 0], rtol=1e-12)
    np.testing.assert_allclose(eco.base_plan("total"), reference.x.iloc[:, 0], rtol=1e-6)
    assert eco.indicator("labour").name == "Value Added"
    air = eco.indicator("emission_type1 / air")
    np.testing.assert_allclose(air, reference.emissions.S.iloc[0], rtol=1e-12)
    assert eco.indicator_units is not None
    assert eco.indicator_units["emission_type1 / air"] == "kg"
    np.testing.assert_allclose(eco.demand("reg1").sum(), reference.Y["reg1"].to_numpy().sum(), rtol=1e-12)
    report = check_economy(eco)
    assert report.ok
    assert report.radius is not None
    assert report.radius[0] <= 0.2015
    assert 0.2013 <= report.radius[1] < 1


def test_pymrio_system_without_tables() -> None:
    class Empty:
        Z = A = Y = None

    with pytest.raises(ProblemError, match="neither Z nor A"):
        Economy.from_pymrio(Empty())


# ---- files ---------------------------------------------------------------------------------------------------------
def write_folder(folder: Path, text: str, **tables: pd.DataFrame) -> Path:
    folder.mkdir()
    (folder / "economy.toml").write_text(text)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv")
    return folder


def test_folder_with_supply_use_table(tmp_path: Path) -> None:
    use, make, demand, factors = supply_use()
    text = """
        kind = "sut"
        name = "two goods"
        year = 2020
        unit = "t"
        [tables]
        U = "U.csv"
        V = "V.csv"
        Y = "Y.csv"
        F = "F.csv"
        [aliases]
        labour = "hours"
        [indicator_units]
        hours = "h"
    """
    folder = write_folder(tmp_path / "sut", text, U=use, V=make, Y=demand, F=factors)
    eco = load_economy(folder)
    assert (eco.name, eco.year, eco.unit) == ("two goods", 2020, "t")
    np.testing.assert_allclose(eco.indicator("labour"), [0.4, 0.4, 0.3])
    assert len(eco.sources) == 5
    assert all(len(source.sha256) == 64 for source in eco.sources)
    assert load_economy(folder, assumption="industry-technology").is_square
    assert load_economy(folder / "economy.toml").n_techniques == 3


def test_folder_with_regions_technologies_and_sparse_matrix(tmp_path: Path) -> None:
    labels = pd.MultiIndex.from_product([["N", "S"], ["100", "200"]], names=["region", "sector"])
    A = sp.csr_array(np.array([[0.1, 0.0, 0.2, 0.0], [0.0, 0.3, 0.0, 0.0], [0.0, 0.1, 0.0, 0.1], [0.0, 0.0, 0.0, 0.2]]))
    Y = pd.DataFrame(np.arange(8.0).reshape(4, 2) + 1, labels, pd.MultiIndex.from_product([["N", "S"], ["use"]]))
    text = """
        kind = "mrio"
        technology = "all"
        [tables]
        Y = "Y.csv"
        products = "sectors.csv"
        [technologies]
        all = "A.npz"
        half = "half.npz"
    """
    folder = write_folder(tmp_path / "mrio", text, Y=Y)
    (folder / "sectors.csv").write_text(
        "region,sector,name\nN,100,north a\nN,200,north b\nS,100,south a\nS,200,south b\n"
    )
    sp.save_npz(folder / "A.npz", A)
    sp.save_npz(folder / "half.npz", A * 0.5)
    eco = load_economy(folder, technology="half")
    assert eco.products.tolist()[:2] == [("N", "100"), ("N", "200")]
    np.testing.assert_allclose(eco.A.toarray(), A.toarray() * 0.5)
    assert eco.readable_names().tolist()[1] == "north b"
    np.testing.assert_allclose(eco.demand("S"), [2, 4, 6, 8])


def test_one_square_table(tmp_path: Path) -> None:
    A = pd.DataFrame([[0.1, 0.2], [0.3, 0.1]], ["10", "20"], ["10", "20"])
    A.to_csv(tmp_path / "A.csv")
    A.to_parquet(tmp_path / "A.parquet")
    A.rename_axis("code").reset_index().to_parquet(tmp_path / "flat.parquet", index=False)
    (pd.Series([7.0, 8.0], ["20", "10"], name="y")).to_frame().to_csv(tmp_path / "y.csv")
    for name in ("A.csv", "A.parquet", "flat.parquet"):
        eco = load_economy(tmp_path / name, table="A", demand=tmp_path / "y.csv", unit="t")
        assert eco.products.tolist() == ["10", "20"]
        assert eco.demand("y").tolist() == [8, 7]
        assert [Path(source.path).name for source in eco.sources] == [name, "y.csv"]
    assert load_economy(tmp_path / "A.csv", table="A").final_demand.shape == (2, 0)
    with pytest.raises(OptionError, match="--table A on the command line"):
        load_economy(tmp_path / "A.csv")
    with pytest.raises(OptionError, match="unknown option 'demnd'; did you mean 'demand'"):
        load_economy(tmp_path / "A.csv", table="A", demnd="y.csv")
    with pytest.raises(ProblemError, match="need final demand Y or gross output"):
        load_economy(tmp_path / "A.csv", table="Z")


def same(one: Economy, other: Economy) -> None:
    """Every field equal to the last bit."""
    pd.testing.assert_index_equal(one.products, other.products, exact="equiv")
    pd.testing.assert_index_equal(one.techniques, other.techniques, exact="equiv")
    pd.testing.assert_index_equal(one.Y.columns, other.Y.columns, exact="equiv")
    pd.testing.assert_index_equal(one.S.index, other.S.index, exact="equiv", check_names=False)
    pairs = [(getattr(one, k), getattr(other, k)) for k in ("input_coefficients", "output_coefficients")]
    pairs += [(one.technologies[k], other.technologies[k]) for k in one.technologies]
    for a, b in pairs:
        assert abs(a - b).nnz == 0
    for key in ("intensities", "final_demand", "activity", "capacities"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    for key in ("name", "year", "aliases", "technology", "demand_technology", "total_categories", "licence", "notes"):
        assert getattr(one, key) == getattr(other, key), key
    assert list(one.technologies) == list(other.technologies) or set(one.technologies) == set(other.technologies)
    if isinstance(one.unit, str):
        assert one.unit == other.unit
    else:
        assert list(one.unit) == list(other.unit)
    assert list(one.indicator_units) == list(other.indicator_units)  # type: ignore[call-overload]
    assert one.readable_names().tolist() == other.readable_names().tolist()


def test_save_and_load_give_identical_values(tmp_path: Path) -> None:
    use, make, demand, factors = supply_use()
    joint = Economy.from_sut(use / 3, make / 7, demand, factors).with_capacities({"works": 1 / 3})
    units = pd.Series(["t", "piece"], GOODS)
    square = Economy.from_iot(
        A=use.iloc[:, :2].set_axis(GOODS, axis=1) / 300, Y=demand, unit=units, product_names=units
    )
    square = square.replace(
        technologies={"half": square.A * 0.5}, technology="full", demand_technology={"people": "full"}
    )
    regions = Economy.from_mrio(
        Z=np.ones((4, 4)), Y=np.ones((4, 2)), regions=["N", "S"], sectors=[1, 2], demand_categories=["all"]
    )
    fine = expand(Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], F=[[1.0, 2.0]]), 100, sigma_units=2.0)
    for number, eco in enumerate((joint, square, regions, fine)):
        path = save_economy(eco, tmp_path / f"economy {number}")
        again = load_economy(path)
        same(eco, again)
        assert again.sources
        if eco.expansion is not None:
            assert again.expansion is not None
            np.testing.assert_array_equal(eco.expansion.share, again.expansion.share)
            np.testing.assert_array_equal(eco.expansion.unit_scale, again.expansion.unit_scale)
            np.testing.assert_array_equal(eco.expansion.parent, again.expansion.parent)


def test_save_refuses_to_replace_and_leaves_nothing_behind(tmp_path: Path) -> None:
    eco = Economy.from_iot(A=[[0.5]], Y=[1.0])
    save_economy(eco, tmp_path / "eco")
    with pytest.raises(ProblemError, match="exists already"):
        save_economy(eco, tmp_path / "eco")
    save_economy(eco.replace(name="second"), tmp_path / "eco", overwrite=True)
    assert load_economy(tmp_path / "eco").name == "second"
    (tmp_path / "other").mkdir()
    with pytest.raises(ProblemError, match="is no saved economy"):
        save_economy(eco, tmp_path / "other", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ProblemError, match="cannot be written"):
        save_economy(eco, tmp_path / "file" / "eco")
    bad = Economy.from_iot(A=[[0.5]], Y=[1.0], labels=[1.5])
    with pytest.raises(ProblemError, match="label"):
        save_economy(bad.replace(final_demand=pd.DataFrame({2.5: [1.0]}, bad.products)), tmp_path / "bad")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eco", "file", "other"]
    assert json.loads((tmp_path / "eco" / "economy.json").read_text())["kind"] == "economy"
