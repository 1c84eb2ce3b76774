"""Small plans of every kind, saved as folders, and folders made consistent again after a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kantor import Economy, Harmony, Limit, LogUtility, MaxScale, MinimiseUse, Plan, PowerUtility
from kantor.data.saved import save_economy
from kantor.planning.record import digest, read_record, sha256_of
from kantor.planning.scenario import build, load_scenario

GOODS = ["grain", "iron", "cloth"]


def economy(**changes: Any) -> Economy:
    given: dict[str, Any] = {
        "A": np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        "Y": [10.0, 20.0, 30.0],
        "S": np.array([[1.0, 2.0, 3.0], [0.5, 0.1, 0.25]]),
        "labels": GOODS,
        "indicators": ["HOURS", "CO2"],
        "indicator_units": pd.Series({"HOURS": "h", "CO2": "t"}),
    }
    return Economy.from_iot(**(given | changes))


def two_ways() -> Economy:
    return Economy.from_arrays(
        input=np.zeros((1, 2)),
        output=np.ones((1, 2)),
        intensities=np.array([[2.0, 3.0], [3.0, 2.0]]),
        products=["good"],
        techniques=["A", "B"],
        indicators=["labour", "CO2"],
    )


PLANS: dict[str, Callable[[], Plan]] = {
    "scale": lambda: Plan(economy(), limits={"HOURS": "90%", "CO2": "95%"}, objective=MaxScale(weights={"iron": 0.5})),
    "capacity": lambda: Plan(economy(), limits={"HOURS": "120%"}, capacities={"iron": 30.0}),
    "floor": lambda: Plan(two_ways(), [2.0], MinimiseUse("labour"), limits={"CO2": Limit(at_least=7.0)}),
    "use": lambda: Plan(two_ways(), [2.0], MinimiseUse({"labour": 2.0, "CO2": 0.1}), limits={"CO2": 5.0}),
    "negative": lambda: Plan(economy(), [10.0, -4.0, 30.0], limits={"HOURS": "90%"}),
    "harmony": lambda: Plan(economy(), objective=Harmony(weights={"iron": 2.0}), limits={"HOURS": "90%", "CO2": "-3%"}),
    "harmony with supply": lambda: Plan(economy(), [10.0, -4.0, 30.0], Harmony(), limits={"HOURS": 100.0}),
    "log": lambda: Plan(economy(), objective=LogUtility(epsilon=0.1), limits={"HOURS": "90%"}),
    "power": lambda: Plan(economy(), objective=PowerUtility(sigma=2.0), limits={"HOURS": "90%"}),
    "infeasible": lambda: Plan(two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": 5.0}),
    "unlimited": lambda: Plan(economy()),
}  # fmt: skip


def degenerate() -> Plan:
    """The target is just what the cheap technique can make: a unit is worth 1 to 3 hours, its capacity 0 to 2."""
    made = Economy.from_arrays(
        input=np.zeros((1, 2)), output=np.ones((1, 2)), intensities=np.array([[1.0, 3.0]]), products=["good"],
        techniques=["cheap", "dear"], indicators=["hours"],
    )  # fmt: skip
    return Plan(made, [2.0], MinimiseUse("hours"), limits={"hours": 9.0}, capacities={"cheap": 2.0})


FULL = """
[economy]
source = "small"
[objective]
kind = "harmony"
weights = "weights.csv"
[limits]
HOURS = "-5%"
[limits.air]
indicator = 'CO2'
at_most = '20 t'
[capacities]
iron = 1e4
[[technique]]
product = 'iron'
name = 'scrap'
inputs = {grain = 0.3}
intensities = {HOURS = 1.5}
capacity = 3.0
"""


FIVE_YEARS = """
[economy]
source = "small"
[objective]
kind = "harmony"
weights = "weights.csv"
[horizon]
years = 5
first = 2027
growth = { iron = 0.02 }
discount = 0.03
rise = { cloth = 0.5 }
minimum = { grain = 2.0 }
[capital]
requirements = "needs.csv"
composition = "made_of.csv"
depreciation = { machines = 0.1 }
[storage]
products = ["grain"]
loss = 0.1
[limits]
HOURS = "-5%"
[limits.air]
indicator = 'CO2'
at_most = '98%'
over = "total"
[limits.work]
indicator = 'HOURS'
at_least = { 2028 = 1.0 }
[capacities]
iron = 1e4
"""

TRADE = """
[economy]
source = "world"
[regions]
[trade]
observed_only = true
at_most = 1.5
balance = "observed"
debt = 0.01
[horizon]
years = 2
discount = 0.03
[objective]
each = "year"
[limits.hours]
at_most = "102%"
per = "region"
[limits.all]
indicator = "hours"
at_most = "200%"
over = "total"
"""


def two_regions() -> Economy:
    """A multi-regional table of two regions and two sectors."""
    labels = pd.MultiIndex.from_product([["N", "S"], ["food", "tools"]], names=["region", "sector"])
    A = np.array([[0.2, 0.1, 0.05, 0.0], [0.1, 0.2, 0.0, 0.1], [0.0, 0.1, 0.3, 0.1], [0.05, 0.0, 0.1, 0.2]])
    demand = np.array([[9.0, 1.0], [4.0, 2.0], [2.0, 8.0], [1.0, 5.0]])
    hours = np.array([[1.0, 2.0, 0.8, 3.0]])
    columns = pd.MultiIndex.from_product([["N", "S"], ["all"]])
    return Economy.from_mrio(
        A=pd.DataFrame(A, labels, labels),
        Y=pd.DataFrame(demand, labels, columns),
        S=pd.DataFrame(hours, ["hours"], labels),
        indicator_units=pd.Series({"hours": "h"}),
    )


def world_folder(place: Path, text: str = TRADE) -> Path:
    """The plan of regions that trade."""
    save_economy(two_regions(), place / "world")
    (place / "scenario.toml").write_text(text)
    return build(load_scenario(place / "scenario.toml")).solve(1e-6).save(place / "plan")


def capital_files(place: Path) -> None:
    """What FIVE_YEARS reads: machines that every sector needs, made of iron and cloth."""
    (place / "needs.csv").write_text("asset,grain,iron,cloth\nmachines,0.5,1.0,0.4\n")
    (place / "made_of.csv").write_text("product,machines\niron,0.2\ncloth,0.1\n")


def scenario_folder(place: Path, text: str = FULL, **changes: Any) -> Path:
    """The plan of a scenario on a saved economy, with its weights in a file beside it."""
    save_economy(economy(**changes), place / "small")
    (place / "weights.csv").write_text("product,weight\niron,3\n")
    (place / "scenario.toml").write_text(text)
    return build(load_scenario(place / "scenario.toml")).solve(1e-6).save(place / "plan")


def reseal(folder: Path, record: dict[str, Any] | None = None) -> None:
    """Make all hashes of a changed folder right again, as someone who wants to cheat would."""
    record = read_record(folder) if record is None else record
    record["tables"] = {
        str(p.relative_to(folder)): sha256_of(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p != folder / "plan.json"
    }
    record["digest"] = digest(record)
    (folder / "plan.json").write_text(json.dumps(record))
