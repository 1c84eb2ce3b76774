"""Scenario files: what they may hold, how they become plans, and errors that name file, table and key."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kantor as kt
from kantor.errors import ProblemError
from kantor.planning.objectives import Harmony, LogUtility, MaxScale, MinimiseUse, PowerUtility
from kantor.planning.scenario import build, load_scenario, parse_scenario

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SMALL = '[economy]\nsource = "small"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an economy of three goods beside the scenario files."""
    from kantor.data.saved import save_economy

    economy = kt.Economy.from_iot(
        A=np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        Y=np.array([[10.0, 1.0], [20.0, 2.0], [30.0, 3.0]]),
        S=np.array([[1.0, 2.0, 3.0], [0.5, 0.0, 0.25]]),
        labels=["grain", "iron", "cloth"],
        categories=["households", "state"],
        indicators=["HOURS", "CO2"],
        indicator_units=pd.Series({"HOURS": "h", "CO2": "t"}),
        aliases={"labour": "HOURS"},
        name="small",
    )
    save_economy(economy, tmp_path / "small")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_the_least_scenario_scales_total_demand(folder: Path) -> None:
    plan = build(load_scenario(write(folder, SMALL)))
    assert isinstance(plan.objective, MaxScale)
    assert plan.targets.tolist() == [11.0, 22.0, 33.0]
    assert plan.name == "scenario"
    assert plan.limits == []


def test_everything_at_once(folder: Path) -> None:
    (folder / "weights.csv").write_text("product,weight\niron,3\n")
    (folder / "capacities.csv").write_text("technique,capacity\ngrain,50\ncloth,60\n")
    text = """
name = "all"
description = "every table"
[economy]
source = "small"
[targets]
final_demand = "households"
[objective]
kind = "harmony"
weights = "weights.csv"
[limits]
labour = "102%"
[limits.carbon]
indicator = "co2"
at_least = 1.0
at_most = "-5%"
unit = "t"
[capacities]
file = "capacities.csv"
cloth = 70.0
[[technique]]
product = "iron"
name = "recycled iron"
inputs = { iron = 0.05, grain = 0.2 }
intensities = { labour = 1.0 }
capacity = 4.0
[solve]
tolerance = 1e-8
"""
    scenario = load_scenario(write(folder, text))
    plan = build(scenario)
    assert (plan.name, scenario.document.solve.tolerance) == ("all", 1e-8)
    assert plan.economy.techniques.tolist() == ["grain", "iron", "cloth", "recycled iron"]
    assert plan.economy.input_coefficients.toarray()[:, 3].tolist() == [0.2, 0.05, 0.0]
    assert plan.economy.indicator("labour")["recycled iron"] == 1.0
    assert plan.capacities.tolist() == [50.0, np.inf, 70.0, 4.0]
    assert isinstance(plan.objective, Harmony)
    assert plan.compiled.weights is not None
    assert plan.compiled.weights.tolist() == [1.0, 3.0, 1.0]
    assert plan.targets.tolist() == [10.0, 20.0, 30.0]
    base = plan.base_use
    assert base is not None
    work, carbon = plan.limits
    assert (work.indicator, work.upper) == ("HOURS", pytest.approx(1.02 * base["HOURS"]))
    assert (carbon.indicator, carbon.lower, carbon.upper) == ("CO2", 1.0, pytest.approx(0.95 * base["CO2"]))
    assert set(scenario.files) == {"weights.csv", "capacities.csv"}
    assert plan.scenario is scenario


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('kind = "log"\nepsilon = 0.25', LogUtility(epsilon=0.25)),
        ('kind = "power"\nsigma = 2', PowerUtility(sigma=2.0)),
        ('kind = "minimise-use"\nindicator = "labour"', MinimiseUse("labour")),
        ('kind = "minimise-use"\nindicator = { labour = 2.0, CO2 = 1 }', MinimiseUse({"labour": 2.0, "CO2": 1.0})),
        ('kind = "max-scale"\nweights = 2.0', MaxScale(weights=2.0)),
    ],
)
def test_objectives(folder: Path, lines: str, expected: object) -> None:
    assert build(load_scenario(write(folder, f"{SMALL}[objective]\n{lines}\n"))).objective == expected


def test_targets_from_a_file(folder: Path) -> None:
    (folder / "wanted.csv").write_text("product,amount\ncloth,7\n")
    plan = build(load_scenario(write(folder, SMALL + '[targets]\nfinal_demand = "wanted.csv"\n')))
    assert plan.targets.tolist() == [0.0, 0.0, 7.0]


def test_expansion_shares_the_weight_of_a_sector(folder: Path) -> None:
    text = (
        '[economy]\nsource = "small"\nexpand_to = 60\nseed = 3\n[objective]\nkind = "harmony"\nweights = {iron = 5}\n'
    )
    plan = build(load_scenario(write(folder, text)))
    expansion = plan.economy.expansion
    assert expansion is not None
    assert plan.compiled.weights is not None
    sums = np.bincount(expansion.parent, weights=plan.compiled.weights)
    np.testing.assert_allclose(sums, [1.0, 5.0, 1.0], rtol=1e-12)
    scaled = build(load_scenario(write(folder, text.replace("harmony", "max-scale"))))
    np.testing.assert_array_equal(scaled.compiled.weights, np.array([1.0, 5.0, 1.0])[expansion.parent])


def test_expansion_refuses_what_it_would_split(folder: Path) -> None:
    text = '[economy]\nsource = "small"\nexpand_to = 60\n[capacities]\niron = 5.0\n'
    with pytest.raises(ProblemError, match="expand_to cannot be combined"):
        build(load_scenario(write(folder, text)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'economy' is missing"),
        ("[economy]\nsorce = 'x'\n", r"\[economy\]: unknown key 'sorce'; did you mean 'source'"),
        (SMALL + "[limit.ghg]\nat_most = 1\n", "unknown key 'limit'; did you mean 'limits'"),
        (SMALL + "[limits.ghg]\nat_mots = 1\n", r"\[limits.ghg\]: unknown key 'at_mots'; did you mean 'at_most'"),
        (SMALL + "[limits]\nghg = [1]\n", r"\[limits\]: ghg = \[1\]"),
        (SMALL + "[limits.ghg]\nat_most = true\n", r"\[limits.ghg\]: at_most = True"),
        (SMALL + "[solve]\ntolerence = 1e-6\n", r"\[solve\]: unknown key 'tolerence'; did you mean 'tolerance'"),
        (SMALL + "[solve]\ntolerance = 0\n", r"\[solve\]: tolerance = 0"),
        (SMALL + "[solve]\ntolerance = '1e-6'\n", r"\[solve\]: tolerance = '1e-6'"),
        (SMALL + "[objective]\nkind = 'harmoni'\n", "'harmoni' is unknown; did you mean 'harmony'"),
        (SMALL + "[objective]\nkind = 'lexicographic'\n", r"needs objectives, one table \[\[objective.objectives\]\]"),
        (SMALL + "[objective]\nkind = 'power'\n", "needs sigma"),
        (SMALL + "[objective]\nkind = 'minimise-use'\n", "needs indicator"),
        (SMALL + "[objective]\nkind = 'harmony'\nsigma = 2\n", "sigma does not apply"),
        (SMALL + "[objective]\nkind = 'minimise-use'\nindicator = 'x'\nweights = 2\n", "weights does not apply"),
        (SMALL + "[horizon]\nyears = 0\n", r"\[horizon\]: years = 0"),
        (
            SMALL + "[[technique]]\nproduct = 'a'\nname = 'b'\ninput = {}\n",
            "unknown key 'input'; did you mean 'inputs'",
        ),
        ("x = = 1", "scenario.toml: "),
    ],
)
def test_errors_name_file_table_and_key(text: str, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        parse_scenario(text, Path("folder/scenario.toml"))
    assert "scenario.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALL + "[limits]\nlabuor = 1.0\n", "labuor.*labour"),
        (SMALL + "[targets]\nfinal_demand = 'housholds'\n", "housholds.*households"),
        (SMALL + "[targets]\nfinal_demand = 'none.csv'\n", "none.csv"),
        (SMALL + "[objective]\nkind = 'harmony'\nweights = { irn = 2.0 }\n", "'irn'.*'iron'"),
        (SMALL + "[capacities]\nirn = 2.0\n", r"\[capacities\].*'irn'.*'iron'"),
        (SMALL + "[capacities]\niron = 'a'\n", "'iron' is 'a', expected a number"),
        (SMALL + "[[technique]]\nproduct = 'irn'\nname = 'b'\n", "'irn'.*'iron'"),
        ("[economy]\nsource = 'smal'\n", "smal"),
    ],
)
def test_errors_of_names_suggest_the_nearest(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        build(load_scenario(write(folder, text)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("product,weight\niron,much\n", "iron.*much"),
        ("product,weight\niron,1\niron,2\n", "iron"),
        ("product,weight\nirn,1\n", "'irn'.*'iron'"),
        ("product,weight,more\niron,1,2\n", "2 columns of numbers"),
        ("", "weights.csv"),
    ],
)
def test_bad_weight_files(folder: Path, content: str, message: str) -> None:
    (folder / "weights.csv").write_text(content)
    with pytest.raises(ProblemError, match=message):
        build(load_scenario(write(folder, SMALL + '[objective]\nkind = "harmony"\nweights = "weights.csv"\n')))


def test_a_missing_file() -> None:
    with pytest.raises(ProblemError, match=r"cannot read the scenario nowhere.toml"):
        load_scenario("nowhere.toml")


def test_the_record_keeps_the_text_and_the_defaults(folder: Path) -> None:
    record = load_scenario(write(folder, SMALL)).to_record()
    assert record["text"] == SMALL
    assert record["document"]["solve"]["tolerance"] == 1e-6


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("product,wieght", "column 'wieght' should hold numbers and be called 'weight'; did you mean 'weight'"),
        ("technique,weight", "column 'technique' should hold labels and be called 'product'"),
        ("grain,1.5", "'grain'"),
        (",weight", ""),
        ("product,weight", ""),
    ],
)
def test_columns_of_a_file_are_called_what_they_hold(folder: Path, header: str, message: str) -> None:
    (folder / "weights.csv").write_text(f"{header}\niron,3\n")
    scenario = load_scenario(write(folder, SMALL + '[objective]\nkind = "harmony"\nweights = "weights.csv"\n'))
    if not message:
        build(scenario)
        return
    with pytest.raises(ProblemError, match=re.escape(message)):
        build(scenario)


def test_one_indicator_in_two_spellings_is_refused_and_both_are_named(folder: Path) -> None:
    text = SMALL + "[indicators.all]\nof = { HOURS = 1.0, hours = 2.0 }\n"
    with pytest.raises(ProblemError, match=r"\[indicators.all\].*'(HOURS|hours)'.*'(HOURS|hours)'"):
        parse_scenario(text, folder / "scenario.toml").economy()
