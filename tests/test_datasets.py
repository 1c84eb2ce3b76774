"""Data sets by name: the figures their sources publish, the packaged economies, what is said when one is missing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kantor.data import datasets
from kantor.data.checks import check_economy
from kantor.data.datasets import data_folder, load_economy, packaged_economies, packaged_scenarios
from kantor.data.economy import Economy
from kantor.errors import OptionError, ProblemError
from kantor.planning.inherit import whole

ROOT = Path(__file__).resolve().parents[1]


def load(name: str, **options: Any) -> Economy:
    """A data set, or a skip with the reason if it is not here."""
    try:
        return load_economy(name, **options)
    except ProblemError as error:
        if "is not here" in str(error):
            pytest.skip(str(error))
        raise


def power_iteration(A: Any) -> float:
    """The spectral radius of a non-negative matrix."""
    v, rho = np.ones(A.shape[0]), 0.0
    for _ in range(200):
        w = A @ v
        rho, v = float(np.linalg.norm(w) / np.linalg.norm(v)), w
    return rho


# ---- United States -------------------------------------------------------------------------------------------------
def test_united_states_reproduces_the_national_accounts() -> None:
    eco = load("us_useeio_2012_411")
    assert (eco.n_goods, len(eco.S), eco.A.nnz) == (411, 23, 92_527)
    use = eco.base_use("2012_US_Production_Complete")
    assert use["VADD"] == pytest.approx(16.197e12, rel=1e-4)  # gross domestic product
    assert use["JOBS"] == pytest.approx(126.5e6, rel=5e-4)
    assert use["GHG"] == pytest.approx(4.92e12, rel=2e-4)
    assert eco.indicator("labour").name == "JOBS"
    assert eco.indicator("value added").name == "VADD"
    assert eco.indicator_units is not None
    assert eco.indicator_units["GHG"] == "kg CO2 eq"
    assert eco.readable_names()["221100"] == "Electricity"


def test_united_states_domestic_demand_takes_the_domestic_table() -> None:
    eco = load("us_useeio_2012_411")
    domestic = eco.for_demand("2012_US_Production_Domestic")
    assert domestic.technology == "domestic"
    assert domestic.A.nnz == 91_257
    assert domestic.base_use("total")["JOBS"] == pytest.approx(126.5e6, rel=5e-4)
    with pytest.raises(ProblemError, match="belongs to technology 'domestic'"):
        eco.base_plan("2012_US_Production_Domestic")
    loaded = load("us_useeio_2012_411", technology="domestic")
    np.testing.assert_array_equal(loaded.A.data, domestic.A.data)
    np.testing.assert_array_equal(loaded.with_technology("total").A.data, eco.A.data)


def test_united_states_traps_are_said_not_hidden() -> None:
    eco = load("us_useeio_2012_411")
    notes = "\n".join(eco.notes)
    assert "'S00402' (Used and secondhand goods) has output -1e+06, set to 0" in notes
    assert "'S00300' (Noncomparable imports)" in notes
    assert "60 negative input coefficients kept" in notes
    assert (eco.Y["2012_US_Production_Complete"] < 0).sum() == 61
    assert eco.A.data.min() < 0


# ---- Sweden --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("year", range(2008, 2016))
def test_sweden_adds_up_exactly(year: int) -> None:
    eco = load("sweden", year=year)
    assert eco.output_coefficients.shape == (59, 59)
    # The reader compares whole millions of the source: any difference would be a note.
    assert not [note for note in eco.notes if "differ by" in note]
    report = check_economy(eco)
    assert report.row_error is not None
    assert report.row_error < 1e-14
    assert report.productive
    np.testing.assert_allclose(eco.base_plan("total"), eco.x, rtol=1e-9)
    employed = eco.use(eco.x)["employed"]
    assert 4.45e6 <= employed <= 4.9e6


def test_sweden_2016_has_the_gaps_its_source_has() -> None:
    eco = load("sweden", year=2016)
    notes = "\n".join(eco.notes)
    assert "differ by 1.2 % of supply in 2016" in notes
    assert "'L68A'" in notes
    assert "1 negative entries of the make table were entered as inputs" in notes
    assert not check_economy(eco).balanced


def test_sweden_as_a_square_table() -> None:
    eco = load("sweden", assumption="industry-technology")
    joint = load("sweden")
    assert eco.is_square
    assert eco.A.data.min() >= 0
    np.testing.assert_allclose(eco.base_use("total"), joint.base_use("total"), rtol=1e-9)
    assert eco.indicator("labour").name == "hours"
    assert eco.indicator_units is not None
    assert eco.indicator_units["co2"] == "kt"


# ---- the world -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("year", "nnz", "rho"), [(1995, 263_903, 0.561), (2011, 413_525, 0.610)])
def test_world_table(year: int, nnz: int, rho: float) -> None:
    eco = load("wiod2013", year=year)
    assert (eco.n_goods, eco.A.nnz, eco.Y.shape) == (1435, nnz, (1435, 205))
    assert eco.products.names == ["region", "sector"]
    assert ("DEU", "Construction") in eco.products
    report = check_economy(eco)
    assert report.ok
    assert report.radius is not None
    assert report.radius[0] <= rho + 1e-3
    assert rho - 1e-3 <= report.radius[1] < 1
    assert power_iteration(eco.A) == pytest.approx(rho, abs=1e-3)
    assert report.row_error is not None
    assert report.row_error < 1e-3
    assert len(report.without_output) == (18 if year == 1995 else 22)
    assert eco.demand("CHN").sum() + eco.demand("USA").sum() < eco.demand("total").sum()
    assert eco.demand("GFCF").sum() == pytest.approx(eco.Y.xs("GFCF", axis=1, level=1).to_numpy().sum())


def test_world_resources() -> None:
    eco = load("wiod2013")
    use = eco.use(eco.x)
    assert use["value_added"] == pytest.approx(69.3e6, rel=1e-3)
    assert use["employment"] == pytest.approx(3.04e6, rel=1e-3)
    assert 30.5e6 < use["co2"] < 35e6  # 35.0 Gt include those of households
    assert eco.indicator("labour").name == "employment"
    assert eco.base_use("total")["co2"] == pytest.approx(use["co2"], rel=2e-3)
    assert "co2" not in load("wiod2013", year=1995).S.index


# ---- packaged ------------------------------------------------------------------------------------------------------
def test_packaged_european_union_is_the_published_case(case: Any) -> None:
    eco = load_economy("eu_2006")
    inputs, expected = case("labour_values_eu_2006")["inputs"], case("labour_values_eu_2006")["expected"]
    np.testing.assert_allclose(eco.A.toarray() * inputs["output"], inputs["flows"], rtol=1e-14)
    np.testing.assert_allclose(eco.demand("total"), expected["net_output"])
    np.testing.assert_allclose(eco.indicator("labour") * eco.x, inputs["labour"], rtol=1e-14)
    assert check_economy(eco).ok


def test_packaged_united_states_adds_up() -> None:
    eco = load_economy("us_2012")
    assert eco.n_goods == 23
    report = check_economy(eco)
    assert report.ok
    assert report.row_error == 0  # whole millions
    use = eco.base_use("total")
    assert use["value added"] == pytest.approx(16.198e6, rel=1e-4)
    assert use["jobs"] == pytest.approx(126.54e3, rel=1e-4)
    assert use["ghg"] == pytest.approx(4.92e6, rel=1e-4)


def test_packaged_united_states_is_the_aggregate_of_the_data_set() -> None:
    """The packaged table equals what the build script makes of the 411 sectors."""
    fine = load("us_useeio_2012_411", technology="domestic")
    coarse = load_economy("us_2012")
    use, again = fine.base_use("total"), coarse.base_use("total")
    for name, label, divisor in (
        ("jobs", "JOBS", 1e3),
        ("ghg", "GHG", 1e6),
        ("energy", "ENRG", 1e9),
        ("land", "LAND", 1e6),
    ):
        assert again[name] == pytest.approx(use[label] / divisor, rel=1e-5)
    q = fine.base_plan("total")
    assert coarse.x.sum() == pytest.approx(q.sum() / 1e6, rel=1e-6)
    power = fine.products.get_loc("221100")
    assert coarse.x["Electricity"] == pytest.approx(q.iloc[power] / 1e6, abs=30)
    assert coarse.A.toarray()[2, 2] == pytest.approx(fine.A.toarray()[power, power], rel=1e-3)


def test_packaged_files_are_small() -> None:
    folder = packaged_economies()["us_2012"].parent
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 100_000


@pytest.mark.parametrize(
    "path", [*packaged_scenarios().values(), *sorted((ROOT / "examples").glob("*.toml"))], ids=lambda p: p.name
)
def test_scenarios_name_what_exists(path: Path) -> None:
    """Economy, demand, indicators, weights and capacities of every shipped scenario exist."""
    words, _ = whole(path.read_text(), path)
    options = {k: v for k, v in words["economy"].items() if k in ("year", "assumption")}
    eco = load(words["economy"]["source"], **options, **words["economy"].get("options", {}))
    wanted = words["targets"]["final_demand"]
    if wanted.endswith(".csv"):
        listed = pd.read_csv(path.parent / wanted, dtype={"product": str}).set_index("product")
        assert set(listed.index) <= set(eco.products)
        assert listed.to_numpy().sum() > 0
    else:
        assert eco.for_demand(wanted).demand(wanted).sum() > 0
        eco = eco.for_demand(wanted)
    for name, limit in words["limits"].items():
        assert eco.indicator(limit.get("indicator", name)).sum() > 0
        assert isinstance(limit["at_most"], str | int | float | dict)
    weights = words["objective"].get("weights")
    if isinstance(weights, str):
        table = pd.read_csv(path.parent / weights, index_col=0, dtype={0: str})
        assert eco.demand(pd.Series(table["weight"].to_numpy(), table.index.astype(str))).sum() == pytest.approx(
            1, abs=1e-5
        )
    for name in words.get("capacities", {}):
        assert name in eco.techniques


def test_packaged_names() -> None:
    assert sorted(packaged_economies()) == ["eu_2006", "four_goods", "us_2012"]
    assert sorted(packaged_scenarios()) == ["eu_2006", "four_goods_five_years", "us_2012"]


def test_sources_are_recorded_with_their_checksum() -> None:
    eco = load_economy("eu_2006")
    assert Path(eco.sources[0].path).name == "economy.toml"
    assert len(eco.sources) == 5
    for source in eco.sources:
        assert hashlib.sha256(Path(source.path).read_bytes()).hexdigest() == source.sha256


# ---- finding -------------------------------------------------------------------------------------------------------
def test_a_missing_data_set_names_folder_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANTOR_DATA", str(tmp_path))
    with pytest.raises(ProblemError, match="not here") as error:
        load_economy("us_useeio_2012_411")
    assert str(tmp_path) in str(error.value)
    assert "public domain" in str(error.value)
    assert "KANTOR_DATA" in str(error.value)


def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KANTOR_DATA", raising=False)
    (tmp_path / "here").mkdir()
    (tmp_path / "shared" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    folders = datasets.search_folders()
    assert folders[-1] == datasets.user_folder()
    assert os.path.realpath(tmp_path / "shared" / "data") in [os.path.realpath(folder) for folder in folders]
    monkeypatch.setenv("KANTOR_DATA", str(tmp_path / "mine"))
    assert datasets.search_folders() == [tmp_path / "mine"]
    with pytest.raises(ProblemError, match="no folder with data sets"):
        data_folder()
    (tmp_path / "mine" / "my_table").mkdir(parents=True)
    assert data_folder() == tmp_path / "mine"
    (tmp_path / "mine" / "my_table" / "economy.toml").write_text('kind = "iot"\n[tables]\nA = "A.csv"\n')
    (tmp_path / "mine" / "my_table" / "A.csv").write_text(",a\na,0.5\n")
    assert load_economy("my_table").products.tolist() == ["a"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("us_useeio_2012_412", {}, "did you mean 'us_useeio_2012_411'"),
        ("eu_2007", {}, "did you mean 'eu_2006'"),
        ("no/such/folder", {}, "no such file or folder"),
    ],
)
def test_unknown_names(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        load_economy(name, **options)


def test_unknown_options() -> None:
    load("wiod2013")
    with pytest.raises(OptionError, match="year: 2003 is not one of 1995, 2000, 2009, 2011"):
        load_economy("wiod2013", year=2003)
    with pytest.raises(OptionError, match="unknown option 'yaer'; did you mean 'year'"):
        load_economy("wiod2013", yaer=2011)


def test_a_missing_table_names_path_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wiod2013").mkdir()
    monkeypatch.setenv("KANTOR_DATA", str(tmp_path))
    with pytest.raises(ProblemError, match=r"wiod2013.*no such file.*World Input-Output Database"):
        load_economy("wiod2013")


def test_a_single_table_says_how_to_ask(tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text(",a\na,0.5\n")
    with pytest.raises(OptionError, match="--table A on the command line"):
        load_economy(tmp_path / "flows.csv")
