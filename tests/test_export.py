"""A plan's tables in other forms, the planned year as a pymrio system, and the commands template and export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import MissingPackage, OptionError, ProblemError
from villages import kantor, refused

TEXT = """\
factor labour [hours]
technique mining: 1 labour -> 4 coal [t]
technique smelting: 2 coal + 1 labour -> 5 iron [t], capacity 3
technique "smelting (old)": 3 coal + 2 labour -> 5 iron
target 10 iron + 2 coal
limit labour <= 100
"""


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario of a text, and its plan."""
    folder = tmp_path_factory.mktemp("village")
    (folder / "village.txt").write_text(TEXT)
    (folder / "s.toml").write_text('[economy]\nsource = "village.txt"\n')
    assert kantor("plan", folder / "s.toml", "-o", folder / "plan").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def result(village: Path) -> kt.Plan:
    return kt.Plan(kt.read_economy(village / "village.txt")).solve()


def test_tables_hold_the_plan_in_every_form(result, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    xarray = pytest.importorskip("xarray")
    exact = {"float_precision": "round_trip"}
    products = {"csv": pd.read_csv(result.export(tmp_path / "csv") / "products.csv", **exact)}
    products["parquet"] = pd.read_parquet(result.export(tmp_path / "pq", format="parquet") / "products.parquet")
    products["excel"] = pd.read_excel(result.export(tmp_path / "t.xlsx"), sheet_name="products")
    for table in products.values():
        assert table["product"].tolist() == ["coal", "iron"]
        assert table["unit"].tolist() == ["t", "t"]
        digits = 1e-15 if table is products["excel"] else 0.0  # a workbook's reader rounds the last digit
        np.testing.assert_allclose(table["price"], result.prices, rtol=digits)
        np.testing.assert_allclose(table["consumption"], result.consumption, rtol=digits)
    activity = pd.read_csv(tmp_path / "csv" / "activity.csv")
    assert activity["technique"].tolist() == ["mining", "smelting", "smelting (old)"]
    assert activity["capacity"].isna().tolist() == [True, False, True]
    with xarray.open_dataset(result.export(tmp_path / "t.nc")) as data:
        assert data["activity"].sel(technique="mining").item() == result.activity["mining"]
        assert data["activity"].attrs["units"] == "t"
        assert data["rent"].sel(limit="labour").item() == result.rents["labour"]
        assert data.attrs["status"] == "optimal"
        assert data["capacity"].to_numpy().tolist() == [np.inf, 3.0, np.inf]
    summary = dict(pd.read_csv(tmp_path / "csv" / "plan.csv", **exact).itertuples(index=False))
    assert float(summary["value"]) == result.objective
    assert summary["certified"] == "yes"


def test_years_keep_their_levels(tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    eco = kt.load_economy("eu_2006")
    result = kt.Plan(eco, limits={"labour": "90%"}, horizon=kt.Horizon(years=2, first=2027)).solve()
    table = pd.read_csv(result.export(tmp_path / "t") / "activity.csv")
    assert table["year"].tolist() == [2027] * 5 + [2028] * 5
    assert result.to_xarray()["technique_year"].to_numpy().tolist() == [2027] * 5 + [2028] * 5


def test_levels_of_labels_called_like_columns_are_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    labels = pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")], names=["unit", "price"])
    eco = kt.Economy.from_iot(
        A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], labels=labels, S=[[1.0, 2.0]], indicators=["h"]
    )
    result = kt.Plan(eco, limits={"h": "90%"}).solve()
    table = pd.read_csv(result.export(tmp_path / "t") / "products.csv")
    assert table.columns.tolist()[:2] == ["product unit", "product price"]
    assert table["product unit"].tolist() == ["a", "b"]
    assert table["price"].tolist() == pytest.approx(result.prices.tolist())
    data = result.to_xarray()
    assert data["product_product_unit"].to_numpy().tolist() == ["a", "b"]


def test_exports_that_cannot_be_are_refused(result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result.export(tmp_path / "t")
    with pytest.raises(ProblemError, match="exists already"):
        result.export(tmp_path / "t")
    result.export(tmp_path / "t", overwrite=True)
    (tmp_path / "t" / "mine.txt").write_text("mine")
    with pytest.raises(ProblemError, match="holds more"):
        result.export(tmp_path / "t", overwrite=True)
    with pytest.raises(OptionError, match="did you mean 'excel'"):
        result.export(tmp_path / "u", format="exel")
    with pytest.raises(ProblemError, match="several tables"):
        result.export(tmp_path / "u.csv")
    for name in ("out.json", "out.xls", "out.mps"):
        with pytest.raises(ProblemError, match=r"end in \.xlsx or \.nc, or name a folder"):
            result.export(tmp_path / name)
        assert not (tmp_path / name).exists()
    assert result.export(tmp_path / "plan.2026").is_dir()
    with pytest.raises(ProblemError, match=r"ending in \.nc"):
        result.export(tmp_path / "u", format="netcdf")
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(MissingPackage, match=r"pip install 'kantor\[io\]'"):
        result.export(tmp_path / "u.nc")


# ---- pymrio ----------------------------------------------------------------------------------------------------------
def check_identities(io, result, q: np.ndarray) -> None:
    np.testing.assert_allclose(io.x.iloc[:, 0], q, rtol=1e-12, atol=1e-12 * q.max())
    np.testing.assert_allclose(io.Z.sum(axis=1) + io.Y.sum(axis=1), q, rtol=1e-9, atol=1e-9 * q.max())
    use = result.activity.to_numpy() @ result.plan.economy.intensities.to_numpy().T
    np.testing.assert_allclose(io.resources.F.sum(axis=1), use, rtol=1e-9)


def test_the_planned_year_is_a_system_whose_identities_hold(result) -> None:
    pytest.importorskip("pymrio")
    io = result.to_pymrio()
    check_identities(io, result, result.plan.economy.output_coefficients @ result.activity.to_numpy())
    io.calc_all()
    ours = kt.contents(kt.Economy.from_pymrio(io))
    np.testing.assert_allclose(io.resources.M.to_numpy(), ours.total.to_numpy(), rtol=1e-9)
    # both ways of smelting run, and the column of iron is their mixture
    x = result.activity
    assert io.Z.loc[("village", "coal"), ("village", "iron")] == pytest.approx(
        2 * x["smelting"] + 3 * x["smelting (old)"]
    )
    assert io.unit["unit"].tolist() == ["t", "t"]


def test_multipliers_of_a_square_plan_are_those_of_its_economy() -> None:
    pytest.importorskip("pymrio")
    eco = kt.load_economy("us_2012")
    result = kt.Plan(eco, limits={"ghg": "-5%"}).solve()
    io = result.to_pymrio()
    check_identities(io, result, result.activity.to_numpy())
    io.calc_all()
    ours = kt.contents(eco).total
    np.testing.assert_allclose(io.resources.M.to_numpy(), ours.to_numpy(), rtol=1e-8)


def test_one_year_of_several_and_joint_production() -> None:
    pytest.importorskip("pymrio")
    eco = kt.load_economy("eu_2006")
    result = kt.Plan(eco, limits={"labour": "90%"}, horizon=kt.Horizon(years=2, first=2027, growth=0.1)).solve()
    io = result.to_pymrio(year=2028)
    x = np.array([result.activity[(2028, "run", name)] for name in eco.techniques])
    np.testing.assert_allclose(io.x.iloc[:, 0], x)
    np.testing.assert_allclose(io.Z.sum(axis=1) + io.Y.sum(axis=1), x, rtol=1e-9)
    with pytest.raises(OptionError, match="2027, 2028"):
        result.to_pymrio(year=2026)
    joint = kt.Economy.from_sut(
        [[2.0, 1.0], [1.0, 3.0]], [[8.0, 2.0], [0.0, 10.0]], [4.0, 7.0], [[5.0, 6.0]], unit="USD"
    )
    io = (made := kt.Plan(joint, limits={"resource 1": 20.0}).solve()).to_pymrio()
    check_identities(io, made, joint.output_coefficients @ made.activity.to_numpy())
    mixed = kt.Plan(joint.replace(unit=pd.Series(["t", "kWh"], joint.products)), limits={"resource 1": 20.0}).solve()
    with pytest.raises(ProblemError, match="needs one unit"):
        mixed.to_pymrio()


# ---- the commands ----------------------------------------------------------------------------------------------------
def test_export_writes_tables_and_models(village: Path, tmp_path: Path) -> None:
    said = kantor("export", village / "plan", "-o", tmp_path / "t", "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["format"] == "csv"
    assert (tmp_path / "t" / "products.csv").is_file()
    model = kantor("export", village / "plan", "-o", tmp_path / "m.lp", "--json")
    facts = json.loads(model.stdout)
    assert (facts["rows"], facts["columns"]) == (3, 4)
    assert Path(facts["names"]).is_file()
    assert "smelting_old_" in (tmp_path / "m.lp").read_text()
    again = kantor("export", village / "s.toml", "-o", tmp_path / "m.mps")
    assert again.exit_code == 0
    best = kt.load_plan(village / "plan").objective
    assert kt.solve_lp(kt.read_mps(tmp_path / "m.mps")).objective == pytest.approx(best, rel=1e-9)
    refused(["export", village / "plan", "-o", tmp_path / "m.mps"], "exists already")
    assert kantor("export", village / "plan", "-o", tmp_path / "m.mps", "--force").exit_code == 0
    refused(["export", village / "plan", "-o", tmp_path / "n.mps", "--format", "csv"], "--format csv")
    refused(["export", tmp_path, "-o", tmp_path / "n.xlsx"], "no plan folder")


def test_a_plan_made_in_python_has_no_scenario_to_build_a_model_from(result, tmp_path: Path) -> None:
    result.save(tmp_path / "plan")
    refused(["export", tmp_path / "plan", "-o", tmp_path / "m.mps"], "Plan.write_mps")
    assert kantor("export", tmp_path / "plan", "-o", tmp_path / "t").exit_code == 0
    with pytest.raises(ProblemError, match="without its economy"):
        kt.load_plan(tmp_path / "plan").to_pymrio()


def test_template_is_planned_and_its_slips_are_named(tmp_path: Path) -> None:
    assert kantor("template", tmp_path / "village").exit_code == 0
    assert json.loads(kantor("template", tmp_path / "v.txt", "--empty", "--json").stdout)["empty"] is True
    refused(["template", tmp_path / "village"], "exists already")
    inputs = tmp_path / "village" / "inputs.csv"
    inputs.write_text(inputs.read_text().replace("mining,labour,1", "mining,labour,one"))
    refused(["check", tmp_path / "village"], "inputs.csv, cell C2", "'one'")
    (tmp_path / "s.toml").write_text('[economy]\nsource = "village"\n')
    refused(["plan", tmp_path / "s.toml", "-o", tmp_path / "plan"], "cell C2", out=tmp_path / "plan")
