"""Plan folders: a solved plan on disk, complete enough for anyone to recheck it.

============================ ==================================================================================
``plan.json``                format, name, scenario (word for word and as understood), SHA-256 of every input file,
                             software, objective, options, status, certificate, timings, SHA-256 of the tables; its own
                             ``digest`` is the SHA-256 of the rest
``activity.parquet``         by technique: activity, capacity, capacity_rent, base
``consumption.parquet``      by product: target, weight, consumption; unit and name where there are any
``prices.parquet``           by product: price
``rents.parquet``            by limit: indicator, unit, stated, base, at_least, at_most, rent, floor_rent
``use.parquet``              by limit, then indicator: what :attr:`PlanResult.use` holds
``price_parts.parquet``      by product: :meth:`PlanResult.price_parts`, for optimal plans of square economies
``vertex_*.parquet``         by technique, product and limit: the exact vertex (:mod:`kantor.planning.vertex`), where
                             one was asked for
``input/``                   the economy itself, where it does not come from files that a scenario names
``before/``                  in an order of priority, the plan folder of the objective before this one
============================ ==================================================================================

A folder is written whole or not at all (:mod:`kantor.atomic`): a reader sees the old plan or the new one. Nothing
but a plan folder is ever replaced.
"""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..atomic import new_folder, real_place
from ..data.economy import Economy
from ..data.saved import save_economy
from ..errors import KantorError, ProblemError
from ..solvers.solution import NotOptimal, SolveInfo, Status
from .limits import ResolvedLimit
from .record import (
    BEFORE,
    FORMAT,
    INPUT,
    PARTS,
    TABLES,
    VERSION,
    VERTEX,
    digest,
    number,
    read_record,
    read_table,
    sha256_of,
    written,
)
from .result import PlanResult
from .stated import describe
from .vertex import PlanVertex

_SHAPES: dict[str, Any] = {
    **dict.fromkeys(("software", "economy", "objective", "options", "certificate", "solve", "seconds", "tables"), dict),
    **dict.fromkeys(("inputs", "notes"), list),
    "scenario": dict | None,
}


def check_writable(folder: str | Path) -> None:
    """Raise ProblemError if a plan could not be written to ``folder``: to be called before hours of work, not after."""
    target = Path(folder)
    _check_replaceable(target)
    parent = target
    try:
        parent = next(p for p in real_place(target).parents if p.exists())
        Path(tempfile.mkdtemp(prefix=".kantor-", suffix=".partial", dir=parent)).rmdir()
    except OSError as error:
        raise ProblemError(f"{target}: cannot write below {parent}: {error.strerror or error}") from error


def save_plan(
    result: PlanResult,
    folder: str | Path,
    also: Callable[[Path], object] | None = None,
    books: tuple[dict[str, Any], dict[str, bytes]] | None = None,
) -> Path:
    """Write the plan folder of a result and return its path; see the module's page for what is in it.

    ``also`` may add a report to the new folder before that takes its place, so that both are written or neither.
    ``books``: what plan.json keeps under that name, as where the plan comes from, and files (name: content) that go
    with it and are hashed like the tables; see :mod:`kantor.feedback.books`.

    An existing plan folder is replaced; ProblemError for one that holds anything else, or that cannot be written.
    """
    if result.plan is None:
        raise ProblemError(
            f"{folder}: a plan loaded from {result.folder} has no economy to save with it; copy that folder"
        )
    target = Path(folder)
    plan = result.plan
    if plan.objective.name == "user":
        raise ProblemError(f"{folder}: a user's utility is functions, which a plan folder cannot hold nor recheck")
    read = [*plan.economy.sources, *(plan.scenario.files.values() if plan.scenario is not None else ())]
    _check_replaceable(target, [Path(source.path) for source in read])
    with new_folder(target) as partial:
        _write(result, partial, books)
        if also is not None:
            also(partial)
    return target


def load_plan(folder: str | Path) -> PlanResult:
    """Read a plan folder back; ``plan`` of the result is None, everything else is as it was saved.

    Raises ProblemError naming the file that is missing, truncated or not what it should be.
    """
    place = Path(folder)
    record = read_record(place)
    for key, kinds in _SHAPES.items():
        if not isinstance(record.get(key), kinds):
            raise ProblemError(f"{place / 'plan.json'}: {key} is {record.get(key)!r}, which kantor never writes")
    activity, consumption, prices, rents, use = (read_table(place, name) for name in TABLES)
    try:
        result = _result(place, record, activity, consumption, prices, rents, use)
        result.stored_parts = read_table(place, PARTS) if PARTS in record["tables"] else None
        result.vertex = _vertex(place, record.get("vertex"))
        if (place / BEFORE).is_dir():
            before = load_plan(place / BEFORE)
            result.stages = [*before.stages, before]
        return result
    except (KeyError, TypeError, ValueError) as error:
        raise ProblemError(f"{place}: plan.json and the tables do not fit together: {error!r}") from error


# ---- writing ---------------------------------------------------------------------------------------------------------
def _check_replaceable(target: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise ProblemError unless ``target`` is free, empty, or a plan folder that holds nothing of the user's.

    ``inputs`` are files the plan was made from: a folder that holds one of them is never replaced.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise ProblemError(f"{target}: is a file, expected a folder")
    try:
        held = {str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir()}
    except OSError as error:
        raise ProblemError(f"{target}: cannot be read: {error.strerror or error}") from error
    if held and "plan.json" not in held:
        raise ProblemError(f"{target}: holds {min(held)!r} and is no plan folder; choose an empty or a new folder")
    foreign = held - _written(target) if held else held
    if foreign:
        raise ProblemError(f"{target}: holds {min(foreign)!r} beside a plan; move it away or choose another folder")
    place = target.resolve()
    for path in inputs:
        if path.resolve().is_relative_to(place):
            raise ProblemError(f"{target}: holds {path.name!r}, which this plan reads; choose another folder")


def _written(target: Path) -> set[str]:
    """The files that kantor wrote to a plan folder, by its own record; anything else in it is the user's."""
    try:
        record = json.loads((target / "plan.json").read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(record["format"])
        return {"plan.json", "report.html", PARTS, *TABLES, *record["tables"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProblemError(
            f"{target / 'plan.json'}: is no record of a kantor plan; choose an empty or a new folder"
        ) from error


def _write(result: PlanResult, folder: Path, books: tuple[dict[str, Any], dict[str, bytes]] | None = None) -> None:
    plan = result.plan
    assert plan is not None
    tables, parts, corner = _tables(result), _price_parts(result), result.vertex
    if corner is not None:
        tables |= dict(zip(VERTEX, (corner.techniques, corner.products, corner.limits), strict=True))
    for name, table in (tables if parts is None else tables | {PARTS: parts}).items():
        try:
            table.to_parquet(folder / name)
        except (ValueError, TypeError) as error:  # labels that are neither text nor numbers
            raise ProblemError(f"{name}: these labels cannot be written to a Parquet table: {error}") from error
    stored = None
    if plan.scenario is None:
        # with the capacities of the plan, so that input/ says all of the question that a table can be compared with
        save_economy(plan.economy.replace(capacities=plan.capacities), folder / INPUT)
        stored = INPUT
    if result.stages:
        (folder / BEFORE).mkdir()
        _write(result.stages[-1], folder / BEFORE)
    record = _record(result, plan.economy, stored)
    if books is not None:
        record["books"] = books[0]
        for file, content in books[1].items():
            (folder / file).write_bytes(content)
    record["tables"] = {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    record["digest"] = digest(record)
    (folder / "plan.json").write_bytes(written(record))


def _tables(result: PlanResult) -> dict[str, pd.DataFrame]:
    plan = result.plan
    assert plan is not None
    activity = pd.DataFrame(
        {"activity": result.activity, "capacity": result.capacities, "capacity_rent": result.capacity_rents}
    )
    if result.base is not None:
        activity["base"] = result.base
    consumption = pd.DataFrame({"target": result.targets, "consumption": result.consumption})
    if plan.compiled.weights is not None:
        consumption.insert(1, "weight", plan.compiled.weights)
    for name, column in (("unit", result.unit), ("name", result.names)):
        if isinstance(column, pd.Series):
            consumption[name] = column.astype(str).to_numpy()
    limits = result.limits
    rents = pd.DataFrame(
        {
            "indicator": [limit.indicator for limit in limits],
            "unit": [limit.unit for limit in limits],
            "stated": [json.dumps(limit.stated) for limit in limits],
            "base": np.array([limit.base for limit in limits], np.float64),
            "at_least": np.array([limit.lower for limit in limits], np.float64),
            "at_most": np.array([limit.upper for limit in limits], np.float64),
            "rent": result.rents.to_numpy(),
            "floor_rent": result.floor_rents.to_numpy(),
        },
        index=pd.Index([limit.name for limit in limits], name="limit", dtype="str"),
    )
    return dict(zip(TABLES, (activity, consumption, result.prices.to_frame("price"), rents, result.use), strict=True))


def _price_parts(result: PlanResult) -> pd.DataFrame | None:
    """What the prices consist of, where that can be said."""
    plan = result.plan
    assert plan is not None
    if result.status is not Status.OPTIMAL or not plan.economy.is_square:
        return None
    try:
        parts = result.price_parts()
    except (KantorError, NotOptimal):  # a system that is not solved to twelve digits
        return None
    return parts if parts.shape[1] else None


def _record(result: PlanResult, economy: Economy, stored: str | None) -> dict[str, Any]:
    plan = result.plan
    assert plan is not None
    scenario, info = plan.scenario, result.info
    files = [*economy.sources, *(scenario.files.values() if scenario is not None else ())]
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": result.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": _software(),
        "scenario": None if scenario is None else scenario.to_record(),
        "inputs": [{"path": source.path, "sha256": source.sha256} for source in files],
        "economy": describe(economy, stored),
        "objective": plan.objective.to_dict() | {"sense": result.sense, "unit": result.objective_unit},
        "unit": result.unit if isinstance(result.unit, str) else None,
        "order": None if plan.place is None else plan.place.to_dict(),
        "options": result.options,
        "status": result.status.value,
        "certificate": {
            "objective": _number(result.objective),
            "lower_bound": _number(result.lower_bound),
            "upper_bound": _number(result.upper_bound),
            "gap": _number(result.gap),
            "certified": result.certified,
            "surplus": _number(result.surplus),
            "primal_residual": _number(info.primal_residual),
            "dual_residual": _number(info.dual_residual),
        },
        "solve": {
            "method": info.method,
            "why": info.why,
            "backend": info.backend,
            "device": info.device,
            "iterations": int(info.iterations),
            "products": int(info.products),
            "tolerance": _number(info.tolerance),
            "notes": [str(note) for note in info.notes],
            "history": [{key: _number(value) for key, value in entry.items()} for entry in info.history],
        },
        "vertex": _vertex_facts(result),
        "seconds": _timings(info.seconds),
        "notes": result.notes,
    }


def _vertex_facts(result: PlanResult) -> dict[str, Any] | None:
    """What plan.json says of the vertex; None where none was asked for."""
    if not result.options.get("vertex"):
        return None
    return {"found": False} if result.vertex is None else result.vertex.facts()


def _software() -> dict[str, str]:
    import scipy

    from .. import __version__

    return {
        "kantor": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pandas": pd.__version__,
        "platform": platform.platform(),
    }


def _number(value: float) -> float | str | None:
    """A number for JSON, which knows no infinity: "inf" and "-inf" are text, what does not apply (NaN) is null."""
    if np.isnan(value):
        return None
    return float(value) if np.isfinite(value) else str(float(value))


def _timings(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: _timings(value) if isinstance(value, dict) else float(value) for key, value in tree.items()}


# ---- reading ---------------------------------------------------------------------------------------------------------
def _result(
    folder: Path,
    record: dict[str, Any],
    activity: pd.DataFrame,
    consumption: pd.DataFrame,
    prices: pd.DataFrame,
    rents: pd.DataFrame,
    use: pd.DataFrame,
) -> PlanResult:
    certificate, solve, objective = record["certificate"], record["solve"], record["objective"]
    info = SolveInfo(
        method=solve["method"],
        why=solve["why"],
        backend=solve["backend"],
        device=solve["device"],
        iterations=solve["iterations"],
        products=solve["products"],
        primal_residual=number(certificate["primal_residual"]),
        dual_residual=number(certificate["dual_residual"]),
        gap=number(certificate["gap"]),
        tolerance=number(solve["tolerance"]),
        seconds=record["seconds"],
        history=[{key: number(value) for key, value in entry.items()} for entry in solve["history"]],
        notes=solve["notes"],
    )
    return PlanResult(
        name=record["name"],
        status=Status(record["status"]),
        objective=number(certificate["objective"]),
        lower_bound=number(certificate["lower_bound"]),
        upper_bound=number(certificate["upper_bound"]),
        gap=number(certificate["gap"]),
        activity=activity["activity"],
        consumption=consumption["consumption"],
        prices=prices["price"],
        rents=rents["rent"],
        floor_rents=rents["floor_rent"].rename("floor rent"),
        capacity_rents=activity["capacity_rent"].rename("capacity rent"),
        use=use,
        targets=consumption["target"],
        capacities=activity["capacity"],
        limits=[_limit(name, row) for name, row in rents.iterrows()],
        objective_kind=objective["kind"],
        objective_unit=objective["unit"],
        sense=objective["sense"],
        certified=bool(certificate["certified"]),
        surplus=number(certificate["surplus"]),
        base=activity.get("base", None),
        names=consumption.get("name", None),
        unit=consumption["unit"] if record["unit"] is None else record["unit"],
        options=record["options"],
        info=info,
        notes=record["notes"],
        folder=folder,
    )


def _vertex(folder: Path, facts: dict[str, Any] | None) -> PlanVertex | None:
    """The vertex as stored; None where there is none."""
    if facts is None or not facts["found"]:
        return None
    techniques, products, limits = (read_table(folder, name) for name in VERTEX)
    return PlanVertex(techniques, products, limits, **{key: facts[key] for key in facts if key != "found"})


def _limit(name: Any, row: pd.Series) -> ResolvedLimit:
    return ResolvedLimit(
        name=str(name),
        indicator=str(row["indicator"]),
        unit=str(row["unit"]),
        base=float(row["base"]),
        lower=float(row["at_least"]),
        upper=float(row["at_most"]),
        stated=json.loads(row["stated"]),
    )
