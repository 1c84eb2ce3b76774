"""Choice of technique: which of policy iteration, rent search and block exchange a program allows, and their answers.

A program of one-product techniques (:func:`kantor.solvers.technology.not_leontief`) is solved by

* policy iteration, if nothing couples the goods: no capacity, and no limit or, for "scale", a single one;
* quoted rents (:mod:`kantor.solvers.level`), if only limits couple them, up to some hundreds;
* block exchange (:mod:`kantor.solvers.exchange`) from any approximate point, if there are capacities.

Nothing here is trusted: every answer goes through the certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..backends import Backend
from .bounds import DualPoint
from .exchange import Exchange, Exchanged, Point
from .level import MOST_LIMITS, Level
from .nearby import Nearby
from .policy import cheapest_policy, outputs_of
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint
from .technology import Technology, not_leontief

_NOTHING = 1e-100  # of the output
_THREE_DIGITS = 1e-3
_MOST_CALLS = 400


@dataclass(frozen=True)
class ChoiceAnswer:
    """A plan and a dual point in physical units, and in words how they were found."""

    plan: PlanPoint
    dual: DualPoint
    why: str


class Choice:
    """The methods for one program without objection from not_leontief; the technology is prepared once."""

    def __init__(
        self, program: PlanningProgram, backend: Backend, tolerance: float, prices: FloatArray | None = None
    ) -> None:
        """``prices`` (n,) of an earlier plan, if there is one, are the units of value."""
        self.program, self.tolerance = program, tolerance
        self.technology = Technology.of(program, backend, prices=prices)
        self.history: list[dict[str, float]] = []
        self.steps = 0  # policies or quotes, the iterations of these methods

    # ---- answers in physical units ---------------------------------------------------------------------------------
    def _plan(self, output: FloatArray, scale: float) -> PlanPoint:
        program = self.program
        activity = np.minimum(self.technology.activity(output), program.capacity)
        if program.kind == "scale":
            return PlanPoint(activity, scale, scale * program.targets)
        return PlanPoint(activity, np.nan, program.targets)

    def _dual(self, prices: FloatArray, rents: FloatArray) -> DualPoint:
        full = np.zeros(self.program.shape[2])
        full[self.technology.limited] = rents / self.technology.limit
        return DualPoint(self.technology.prices(prices), full, np.zeros_like(full))

    # ---- the methods -----------------------------------------------------------------------------------------------
    def policy(self) -> ChoiceAnswer:
        """One technique a good: the least cost at no rents ("use"), or the least use of the one limit ("scale")."""
        technology, scaled = self.technology, self.program.kind == "scale"
        rents = np.ones(1) if scaled else np.zeros(technology.limited.size)
        policy = cheapest_policy(technology, technology.cost + technology.use @ rents)
        self.steps = policy.rounds
        basket = self.program.targets * technology.value
        output = np.zeros(technology.shape[1])
        output[policy.choice] = outputs_of(technology, policy, basket)
        prices, scale = policy.prices, 1.0
        if scaled:
            need = float(technology.use[:, 0] @ output)
            # What next to nothing is needed for is not limited by it: any scale is as good a start for the certificate.
            scale = 1.0 / need if need > _NOTHING * float(output.sum()) else 1.0
            output, prices, rents = scale * output, scale * prices, scale * rents
        why = self._with_passes(f"policy iteration: {policy.rounds} policies")
        return ChoiceAnswer(self._plan(output, scale), self._dual(prices, rents), why)

    def level(
        self,
        out_of_time: Callable[[], bool] = lambda: False,
        *,
        vertex: bool = True,
        most_quotes: int | None = None,
        rents: FloatArray | None = None,
    ) -> ChoiceAnswer:
        """Quoted rents; with ``vertex``, linear kinds go on to the vertex by exchange once three digits are right.

        ``rents`` (resources,) of an earlier solve are quoted first.
        """
        technology, program = self.technology, self.program
        search = Level(program, technology)
        vertex = vertex and program.kind != "utility"
        most = _MOST_CALLS if most_quotes is None else min(_MOST_CALLS, most_quotes)
        first = None if rents is None else rents[technology.limited] * technology.limit
        found = search.run(_THREE_DIGITS if vertex else 0.5 * self.tolerance, most, out_of_time, first)
        self.history += search.history
        reached = f"gap {found.gap:.1e}" if found.feasible else "no plan inside the limits"
        why = f"level method: {found.calls} quotes, {reached}"
        consumption = program.targets
        if program.kind == "scale":
            consumption = found.scale * program.targets
        elif program.kind == "utility":
            consumption = np.where(program.consumed, found.consumption, 0.0)
        activity = technology.activity(found.output)
        plan = PlanPoint(activity, found.scale if program.kind == "scale" else np.nan, consumption)
        answer = ChoiceAnswer(plan, self._dual(found.prices, found.rents), self._with_passes(why))
        self.steps = found.calls
        if not vertex or not found.feasible or out_of_time() or found.calls >= most:
            return answer
        better, exchanged = self.exchange(plan, answer.dual, out_of_time)
        return ChoiceAnswer(better.plan, better.dual, f"{why}; {better.why}") if exchanged.gap < found.gap else answer

    def _with_passes(self, why: str) -> str:
        return f"{why}; {self.technology.products:.0f} passes over the matrix, one technique a good"

    def exchange(
        self,
        plan: PlanPoint,
        dual: DualPoint,
        out_of_time: Callable[[], bool] = lambda: False,
        near: float = 0.0,
    ) -> tuple[ChoiceAnswer, Exchanged]:
        """The optimal vertex near an approximate point of kind "use" or "scale"; ``near`` as in Exchange."""
        technology, program = self.technology, self.program
        search = Exchange(
            technology, program.targets * technology.value, program.capacity * technology.per_activity,
            program.kind == "scale", self.tolerance, near,
        )  # fmt: skip
        return self._found("block exchange", search, self._point(plan, dual), out_of_time)

    def nearby(
        self, plan: PlanPoint, dual: DualPoint, out_of_time: Callable[[], bool] = lambda: False
    ) -> tuple[ChoiceAnswer, Exchanged]:
        """The optimum near that of other data, where only limits couple the goods."""
        search = Nearby(
            self.technology, self.program.targets * self.technology.value, self.program.kind == "scale", self.tolerance
        )
        return self._found("change of technique", search, self._point(plan, dual), out_of_time)

    def _point(self, plan: PlanPoint, dual: DualPoint) -> Point:
        """A point in units of value."""
        technology = self.technology
        clean = lambda v: np.maximum(np.nan_to_num(v), 0.0)  # noqa: E731
        rents = clean(dual.rents)[technology.limited] * technology.limit
        output = clean(plan.activity) * technology.per_activity
        scale = plan.scale if self.program.kind == "scale" else 1.0
        return Point(output, scale, clean(dual.prices) / technology.value, rents)

    def _found(
        self, name: str, search: Exchange | Nearby, start: Point, out_of_time: Callable[[], bool]
    ) -> tuple[ChoiceAnswer, Exchanged]:
        found = search.run(start, out_of_time)
        self.history += search.history
        point = found.point
        why = self._with_passes(f"{name}: {found.rounds} rounds, {found.why}")
        return ChoiceAnswer(self._plan(point.output, point.scale), self._dual(point.prices, point.rents), why), found


def coupling(program: PlanningProgram) -> str:
    """What couples the goods: "nothing", "limits" or "capacities" (or very many limits); "" if it is no such choice."""
    if not_leontief(program):
        return ""
    limits = int(np.isfinite(program.resource_upper).sum())
    if np.isfinite(program.capacity).any() or limits > MOST_LIMITS:
        return "capacities"
    alone = limits == 0 if program.kind != "scale" else limits == 1
    return "nothing" if alone and program.kind != "utility" else "limits"
