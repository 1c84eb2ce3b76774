"""Two plans side by side: what they reach, what limits them, what is made and what things are worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data.labels import show
from ..errors import ProblemError
from .result import PlanResult

# Relative differences below this are what solving twice may differ by, not a move.
SAME = 1e-9
# Earlier objectives of an order of priority that differ by less leave the verdict to the later ones.
_HELD_ALIKE = 1e-6


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_plans` found.

    Attributes
    ----------
    objective : DataFrame, index "objective", "lower_bound", "upper_bound", "gap", with columns ``first``, ``second``
    better : whether the second plan is proved better (True), worse (False), or neither (None): its interval lies
        wholly beyond the other's. None too where objectives are of different kinds. In an order of priority the first
        objective that tells them apart decides.
    limits : DataFrame by limit: ``use_first``, ``use_second``, ``bound_first``, ``bound_second``, ``rent_first``,
        ``rent_second``; the bound is ``at_most`` where there is one, else ``at_least``; NaN where a plan has no such
        limit
    activity, consumption : DataFrame by technique or product: ``first``, ``second``, ``change``, largest moves first
    prices : likewise, in units of each plan's own basket (:meth:`PlanResult.normalised_prices`)
    notes : what can not be compared
    """

    objective: pd.DataFrame
    better: bool | None
    limits: pd.DataFrame
    activity: pd.DataFrame
    consumption: pd.DataFrame
    prices: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def to_dict(self, top: int = 20) -> dict[str, Any]:
        """Plain values for JSON; of tables that may be long the first ``top`` rows."""
        facts: dict[str, Any] = {"objective": self.objective.to_dict("index"), "better": self.better}
        facts["limits"] = self.limits.to_dict("index")
        for name in ("activity", "consumption", "prices"):
            table: pd.DataFrame = getattr(self, name)
            rows = table.head(top).to_dict("records")
            facts[name] = [{"label": show(key)} | row for key, row in zip(table.index[:top], rows, strict=True)]
        return facts | {"notes": self.notes}


def compare_plans(first: PlanResult, second: PlanResult) -> Comparison:
    """Compare two solved plans; labels that only one of them has count as zero in the other.

    Raises ProblemError where the labels of the two have nothing in common.

    >>> import kantor as kt
    >>> eco = kt.Economy.from_arrays(input=[[0.5]], intensities=[[2.0]], demand=[10.0], indicators=["labour"])
    >>> a, b = (kt.Plan(eco, limits={"labour": bound}).solve() for bound in (40.0, 44.0))
    >>> found = compare_plans(a, b)
    >>> found.better, found.activity["change"].round(6).tolist()
    (True, [2.0])
    """
    if not len(first.activity.index.intersection(second.activity.index)):
        raise ProblemError(f"compare: {first.name!r} and {second.name!r} have no technique in common")
    rows = ["objective", "lower_bound", "upper_bound", "gap"]
    values = {side: [float(getattr(r, row)) for row in rows] for side, r in (("first", first), ("second", second))}
    notes = _differences(first, second)
    for side, result in (("first", first), ("second", second)):
        if not np.isfinite(result.objective):
            notes.append(f"the {side} plan is {result.status.value}: its numbers are no plan")
    return Comparison(
        objective=pd.DataFrame(values, index=rows),
        better=_better(first, second),
        limits=_limits(first, second),
        activity=_moves(first.activity, second.activity),
        consumption=_moves(first.consumption, second.consumption),
        prices=_moves(_relative(first), _relative(second)),
        notes=notes,
    )


def _differences(first: PlanResult, second: PlanResult) -> list[str]:
    notes = []
    if first.stages or second.stages:
        notes.append("plans of an order of priority: the numbers are those of its last objective")
    if first.objective_kind != second.objective_kind:
        notes.append(f"objectives differ in kind: {first.objective_kind} and {second.objective_kind}")
    for what, one, other in (
        ("techniques", first.activity.index, second.activity.index),
        ("products", first.prices.index, second.prices.index),
    ):
        for side, mine, theirs in (("first", one, other), ("second", other, one)):
            only = mine.difference(theirs, sort=False)
            if len(only):
                notes.append(f"{len(only):,} {what} only in the {side} plan, as {show(only[0])!r}")
    return notes


def _better(first: PlanResult, second: PlanResult) -> bool | None:
    """In an order of priority the first objective that tells the plans apart decides; later ones alone say nothing."""
    if len(first.stages) != len(second.stages):
        return None
    for one, other in zip(first.stages, second.stages, strict=True):
        verdict = _proved(one, other)
        if verdict is not None or not abs(one.objective - other.objective) <= _HELD_ALIKE * abs(one.objective):
            return verdict
    return _proved(first, second)


def _proved(first: PlanResult, second: PlanResult) -> bool | None:
    if first.objective_kind != second.objective_kind or first.objective_unit != second.objective_unit:
        return None
    sign = 1.0 if first.sense == "max" else -1.0
    if (sign > 0 and second.lower_bound > first.upper_bound) or (sign < 0 and second.upper_bound < first.lower_bound):
        return True
    if (sign > 0 and first.lower_bound > second.upper_bound) or (sign < 0 and first.upper_bound < second.lower_bound):
        return False
    return None


def _limits(first: PlanResult, second: PlanResult) -> pd.DataFrame:
    columns = {}
    for side, result in (("first", first), ("second", second)):
        names = [limit.name for limit in result.limits]
        bound = [limit.upper if np.isfinite(limit.upper) else limit.lower for limit in result.limits]
        columns[f"use_{side}"] = pd.Series(result.use["use"].to_numpy()[: len(names)], names, dtype=np.float64)
        columns[f"bound_{side}"] = pd.Series(bound, names, dtype=np.float64)
        rent = result.rents.to_numpy() + result.floor_rents.to_numpy()
        columns[f"rent_{side}"] = pd.Series(rent, names, dtype=np.float64)
    names = list(dict.fromkeys([limit.name for result in (first, second) for limit in result.limits]))
    order = [f"{what}_{side}" for what in ("use", "bound", "rent") for side in ("first", "second")]
    return pd.DataFrame(columns, index=pd.Index(names, name="limit", dtype=object))[order]


def _relative(result: PlanResult) -> pd.Series:
    """Prices in units of the basket; zero where the basket is worth nothing."""
    if not (result.prices.to_numpy() * result.targets.to_numpy() > 0).any():
        return result.prices * 0.0
    return result.normalised_prices()


def _moves(first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """Both columns over all labels and their difference, the largest first; what did not move is left out."""
    index = first.index.append(second.index.difference(first.index, sort=False))
    one = first.reindex(index).fillna(0.0).to_numpy(np.float64)
    other = second.reindex(index).fillna(0.0).to_numpy(np.float64)
    table = pd.DataFrame({"first": one, "second": other, "change": other - one}, index=index)
    size = np.abs(table["change"].to_numpy())
    order = np.argsort(-size, kind="stable")
    return table.iloc[order[size[order] > SAME * np.maximum(np.abs(one), np.abs(other))[order]]]
