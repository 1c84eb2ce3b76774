"""Rolling re-planning: the last plan and what is new since make the next plan, and an account of the difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..backends.world import now
from ..errors import ProblemError
from ..planning.plan import Plan
from ..planning.result import PlanResult
from ..solvers.solution import Status
from .apply import Question, apply, question_of
from .change import Change, read_change
from .costs import attribute
from .moves import moves
from .recede import move_on, planned_activity, with_stocks
from .stability import Stability, steadied
from .stored import open_plan


@dataclass(frozen=True)
class Asked:
    """The plan that a change leads to, the question without what stability adds, and the change."""

    plan: Plan
    question: Question
    change: Change


@dataclass(frozen=True)
class Replanned:
    """A new plan and what it came from.

    before, result : the earlier and the new :class:`kantor.PlanResult`, both with their ``plan``
    change : what was new
    moved_on : whether the window of years moved by one
    seconds : building, solving and proving the new plan
    how : next_period, backlog, stability, as the books keep them
    """

    before: PlanResult
    result: PlanResult
    change: Change
    moved_on: bool
    seconds: float
    how: dict[str, Any]

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What each changed entry did to the objective (:func:`kantor.feedback.costs.attribute`).

        Raises ProblemError where one of the plans is not optimal, or where the windows of years differ, so that the
        objectives are not about the same years.
        """
        self._both("costs")
        if self.moved_on:
            raise ProblemError("costs: the two plans are about different years, so their objectives are not compared")
        if self.before.objective_kind != self.result.objective_kind:
            raise ProblemError("costs: the objectives of the two plans are of different kinds")
        return attribute(self.before, self.result)

    @cached_property
    def moves(self) -> pd.DataFrame:
        """The activities that moved most, their causes and chains (:func:`kantor.feedback.moves.moves`)."""
        self._both("moves")
        return moves(self.before, self.result)

    @property
    def movement(self) -> float:
        """``sum v |x' - x| / sum v x`` over the techniques of both plans, v being worth at the earlier prices."""
        before, after = self.before, self.result
        assert before.plan is not None
        worth = before.plan.economy.output_coefficients.T @ before.prices.to_numpy(np.float64)
        x = before.activity.to_numpy(np.float64)
        new = after.activity.reindex(before.activity.index, fill_value=0.0).to_numpy(np.float64)
        whole = float(worth @ x)
        return float(worth @ np.abs(new - x)) / whole if whole > 0 else float("nan")

    def _both(self, what: str) -> None:
        for side, result in (("earlier", self.before), ("new", self.result)):
            if result.status is not Status.OPTIMAL:
                raise ProblemError(f"{what}: the {side} plan is {result.status.value}, there is nothing to compare")

    def save(self, folder: str | Path, parent: str | Path | None = None) -> Path:
        """Write the new plan folder; with ``parent`` (a plan folder) the books name it by hash, and the change."""
        from .books import Books, save_with_books

        return save_with_books(self.result, folder, Books.of(parent=parent, change=self.change, replan=self.how))


class Replanner:
    """Keeps the last plan and makes the next one from what is new.

    Parameters
    ----------
    start : a solved :class:`kantor.PlanResult`, a :class:`kantor.Plan` (solved first), or the path of a plan folder
    tolerance, method, backend : of every solve, as in :meth:`kantor.Plan.solve`
    stability : a price on change or a budget for it, :class:`kantor.feedback.stability.Stability`
    backlog : whether what reported outputs fell short of is wanted on top of the targets

    >>> import kantor as kt
    >>> eco = kt.Economy.from_iot(A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], labels=["wheat", "cloth"],
    ...                           S=[[1.0, 2.0]], indicators=["hours"])
    >>> planner = Replanner(kt.Plan(eco, limits={"hours": 160.0}))
    >>> new = planner.replan(Change.of(target={"wheat": "+10%"}))
    >>> round(new.before.objective, 4), round(new.result.objective, 4)
    (1.0927, 1.0182)
    >>> new.costs[["kind", "label"]].values.tolist()
    [['target', 'wheat'], ['rest', '']]
    """

    def __init__(
        self,
        start: PlanResult | Plan | str | Path,
        *,
        tolerance: float = 1e-6,
        method: str = "auto",
        backend: str = "auto",
        stability: Stability | None = None,
        backlog: bool = True,
    ) -> None:
        self.options: dict[str, Any] = {"tolerance": tolerance, "method": method, "backend": backend}
        self.stability, self.backlog = stability, backlog
        if isinstance(start, Plan):
            start = start.solve(**self.options)
        elif not isinstance(start, PlanResult):
            start = open_plan(start)
        if start.plan is None:
            if start.folder is None:
                raise ProblemError("replan: the result has no plan and no folder; solve the plan or name its folder")
            start = open_plan(start.folder)
        self.last: PlanResult = start
        self.question = question_of(_plan_of(start))

    def replan(
        self,
        change: Change | str | Path | None = None,
        *,
        next_period: bool = False,
        time_limit_s: float | None = None,
        on_progress: Callable[[dict[str, float]], object] | None = None,
    ) -> Replanned:
        """The next plan, from the last one's activity and prices.

        change : what is new, or the path of a change file (:mod:`kantor.feedback.change`); None: nothing
        next_period : the first year is over: the window of a plan over years moves on by one

        The new plan becomes the last one if one was found; with another status it is only returned.
        """
        began = now()
        asked = self.ask(change, next_period=next_period)
        start = _warm(self.last, asked.plan, int(next_period))
        result = asked.plan.solve(**self.options, warm_start=start, time_limit_s=time_limit_s, on_progress=on_progress)
        done = Replanned(self.last, result, asked.change, next_period, now() - began, self.how(next_period))
        if np.isfinite(result.objective):
            self.last, self.question = result, asked.question
        return done

    def ask(self, change: Change | str | Path | None = None, *, next_period: bool = False) -> Asked:
        """The plan to solve next, before it is solved; the same arguments as :meth:`replan`."""
        given = Change() if change is None else change if isinstance(change, Change) else read_change(change)
        question, last = self.question, self.last
        year = None if question.horizon is None else question.horizon.named(question.economy)[0]
        if next_period and year is None:
            raise ProblemError("replan: next_period moves the window of a plan over years, and this plan has none")
        planned = planned_activity(last, question.economy, year)
        question = dataclasses.replace(question, stock=np.zeros_like(question.stock))
        if next_period:
            question = move_on(question, last)
        question = with_stocks(apply(question, given, planned, backlog=self.backlog))
        steady = question if self.stability is None else steadied(question, self.stability, last, planned)
        return Asked(steady.plan(), question, given)

    def how(self, next_period: bool) -> dict[str, Any]:
        """How changes are applied, for the books."""
        steady = None if self.stability is None else dataclasses.asdict(self.stability)
        return {"next_period": next_period, "backlog": self.backlog, "stability": steady}


def _plan_of(result: PlanResult) -> Plan:
    plan = result.plan
    assert plan is not None
    return plan


def _warm(last: PlanResult, plan: Plan, shift: int) -> PlanResult | None:
    """The last result on the labels of the new plan; years keep their activity, the added one takes the last's."""
    if not np.isfinite(last.activity.to_numpy()).all() or not np.isfinite(last.prices.to_numpy()).all():
        return None
    return dataclasses.replace(
        last,
        activity=_relabelled(last.activity, plan.economy.techniques, shift),
        prices=_relabelled(last.prices, plan.economy.products, shift),
        consumption=_relabelled(last.consumption, plan.economy.products, shift),
    )


def _relabelled(values: pd.Series, labels: pd.Index, shift: int) -> pd.Series:
    if values.index.equals(labels):
        return values
    found = values.reindex(labels)
    if shift:
        missing = found.isna().to_numpy()
        before = pd.MultiIndex.from_tuples([(label[0] - shift, *label[1:]) for label in labels[missing]])
        found.iloc[np.flatnonzero(missing)] = values.reindex(before).to_numpy()
    return found.fillna(0.0)
