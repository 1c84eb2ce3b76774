"""Scenarios that extend others, and sweeps over one of their keys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kantor as kt
from kantor.errors import OptionError, ProblemError
from kantor.planning.scenario import build, load_scenario
from villages import kantor

BASE = """
name = "base"
[economy]
source = "us_2012"
[limits.ghg]
at_most = "-5%"
[limits.labour]
at_most = "102%"
[solve]
tolerance = 1e-8
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE)
    return tmp_path


def write(place: Path, text: str, name: str = "child.toml") -> Path:
    (place / name).write_text(text)
    return place / name


def test_a_scenario_takes_over_what_it_does_not_say(place: Path) -> None:
    child = load_scenario(write(place, 'extends = "base.toml"\nname = "child"\nlimits.ghg.at_most = "-10%"\n'))
    assert child.name == "child"
    assert child.document.limits["ghg"].at_most == "-10%"  # type: ignore[union-attr]
    assert child.document.limits["labour"].at_most == "102%"  # type: ignore[union-attr]
    assert child.document.solve.tolerance == 1e-8
    third = write(place, 'extends = "child.toml"\nwithout = ["limits.ghg"]\n', "third.toml")
    assert list(load_scenario(third).document.limits) == ["labour"]
    assert build(load_scenario(third)).solve().objective == pytest.approx(1.02)


def test_the_plan_of_such_a_scenario_is_verified_and_its_base_is_an_input(place: Path) -> None:
    child = write(place, 'extends = "base.toml"\nlimits.ghg.at_most = "-10%"\n')
    assert kantor("plan", child, "-o", place / "plan").exit_code == 0
    assert kt.verify_plan(place / "plan").ok
    inputs = json.loads((place / "plan" / "plan.json").read_text())["inputs"]
    assert "base.toml" in [Path(entry["path"]).name for entry in inputs]
    (place / "base.toml").write_text(BASE + "# changed\n")
    assert "input file base.toml" in kt.verify_plan(place / "plan").reasons[0]


WRONG = {
    'extends = "bsae.toml"': "did you mean 'base.toml'",
    'extends = "child.toml"': "leads back to itself: child.toml -> child.toml",
    'extends = "sub/base.toml"': "in the same folder",
    'without = "limits"\n[economy]\nsource = "us_2012"': "there is no extends",
    'extends = "base.toml"\nwithout = "limits.gha"': "of which base.toml says nothing; did you mean 'ghg'",
    'extends = "base.toml"\nwithout = 3': "expected names",
    'extends = "base.toml"\n[limits.ghg]\nat_moast = 3': "unknown key 'at_moast'",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_taken_over(place: Path, text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        load_scenario(write(place, text))
    assert WRONG[text] in str(caught.value)
    assert "child.toml" in str(caught.value)


def test_a_sweep_is_its_points_and_every_folder_holds(place: Path) -> None:
    levels = ["-5%", "-10%", "-20%"]
    alone = kt.sweep(place / "base.toml", "limits.ghg.at_most", levels)
    assert alone["objective"].tolist() == pytest.approx([0.95, 0.90, 0.80])
    together = kt.sweep(place / "base.toml", "limits.ghg.at_most", levels, place / "plans", jobs=3)
    np.testing.assert_array_equal(together["objective"], alone["objective"])
    assert together["status"].tolist() == ["optimal"] * 3
    table = [result.plan.economy.input_coefficients for result in together["plan"]]
    assert all(np.shares_memory(one.data, table[0].data) for one in table)  # one matrix for all
    for folder in sorted((place / "plans").iterdir()):
        assert kt.verify_plan(folder).ok
    assert [folder.name for folder in sorted((place / "plans").iterdir())] == ["01", "02", "03"]
    with pytest.raises(ProblemError, match="holds something"):
        kt.sweep(place / "base.toml", "limits.ghg.at_most", levels, place / "plans")


def test_change_by_one_unit_is_between_points(place: Path) -> None:
    eco = kt.load_economy("us_2012")
    jobs = float(eco.base_use("total")[eco.indicator_name("labour")])
    write(place, 'extends = "base.toml"\nwithout = "limits.ghg"\n')
    table = kt.sweep(place / "child.toml", "limits.labour.at_most", [0.8 * jobs, 0.9 * jobs])
    assert table["change"].iloc[1] == pytest.approx(1.0 / jobs)


def test_the_command_and_what_it_refuses(place: Path) -> None:
    said = kantor("sweep", place / "base.toml", "limits.ghg.at_most", "--values", "-5%,-10%", "--json")
    assert said.exit_code == 0, said.output
    points = json.loads(said.stdout)["points"]
    assert [point["objective"] for point in points] == pytest.approx([0.95, 0.90])
    with pytest.raises(OptionError, match="a table and a key"):
        kt.sweep(place / "base.toml", "name", ["a"])
    with pytest.raises(ProblemError, match=r"unknown key 'at_mots'; did you mean 'at_most'"):
        kt.sweep(place / "base.toml", "limits.ghg.at_mots", ["-5%"])
    with pytest.raises(OptionError, match="none given"):
        kt.sweep(place / "base.toml", "limits.ghg.at_most", [])
