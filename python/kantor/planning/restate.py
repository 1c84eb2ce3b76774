"""The problem behind a plan folder, derived again from raw input: the verifier's own reading of a scenario.

Written apart from :mod:`kantor.planning.plan`, :mod:`objectives` and :mod:`limits` on purpose: a mistake there must not
repeat here. What was derived is compared with the tables of the folder; each difference is a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, bicgstab

from ..data.base import own_techniques
from ..data.economy import Economy
from ..data.labels import show
from ..errors import ProblemError
from .intervals import FloatArray
from .recheck import Problem, Utility
from .restate_combined import derived_demand, derived_objective, least_changes
from .restate_model import derived_limits, wrong_year_base
from .scenario import Scenario

# The base plan is solved again by another method; its use of an indicator agrees with the stated one to this.
_BASE_AGREEMENT = 1e-9
_KINDS = {"max-scale": "scale", "minimise-use": "use", "maximise-use": "use"}
_KINDS |= dict.fromkeys(("harmony", "new-harmony", "log", "power"), "utility")


@dataclass(frozen=True)
class Statement:
    """The problem, the base plan (activity by technique; None where there is none), and where the tables differ."""

    problem: Problem
    base: FloatArray | None
    reasons: list[str]


def restate(
    record: dict[str, Any],
    economy: Economy,
    scenario: Scenario | None,
    tables: dict[str, pd.DataFrame],
    held: dict[str, dict[str, float]] | None = None,
) -> Statement:
    """Derive targets, weights, limits and capacities, compare them with the tables, and build the problem.

    ``held``: in an order of priority the limits that hold the plan to what came before it.

    Without a scenario (a plan made in Python) the tables themselves say what was asked for, and only what follows from
    it is derived.
    """
    asked, limits = tables["consumption"], tables["rents"]
    m = len(economy.techniques)
    if len(tables["activity"]) != m or len(asked) != len(economy.products):
        raise ProblemError("the tables of the plan folder do not have the size of the economy")
    targets = asked["target"].to_numpy(np.float64)
    weights = asked["weight"].to_numpy(np.float64) if "weight" in asked else np.ones(len(targets))
    capacity = tables["activity"]["capacity"].to_numpy(np.float64)
    objective = dict(record["objective"])
    reasons: list[str] = []
    if scenario is not None:
        number = int((record.get("order") or {"number": 1})["number"])
        reasons += _compare(scenario, economy, number, targets, weights, capacity)
        reasons += _other_objective(scenario, objective, economy, number)
        reasons += _other_limits(scenario, limits, economy, number, held or {})
        if scenario.document.several_years:
            reasons += wrong_year_base(scenario, scenario.single, _base_of_one_year(scenario), economy)
    else:
        own = np.asarray(economy.capacities, np.float64)
        reasons += _different("capacity", own, capacity, economy.techniques, "the stored economy")
    reasons += _invalid(targets, weights, capacity)
    base = _base_plan(economy, targets)
    use = economy.reference_use
    if use is None and base is not None:
        use = pd.Series(economy.intensity_matrix @ base, economy.indicators)
    reasons += _wrong_limits(limits, economy, use)
    reasons += _wrong_base(limits, tables["use"], use)
    return Statement(_problem(economy, objective, targets, weights, capacity, limits), base, reasons)


def _compare(
    scenario: Scenario, economy: Economy, number: int, targets: FloatArray, weights: FloatArray, capacity: FloatArray
) -> Iterator[str]:
    asked, weighed = derived_demand(scenario, economy, number)
    yield from _different("target", asked, targets, economy.products)
    yield from _different("weight", weighed, weights, economy.products)
    own = economy.capacities.copy() if economy.capacities is not None else pd.Series(np.inf, economy.techniques)
    listed = None if scenario.document.enlarged else scenario.capacities(economy)
    if listed is not None:
        own.loc[listed.index] = listed
    yield from _different("capacity", np.asarray(own, np.float64), capacity, economy.techniques)


def _different(
    what: str, derived: FloatArray, stated: FloatArray, labels: pd.Index, source: str = "the scenario"
) -> Iterator[str]:
    off = ~np.isclose(stated, derived, rtol=1e-13, atol=0.0)
    if off.any():
        i = int(np.flatnonzero(off)[0])
        yield f"{what} of {show(labels[i])!r}: stated {stated[i]:.17g}, {source} says {derived[i]:.17g}"


def _other_objective(scenario: Scenario, stated: dict[str, Any], economy: Economy, number: int) -> Iterator[str]:
    expected = derived_objective(scenario, economy, number)
    found = {key: value for key, value in stated.items() if key not in ("sense", "unit")}
    if isinstance(found.get("indicator"), dict):
        found["indicator"] = {economy.indicator_name(name): value for name, value in found["indicator"].items()}
    for key in sorted({*expected, *found}):
        if expected.get(key) != found.get(key):
            yield f"objective: {key} is stated as {found.get(key)!r}, the scenario says {expected.get(key)!r}"


def _other_limits(
    scenario: Scenario, limits: pd.DataFrame, economy: Economy, number: int, held: dict[str, dict[str, float]]
) -> Iterator[str]:
    """The limits of the table are those of the scenario, as they are written there, and what holds the plan."""
    written, about = derived_limits(scenario, economy)
    more: dict[str, dict[str, Any]] = {name: dict(sides) for name, sides in held.items()}
    more |= {name: {"at_most": 0.0} for name in least_changes(scenario, scenario.single, number)}
    written, about = written | more, about | {name: name for name in more}
    if about != dict(zip(map(str, limits.index), limits["indicator"], strict=True)):
        yield f"limits: stated on {list(limits['indicator'])!r}, the scenario says {list(about.values())!r}"
    stated = {str(name): json.loads(text) for name, text in limits["stated"].items()}
    if written != stated:
        yield f"limits: stated {stated!r}, the scenario says {written!r}"


def _invalid(targets: FloatArray, weights: FloatArray, capacity: FloatArray) -> Iterator[str]:
    if not np.isfinite(targets).all():
        yield "targets: not all finite"
    if not (np.isfinite(weights) & (weights >= 0)).all():
        yield "weights: not all finite and >= 0"
    if not (capacity >= 0).all():
        yield "capacities: not all >= 0"


def _wrong_base(limits: pd.DataFrame, use: pd.DataFrame, base: pd.Series | None) -> Iterator[str]:
    """The stated use by the base plan is the recomputed one; where there is no base plan none is stated."""
    for table in (limits, use):
        for name, indicator, stated in zip(table.index, table["indicator"], table["base"].to_numpy(), strict=True):
            expected = np.nan if base is None else float(base[indicator])
            if np.isnan(expected) and np.isnan(stated):
                continue
            if not abs(stated - expected) <= _BASE_AGREEMENT * abs(expected):
                yield f"base use of {name!r}: stated {stated:.17g}, recomputed {expected:.17g}"


def _wrong_limits(limits: pd.DataFrame, economy: Economy, base: pd.Series | None) -> Iterator[str]:
    """Each bound is what its text makes of the base; the base is recomputed where a bound is relative to it."""
    for name, row in limits.iterrows():
        indicator = row["indicator"]
        if indicator not in economy.indicators:
            yield f"limit {name!r}: the economy has no indicator {indicator!r}"
            continue
        stated = json.loads(row["stated"])
        for side, absent in (("at_most", np.inf), ("at_least", -np.inf)):
            expected = _bound(stated.get(side), absent, np.nan if base is None else float(base[indicator]))
            bound = float(row[side])
            near = (
                abs(bound - expected) <= _BASE_AGREEMENT * abs(expected) if np.isfinite(expected) else bound == expected
            )
            if "%" not in str(stated.get(side)):
                near = bound == expected
            if not near:
                yield f"limit {name!r}: {side} is {bound!r}, but {stated.get(side)!r} of the base makes it {expected!r}"


def _bound(written: Any, absent: float, base: float) -> float:
    """A bound as kantor.planning.limits documents it: a number, "102%" of the base, "-5%" against the base."""
    if written is None:
        return absent
    if not isinstance(written, str):
        return float(written)
    text = written.replace(" ", "")
    number = re.match(r"[+-]?(inf|[\d.]+(e[+-]?\d+)?)", text, re.IGNORECASE)
    if number is None:
        raise ProblemError(f"limits: cannot read {written!r}")
    if text.endswith("%"):
        share = float(number[0]) / 100.0
        return base * (1.0 + share) if text[0] in "+-" else base * share
    return float(number[0])


def _base_plan(economy: Economy, targets: FloatArray) -> FloatArray | None:
    """Activity of the base plan; square technologies are solved here, others by kantor.data. None: there is none."""
    if economy.reference_use is not None:
        return economy.activity.to_numpy(np.float64)
    own = own_techniques(economy)
    if own is None:
        try:
            return economy.base_plan(pd.Series(targets, economy.products)).to_numpy(np.float64)
        except ProblemError:
            return None
    inputs = economy.input_coefficients
    square = inputs if len(own) == inputs.shape[1] and economy.is_square else sp.csr_array(inputs[:, own])
    n = len(targets)
    system = LinearOperator((n, n), matvec=lambda v: v - square @ v, dtype=np.float64)
    x, residual, goal = np.zeros(n), targets.copy(), 1e-14 * float(np.linalg.norm(targets))
    for _ in range(4):  # each round of refinement gains the digits that one solve loses to rounding
        if np.linalg.norm(residual) <= goal:
            break
        step, _ = bicgstab(system, residual, rtol=1e-12, atol=0.0, maxiter=2000)
        x += step
        residual = targets - (x - square @ x)
    if np.linalg.norm(residual) > 1e-11 * float(np.linalg.norm(targets)):
        raise ProblemError("the base plan could not be recomputed: its linear system was not solved")
    activity = np.zeros(inputs.shape[1])
    activity[own] = x
    return activity


def _base_of_one_year(scenario: Scenario) -> FloatArray | None:
    """The base plan of the first year's targets in the economy of one year."""
    single = scenario.single
    wanted = scenario.targets(single)
    first = wanted.iloc[:, 0] if isinstance(wanted, pd.DataFrame) else single.demand(wanted)
    return _base_plan(single, first.to_numpy(np.float64))


def _problem(
    economy: Economy,
    objective: dict[str, Any],
    targets: FloatArray,
    weights: FloatArray,
    capacity: FloatArray,
    limits: pd.DataFrame,
) -> Problem:
    kind = _KINDS[objective["kind"]]
    n, m = len(economy.products), len(economy.techniques)
    cost, supply, utility, wanted = np.zeros(m), np.zeros(n), None, targets
    if kind == "scale":
        wanted = targets * weights
    elif kind == "use":
        for name, weight in objective["indicator"].items():
            sign = 1.0 if objective["kind"] == "minimise-use" else -1.0
            cost = cost + sign * float(weight) * economy.indicator(name).to_numpy(np.float64)
    else:
        parameter = float(objective.get("sigma", objective.get("epsilon", objective.get("kappa", 0.0))))
        utility = Utility(objective["kind"], parameter, (targets > 0) & (weights > 0), weights, targets)
        supply = np.where(targets < 0, -targets, 0.0)
    return Problem(
        kind=kind,  # type: ignore[arg-type]
        output=economy.output_coefficients,
        input=economy.input_coefficients,
        targets=wanted,
        resource_use=economy.use_of(limits["indicator"]),
        lower=limits["at_least"].to_numpy(np.float64),
        upper=limits["at_most"].to_numpy(np.float64),
        capacity=capacity,
        cost=cost,
        supply=supply,
        utility=utility,
    )
