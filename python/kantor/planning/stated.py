"""What a plan folder states besides its proof: words, counts and columns, each compared with what raw input makes it.

Whatever :mod:`kantor.planning.folder` writes is compared here, in :mod:`restate` (the question), or in :mod:`verify`
(the answer). Left to the digest of plan.json alone are the words and numbers that describe the run and that nothing
in the folder follows from: when and where it ran, by which method, for how long, and its notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import show
from .intervals import FloatArray
from .recheck import Problem
from .record import INPUT, number
from .restate import Statement
from .scenario import Scenario

# Two computations of the same number in ordinary precision agree to this, relative to its size.
AGREEMENT = 1e-9
UNFINISHED = ("iteration limit", "time limit", "interrupted", "numerical error")
_COLUMNS = {
    "activity": ({"activity", "capacity", "capacity_rent"}, {"base"}),
    "consumption": ({"target", "consumption"}, {"weight", "unit", "name"}),
    "prices": ({"price"}, set()),
    "rents": ({"indicator", "unit", "stated", "base", "at_least", "at_most", "rent", "floor_rent"}, set()),
    "use": ({"indicator", "use", "base", "at_least", "at_most", "share", "rent", "unit"}, set()),
}
_PARAMETERS = {"minimise-use": {"indicator"}, "maximise-use": {"indicator"}, "log": {"epsilon"}, "power": {"sigma"}}
_PARAMETERS["new-harmony"] = {"kappa"}


def wrong_words(record: dict[str, Any], economy: Economy, scenario: Scenario | None) -> Iterator[str]:
    """The words and counts of plan.json that follow from the scenario and the economy."""
    if scenario is not None:
        order = record.get("order")
        place = "" if order is None else f", {order['number']} of {order['of']}"
        yield from _differ("name", record["name"], scenario.name + place)
        full = scenario.to_record()["document"]
        stated = _filled(record["scenario"]["document"], full, scenario.document.model_dump(exclude_defaults=True))
        yield from _differ("scenario.document", stated, full)
    yield from _differ("economy", record["economy"], describe(economy, None if scenario is not None else INPUT))
    yield from _differ("unit", record["unit"], economy.unit if isinstance(economy.unit, str) else None)
    objective = record["objective"]
    expected = {"kind", "sense", "unit"} | _PARAMETERS.get(objective["kind"], set())
    yield from _differ("objective: its keys", sorted(objective), sorted(expected))
    yield from _differ("objective.sense", objective["sense"], "min" if objective["kind"] == "minimise-use" else "max")
    yield from _differ("objective.unit", objective["unit"], _objective_unit(objective, economy))
    yield from _differ("solve.tolerance", record["solve"]["tolerance"], record["options"]["tolerance"])


def describe(economy: Economy, stored: str | None) -> dict[str, Any]:
    """What plan.json says of the economy."""
    return {
        "name": economy.name,
        "stored": stored,
        "technology": economy.technology,
        "products": len(economy.products),
        "techniques": len(economy.techniques),
        "nonzeros": int(economy.input_coefficients.nnz),
    }


def _objective_unit(objective: dict[str, Any], economy: Economy) -> str:
    if objective["kind"] not in ("minimise-use", "maximise-use"):
        words = {"max-scale": "times the targets", "harmony": "harmony", "new-harmony": "harmony"}
        return words.get(objective["kind"], "utility")
    factors = objective["indicator"]
    units = {_unit(economy.indicator_name(name), economy) for name in factors}
    plain = len(units) == 1 and all(weight == 1.0 for weight in factors.values())
    return units.pop() if plain else "weighted use"


def _unit(indicator: str, economy: Economy) -> str:
    assert economy.indicator_units is not None  # the economy fills them in
    return str(economy.indicator_units[indicator])


def wrong_status(record: dict[str, Any]) -> Iterator[str]:
    """The status and "certified" say what the stated gap makes them."""
    status, certificate = record["status"], record["certificate"]
    within = number(certificate["gap"]) <= record["options"]["tolerance"]
    if status not in ("optimal", "primal infeasible", "dual infeasible", *UNFINISHED):
        yield f"status: {status!r} is none that a plan can have"
    if within and status != "optimal":
        yield f"status: stated {status!r}, but the stated gap is within the tolerance, so it is 'optimal'"
    yield from _differ("certificate.certified", certificate["certified"], bool(within and status == "optimal"))
    if status != "primal infeasible":
        yield from _differ("certificate.surplus", certificate["surplus"], None)


def wrong_columns(economy: Economy, statement: Statement, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Labels, columns, units, names and the base activity of the tables."""
    techniques, products = economy.techniques, economy.products
    for table, labels in (("activity", techniques), ("consumption", products), ("prices", products)):
        if not same_labels(tables[table].index, labels):
            yield f"{table}.parquet: its labels are not those of the economy"
    for table, (needed, possible) in _COLUMNS.items():
        found = set(tables[table].columns)
        if not needed <= found <= needed | possible:
            odd = sorted(map(str, (needed - found) | (found - needed - possible)))
            yield f"{table}.parquet: column {odd[0]!r} is missing or does not belong there"
            return
    consumption, limits = tables["consumption"], tables["rents"]
    for column, own in (("unit", economy.unit), ("name", economy.product_names)):
        expected = list(own.astype(str)) if isinstance(own, pd.Series) else None
        yield from _column(f"consumption.parquet: {column}", consumption, column, expected)
    units = [_unit(indicator, economy) for indicator in limits["indicator"]]
    yield from _column("rents.parquet: unit", limits, "unit", units)
    yield from _base(tables["activity"], statement.base)


def same_labels(found: pd.Index, labels: pd.Index) -> bool:
    """Whether both hold the same labels in the same order."""
    # Text may come back as another dtype of text, which equals() tells apart.
    same = found.equals(labels) or (len(found) == len(labels) and list(found) == list(labels))
    return same and list(found.names) == list(labels.names)


def _base(activity: pd.DataFrame, base: FloatArray | None) -> Iterator[str]:
    if base is None or "base" not in activity:
        if base is not None or "base" in activity:
            wrong = "missing" if base is not None else "stated, but there is no base plan"
            yield f"activity.parquet: base is {wrong}"
        return
    stated = activity["base"].to_numpy(np.float64)
    # A small activity may be the difference of large ones.
    off = ~(np.abs(stated - base) <= AGREEMENT * np.abs(base) + 1e-12 * np.abs(base).max())
    if off.any():
        i = int(np.flatnonzero(off)[0])
        yield f"base activity of {show(activity.index[i])!r}: stated {stated[i]:.17g}, recomputed {base[i]:.17g}"


def wrong_use(economy: Economy, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    """The table of use: one row for each limit, then one for every indicator without a limit, from S x."""
    use, limits = tables["use"], tables["rents"]
    x = tables["activity"]["activity"].to_numpy(np.float64)
    taken = {*limits["indicator"], *limits.index}
    others = [label for label in economy.indicators if label not in taken]
    indicators = [*limits["indicator"], *others]
    names = [*limits.index, *others]
    if list(use.index) != names or list(use["indicator"]) != indicators:
        yield "use.parquet: its rows are not the limits and then the other indicators"
        return
    yield from _column("use.parquet: unit", use, "unit", [_unit(label, economy) for label in indicators])
    intensities = economy.use_of(indicators)
    total, size = intensities @ x, abs(intensities) @ np.abs(x)
    free = np.zeros(len(others))
    upper = np.concatenate([limits["at_most"], free + np.inf])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(np.isfinite(upper) & (upper != 0), use["use"].to_numpy(np.float64) / upper, np.nan)
    rents = np.concatenate([limits["rent"].to_numpy(np.float64) + limits["floor_rent"].to_numpy(np.float64), free])
    for column, expected, scale in (
        ("use", total, size),
        ("at_least", np.concatenate([limits["at_least"], free - np.inf]), 0.0),
        ("at_most", upper, 0.0),
        ("share", share, np.abs(share) * 1e-3),
        ("rent", rents, 0.0),
    ):
        stated = use[column].to_numpy(np.float64)
        same = (stated == expected) | (np.isnan(stated) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            off = ~(same | (np.abs(stated - expected) <= AGREEMENT * scale))
        if off.any():
            k = int(np.flatnonzero(off)[0])
            yield f"use.parquet: {column} of {names[k]!r}: stated {stated[k]:.17g}, recomputed {expected[k]:.17g}"


def wrong_parts(
    economy: Economy, problem: Problem, tables: dict[str, pd.DataFrame], parts: pd.DataFrame
) -> Iterator[str]:
    """What prices consist of: each column m solves m = A'm + s, s being a rent times its indicator, or the cost."""
    limits = tables["rents"]
    rents = limits["rent"].to_numpy(np.float64) - limits["floor_rent"].to_numpy(np.float64)
    own = dict(zip(limits.index, rents[:, None] * problem.resource_use.toarray(), strict=True))
    if problem.cost.any():
        own["direct"] = problem.cost
    if list(parts.columns) != list(own) or not same_labels(parts.index, economy.products):
        yield "price_parts.parquet: its columns are not the limits, or its labels not the products"
        return
    A = problem.input
    for name, direct in own.items():
        m = parts[name].to_numpy(np.float64)
        size = np.abs(m) + abs(A).T @ np.abs(m) + np.abs(direct)
        off = ~(np.abs(m - A.T @ m - direct) <= AGREEMENT * size)
        if off.any():
            label = show(economy.products[int(np.flatnonzero(off)[0])])
            yield f"price_parts.parquet: {name!r} of {label!r} is not what its inputs and its own use make it"


def _column(where: str, table: pd.DataFrame, column: str, expected: list[str] | None) -> Iterator[str]:
    stated = list(table[column]) if column in table else None
    if stated == expected:
        return
    if stated is None or expected is None:
        yield f"{where} is " + ("missing" if stated is None else "stated, but the economy has none")
        return
    i = next(k for k, (a, b) in enumerate(zip(stated, expected, strict=True)) if a != b)
    yield f"{where} of {show(table.index[i])!r}: stated {stated[i]!r}, the economy says {expected[i]!r}"


def _filled(stated: Any, full: Any, said: Any) -> Any:
    """``stated`` with what it does not name and the scenario does not say: options younger than the folder."""
    if not (isinstance(stated, dict) and isinstance(full, dict)):
        return stated
    said = said if isinstance(said, dict) else {}
    younger = {key: value for key, value in full.items() if key not in stated and key not in said}
    return {key: _filled(value, full.get(key), said.get(key)) for key, value in stated.items()} | younger


def _differ(where: str, stated: Any, expected: Any) -> Iterator[str]:
    if stated == expected and type(stated) is type(expected):
        return
    if isinstance(stated, dict) and isinstance(expected, dict):
        for key in sorted({*stated, *expected}):
            if key not in stated or key not in expected:
                yield f"{where}.{key} is " + ("missing" if key not in stated else "unknown")
            else:
                yield from _differ(f"{where}.{key}", stated[key], expected[key])
        return
    yield f"{where}: stated {stated!r}, recomputed {expected!r}"
