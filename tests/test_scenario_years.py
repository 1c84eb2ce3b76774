"""Scenario files over several years and regions: what they say, how it is verified, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import kantor as kt
import plan_folders
from kantor.cli.app import app
from kantor.data.datasets import data_folder
from kantor.errors import KantorError
from kantor.planning.scenario import build, load_scenario, parse_scenario
from kantor.report.spans import reached

SMALL = '[economy]\nsource = "small"\n'
WORLD = '[economy]\nsource = "world"\n[regions]\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the economy of three goods, the one of two regions, and the tables of capital."""
    from kantor.data.saved import save_economy

    save_economy(plan_folders.economy(), tmp_path / "small")
    save_economy(plan_folders.two_regions(), tmp_path / "world")
    plan_folders.capital_files(tmp_path)
    (tmp_path / "weights.csv").write_text("product,weight\niron,3\n")
    return tmp_path


def plan(place: Path, text: str) -> kt.Plan:
    (place / "scenario.toml").write_text(text)
    return build(load_scenario(place / "scenario.toml"))


def test_the_file_says_what_python_says(place: Path) -> None:
    """Every table of the file, and the same plan made in Python."""
    written = plan(place, plan_folders.FIVE_YEARS)
    eco = plan_folders.economy()
    names = list(eco.products)
    capital = kt.Capital(
        requirements=pd.DataFrame([[0.5, 1.0, 0.4]], ["machines"], names),
        composition=pd.DataFrame([[0.2], [0.1]], ["iron", "cloth"], ["machines"]),
        depreciation=0.1,
    )
    horizon = kt.Horizon(
        years=5,
        first=2027,
        growth=pd.Series([0.0, 0.02, 0.0], names),
        discount=0.03,
        rise=pd.Series({"cloth": 0.5}),
        minimum=pd.Series({"grain": 2.0}),
        capital=capital,
        storage=kt.Storage(products=["grain"], loss=0.1),
    )
    limits = {
        "HOURS": "-5%",
        "air": kt.Limit(indicator="CO2", at_most="98%", over="total"),
        "work": kt.Limit(indicator="HOURS", at_least={2028: 1.0}),
    }
    eco = eco.replace(capacities=pd.Series([float("inf"), 1e4, float("inf")], names))
    made = kt.Plan(eco, objective=kt.Harmony(weights={"iron": 3.0}), limits=limits, horizon=horizon)
    one, other = written.compile(), made.compile()
    assert (one.output != other.output).nnz == 0
    assert (one.input != other.input).nnz == 0
    for name in ("targets", "resource_upper", "resource_lower", "capacity"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    assert one.terms is not None
    assert other.terms is not None
    assert one.terms.a.tolist() == other.terms.a.tolist()
    assert [limit.name for limit in written.limits] == [limit.name for limit in made.limits]


def test_later_years_count_less(place: Path) -> None:
    text = SMALL + '[horizon]\nyears = 2\ndiscount = 0.25\n[objective]\nkind = "harmony"\nweights = { iron = 5.0 }\n'
    weights = plan(place, text).compiled.weights
    assert weights is not None
    assert weights.tolist() == [1.0, 5.0, 1.0, 0.8, 4.0, 0.8]


def test_targets_by_year_from_a_table(place: Path) -> None:
    (place / "wanted.csv").write_text("product,2027,2028\niron,1,2\ncloth,3,4\n")
    text = SMALL + '[targets]\nfinal_demand = "wanted.csv"\n[horizon]\nyears = 2\nfirst = 2027\n'
    assert plan(place, text).targets.tolist() == [0.0, 1.0, 3.0, 0.0, 2.0, 4.0]


@pytest.mark.parametrize("each", ["year", "region"])
def test_baskets_one_by_one_are_verified(place: Path, each: str) -> None:
    text = plan_folders.TRADE.replace('each = "year"', f'each = "{each}"')
    folder = plan(place, text).solve(1e-6).save(place / "plan")
    found = kt.verify_plan(folder)
    assert found.ok, str(found)
    delivered = kt.load_plan(folder).activity.xs("deliver", level="technique")
    assert len(delivered) == 2


def test_capital_tied_to_techniques(place: Path) -> None:
    (place / "stocks.csv").write_text("product,grain,iron,cloth\niron,0.5,1.0,0.4\ncloth,0.1,0,0\n")
    text = SMALL + '[horizon]\nyears = 2\n[capital]\nstocks = "stocks.csv"\ndepreciation = 0.1\nterminal = "balanced"\n'
    made = plan(place, text)
    assets = made.economy.products[made.economy.products.get_level_values("account") == "capital"]
    assert set(assets.get_level_values(-1)) == {"iron in grain", "iron in iron", "iron in cloth", "cloth in grain"}
    assert kt.verify_plan(made.solve(1e-6).save(place / "plan")).ok


def test_autarky_and_trade(place: Path) -> None:
    limits = '[limits.hours]\nat_most = "100%"\nper = "region"\n'
    alone, together = (plan(place, WORLD + more + limits).solve(1e-6) for more in ("", "[trade]\n"))
    assert alone.certified
    assert together.lower_bound >= alone.lower_bound * (1 + 1e-3)
    assert together.lower_bound >= 1 - 1e-9, "what was observed is one of the plans"


def test_imports_of_every_region_take_a_limit(place: Path) -> None:
    text = WORLD + '[trade]\n[limits.hours]\nat_most = "100%"\n[limits.imports]\nindicator = "gross imports"\n'
    made = plan(place, text + 'at_most = "80%"\nper = "region"\n')
    regions = list(dict.fromkeys(made.economy.products.get_level_values(0)))
    observed = made.economy.use(made.economy.activity)
    bounds = {limit.name: (limit.indicator, limit.upper) for limit in made.limits}
    for region in regions:
        name = f"gross imports in {region}"
        assert bounds[f"imports in {region}"] == (name, pytest.approx(0.8 * observed[name]))
    assert kt.verify_plan(made.solve(1e-6).save(place / "plan")).ok


def test_regions_from_several_economies(place: Path) -> None:
    text = (
        '[economy]\n[regions.economies]\nnorth = "small"\nsouth = "small"\n[trade]\nbalance = "balanced"\ndebt = 0.1\n'
    )
    made = plan(place, text + '[limits.HOURS]\nat_most = 300.0\nper = "region"\n')
    assert [limit.name for limit in made.limits][:2] == ["HOURS in north", "HOURS in south"]
    assert made.limits[2].upper == pytest.approx(0.1 * 60.0)
    assert kt.verify_plan(made.solve(1e-6).save(place / "plan")).ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALL + "[horizon]\nyaers = 5\n", "unknown key 'yaers'; did you mean 'years'"),
        (SMALL + "[capital]\nstock = 'x'\n", "unknown key 'stock'; did you mean 'stocks'"),
        (SMALL + "[capital]\n", "needs either requirements with composition, or stocks"),
        (SMALL + "[capital]\nrequirements = 'needs.csv'\n", "belong together"),
        (SMALL + "[limits.HOURS]\nat_most = 1.0\nover = 'total'\n", "speaks of years"),
        (
            SMALL + "[limits.HOURS]\nat_most = 1.0\nover = 'sum'\n",
            "'sum' is unknown; expected 'each' or 'total'",
        ),
        (SMALL + "[limits.HOURS]\nat_most = 1.0\nper = 'region'\n", "per = 'region' needs \\[regions\\]"),
        (SMALL + "[trade]\n", "\\[trade\\] needs \\[regions\\]"),
        (WORLD + "[trade]\nbalance = 'even'\n", "balance = 'even' is unknown"),
        (WORLD + "[trade]\nat_most = 1.5\n", "set observed_only = true"),
        (WORLD + "[trade]\ndebt = 0.1\n", "'free' has no limit"),
        (WORLD + "[trade]\npairs = [['N']]\n", "expected pairs of regions"),
        (SMALL + "[regions.economies]\nnorth = 'small'\n", "leave out \\[economy\\] source"),
        ("[economy]\n", "'source' is missing"),
        (SMALL + "[objective]\neach = 'year'\nweights = 2.0\n", "weights do not apply with each"),
        ("[economy]\nsource = 'small'\nexpand_to = 60\n[horizon]\nyears = 2\n", "expand_to plans one year"),
    ],
)
def test_errors_of_the_file(text: str, message: str) -> None:
    with pytest.raises(KantorError, match=message):
        parse_scenario(text, Path("scenario.toml"))


CAPITAL = '[capital]\nrequirements = "needs.csv"\ncomposition = "made_of.csv"\ndepreciation = 0\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALL + "[horizon]\nyears = 2\ngrowth = { irn = 0.1 }\n", "'irn'.*'iron'"),
        (SMALL + "[horizon]\nyears = 2\ngrowth = 'fast'\n", "growth = 'fast': expected a file"),
        (SMALL + "[horizon]\nyears = 2\nrise = { irn = 0.1 }\n", "horizon.rise.*'irn'"),
        (
            SMALL
            + "[horizon]\nyears = 2\n[capital]\nrequirements = 'none.csv'\ncomposition = 'x.csv'\ndepreciation = 0\n",
            "none.csv",
        ),
        (SMALL + "[horizon]\nyears = 2\n" + CAPITAL.replace("= 0", "= { machine = 0.1 }"), "'machine'.*'machines'"),
        (SMALL + "[horizon]\nyears = 2\n" + CAPITAL + "terminal = 'kept'\n", "expected a file or 'none', 'keep'"),
        (SMALL + "[storage]\nproducts = ['grian']\n", "'grian'.*'grain'"),
        (SMALL + "[horizon]\nyears = 2\n[limits.HOURS]\nat_most = { 2031 = 5.0 }\n", "'2031' is none of the years"),
        (SMALL + "[horizon]\nyears = 2\n[limits.HOURS]\nat_most = { soon = 5.0 }\n", "'soon' is no year"),
        (WORLD + "[trade]\ngoods = ['fod']\n", "'fod'.*'food'"),
        (WORLD + "[trade]\npairs = [['N', 'M']]\n", "'M' is none of the regions"),
        (WORLD + "[trade]\ntransport = 'transport.csv'\n", "no carrier"),
    ],
)
def test_errors_of_labels_and_years(place: Path, text: str, message: str) -> None:
    (place / "transport.csv").write_text("from,to,product,amount\nN,S,food,0.1\n")
    with pytest.raises(KantorError, match=message):
        plan(place, text)


def test_a_cell_with_text_is_named(place: Path) -> None:
    (place / "needs.csv").write_text("asset,grain,iron,cloth\nmachines,0.5,much,0.4\n")
    with pytest.raises(KantorError, match=r"needs\.csv: row 'machines', column 'iron' is 'much', expected a number"):
        plan(place, SMALL + "[horizon]\nyears = 2\n" + CAPITAL)


def test_the_packaged_five_year_plan(tmp_path: Path) -> None:
    """Cockshott's published numbers from the packaged files, on the command line, with the years in words."""
    run = CliRunner().invoke(app, ["plan", "four_goods_five_years", "-o", str(tmp_path / "plan"), "--report"])
    assert run.exit_code == 0, run.output
    assert "Targets reached by year" in run.stdout
    result = kt.load_plan(tmp_path / "plan")
    assert result.objective == pytest.approx(7.33645, abs=6e-6)
    shares = reached(result, "year")["mean"]
    assert shares.to_numpy() == pytest.approx([0.159221, 1.75043, 1.75259, 1.71516, 1.95906], abs=6e-5)
    assert "Years and regions" in (tmp_path / "plan" / "report.html").read_text()
    assert kt.verify_plan(tmp_path / "plan").ok


EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.toml"))


@pytest.mark.parametrize("file", [f for f in EXAMPLES if "years" in f.stem], ids=lambda f: f.stem)
def test_examples_over_years_can_be_built(file: Path) -> None:
    """Their tables fit their data sets; the one that is small is solved and verified."""
    scenario = load_scenario(file)
    try:
        data_folder(scenario.document.economy.source)
    except KantorError as error:
        pytest.skip(str(error))
    if "wiod" in file.stem:
        assert scenario.single.n_goods == 41 * 35
        return
    made = build(scenario)
    assert made.targets.index.names[:2] == ["year", "account"]
    if "sweden" in file.stem:
        assert made.solve(1e-6).certified


def test_shares_by_year_and_region(place: Path) -> None:
    text = plan_folders.TRADE.replace('[objective]\neach = "year"\n', "")
    result = plan(place, text).solve(1e-6)
    for level, labels in (("year", [1, 2]), ("region", ["N", "S"])):
        table = reached(result, level)
        assert table.index.tolist() == labels
        assert table["least"].to_numpy() == pytest.approx([result.objective] * 2)
