"""The plan behind a plan folder, to go on from: read from its scenario, or from the economy it holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ProblemError
from ..planning import objectives
from ..planning.folder import load_plan
from ..planning.in_order import stage_of
from ..planning.limits import Limit
from ..planning.order import folders_before, place_in_order
from ..planning.plan import Plan
from ..planning.record import read_record
from ..planning.result import PlanResult
from ..planning.scenario import Scenario, build
from ..planning.verify import raw_input


def open_plan(folder: str | Path) -> PlanResult:
    """The result in a plan folder with its ``plan``, so that it can be asked and replanned.

    Raises ProblemError where the folder or its raw input cannot be read.
    """
    place = Path(folder)
    result, record = load_plan(place), read_record(place)
    economy, scenario = raw_input(place, record)
    plan = _stored_plan(economy, result, record) if scenario is None else _planned(place, record, scenario)
    if not plan.economy.techniques.equals(result.activity.index):
        raise ProblemError(f"{place}: its tables do not have the techniques of its economy; run kantor verify on it")
    stages = [open_plan(before) for before in folders_before(place, record)]
    return dataclasses.replace(result, plan=plan, stages=stages)


def _planned(folder: Path, record: dict[str, Any], scenario: Scenario) -> Plan:
    """The plan of a scenario; of an order of priority the one whose place the folder has."""
    whole = build(scenario)
    number, held = place_in_order(folder, record, scenario)
    return whole if whole.in_order is None else stage_of(whole, number, held)


def _stored_plan(economy: Any, result: PlanResult, record: dict[str, Any]) -> Plan:
    """A plan made in Python: its question stands in the tables."""
    limits = {
        limit.name: Limit(
            indicator=limit.indicator,
            at_most=limit.upper if np.isfinite(limit.upper) else None,
            at_least=limit.lower if np.isfinite(limit.lower) else None,
        )
        for limit in result.limits
    }
    consumption = pd.read_parquet(Path(str(result.folder)) / "consumption.parquet")
    weights = consumption.get("weight")
    return Plan(
        economy.replace(limits={}),
        targets=result.targets.rename("target"),
        objective=_objective(record["objective"], weights),
        limits=limits,
        name=result.name,
    )


def _objective(stated: dict[str, Any], weights: pd.Series | None) -> objectives.Objective:
    kind = stated["kind"]
    if kind == "minimise-use":
        return objectives.MinimiseUse(stated["indicator"])
    if kind == "maximise-use":
        return objectives.Maximise(stated["indicator"])
    plain: Any = {
        "max-scale": objectives.MaxScale,
        "harmony": objectives.Harmony,
        "new-harmony": objectives.NewHarmony,
        "log": objectives.LogUtility,
        "power": objectives.PowerUtility,
    }[kind]
    named = {key: stated[key] for key in ("sigma", "epsilon", "kappa") if key in stated}
    made: objectives.Objective = plain(weights=weights, **named)
    return made
