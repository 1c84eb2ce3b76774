"""Plans of economies in shards (kantor.data.economy_shards): from a scenario file to a folder that all ranks write.

    plan.json    format, the scenario word for word, SHA-256 of the economy's head and of the two tables' heads,
                 objective, limits with their use and rents, status, certificate; its ``digest`` is the SHA-256 of the
                 rest
    techniques/  by technique, in the order of the shards: good, activity        one Parquet file a rank
    goods/       by good: target, consumption, price                              (kantor.data.parts)

No process has the whole of the economy's table, of the answer or of the folder. What a scenario may say is less than of
a whole economy: [economy] source, [objective] max-scale, harmony or minimise-use of one indicator, [limits] at_most as
numbers, [solve]. Anything else is refused by name.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..atomic import new_file, refuse_foreign
from ..backends.world import World, once
from ..data.economy_shards import HEAD, ShardedEconomy, open_economy
from ..data.parts import HEAD as PARTS_HEAD
from ..data.parts import begin_parts, finish_parts, write_part
from ..errors import OptionError, ProblemError, suggest
from ..solvers.economy_part import EconomyPart
from ..solvers.problem import SeparableTerms, TermKind
from ..solvers.sharded_plan import ShardedPlan, Wanted, solve_plan_part
from .grammar import Document, EconomyTable, LimitTable, ObjectiveTable, TargetsTable
from .record import digest, sha256_of
from .record import written as bytes_of
from .scenario import Scenario

FORMAT, VERSION = "kantor plan in shards", 1
TABLES = ("techniques", "goods")
KINDS = {"max-scale": "scale", "harmony": "utility", "minimise-use": "use"}


@dataclass(frozen=True)
class Asked:
    """What a scenario asks of an economy in shards: objective kind, indicator of the cost, {indicator: at most}."""

    objective: str
    indicator: str | None
    limits: dict[str, float]


def sharded_source(scenario: Scenario) -> Path | None:
    """The folder of shards that is the scenario's economy, None if it is anything else."""
    source = scenario.document.economy.source
    folder = None if source is None else Path(scenario.beside(source))
    return folder if folder is not None and (folder / HEAD).is_file() else None


def asked_of(document: Document, economy: ShardedEconomy, path: Path) -> Asked:
    """What the document asks for; ProblemError, by name, for what plans in shards do not know."""
    plain = Document(economy=EconomyTable(source=document.economy.source), name=document.name,
                     description=document.description, objective=document.objective, limits=document.limits,
                     solve=document.solve, targets=TargetsTable())  # fmt: skip
    for name in Document.model_fields:
        if getattr(document, name) != getattr(plain, name):
            raise ProblemError(f"{path}: [{name}] says what plans of economies in shards do not know")
    objective = document.objective
    if objective.kind not in KINDS:
        raise ProblemError(f"{path}: [objective] kind = {objective.kind!r}, in shards one of {', '.join(KINDS)}")
    if objective != ObjectiveTable(kind=objective.kind, indicator=objective.indicator):
        raise ProblemError(f"{path}: [objective] has a parameter that plans in shards do not know")
    indicator = objective.indicator
    if objective.kind == "minimise-use":
        if not isinstance(indicator, str):
            raise ProblemError(f"{path}: [objective] indicator = {indicator!r}, in shards the name of one")
        _known(indicator, economy, path)
    limits = {}
    for name, given in document.limits.items():
        table = given if isinstance(given, LimitTable) else LimitTable(at_most=given)
        if table != LimitTable(indicator=table.indicator, at_most=table.at_most):
            raise ProblemError(f"{path}: [limits.{name}] in shards takes indicator and at_most only")
        if isinstance(table.at_most, bool) or not isinstance(table.at_most, float | int):
            raise ProblemError(f"{path}: [limits.{name}] at_most = {table.at_most!r}, in shards a number")
        limits[_known(table.indicator or name, economy, path)] = float(table.at_most)
    return Asked(objective.kind, indicator if isinstance(indicator, str) else None, limits)


def _known(indicator: str, economy: ShardedEconomy, path: Path) -> str:
    if indicator not in economy.indicators:
        raise ProblemError(f"{path}: indicator {indicator!r} is unknown{suggest(indicator, list(economy.indicators))}")
    return indicator


def wanted_of(asked: Asked, economy: ShardedEconomy, part: EconomyPart) -> Wanted:
    """The arrays of a rank's part; goods without a target are not consumed in harmony."""
    at = [economy.indicators.index(name) for name in asked.limits]
    cost = np.zeros(part.own.size)
    if asked.indicator is not None:
        cost = part.intensities[economy.indicators.index(asked.indicator)]
    terms = None
    if asked.objective == "harmony":
        terms = SeparableTerms.linear(part.targets.size)
        used = part.targets > 0.0
        terms.kind[used], terms.a[used], terms.b[used] = TermKind.HARMONY, 1.0, part.targets[used]
    limit = np.array(list(asked.limits.values()), dtype=np.float64)
    return Wanted(KINDS[asked.objective], part.targets, cost, part.intensities[at], limit, terms)  # type: ignore[arg-type]


def solve_sharded_scenario(scenario: Scenario, world: World, **options: Any) -> tuple[ShardedPlan, Asked, EconomyPart]:
    """(plan, what was asked for, own part without its entries) from every rank's shards; options as of
    kantor.solvers.sharded_plan.solve_plan_part. Collective."""
    folder = sharded_source(scenario)
    assert folder is not None
    found, error = None, None
    try:
        economy = open_economy(folder)
        goods, techniques, pieces = economy.layout(world.size)
        found = economy.read(pieces[world.rank])
    except (ProblemError, MemoryError) as trouble:
        error = trouble
    world.agree(error)
    assert found is not None
    asked = asked_of(scenario.document, economy, scenario.path)
    wanted, rest = wanted_of(asked, economy, found), replace(found, input=sp.csr_array((0, 0)))
    held = [found]
    del found  # the only one now: its entries go when the backend has its own copy
    return solve_plan_part(held.pop(), wanted, goods, techniques, world, **options), asked, rest


# ---- the folder ------------------------------------------------------------------------------------------------------
def begin_folder(folder: Path) -> None:
    """Make room for a plan: one in shards is replaced, anything else is left alone with a ProblemError."""
    refuse_foreign(folder, ["plan.json", *TABLES], "plans in shards")
    if folder.exists() and (folder / "plan.json").is_file() and not is_sharded_plan(folder):
        raise ProblemError(f"{folder}: holds a plan of a whole economy; name another folder")
    (folder / "plan.json").unlink(missing_ok=True)  # first, so that what is left is the old plan or none
    for name in TABLES:
        begin_parts(folder / name)


def is_sharded_plan(folder: Path) -> bool:
    """Whether the folder holds a plan in shards."""
    try:
        return bool(json.loads((folder / "plan.json").read_text()).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def save_sharded(
    plan: ShardedPlan, asked: Asked, part: EconomyPart, scenario: Scenario, folder: Path, world: World
) -> dict[str, Any]:
    """Every rank writes its part of both tables, the first one the rest, when all parts are there. Collective."""
    once(begin_folder)(folder)
    goods = np.arange(plan.first_good, plan.first_good + part.targets.size)
    techniques = np.arange(plan.first_technique, plan.first_technique + part.own.size)
    tables = {
        "techniques": {"technique": techniques, "good": plan.first_good + part.own, "activity": plan.activity},
        "goods": {"good": goods, "target": part.targets, "consumption": plan.consumption, "price": plan.prices},
    }
    for name in TABLES:
        mine, error = None, None
        try:
            mine = write_part(folder / name, world.rank, pd.DataFrame(tables[name]))
        except Exception as trouble:  # told to the others, who would wait
            error = trouble
        world.agree(error)
        once(finish_parts)(folder / name, world.comm.allgather(mine))
    record: dict[str, Any] = once(_write_record)(folder, plan, asked, scenario, world.size)
    return record


def _write_record(folder: Path, plan: ShardedPlan, asked: Asked, scenario: Scenario, ranks: int) -> dict[str, Any]:
    source = sharded_source(scenario)
    assert source is not None
    record: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "name": scenario.name, "scenario": scenario.text,
        "economy": {"folder": str(source.resolve()), "sha256": sha256_of(source / HEAD)},
        "objective": {"kind": asked.objective, "indicator": asked.indicator},
        "limits": [
            {"indicator": name, "at_most": most, "use": float(use), "rent": float(rent)}
            for (name, most), use, rent in zip(asked.limits.items(), plan.use, plan.rents, strict=True)
        ],
        "status": plan.status.value, "tolerance": plan.info.tolerance,
        "certificate": {"lower_bound": _text(plan.lower), "upper_bound": _text(plan.upper), "gap": _text(plan.gap),
                        "scale": _text(plan.scale)},
        "solve": {"method": plan.info.method, "why": plan.info.why, "iterations": plan.info.iterations,
                  "device": plan.info.device, "ranks": ranks, "notes": plan.info.notes},
        "seconds": plan.info.seconds,
        "tables": {name: sha256_of(folder / name / PARTS_HEAD) for name in TABLES},
    }  # fmt: skip
    record["digest"] = digest(record)
    with new_file(folder / "plan.json") as stream:
        stream.write(bytes_of(record))
    return record


def _text(value: float) -> float | str | None:
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


def refuse_options(**given: Any) -> None:
    """OptionError for what plans of whole economies can do and these cannot."""
    for name, value in given.items():
        if value not in (None, False):
            raise OptionError(f"--{name.replace('_', '-')}: does not apply to plans of economies in shards")
