"""Indicators made of others, in Python and in scenario files, over regions and years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kantor as kt
import plan_folders
from kantor.data.saved import save_economy
from kantor.errors import ProblemError
from kantor.planning.scenario import build, load_scenario


def economy() -> kt.Economy:
    return kt.Economy.from_arrays(
        input=np.array([[0.1, 0.2], [0.1, 0.0]]), intensities=[[1.0, 2.0], [4.0, 0.0], [1.0, 1.0]], demand=[5.0, 4.0],
        products=["grain", "wool"], indicators=["hours", "cropland", "pasture"], name="farm",
        indicator_units=pd.Series(["h", "ha", "ha"], ["hours", "cropland", "pasture"]),
    )  # fmt: skip


def test_a_limit_on_biodiversity_pressure() -> None:
    """A weighted sum of land: its limit binds, with the rent that the perturbed optimum has."""
    eco = economy().with_indicator("species loss", {"cropland": 0.5, "pasture": 0.2}, "1e-9 species a")
    assert eco.indicator("species loss").tolist() == pytest.approx([2.2, 0.2])
    assert eco.indicator_units["species loss"] == "1e-9 species a"
    result = kt.Plan(eco, limits={"species loss": "90%"}).solve(1e-10)
    assert result.objective == pytest.approx(0.9, rel=1e-8)
    more = kt.Plan(eco, limits={"species loss": float(result.limits[0].upper) + 1e-3}).solve(1e-10)
    assert more.objective - result.objective == pytest.approx(1e-3 * result.rents["species loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "of", "words"),
    [
        ("hours", {"pasture": 1.0}, "has one of that name already"),
        ("loss", {}, "made of nothing"),
        ("loss", {"pastures": 1.0}, "unknown indicator 'pastures'"),
        ("loss", {"pasture": float("nan")}, "'pasture' has weight nan"),
    ],
)
def test_what_is_refused(name: str, of: dict[str, float], words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        economy().with_indicator(name, of)


def test_in_a_scenario_over_years_and_in_regions(tmp_path: Path) -> None:
    save_economy(economy(), tmp_path / "farm")
    text = '[economy]\nsource = "farm"\n[indicators.loss]\nof = { cropland = 0.5, pasture = 0.2 }\nunit = "pdf"\n'
    (tmp_path / "s.toml").write_text(text + '[horizon]\nyears = 2\nfirst = 2030\n[limits.loss]\nat_most = "95%"\n')
    plan = build(load_scenario(tmp_path / "s.toml"))
    result = plan.solve(1e-8)
    assert result.objective == pytest.approx(0.95, rel=1e-7)
    assert [limit.unit for limit in plan.limits] == ["pdf", "pdf"]
    assert kt.verify_plan(result.save(tmp_path / "plan"))
    save_economy(plan_folders.two_regions(), tmp_path / "world")
    name = plan_folders.two_regions().indicators[0]
    (tmp_path / "w.toml").write_text(
        f'[economy]\nsource = "world"\n[regions]\n[indicators.twice]\nof = {{ "{name}" = 2.0 }}\n'
        '[limits.twice]\nat_most = "90%"\nper = "region"\n'
    )
    world = build(load_scenario(tmp_path / "w.toml"))
    assert all(limit.indicator.startswith("twice in ") for limit in world.limits)
    (tmp_path / "bad.toml").write_text('[economy]\nsource = "farm"\n[indicators.loss]\nof = { crops = 1.0 }\n')
    with pytest.raises(ProblemError, match=r"\[indicators.loss\]: unknown indicator 'crops'"):
        build(load_scenario(tmp_path / "bad.toml"))
