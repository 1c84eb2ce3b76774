"""verify_plan: recheck a plan folder from its raw input, with code that shares nothing with the solver.

What is done, in order; every failure is a reason:

1. ``plan.json`` carries its own digest and the SHA-256 of every other file of the folder;
2. the economy is read again from the raw files (or from ``input/``), with techniques and expansion as the scenario
   says, and the SHA-256 of every file read is compared;
3. targets, weights, limits and capacities are derived again (kantor.planning.restate) and compared with the tables;
   so are labels, units, names, counts and the words of plan.json (kantor.planning.stated);
4. the stored activity is checked against every balance, limit and capacity, and its value is recomputed;
5. the stored prices and rents are turned into a bound by weak duality (kantor.planning.recheck);
6. both must confirm the stated status, objective, bounds and gap; consumption and use must follow from the activity;
7. an exact vertex, where one is stated, is solved again from its states up to 2,000 goods and limits; of larger ones
   the stored numbers are checked against the systems that the states say hold (kantor.planning.revertex).

A plan that does not exist is confirmed by prices and rents at which the demand is worth more than all that limits it;
one that nothing limits, by an activity that can be added to any plan without end.

Nothing in the raw input tells how the answer was found: method, why, backend, iterations, seconds, notes, the way to
the vertex, the limits given to the solver and its two residuals are protected by the digest alone.

Steps 4 and 5 use extended precision with rounding guards, so a confirmed bound is a fact about the numbers on disk.
Imports: NumPy, SciPy, pandas, the readers of kantor.data and the grammar of scenario files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.datasets import load_economy
from ..data.economy import Economy
from ..data.labels import show
from ..errors import KantorError
from .order import held_bounds, place_in_order, wrong_order
from .rebound import capacity_rents, check_multipliers, surplus
from .recheck import Multipliers, PrimalCheck, Problem, check_activity, check_direction
from .record import BEFORE, INPUT, PARTS, TABLES, VERTEX, digest, number, read_record, read_table, sha256_of
from .restate import restate
from .revertex import wrong_vertex
from .scenario import Scenario, parse_scenario
from .stated import AGREEMENT, same_labels, wrong_columns, wrong_parts, wrong_status, wrong_use, wrong_words

# A certified plan holds exactly, with its guards; the slack is for machines whose longdouble is no wider than float64.
# What solvers call feasible (1e-6 of what flows through a balance) does not pass.
EXACTNESS = 1e-12
# A direction without end must bring at least this share of what flows through it, or rounding could be all it brings.
_GAIN = 1e-9


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
    reasons: list[str] = []
    try:
        reasons += _wrong_files(place, record)
        tables = {name.removesuffix(".parquet"): read_table(place, name) for name in TABLES}
        economy, scenario = raw_input(place, record)
        statement = restate(record, economy, scenario, tables, held_bounds(place, record))
        reasons += [
            *statement.reasons,
            *wrong_order(place, record, scenario, tables["rents"]),
            *changed_inputs(place, economy, scenario, record),
            *wrong_words(record, economy, scenario),
            *wrong_status(record),
            *wrong_columns(economy, statement, tables),
        ]
        if not reasons:
            reasons += wrong_use(economy, tables)
        if not reasons and PARTS in record["tables"]:
            reasons += wrong_parts(economy, statement.problem, tables, read_table(place, PARTS))
        if not reasons:
            reasons += _wrong_vertex(place, record, statement.problem, tables)
        if not reasons and (place / BEFORE).is_dir():
            reasons += [f"{BEFORE}: {reason}" for reason in verify_plan(place / BEFORE).reasons]
        if reasons:
            return PlanVerification(False, reasons, status)
        return _check(record, economy, statement.problem, tables)
    except KantorError as error:
        return PlanVerification(False, [*reasons, str(error)], status)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
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


def raw_input(folder: Path, record: dict[str, Any]) -> tuple[Economy, Scenario | None]:
    """The economy read again from the raw files, and the scenario, None for a plan made in Python."""
    if record["scenario"] is None:
        return load_economy(folder / INPUT), None
    scenario = parse_scenario(record["scenario"]["text"], Path(record["scenario"]["path"]))
    return scenario.economy(*place_in_order(folder, record, scenario)), scenario


def changed_inputs(folder: Path, economy: Economy, scenario: Scenario | None, record: dict[str, Any]) -> Iterator[str]:
    """Every raw file read now must be the one that was read then; folders may have moved, names and content not."""
    if scenario is None:  # input/ is part of the folder, whose files are hashed already, and names its own sources
        own = [source for source in economy.sources if not Path(source.path).is_relative_to((folder / INPUT).resolve())]
        if record["inputs"] != [{"path": source.path, "sha256": source.sha256} for source in own]:
            yield "inputs: not the files that the stored economy says it was read from"
        return
    read = {(Path(source.path).name, source.sha256) for source in [*economy.sources, *scenario.files.values()]}
    stated = {(Path(source["path"]).name, source["sha256"]) for source in record["inputs"]}
    for name, _ in sorted(stated - read):
        yield f"input file {name} is not the one the plan was made from: its SHA-256 does not match"
    for name in sorted({name for name, _ in read} - {name for name, _ in stated}):
        yield f"input file {name} was read that the plan does not list"


def _wrong_vertex(
    folder: Path, record: dict[str, Any], problem: Problem, tables: dict[str, pd.DataFrame]
) -> Iterator[str]:
    """The exact vertex, where the options asked for one; a folder of an older version says nothing of it."""
    facts = record.get("vertex")
    if (facts is not None) != record["options"].get("vertex", False):
        yield f"vertex: options say {record['options'].get('vertex')!r}, but what is stated is {facts!r}"
    found = facts is not None and facts["found"]
    listed = [name for name in VERTEX if name in record["tables"]]
    if len(listed) != (len(VERTEX) if found else 0) or (facts is not None and not found and len(facts) > 1):
        yield f"vertex: plan.json states {facts!r}, but lists the tables {listed!r}"
    elif facts is not None and found:
        certificate = record["certificate"]
        bounds = number(certificate["lower_bound"]), number(certificate["upper_bound"])
        sign = -1.0 if problem.kind == "use" and record["objective"]["sense"] == "max" else 1.0
        found = [read_table(folder, name) for name in VERTEX]
        for name, table, like in zip(VERTEX, found, ("activity", "consumption", "rents"), strict=True):
            if not same_labels(table.index, tables[like].index):
                yield f"{name}: its labels are not those of {like}.parquet"
                return
        yield from wrong_vertex(problem, facts, found, sign, bounds)


@dataclass(frozen=True)
class _Answer:
    """The answer as stored: vectors, and the numbers of the certificate."""

    activity: np.ndarray[Any, Any]
    consumption: np.ndarray[Any, Any]
    multipliers: Multipliers
    stated: dict[str, float]


def _check(
    record: dict[str, Any], economy: Economy, problem: Problem, tables: dict[str, pd.DataFrame]
) -> PlanVerification:
    vector = lambda table, column: tables[table][column].to_numpy(np.float64)  # noqa: E731
    answer = _Answer(
        vector("activity", "activity"),
        vector("consumption", "consumption"),
        Multipliers(
            vector("prices", "price"),
            vector("rents", "rent"),
            vector("rents", "floor_rent"),
            vector("activity", "capacity_rent"),
        ),
        {key: number(value) for key, value in record["certificate"].items()},
    )
    if problem.kind != "use" or record["objective"]["sense"] == "min":
        return _judged(record, problem, answer, economy, tables["rents"].index)
    # A maximum that was computed as a minimum is judged as that minimum.
    answer = replace(answer, stated=_negated(answer.stated))
    found = _judged(record, problem, answer, economy, tables["rents"].index)
    return replace(found, lower_bound=-found.upper_bound, upper_bound=-found.lower_bound)


def _negated(stated: dict[str, float]) -> dict[str, float]:
    turned = {"objective": "objective", "lower_bound": "upper_bound", "upper_bound": "lower_bound"}
    return stated | {key: -stated[other] for key, other in turned.items()}


def _judged(
    record: dict[str, Any], problem: Problem, answer: _Answer, economy: Economy, limits: pd.Index
) -> PlanVerification:
    status = record["status"]
    if status == "primal infeasible":
        reasons = [*_wrong_proof(problem, answer)]
        return PlanVerification(not reasons, reasons, status)
    if status == "dual infeasible":
        reasons = [*_wrong_direction(problem, answer)]
        return PlanVerification(not reasons, reasons, status)
    return _check_plan(problem, answer, economy, limits, status, record["options"]["tolerance"])


def _wrong_proof(problem: Problem, answer: _Answer) -> Iterator[str]:
    """A plan that does not exist: the stored prices and rents prove it, and nothing else is stated."""
    worst = np.inf if problem.kind == "use" else -np.inf
    yield from _unlike(answer.stated, {"objective": np.nan, "lower_bound": worst, "upper_bound": worst, "gap": np.inf})
    if not np.isnan(answer.consumption).all():
        yield "consumption: stated, but there is no plan"
    found, stated = surplus(problem, answer.multipliers), answer.stated["surplus"]
    size = float(answer.multipliers.prices @ np.abs(problem.targets)) + abs(found)
    if not found > 0:
        yield "the stored prices and rents do not prove that there is no plan"
    elif not abs(stated - found) <= AGREEMENT * size:
        yield f"surplus: stated {stated!r}, recomputed {found!r}"
    yield from _wrong_rents(replace(problem, cost=np.zeros_like(problem.cost)), answer.multipliers)


def _wrong_direction(problem: Problem, answer: _Answer) -> Iterator[str]:
    """A plan that nothing limits: the activity can be added to any plan without end, and nothing else is stated."""
    best = -np.inf if problem.kind == "use" else np.inf
    expected = {"objective": best, "lower_bound": -np.inf, "upper_bound": np.inf, "gap": np.inf}
    yield from _unlike(answer.stated, expected)
    m = answer.multipliers
    if any(part.any() for part in (answer.consumption, m.prices, m.rents, m.floor_rents, m.capacity_rents)):
        yield "consumption, prices and rents: stated, but a plan without limits has none"
    found = check_direction(problem, answer.activity)
    if not (found.violation <= EXACTNESS and found.value > _GAIN):
        yield (
            "the stored activity does not show that nothing limits the plan: "
            f"it brings {found.value:.1e} and violates {found.culprit} by {found.violation:.1e} (relative)"
        )


def _unlike(stated: dict[str, float], expected: dict[str, float]) -> Iterator[str]:
    for key, value in expected.items():
        if not (stated[key] == value or (np.isnan(stated[key]) and np.isnan(value))):
            yield f"{key.replace('_', ' ')}: stated {stated[key]!r}, but the status makes it {value!r}"


def _wrong_rents(problem: Problem, m: Multipliers) -> Iterator[str]:
    """Rents of what has no bound, and rents of capacities that do not follow from prices and other rents."""
    for what, rents, bounds in (
        ("rent of limit", m.rents, problem.upper),
        ("floor rent of limit", m.floor_rents, problem.lower),
        ("capacity rent of technique", m.capacity_rents, problem.capacity),
    ):
        idle = np.flatnonzero(np.isinf(bounds) & (rents != 0))
        if idle.size and not np.isnan(rents).all():
            yield f"{what} number {idle[0]}: stated {rents[idle[0]]:.17g}, but it has no bound"
    expected, rounding = capacity_rents(problem, m)
    off = np.flatnonzero(np.abs(m.capacity_rents - expected) > rounding)
    if off.size:
        j = int(off[0])
        yield f"capacity rent of technique number {j}: stated {m.capacity_rents[j]:.17g}, recomputed {expected[j]:.17g}"


def _check_plan(
    problem: Problem, answer: _Answer, economy: Economy, limits: pd.Index, status: str, tolerance: float
) -> PlanVerification:
    stated = answer.stated
    primal = check_activity(problem, answer.activity, answer.consumption)
    dual = check_multipliers(problem, answer.multipliers)
    value = primal.value
    bound = dual.bound if not np.isnan(dual.bound) else (-np.inf if problem.kind == "use" else np.inf)
    feasible = primal.violation <= EXACTNESS
    achieved = value if feasible else (np.inf if problem.kind == "use" else -np.inf)
    lower, upper = (bound, achieved) if problem.kind == "use" else (achieved, bound)
    gap = _gap(problem.kind, lower, upper)
    reasons = [*_wrong_bounds(problem.kind, stated, lower, upper), *_wrong_rents(problem, answer.multipliers)]
    if status == "optimal":
        if not gap <= tolerance + EXACTNESS / 10:
            reasons.append(f"status is optimal at tolerance {tolerance:g}, but the recomputed gap is {gap:.3g}")
        if not dual.violation <= 10 * tolerance:
            technique = show(economy.techniques[dual.culprit])
            reasons.append(
                f"prices and rents: technique {technique!r} earns more than it costs, by {dual.violation:.3g}"
            )
    claimed = np.isfinite(stated["upper_bound" if problem.kind == "use" else "lower_bound"])
    if feasible:
        reasons += _wrong_value(stated, problem, primal, answer.consumption, economy)
    elif claimed or status == "optimal" or not np.isnan(stated["objective"]):
        reasons.append(_violated(primal, economy, limits))
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
    if not (stated["gap"] == gap or abs(stated["gap"] - gap) <= 1e-12 * abs(gap)):
        yield f"gap: stated {stated['gap']!r}, but the stated bounds make it {gap!r}"


def _violated(primal: PrimalCheck, economy: Economy, limits: pd.Index) -> str:
    assert primal.culprit is not None
    group, i = primal.culprit
    names = {"balance": economy.products, "limit": limits, "capacity": economy.techniques, "sign": economy.techniques}
    label = names[group][i] if i < len(names[group]) else i
    return f"the activity is not feasible: {group} of {show(label)!r} is violated by {primal.violation:.3g} (relative)"


def _wrong_value(
    stated: dict[str, float],
    problem: Problem,
    primal: PrimalCheck,
    consumption: np.ndarray[Any, Any],
    economy: Economy,
) -> Iterator[str]:
    """Objective and consumption must be what the activity makes them, and the plan's own bound its objective."""
    objective, value = stated["objective"], primal.value
    own = stated["upper_bound" if problem.kind == "use" else "lower_bound"]
    for name, number_ in (("objective", objective), ("upper bound" if problem.kind == "use" else "lower bound", own)):
        if not abs(number_ - value) <= primal.rounding:
            yield f"{name}: stated {number_!r}, recomputed {value!r}"
            return
    if problem.kind != "utility":
        due = problem.targets * (objective if problem.kind == "scale" else 1.0)
        off = ~(np.abs(consumption - due) <= AGREEMENT * np.abs(due))
        if off.any():
            i = int(np.flatnonzero(off)[0])
            name = show(economy.products[i])
            yield f"consumption of {name!r}: stated {consumption[i]:.17g}, recomputed {due[i]:.17g}"
