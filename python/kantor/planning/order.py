"""A plan folder's place in an order of priority, read again: what it is held to, and whether it is held to that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ProblemError
from .grammar_objective import UTILITIES
from .record import BEFORE, number, read_record, read_table
from .scenario import Scenario

if TYPE_CHECKING:
    from .combined import Held


def folders_before(folder: Path, record: dict[str, Any]) -> list[Path]:
    """The plan folders of the objectives before this one, the first of the order first."""
    order = record.get("order")
    count = 0 if order is None else int(order["number"]) - 1
    return [folder.joinpath(*[BEFORE] * depth) for depth in range(count, 0, -1)]


def place_in_order(folder: Path, record: dict[str, Any], scenario: Scenario) -> tuple[int, list[Held]]:
    """Which objective of a scenario a folder is about, and what those before it reached."""
    order = record.get("order")
    held: list[Held] = []
    if (order is None) != (scenario.document.objective.kind != "lexicographic"):
        raise ProblemError(f"{folder}: order is {order!r}, which does not fit the objective of the scenario")
    if order is None:
        return 1, held
    from .combined import hold  # here, so that a plain plan is verified without anything of a solver
    from .scenario_objective import written_of

    members = len(scenario.document.objective.members)
    if not 1 <= order["number"] <= members or order["of"] != members:
        raise ProblemError(f"{folder}: order is {order!r}, the scenario has {members} objectives")
    for k, before in enumerate(folders_before(folder, record), 1):
        written = written_of(scenario, k, held)
        consumption = read_table(before, "consumption.parquet")["consumption"]
        reached = number(read_record(before)["certificate"]["objective"])
        held.append(hold(written, consumption, reached, float(order["slack"]), first=k == 1))
    return int(order["number"]), held


def wrong_order(folder: Path, record: dict[str, Any], scenario: Scenario | None, limits: pd.DataFrame) -> Iterator[str]:
    """The plan stands where it says, after optimal plans of the same question, and is held to what they reached."""
    order = record.get("order")
    if order is None:
        if (folder / BEFORE).exists():
            yield f"{BEFORE}: stored, but the plan is in no order of priority"
        return
    if scenario is not None:
        stated = scenario.document.objective.slack
        slack = 1e-6 if stated is None else stated
        if order["slack"] != slack or order["others"]:
            yield f"order: stated {order!r}, the scenario says slack {slack!r}"
    place = int(order["number"])
    if not 1 <= place <= int(order["of"]) or (folder / BEFORE).is_dir() != (place > 1):
        yield f"order: {order!r} does not fit what is stored of the objectives before it"
        return
    for k, before in enumerate(folders_before(folder, record), 1):
        earlier = read_record(before)
        if earlier.get("order") != order | {"number": k}:
            yield f"order: objective {k} is stored as {earlier.get('order')!r}"
        if earlier["status"] != "optimal":
            yield f"order: objective {k} ended as {earlier['status']!r}, so nothing can be held to it"
        if (earlier["scenario"] or {}).get("text") != (record["scenario"] or {}).get("text"):
            yield f"order: objective {k} was planned from another scenario"
    for name, expected in held_bounds(folder, record).items():
        yield from _wrong_bound(name, expected, limits)


def held_bounds(folder: Path, record: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The limits that hold a plan to those before it in its order, from what these reached."""
    order = record.get("order")
    if order is None:
        return {}
    names = [f"objective {k + int(order['others'])}" for k in range(1, int(order["number"]))]
    found = zip(names, folders_before(folder, record), strict=True)
    return {name: _bound(read_record(before), float(order["slack"])) for name, before in found}


def _bound(earlier: dict[str, Any], slack: float) -> dict[str, float]:
    if earlier["objective"]["kind"] in UTILITIES:
        return {"at_least": 1.0 - slack}
    reached = number(earlier["certificate"]["objective"])
    reached = reached if abs(reached) >= 1e-100 else 0.0
    if earlier["objective"]["sense"] == "max":
        return {"at_least": reached - slack * abs(reached)}
    return {"at_most": reached + slack * abs(reached)}


def _wrong_bound(name: str, expected: dict[str, float], limits: pd.DataFrame) -> Iterator[str]:
    if name not in limits.index:
        yield f"limits: {name!r} is missing, which holds the plan to what came before it"
        return
    for side, absent in (("at_least", -np.inf), ("at_most", np.inf)):
        stated, wanted = float(limits[side][name]), expected.get(side, absent)
        if stated != wanted:
            yield f"limit {name!r}: {side} is {stated!r}, the plan before makes it {wanted!r}"
