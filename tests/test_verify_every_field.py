"""Every leaf of plan.json and every cell of every table, changed with all hashes made good again: verify says no."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plan_folders
from kantor import verify_plan
from kantor.errors import ProblemError
from kantor.planning.record import PARTS, TABLES, VERTEX, read_record

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

# What plan.json says of the run and nothing in the folder follows from: covered by its digest only, with the reason.
RUN = "how, where and when it was computed; the answer is checked whatever it says"
WORDS = "words for people; no number depends on them"
DESCRIPTIVE = {
    ("created",): RUN,
    ("software",): RUN,
    ("seconds",): RUN,
    ("solve", "method"): RUN,
    ("solve", "why"): WORDS,
    ("solve", "backend"): RUN,
    ("solve", "device"): RUN,
    ("solve", "iterations"): RUN,
    ("solve", "products"): RUN,
    ("solve", "notes"): WORDS,
    ("solve", "history"): RUN,
    ("options", "method"): RUN,
    ("options", "backend"): RUN,
    ("options", "time_limit_s"): RUN,
    ("options", "iteration_limit"): RUN,
    ("notes",): WORDS,
    ("vertex", "how"): WORDS,
    ("scenario", "path"): "where the scenario lay; the files beside it are compared by their SHA-256",
    ("certificate", "primal_residual"): "the solver's own measure of its last iterate, which is not kept",
    ("certificate", "dual_residual"): "as the primal one",
}
# Recomputed by this test as a forger would.
RESEALED = {"tables", "digest"}
UNITS = pd.Series(["t", "kg", "m"], plan_folders.GOODS)
NAMES = pd.Series(["Grain", "Iron", "Cloth"], plan_folders.GOODS)
KINDS = ["scenario", "capacity", "floor", "infeasible", "unlimited", "years", "trade", "vertex", "degenerate vertex"]
FROM_FILES = ("scenario", "years", "trade")
CORNERS = {"vertex": plan_folders.PLANS["capacity"], "degenerate vertex": plan_folders.degenerate}
# Plans over years and regions are larger: of these every eighth cell, and of plan.json what only they have.
LARGE = ("years", "trade")
OWN = {"horizon", "capital", "storage", "regions", "trade", "limits", "objective"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plan folder of each kind, solved once."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            root = tmp_path_factory.mktemp("plan")
            if kind == "scenario":
                made[kind] = plan_folders.scenario_folder(root, unit=UNITS, product_names=NAMES)
            elif kind == "years":
                plan_folders.capital_files(root)
                made[kind] = plan_folders.scenario_folder(
                    root, plan_folders.FIVE_YEARS, unit=UNITS, product_names=NAMES
                )
            elif kind == "trade":
                made[kind] = plan_folders.world_folder(root)
            elif kind in CORNERS:
                made[kind] = CORNERS[kind]().solve(1e-9, vertex=True).save(root / "plan")
            else:
                made[kind] = plan_folders.PLANS[kind]().solve(1e-9).save(root / "plan")
        return made[kind]

    return folder


def leaves(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all leaves; empty tables and lists are leaves too."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    paths = [path for key, item in items for path in leaves(item, (*above, key))]
    yield from paths or [above]


def changed(value: Any) -> list[Any]:
    """What a leaf may be turned into: numbers by one part in a million and in sign, other things into others."""
    if isinstance(value, bool):
        return [not value]
    if value is None:
        return [1.0]
    if isinstance(value, str):
        return [f"{value}x"] if value not in ("inf", "-inf") else [1e9, None]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return _other_numbers(value)
    return [[*value, "x"] if isinstance(value, list) else {**value, "x": 1}]


def _other_numbers(value: float) -> list[float]:
    if math.isnan(value):
        return [1.0]
    if math.isinf(value):
        return [math.copysign(1e9, value)]
    if value == 0:
        return [1e-6, -1e-6]
    return [value * (1 + 1e-6), value * (1 - 1e-6), -value]


def accepted(folder: Path) -> bool:
    try:
        return verify_plan(folder).ok
    except ProblemError:  # no plan folder any more
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_every_leaf_of_plan_json(saved: Any, tmp_path: Path, kind: str) -> None:
    folder = Path(shutil.copytree(saved(kind), tmp_path / "plan"))
    whole = read_record(folder)
    assert accepted(folder), verify_plan(folder)
    unnoticed = []
    for path in leaves(whole):
        if path[0] in RESEALED or any(path[:k] in DESCRIPTIVE for k in range(1, len(path) + 1)):
            continue
        if kind in LARGE and path[:2] == ("scenario", "document") and path[2] not in OWN:
            continue
        if kind in LARGE and path[0] not in ("scenario", "economy", "certificate", "objective"):
            continue
        *above, last = path
        value = whole
        for key in path:
            value = value[key]
        for other in changed(value)[: 1 if kind in LARGE else None]:
            record = copy.deepcopy(whole)
            place = record
            for key in above:
                place = place[key]
            place[last] = other
            plan_folders.reseal(folder, record)
            if accepted(folder) and not (path == ("name",) and kind not in FROM_FILES):  # a title given in Python
                unnoticed.append((path, value, other))
    assert not unnoticed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*TABLES, PARTS, *VERTEX])
def test_every_cell_of_every_table(saved: Any, tmp_path: Path, kind: str, name: str) -> None:
    folder = Path(shutil.copytree(saved(kind), tmp_path / "plan"))
    if not (folder / name).exists():
        assert name in (PARTS, *VERTEX)
        assert kind not in (("capacity",) if name == PARTS else CORNERS)
        return
    whole = pd.read_parquet(folder / name)
    unnoticed = []
    for k, (label, row, column, other) in enumerate(cells(whole)):
        if kind in LARGE and k % 8:
            continue
        frame = whole.copy()
        frame.iloc[row, column] = other
        frame.to_parquet(folder / name)
        plan_folders.reseal(folder)
        if accepted(folder) and not same_question(kind, str(whole.columns[column]), whole, row):
            unnoticed.append((label, whole.columns[column], whole.iloc[row, column], other))
    assert not unnoticed


def same_question(kind: str, column: str, table: pd.DataFrame, row: int) -> bool:
    """Whether the cell states a question asked in Python, in a part that makes no difference to any answer."""
    return column == "weight" and (kind == "unlimited" or not table["target"].iloc[row] > 0)


def cells(table: pd.DataFrame) -> Iterator[tuple[Any, int, int, Any]]:
    for row, label in enumerate(table.index):
        for column in range(table.shape[1]):
            value = table.iloc[row, column]
            plain = float(value) if isinstance(value, np.floating | float) else value
            if isinstance(plain, float) and 0 < abs(plain) < max(1e-8 * table.iloc[:, column].abs().max(), 1e-14):
                continue  # a rounding error of the solver, not worth a digit
            others = changed(plain)
            for other in others if row == 0 else [others[row % len(others)]]:
                yield label, row, column, other
