"""verify_plan: recheck a plan folder from its raw input, with code that shares nothing with the solver.

What is done, in order; every failure is a reason:

1. ``plan.json`` carries its own digest and the SHA-256 of every other file of the folder;
2. the economy is read again from the raw files (or from ``input/``), with techniques and expansion as the scenario
   says, and the SHA-256 of every file read is compared;
3. targets, weights, limits and capacities are derived again (kantor.planning.restate) and compared with the tables;
4. the stored activity is checked against every balance, limit and capacity, and its value is recomputed;
5. the stored prices and rents are turned into a bound by weak duality (kantor.planning.recheck);
6. both must confirm the stated objective, bounds and gap; consumption and use must follow from the activity.

Steps 4 and 5 use extended precision with rounding guards, so a confirmed bound is a fact about the numbers on disk.
Imports: NumPy, SciPy, pandas, the readers of kantor.data and the grammar of scenario files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.datasets import load_economy
from ..data.economy import Economy
from ..data.labels import show
from ..errors import KantorError
from .recheck import Multipliers, PrimalCheck, Problem, check_activity, check_multipliers, proves_infeasible
from .record import INPUT, TABLES, digest, read_record, read_table, sha256_of
from .restate import Statement, restate
from .scenario import Scenario, parse_scenario

# A certified plan holds exactly, with its guards; the slack is for machines whose longdouble is no wider than float64.
# What solvers call feasible (1e-6 of what flows through a balance) does not pass.
EXACTNESS = 1e-12
# Two ordinary computations of the same number agree to this, relative to its size.
AGREEMENT = 1e-9


@dataclass(frozen=True)
class PlanVerification:
    """What :func:`verify_plan` found; ``bool(verification)`` is ``ok`` and ``str(verification)`` says it in words.

    ok : every check held
    reasons : what did not
    status : the status the plan states
    lower_bound, upper_bound, gap : recomputed from raw input and the stored activity, prices and rents
    violation : the largest relative violation of a balance, limit or capacity; 0 means none, in exact arithmetic
    """

    ok: bool
    reasons: list[str]
    status: str
    lower_bound: float = float("nan")
    upper_bound: float = float("nan")
    gap: float = float("nan")
    violation: float = float("nan")
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        head = "the certificate holds" if self.ok else "the certificate does not hold"
        lines = [f"{head} (status: {self.status})"]
        if np.isfinite(self.lower_bound) or np.isfinite(self.upper_bound):
            lines.append(f"recomputed: between {self.lower_bound:.15g} and {self.upper_bound:.15g}, gap {self.gap:.1e}")
        if self.violation == 0:
            lines.append("every balance, limit and capacity holds in exact arithmetic")
        elif np.isfinite(self.violation):
            lines.append(f"largest relative violation of a balance, limit or capacity: {self.violation:.1e}")
        return "\n".join(
            [*lines, *(f"- {reason}" for reason in self.reasons), *(f"note: {note}" for note in self.notes)]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        numbers = {key: getattr(self, key) for key in ("lower_bound", "upper_bound", "gap", "violation")}
        finite = {key: float(value) if np.isfinite(value) else None for key, value in numbers.items()}
        return {"ok": self.ok, "status": self.status, "reasons": self.reasons, **finite, "notes": self.notes}


def verify_plan(folder: str | Path) -> PlanVerification:
    """Recheck a plan folder from its raw input; see the module's page for what is checked.

    Raises ProblemError only if there is no plan to check: no folder, or no readable plan.json in it. Anything else that
    is wrong is a reason in the answer.
    """
    place = Path(folder)
    record = read_record(place)
    status = str(record.get("status"))
    reasons = list(_wrong_files(place, record))
    try:
        tables = {name.removesuffix(".parquet"): read_table(place, name) for name in TABLES}
        economy, scenario = _raw_input(place, record)
        statement = restate(record, economy, scenario, tables)
        reasons += [*statement.reasons, *_changed_inputs(economy, scenario, record), *_wrong_labels(economy, tables)]
        if reasons:
            return PlanVerification(False, reasons, status)
        return _check(record, economy, statement, tables, status)
    except KantorError as error:
        return PlanVerification(False, [*reasons, str(error)], status)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return PlanVerification(False, [*reasons, f"plan.json and the tables do not fit together: {error!r}"], status)


def _wrong_files(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    if digest(record) != record.get("digest"):
        yield "plan.json was changed: its digest does not match"
    listed = dict(record.get("tables") or {})
    for name in TABLES:
        if name not in listed:
            yield f"plan.json lists no SHA-256 of {name}"
    for name, expected in listed.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif sha256_of(path) != expected:
            yield f"{name} was changed: its SHA-256 does not match"


def _raw_input(folder: Path, record: dict[str, Any]) -> tuple[Economy, Scenario | None]:
    if record["scenario"] is None:
        return load_economy(folder / INPUT), None
    scenario = parse_scenario(record["scenario"]["text"], Path(record["scenario"]["path"]))
    return scenario.economy(), scenario


def _changed_inputs(economy: Economy, scenario: Scenario | None, record: dict[str, Any]) -> Iterator[str]:
    """Every raw file read now must be the one that was read then; folders may have moved, names and content not."""
    if scenario is None:
        return  # input/ is part of the folder, whose files are hashed already
    read = {(Path(source.path).name, source.sha256) for source in [*economy.sources, *scenario.files.values()]}
    stated = {(Path(source["path"]).name, source["sha256"]) for source in record["inputs"]}
    for name, _ in sorted(stated - read):
        yield f"input file {name} is not the one the plan was made from: its SHA-256 does not match"
    for name in sorted({name for name, _ in read} - {name for name, _ in stated}):
        yield f"input file {name} was read that the plan does not list"


def _wrong_labels(economy: Economy, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    for table, labels in (
        ("activity", economy.techniques),
        ("consumption", economy.products),
        ("prices", economy.products),
    ):
        if not _same_labels(tables[table].index, labels):
            yield f"{table}.parquet: its labels are not those of the economy"


def _same_labels(found: pd.Index, labels: pd.Index) -> bool:
    # Text may come back as another dtype of text, which equals() tells apart.
    return found.equals(labels) or (len(found) == len(labels) and list(found) == list(labels))


def _check(
    record: dict[str, Any], economy: Economy, statement: Statement, tables: dict[str, pd.DataFrame], status: str
) -> PlanVerification:
    problem = statement.problem
    stated = {key: float(value) for key, value in record["certificate"].items()}
    activity, rents = tables["activity"], tables["rents"]
    x = activity["activity"].to_numpy(np.float64)
    consumption = tables["consumption"]["consumption"].to_numpy(np.float64)
    multipliers = Multipliers(
        tables["prices"]["price"].to_numpy(np.float64),
        rents["rent"].to_numpy(np.float64),
        rents["floor_rent"].to_numpy(np.float64),
        activity["capacity_rent"].to_numpy(np.float64),
    )
    if status == "primal infeasible":
        proved = proves_infeasible(problem, multipliers)
        reasons = [] if proved else ["the stored prices and rents do not prove that there is no plan"]
        return PlanVerification(proved, reasons, status)
    if status == "dual infeasible":
        return PlanVerification(
            False, ["the plan states that nothing limits it, for which a folder holds no proof"], status
        )
    primal = check_activity(problem, x, consumption)
    dual = check_multipliers(problem, multipliers)
    value = primal.value
    bound = dual.bound if not np.isnan(dual.bound) else (-np.inf if problem.kind == "use" else np.inf)
    feasible = primal.violation <= EXACTNESS
    achieved = value if feasible else (np.inf if problem.kind == "use" else -np.inf)
    lower, upper = (bound, achieved) if problem.kind == "use" else (achieved, bound)
    gap = _gap(problem.kind, lower, upper)
    reasons = [*_wrong_bounds(problem.kind, stated, lower, upper)]
    tolerance = record["options"]["tolerance"]
    if status == "optimal":
        if not gap <= tolerance + EXACTNESS / 10:
            reasons.append(f"status is optimal at tolerance {tolerance:g}, but the recomputed gap is {gap:.3g}")
        if not dual.violation <= 10 * tolerance:
            technique = show(economy.techniques[dual.culprit])
            reasons.append(
                f"prices and rents: technique {technique!r} earns more than it costs, by {dual.violation:.3g}"
            )
    claimed = np.isfinite(stated["upper_bound" if problem.kind == "use" else "lower_bound"])
    if not feasible and (claimed or status == "optimal"):
        reasons.append(_violated(primal, economy, rents.index))
    if feasible:
        reasons += _wrong_tables(stated, problem, value, consumption, x, economy, tables["use"])
    return PlanVerification(not reasons, reasons, status, lower, upper, gap, primal.violation)


def _size(kind: str, *values: float) -> float:
    """What differences are relative to: the value itself; a utility may be zero and counts from 1."""
    return max([1.0 if kind == "utility" else 0.0, *(abs(value) for value in values if np.isfinite(value))])


def _gap(kind: str, lower: float, upper: float) -> float:
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return float("inf")
    return (upper - lower) / (_size(kind, lower, upper) or 1.0)


def _wrong_bounds(kind: str, stated: dict[str, float], lower: float, upper: float) -> Iterator[str]:
    """The stated interval may not be narrower than the recomputed one, nor the stated gap other than its own."""
    slack = EXACTNESS * _size(kind, lower, upper)
    low, high = stated["lower_bound"], stated["upper_bound"]
    if not low <= lower + slack:
        yield f"lower bound: stated {low!r}, recomputed {lower!r}"
    if not high >= upper - slack:
        yield f"upper bound: stated {high!r}, recomputed {upper!r}"
    gap = _gap(kind, low, high)
    if not (stated["gap"] == gap or abs(stated["gap"] - gap) <= 1e-15 + 1e-9 * abs(gap)):
        yield f"gap: stated {stated['gap']!r}, but the stated bounds make it {gap!r}"


def _violated(primal: PrimalCheck, economy: Economy, limits: pd.Index) -> str:
    assert primal.culprit is not None
    group, i = primal.culprit
    names = {"balance": economy.products, "limit": limits, "capacity": economy.techniques, "sign": economy.techniques}
    label = names[group][i] if i < len(names[group]) else i
    return f"the activity is not feasible: {group} of {show(label)!r} is violated by {primal.violation:.3g} (relative)"


def _wrong_tables(
    stated: dict[str, float],
    problem: Problem,
    value: float,
    consumption: np.ndarray[Any, Any],
    x: np.ndarray[Any, Any],
    economy: Economy,
    use: pd.DataFrame,
) -> Iterator[str]:
    """Objective, consumption and use must be what the activity makes them."""
    objective = stated["objective"]
    if not abs(objective - value) <= AGREEMENT * _size(problem.kind, value):
        yield f"objective: stated {objective!r}, recomputed {value!r}"
        return
    if problem.kind != "utility":
        due = problem.targets * (objective if problem.kind == "scale" else 1.0)
        off = np.abs(consumption - due) > AGREEMENT * np.maximum(np.abs(due), np.finfo(np.float64).tiny)
        if off.any():
            i = int(np.flatnonzero(off)[0])
            name = show(economy.products[i])
            yield f"consumption of {name!r}: stated {consumption[i]:.17g}, recomputed {due[i]:.17g}"
    intensities = economy.intensities.reindex(use["indicator"])
    total, size = intensities.to_numpy() @ x, np.abs(intensities.to_numpy()) @ np.abs(x)
    off = ~(np.abs(use["use"].to_numpy() - total) <= AGREEMENT * size)
    if off.any():
        k = int(np.flatnonzero(off)[0])
        yield f"use of {use.index[k]!r}: stated {use['use'].iloc[k]:.17g}, recomputed {total[k]:.17g}"
