"""What sums, orders of priority and soft limits of a scenario come to, derived from its text for the verifier.

Written apart from :mod:`kantor.planning.combined` on purpose, as :mod:`kantor.planning.restate` is: from the names that
docs/scenario.md documents, not from how a plan makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..data.economy import Economy
from .grammar_objective import UTILITIES, ObjectiveTable
from .intervals import FloatArray
from .restate_model import derived_targets, derived_weights, has_soft, years_of
from .scenario import Scenario

_LEAST = ("minimise-use", "least-change")
_PARAMETERS = {"power": ("sigma", None), "log": ("epsilon", 0.0), "new-harmony": ("kappa", 1.1)}


def member_of(scenario: Scenario, number: int) -> ObjectiveTable:
    """The objective itself, or that of this number in an order of priority."""
    return scenario.document.objective.members[number - 1]


def parts_of(table: ObjectiveTable, weight: float = 1.0) -> Iterator[tuple[float, ObjectiveTable]]:
    """(weight, objective), sums written out."""
    if table.kind != "weighted-sum":
        yield weight, table
        return
    for member in table.objectives or ():
        yield from parts_of(member, weight * (1.0 if member.weight is None else float(member.weight)))


def derived_objective(scenario: Scenario, economy: Economy, number: int) -> dict[str, Any]:
    """Kind and parameters of the objective that is optimised; indicators by the economy's own names."""
    table = member_of(scenario, number)
    if table.kind in UTILITIES:
        name, absent = _PARAMETERS.get(table.kind, (None, None))
        given = None if name is None else getattr(table, name)
        return {"kind": table.kind} | ({} if name is None else {name: absent if given is None else float(given)})
    gains: dict[str, float] = {}
    scales = 0
    parts = list(parts_of(table))
    for weight, part in parts:
        if part.kind == "max-scale":
            scales += 1
            gains["fulfilment" if scales == 1 else f"fulfilment {scales}"] = weight
        elif part.kind == "least-change":
            name = f"change of {', '.join(_listed(part.indicator))}"
            gains[name] = gains.get(name, 0.0) - weight
        else:
            sign = -1.0 if part.kind == "minimise-use" else 1.0
            for key, factor in _factors(part.indicator).items():
                own = economy.indicator_name(key)
                gains[own] = gains.get(own, 0.0) + weight * sign * factor
    pays = number == 1 and has_soft(scenario)
    if scales == len(gains) and not pays:
        return {"kind": "max-scale"}
    if pays:
        gains["penalties"] = -1.0
    if all(part.kind in _LEAST for _, part in parts):
        return {"kind": "minimise-use", "indicator": {key: -gain for key, gain in gains.items()}}
    return {"kind": "maximise-use", "indicator": gains}


def derived_demand(scenario: Scenario, economy: Economy, number: int) -> tuple[FloatArray, FloatArray]:
    """Targets and weights over the goods of the economy that is planned."""
    table, before = member_of(scenario, number), scenario.document.objective.members[: number - 1]
    wanted, ones = derived_targets(scenario, economy), np.ones(len(economy.products))
    earlier = [part.kind for member in before for _, part in parts_of(member) if _delivers(part)]
    own = [part.kind for _, part in parts_of(table) if _delivers(part)]
    if table.kind in UTILITIES:
        weights = derived_weights(scenario, economy, table)
        if not earlier:
            return wanted, np.where(wanted != 0, weights, 1.0) if _is_larger(scenario, number) else weights
        return _copied(economy, wanted, f"{table.kind} 1", 0.0), _copied(economy, weights, f"{table.kind} 1", 1.0)
    if table.kind == "max-scale" and not _is_larger(scenario, number):
        return wanted, derived_weights(scenario, economy, table)
    if derived_objective(scenario, economy, number)["kind"] == "max-scale":
        return np.array([float(_last(label) == "common scale") for label in economy.products]), ones
    return (np.zeros_like(wanted) if own or earlier else wanted), ones


def least_changes(scenario: Scenario, single: Economy, number: int) -> Iterator[str]:
    """The indicators of rises and falls that may not go uncounted, of this objective and of those it is held to."""
    named: set[tuple[str, ...]] = set()
    for member in scenario.document.objective.members[:number]:
        named |= {_listed(part.indicator) for _, part in parts_of(member) if part.kind == "least-change"}
    years = years_of(scenario, single) if named else []
    for names in named:
        for name in names:
            for year in years[1:]:
                yield f"rise of {name} {year} not counted"
                yield f"fall of {name} {year} not counted"


def _is_larger(scenario: Scenario, number: int) -> bool:
    return number > 1 or has_soft(scenario) or member_of(scenario, number).kind in ("least-change", "weighted-sum")


def _delivers(part: ObjectiveTable) -> bool:
    return part.kind == "max-scale" or part.kind in UTILITIES


def _listed(indicator: Any) -> tuple[str, ...]:
    return (indicator,) if isinstance(indicator, str) else tuple(indicator)


def _factors(indicator: Any) -> dict[str, float]:
    if isinstance(indicator, dict):
        return {name: float(weight) for name, weight in indicator.items()}
    return dict.fromkeys(_listed(indicator), 1.0)


def _last(label: Any) -> str:
    return str(label[-1] if isinstance(label, tuple) else label)


def _copied(economy: Economy, values: FloatArray, word: str, blank: float) -> FloatArray:
    """Values of products at the goods named "PRODUCT for WORD"."""
    out, at = np.full(len(values), blank), {label: i for i, label in enumerate(economy.products)}
    for i, label in enumerate(economy.products):
        named = f"{_last(label)} for {word}"
        copy = at.get((*label[:-1], named) if isinstance(label, tuple) else named)
        if copy is not None:
            out[copy] = values[i]
    return out
