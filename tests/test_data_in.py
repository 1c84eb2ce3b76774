"""Supply-use files, process inventories, capital tables, costs, classifications; bad input that names place and
remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import kantor as kt
from kantor.data.capital_tables import by_sector, depreciation_of, fixed_assets
from kantor.data.costs import annual_costs, technology_costs, wide_costs
from kantor.data.datasets import data_folder
from kantor.data.inventories import from_inventory
from kantor.data.supply_use_files import read_supply_use
from kantor.errors import MissingPackage, OptionError, ProblemError

ROOT = Path(__file__).resolve().parents[1]


def needs(name: str) -> Path:
    try:
        return data_folder(name)
    except ProblemError as error:
        pytest.skip(str(error))


# ---- supply and use --------------------------------------------------------------------------------------------------
USE = [
    ["The Use of Commodities by Industries"],
    ["(Millions of dollars)"],
    [],
    [None, None, "Farms", "Mining", "Households", "Total"],
    ["Code", "Commodity", 111, "212", "F010", "T007"],
    ["111", "Corn", 1, 2, 7, 10],
    [212, "Ores", 3, "...", 5, 8],
    ["T005", "Total intermediate", 4, 2],
    ["V001", "Compensation", 6, 6, None, 12],
    ["Legend / note: x"],
]
MAKE = [["Code", "Industry", "111", "212"], ["111", "Farms", 10, 0], ["212", "Mining", "---", 8]]


def office(folder: Path) -> tuple[str, Path]:
    """The two tables as an office publishes them: a workbook with a sheet a year, and one table."""
    openpyxl = pytest.importorskip("openpyxl")
    for name, sheet, rows in (("use", "2012", USE), ("make", "Make", MAKE)):
        book = openpyxl.Workbook()
        page = book.active
        page.title = sheet
        for row in rows:
            page.append(row)
        if name == "use":
            page.merge_cells("A1:D1")
        book.save(folder / f"{name}.xlsx")
    return f"{folder / 'use.xlsx'}:2012", folder / "make.xlsx"


def test_tables_of_an_office_are_read_by_their_labels(tmp_path: Path) -> None:
    use, make = office(tmp_path)
    eco = read_supply_use(use, make, unit="million USD")
    assert eco.products.tolist() == eco.techniques.tolist() == ["111", "212"]
    assert eco.product_names.tolist() == ["Corn", "Ores"]
    assert (eco.input_coefficients.toarray() * eco.x.to_numpy()).round(12).tolist() == [[1, 2], [3, 0]]
    assert eco.final_demand.to_dict("list") == {"F010": [7.0, 5.0]}
    assert (eco.intensities * eco.x.to_numpy()).loc["V001"].tolist() == [6, 6]
    assert any("totals left out: 'T005', 'T007'" in note for note in eco.notes)
    assert len(eco.sources) == 2
    (tmp_path / "supply.csv").write_text(",111,212\n111,10,\n212,0,8\n")
    turned = read_supply_use(use, supply=tmp_path / "supply.csv", unit="million USD")
    assert (turned.output_coefficients != eco.output_coefficients).nnz == 0


def test_supply_use_files_name_the_cell(tmp_path: Path) -> None:
    import openpyxl

    use, make = office(tmp_path)
    book = openpyxl.load_workbook(make)
    book.active["C2"] = "abc"
    book.save(make)
    with pytest.raises(ProblemError, match=r"sheet Make, cell C2: text 'abc'"):
        read_supply_use(use, make)
    book.active["C2"], book.active["D1"] = 10, "213"
    book.save(make)
    with pytest.raises(ProblemError, match=r"product '213' .* is not in .*did you mean '212'"):
        read_supply_use(use, make)
    with pytest.raises(ProblemError, match="no sheet '2013'; did you mean '2012'"):
        read_supply_use(use.replace("2012", "2013"), make)
    with pytest.raises(OptionError, match="either make"):
        read_supply_use(use)
    (tmp_path / "twice.csv").write_text(",111,212\n111,10,0\n111,0,8\n")
    with pytest.raises(ProblemError, match="row '111' stands twice"):
        read_supply_use(use, tmp_path / "twice.csv")


def test_useeio_from_its_make_and_use_tables() -> None:
    folder = needs("us_useeio_2012_411")
    output = pd.read_csv(folder / "q_x.csv", index_col=0)  # differs from the sums of the make table in the fifth digit
    files = folder / "U.csv.gz", folder / "V.csv.gz"
    eco = read_supply_use(*files, assumption="industry-technology", unit="USD", q=output["q"], x=output["x"])
    A = pd.read_csv(folder / "A.csv.gz", index_col=0)
    made = eco.x.to_numpy() > 0  # the published table also divides by negative outputs
    off = np.abs(eco.A.toarray() - A.loc[eco.products, eco.products].to_numpy())[:, made]
    assert off.max() < 1e-12
    assert eco.intensities.index.tolist() == ["V00100", "V00200", "V00300"]
    assert eco.final_demand.shape[1] == 20


# ---- inventories -----------------------------------------------------------------------------------------------------
def processes(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["name", "product", "unit", "production"])
    return table.assign(activity=range(len(table)), location="GLO")


def exchanges(rows: list[tuple[int, str, str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["activity", "type", "name", "product", "amount"])
    return table.assign(unit="kilogram", location="GLO")


def test_processes_become_techniques_per_unit_of_product() -> None:
    own = processes([
        ("blast furnace", "steel", "kilogram", 2.0),
        ("arc furnace", "steel", "kilogram", 1.0),
        ("press", "sheet", "kilogram", 1.0),
        ("scrap yard", "scrap", "kilogram", -1.0),
        ("market", "steel", "kilogram", 1.0),
    ])  # fmt: skip
    flows = exchanges([
        (0, "technosphere", "mine", "coal", 3.0),
        (0, "biosphere", "Carbon dioxide, fossil", "", 5.0),
        (1, "technosphere", "mine", "coal", 0.5),
        (2, "technosphere", "blast furnace", "steel", 1.25),
        (2, "technosphere", "scrap yard", "scrap", -0.25),
        (3, "biosphere", "Methane, fossil", "", 0.1),
        (4, "technosphere", "arc furnace", "steel", 1.0),
    ])  # fmt: skip
    eco = from_inventory(own, flows)
    assert eco.products.tolist() == ["steel", "sheet", "treatment of scrap"]
    assert eco.techniques.tolist() == ["blast furnace, GLO", "arc furnace, GLO", "press, GLO", "scrap yard, GLO"]
    assert eco.input_coefficients.toarray().tolist() == [[0, 0, 1.25, 0], [0, 0, 0, 0], [0, 0, 0.25, 0]]
    assert eco.indicator("coal").tolist() == [1.5, 0.5, 0, 0]
    assert eco.indicator("GHG").tolist() == pytest.approx([2.5, 0, 0, 2.98])
    assert any("'blast furnace' 2" in note for note in eco.notes)
    assert any("1 processes use as much of their product as they make" in note for note in eco.notes)
    named = from_inventory(own, flows, link="activity")
    assert named.input_coefficients.toarray()[:, 2].tolist() == [1.25, 0, 0, 0.25, 0]
    assert from_inventory(own, flows, products="steel").techniques.tolist() == [
        "blast furnace, GLO",
        "arc furnace, GLO",
    ]


def test_capture_belongs_to_the_plant_and_by_products_are_made_or_dropped() -> None:
    own = processes([("plant", "power", "kilogram", 1.0), ("capture", "CO2 captured", "kilogram", 1.0)])
    flows = exchanges([
        (0, "technosphere", "capture", "CO2 captured", 0.9),
        (0, "technosphere", "nowhere", "ash", -0.2),
        (0, "biosphere", "Carbon dioxide, fossil", "", 1.0),
        (1, "biosphere", "Carbon dioxide, fossil", "", -1.0),
        (1, "technosphere", "plant", "power", 0.1),
    ])  # fmt: skip
    eco = from_inventory(own, flows)
    assert eco.techniques.tolist() == ["plant, GLO"]
    assert eco.indicator("GHG").tolist() == pytest.approx([0.1])
    assert eco.indicator("treatment of ash").tolist() == pytest.approx([0.2])
    assert eco.input_coefficients.toarray().tolist() == pytest.approx(np.array([[0.09]]))
    credit = pd.concat([flows, exchanges([(0, "technosphere", "mill", "flour", -0.5)])])
    mill = pd.concat([own, processes([("mill", "flour", "kilogram", 1.0)]).assign(activity=2)], ignore_index=True)
    assert from_inventory(mill, credit).output_coefficients.toarray()[:, 0].tolist() == [1.0, 0.5]
    assert from_inventory(mill, credit, byproducts="drop").output_coefficients.toarray()[:, 0].tolist() == [1.0, 0.0]


def test_inventories_that_cannot_be_are_refused() -> None:
    own, flows = processes([("mill", "flour", "kilogram", 1.0)]), exchanges([(0, "technosphere", "farm", "corn", 1.0)])
    with pytest.raises(ProblemError, match=r"process 'mill' makes 0.0 of 'flour'"):
        from_inventory(own.assign(production=0.0), flows)
    with pytest.raises(ProblemError, match="'farm' in process 'mill' is nan"):
        from_inventory(own, flows.assign(amount=np.nan))
    again = exchanges([(0, "technosphere", "mill", "flour", 0.1)])
    for field, value in (("unit", "megajoule"), ("type", "Technosphere")):
        with pytest.raises(ProblemError, match=f"has {field} '{value}'"):
            from_inventory(own, again.assign(**{field: value}))
    with pytest.raises(ProblemError, match="no column 'amount'"):
        from_inventory(own, flows.drop(columns="amount"))
    with pytest.raises(OptionError, match="did you mean 'flour'"):
        from_inventory(own, flows, products="flower")
    with pytest.raises(OptionError, match="did you mean 'product'"):
        from_inventory(own, flows, link="products")


def test_premise_by_activity_is_the_published_matrix() -> None:
    folder = needs("premise_inventories")
    eco = kt.load_economy("premise", link="activity")
    published = sp.csr_array(sp.load_npz(folder / "A_internal.npz"))
    listed = pd.read_parquet(folder / "activities.parquet")
    made = listed[~listed["duplicate"]].sort_values("column")["production"].fillna(1.0).to_numpy()
    sign = np.sign(made)
    theirs = sp.csr_array(
        sp.diags_array(sign) @ (sp.diags_array(made) - published) @ sp.diags_array(1.0 / np.abs(made))
    )
    off = sp.coo_array(theirs - eco.net_output)
    # 1,126 inputs name a process and no product; the published matrix leaves them out
    assert np.count_nonzero(np.abs(off.data) > 1e-12 * np.abs(theirs).max()) <= 1126
    kept = sp.csr_array(published != 0)
    entries = sp.csr_array(theirs - eco.net_output).multiply(kept)
    assert np.abs(entries.data).max(initial=0.0) < 1e-15
    assert (eco.n_goods, eco.n_techniques) == (4125, 4125)


@pytest.mark.parametrize(
    ("example", "by_highs", "runs"),
    [
        ("energy_techniques", 1.7074721, "pre, pipeline"),  # with this budget some plants capture
        (
            "steel_techniques",
            2.2718215,
            "hydrogen-based direct reduction",
        ),  # prices of 1e-10 need its tolerance at 1e-10
    ],
)
def test_examples_of_technique_choice_are_certified(example: str, by_highs: float, runs: str, tmp_path: Path) -> None:
    from kantor.planning.scenario import build, load_scenario

    needs("premise_inventories")
    result = build(load_scenario(ROOT / "examples" / f"{example}.toml")).solve(1e-6, time_limit_s=60)
    assert result.certified, result.info.why
    assert result.gap < 1e-6
    assert result.objective == pytest.approx(by_highs, rel=1e-4)  # of the same model, written as a file
    running = result.activity[result.activity > 1e7].index
    assert any(runs in name for name in running)
    assert kt.verify_plan(result.save(tmp_path / "plan")).ok


# ---- capital, costs, classifications ---------------------------------------------------------------------------------
def test_fixed_assets_and_concordance() -> None:
    needs("us_bea_fixed_assets")
    table = fixed_assets(2017)
    assert table.stock.shape == (96, 63)
    assert table.stock.to_numpy().sum() == pytest.approx(24.12e6, rel=1e-3)  # the data set's own figure
    assert table.depreciation.between(0, 1).all()
    assert table.asset_names.notna().all()
    assert table.industry_names["110C"] == "110C - Farms"
    with pytest.raises(OptionError, match="1947 to 2017"):
        fixed_assets(2018)


def test_a_concordance_loses_nothing_and_names_what_does_not_fit() -> None:
    stock = pd.DataFrame({"farms": [6.0, 0.0], "mines": [8.0, 2.0]}, index=["machines", "shafts"])
    output = pd.Series({"wheat": 2.0, "milk": 1.0, "coal": 4.0, "services": 9.0})
    where = {"wheat": "farms", "milk": "farms", "coal": "mines"}
    amounts = by_sector(stock, where, output, per_unit=False)
    assert amounts.sum(axis=1).tolist() == stock.sum(axis=1).tolist()
    assert amounts["services"].tolist() == [0.0, 0.0]
    assert by_sector(stock, where, output)["wheat"].tolist() == [2.0, 0.0]
    with pytest.raises(ProblemError, match="'cal' is no sector; did you mean 'coal'"):
        by_sector(stock, {**where, "cal": "mines"}, output)
    with pytest.raises(ProblemError, match="'mine', which the table lacks; did you mean 'mines'"):
        by_sector(stock, {**where, "coal": "mine"}, output)
    with pytest.raises(ProblemError, match="takes industry 'mines'"):
        by_sector(stock, {"wheat": "farms"}, output)
    with pytest.raises(ProblemError, match="asset 'shafts' has no rate"):
        depreciation_of({"machines": 0.1}, stock.index)
    with pytest.raises(ProblemError, match=r"'machines' loses 1.5"):
        depreciation_of({"machines": 1.5, "shafts": 0.0}, stock.index)


def test_costs_by_year() -> None:
    needs("technology_data_costs")
    early, late, between = technology_costs(2030), technology_costs(2035), technology_costs(2032)
    value = ("investment", "value")
    for name in ("onwind", "solar-utility"):
        expected = 0.6 * early.loc[name, value] + 0.4 * late.loc[name, value]
        assert between.loc[name, value] == pytest.approx(expected)
    with pytest.raises(OptionError, match="2020 to 2050"):
        technology_costs(2051)


def test_annual_costs_and_what_lacks() -> None:
    rows = [("wind", "investment", 1200.0, "EUR/kW"), ("wind", "lifetime", 25.0, "years"), ("wind", "FOM", 2.0,
    "%/year"),
            ("battery", "investment", 100.0, "EUR/kWh"), ("battery", "lifetime", 10.0, "years"),
            ("cable", "lifetime", 40.0, "years")]  # fmt: skip
    table = wide_costs(pd.DataFrame(rows, columns=["technology", "parameter", "value", "unit"]))
    annuity = 0.05 / (1 - 1.05**-25)
    assert annual_costs(table, 0.05, ["wind"])["wind"] == pytest.approx(1200 * (annuity + 0.02))
    assert annual_costs(table, 0.0, ["wind"])["wind"] == pytest.approx(1200 * (1 / 25 + 0.02))
    with pytest.raises(ProblemError, match="'battery' is in 'EUR/kWh', expected 'EUR/kW'"):
        annual_costs(table, 0.05, ["battery"])
    assert annual_costs(table, 0.0, ["battery"], {"EUR/kWh": 2.0})["battery"] == pytest.approx(20.0)
    with pytest.raises(ProblemError, match="'cable' has no investment"):
        annual_costs(table, 0.05, ["cable"])
    with pytest.raises(ProblemError, match="did you mean 'wind'"):
        annual_costs(table, 0.05, ["wnd"])
    for parameter, column, wrong, words in (
        ("FOM", "unit", "EUR/kW/year", "expected per cent"),
        ("lifetime", "unit", "months", "expected > 0 years"),
        ("lifetime", "value", 0.0, "expected > 0 years"),
    ):
        changed = pd.DataFrame(rows, columns=["technology", "parameter", "value", "unit"])
        changed.loc[changed["parameter"] == parameter, column] = wrong
        with pytest.raises(ProblemError, match=words):
            annual_costs(wide_costs(changed), 0.05, ["wind"])
    again = pd.DataFrame([*rows, rows[0]], columns=["technology", "parameter", "value", "unit"])
    with pytest.raises(ProblemError, match="'investment' of 'wind' stands twice"):
        wide_costs(again)


def test_regions_in_common_classifications() -> None:
    pytest.importorskip("country_converter", reason="classifications need country_converter (pip install 'kantor[io]')")
    from kantor.data.classifications import by_region, country_groups

    assert country_groups(["DEU", "BRA", "RoW"]) == {"DEU": "Europe", "BRA": "America", "RoW": "RoW"}
    assert country_groups(["Germany", "NOR", "RoW"], "EU27", rest="others") == {
        "Germany": "EU27", "NOR": "others", "RoW": "others"}  # fmt: skip
    with pytest.raises(OptionError, match="did you mean 'continent'"):
        country_groups(["DEU"], "continnt")
    Z = np.arange(1.0, 10.0).reshape(3, 3)
    eco = kt.Economy.from_mrio(Z=Z, Y=np.diag([5.0, 6.0, 7.0]), F=[[1.0, 2.0, 3.0]], regions=["DEU", "FRA", "USA"],
                               sectors=["all"], demand_categories=["use"], indicators=["hours"])  # fmt: skip
    small = by_region(eco)
    assert small.products.tolist() == [("Europe", "all"), ("America", "all")]
    assert small.demand("Europe").tolist() == [11.0, 0.0]
    assert small.use(small.activity)["hours"] == pytest.approx(6.0)
    assert (small.A.toarray() * small.x.to_numpy()).round(9).tolist() == [[12.0, 9.0], [15.0, 9.0]]
    with pytest.raises(ProblemError, match="no level 'region'"):
        by_region(kt.load_economy("eu_2006"))


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from kantor.data.classifications import country_groups

    monkeypatch.setitem(__import__("sys").modules, "country_converter", None)
    with pytest.raises(MissingPackage, match=r"pip install 'kantor\[io\]'"):
        country_groups(["DEU"])


# ---- bad input names the place and the remedy ------------------------------------------------------------------------
def grain(unit: str = "t", **more: object) -> kt.Economy:
    return kt.Economy.from_iot(A=[[0.5]], Y=[1.0], S=[[1.0]], labels=["grain"], indicators=["hours"], unit=unit, **more)


def test_regions_in_different_units() -> None:
    with pytest.raises(ProblemError, match=r"regions\['south'\]: product 'grain' is in 'kg', in 'north' it is in 't'"):
        kt.join_regions({"north": grain(), "south": grain("kg")}, kt.Trade())
    hours, persons = pd.Series({"hours": "h"}), pd.Series({"hours": "persons"})
    with pytest.raises(ProblemError, match=r"indicator 'hours' is in 'persons'.* convert"):
        kt.join_regions({"north": grain(indicator_units=hours), "south": grain(indicator_units=persons)})


def test_a_region_that_nobody_trades_with() -> None:
    regions = {"north": grain(), "south": grain(), "west": grain()}
    with pytest.raises(ProblemError, match="no pair names the region 'west'; leave it out or give it a partner"):
        kt.join_regions(regions, kt.Trade(pairs=[("north", "south")]))
    index = pd.MultiIndex.from_tuples([("north", "south", "grain")], names=["from", "to", "product"])
    with pytest.raises(ProblemError, match="nobody trades with the region 'west'"):
        kt.join_regions(regions, kt.Trade(observed=pd.Series([1.0], index), observed_only=True))


def test_limits_of_regions_are_named_by_region() -> None:
    world = kt.join_regions({"north": grain(limits={"hours": (0.0, 9.0)}), "south": grain()}, kt.Trade())
    assert world.limits == {"hours in north": (0.0, 9.0)}
    assert [limit.name for limit in kt.Plan(world).limits] == ["hours in north"]
    table = kt.Economy.from_mrio(Z=[[1.0]], Y=[[1.0]], F=[[1.0]], regions=["N"], sectors=["a"], demand_categories=["c"],
                                 indicators=["h"])  # fmt: skip
    with pytest.raises(ProblemError, match="belong to no region"):
        kt.regions_of(table.replace(limits={"h": (0.0, 1.0)}))


def test_techniques_and_targets_without_output() -> None:
    with pytest.raises(ProblemError, match="technique 'b' makes nothing"):
        kt.Economy.from_arrays([[0.1, 0.2]], [[1.0, 0.0]], products=["x"], techniques=["a", "b"])
    eco = kt.Economy.from_arrays([[0.1], [0.0]], [[1.0], [0.0]], products=["x", "y"], techniques=["a"])
    plan = kt.Plan(eco, targets=[1.0, 1.0])
    assert any("no technique makes 'y'" in note and "add a technique" in note for note in plan.notes)


def test_capital_without_depreciation_and_years_that_do_not_line_up(tmp_path: Path) -> None:
    from kantor.planning.scenario import build, parse_scenario

    text = '[economy]\nsource = "eu_2006"\n[horizon]\nyears = 2\nfirst = 2027\n'
    with pytest.raises(ProblemError, match=r"\[capital\] depreciation is missing.*depreciation = 0"):
        parse_scenario(text + '[capital]\nstocks = "stocks.csv"\n', tmp_path / "s.toml")
    with pytest.raises(ProblemError, match="2029"):
        build(parse_scenario(text + "[limits.labour]\nat_most = { 2029 = 5.0 }\n", tmp_path / "s.toml"))
    eco = kt.load_economy("eu_2006")
    table = pd.DataFrame(1.0, eco.products, [2027, 2029])
    with pytest.raises(ProblemError, match=r"the table has the years \[2027, 2029\], the horizon \[2027, 2028\]"):
        kt.Plan(eco, targets=table, horizon=kt.Horizon(years=2, first=2027))


def test_a_formula_without_a_result_is_no_nothing(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="workbooks need openpyxl (pip install 'kantor[io]')")
    pages = {
        "use": [["", "a", "b", "F"], ["a", 1, 2, 7], ["b", 3, 1, 5]],
        "make": [["", "a", "b"], ["a", 10, None], ["b", None, 9]],
    }
    book = openpyxl.Workbook()
    for name, rows in pages.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / "sut.xlsx")
    places = [f"{tmp_path / 'sut.xlsx'}:{name}" for name in pages]
    assert read_supply_use(*places).name == "sut"
    book["use"]["C2"] = "=B2*2"
    book.save(tmp_path / "sut.xlsx")
    with pytest.raises(ProblemError, match="cell C2: the formula =B2\\*2 without a stored result"):
        read_supply_use(*places)
