"""From an approximate plan to exactly feasible ones: rebuild or lift the outputs, then fit the limits.

Technique shares are kept, a Leontief solve makes the balances hold, and scaling or blending the limits. Nothing here is
trusted: :meth:`kantor.solvers.evaluate.Evaluator.check_plan` judges every plan that comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .evaluate import Evaluator
from .mix import INTERIOR, SMALL, Mix, build_mix, least_output
from .problem import FloatArray
from .rigour import flush

_AT_CAPACITY = 1e-9  # a technique this close to its capacity, relatively, counts as full
_ROUNDS = 6
_LIFTS = 6
_FEW_TECHNIQUES = 10_000


@dataclass(frozen=True)
class PlanPoint:
    """A plan: activity (m,), scale t (NaN unless the kind is "scale"), consumption (n,)."""

    activity: FloatArray
    scale: float
    consumption: FloatArray


class Repair:
    """Repairs plans of one program; ``unit_cost`` (m,) ranks techniques where the plan at hand does not choose."""

    def __init__(self, evaluator: Evaluator, unit_cost: FloatArray, backend: Any = "auto"):
        self.evaluator, self.program = evaluator, evaluator.program
        self.unit_cost, self.backend = unit_cost, backend

    def candidates(self, point: PlanPoint, safe: PlanPoint | None = None) -> Iterator[Iterator[PlanPoint]]:
        """Groups of plans near ``point`` that should be feasible, most promising first.

        ``safe`` is a plan with room in every restriction, to blend with.
        """
        aim = self._aim(point)
        activity = np.clip(np.nan_to_num(flush(point.activity)), 0.0, self.program.capacity)
        guards = (INTERIOR, float(2.5 * np.max(self.evaluator.use_guard, initial=0.0)))
        for outputs in (self._as_is, self.rebuild, self.lift):
            plan = outputs(activity, aim.consumption)
            if plan is None:
                continue
            for guard in guards if guards[1] > guards[0] else guards[:1]:
                yield self._near(PlanPoint(plan, aim.scale, aim.consumption), safe, guard)
        if self.program.kind != "use":
            yield iter([PlanPoint(np.zeros_like(activity), 0.0, np.zeros_like(aim.consumption))])
        if activity.size <= _FEW_TECHNIQUES:
            yield self._short_decimals(activity, aim)

    def _near(self, plan: PlanPoint, safe: PlanPoint | None, guard: float) -> Iterator[PlanPoint]:
        yield from self._fit(plan, guard)
        if safe is not None:
            yield self._blend(plan, safe, guard)

    def _short_decimals(self, activity: FloatArray, aim: PlanPoint) -> Iterator[PlanPoint]:
        """The plan in fewer digits: where limits leave no room at all, data of few digits often have such a plan."""
        for digits in (9, 6):
            with np.errstate(divide="ignore"):
                unit = 10.0 ** (np.floor(np.log10(np.where(activity > 0.0, activity, 1.0))) - digits + 1)
            rounded = np.where(activity > 0.0, np.round(activity / unit) * unit, 0.0)
            tiny = rounded < 10.0**-digits * np.max(rounded, initial=0.0)
            for plan in (rounded, np.where(tiny, 0.0, rounded)):
                yield PlanPoint(flush(np.minimum(plan, self.program.capacity)), aim.scale, aim.consumption)

    def _as_is(self, activity: FloatArray, target: FloatArray) -> FloatArray:
        return activity

    def _aim(self, point: PlanPoint) -> PlanPoint:
        """What the plan is to deliver: the consumption of ``point`` inside its domain."""
        program = self.program
        if program.kind == "utility":
            wanted = np.where(program.consumed, flush(np.maximum(np.nan_to_num(point.consumption), 0.0)), 0.0)
            return PlanPoint(point.activity, np.nan, wanted)
        scale = 1.0
        if program.kind == "scale":
            scale = point.scale if np.isfinite(point.scale) and point.scale > 0.0 else 1.0
        return PlanPoint(point.activity, scale if program.kind == "scale" else np.nan, scale * program.targets)

    # ---- outputs -----------------------------------------------------------------------------------------------
    def rebuild(self, activity: FloatArray, target: FloatArray) -> FloatArray | None:
        """Keep the technique shares and find the least outputs that deliver ``target`` (n,) exactly, or None.

        Techniques with several products, without any, or at capacity (where their good has another source) keep their
        level; the others share the rest of the demand.
        """
        program, evaluator = self.program, self.evaluator
        own = program.producer_of
        single = own >= 0
        full = single & (activity >= program.capacity * (1.0 - _AT_CAPACITY))
        x = np.where(full, program.capacity, activity)
        for _ in range(_ROUNDS):
            open_goods = np.bincount(own[single & ~full], minlength=target.size) > 0
            allowed = single & ~(full & open_goods[np.maximum(own, 0)])
            kept = np.where(allowed, 0.0, x)
            mix = build_mix(program, np.where(allowed, x, 0.0), self.unit_cost, allowed)
            net, _ = evaluator.net_output(kept)
            _, throughput = evaluator.net_output(x)
            demand = target - net + evaluator.margins(throughput, INTERIOR)
            made: FloatArray = np.bincount(own[allowed], (program.own_output * x)[allowed], target.size).astype(
                np.float64
            )
            near = made if target.size > SMALL else None
            found = least_output(mix.inputs, demand, can_make=mix.makes, start=near, backend=self.backend)
            if found is None:
                return None
            new = flush(mix.shares @ found[0]) + kept
            over = allowed & (new > program.capacity) & ~full
            if not over.any():
                return self.lift(new, target, clip=False)
            full |= over
            x = np.where(over, program.capacity, new)
        return None

    def lift(self, activity: FloatArray, target: FloatArray, clip: bool = True) -> FloatArray | None:
        """Raise activity until ``target`` is met on every row, by any technique with room; None if it cannot be.

        By-products of the added activity are ignored, which errs on the safe side. What fills a capacity leaves the
        rest to the other techniques of its good.
        """
        program, evaluator = self.program, self.evaluator
        x, mix = activity, None
        for _ in range(_LIFTS):
            if clip and (x > program.capacity).any():
                x, mix = np.minimum(x, program.capacity), None
            net, throughput = evaluator.net_output(x)
            margin = evaluator.margins(throughput + np.abs(target), INTERIOR)
            if (net - target >= 0.4 * margin).all():
                return x
            mix = mix or self._room(x)
            missing = np.where(net - target < 0.4 * margin, target + margin - net, 0.0)
            found = least_output(mix.inputs, np.maximum(missing, 0.0), can_make=mix.makes, backend=self.backend)
            if found is None:
                return None
            x = x + flush(mix.shares @ found[0])
        return x

    def _room(self, x: FloatArray) -> Mix:
        """The mix of the techniques in use that have room to grow, with negative inputs (gifts) left out."""
        capacity = self.program.capacity
        with np.errstate(invalid="ignore"):
            growth = np.where(np.isfinite(capacity), capacity - x, np.inf)
            open_ended = growth > _AT_CAPACITY * np.where(np.isfinite(capacity), capacity, 0.0)
        # Techniques in use that can grow; a good that has none takes the cheapest idle one, not a full one.
        weight = np.where(open_ended, np.maximum(np.minimum(x, growth), 0.0), 0.0)
        mix = build_mix(self.program, weight, np.where(open_ended, self.unit_cost, np.inf))
        inputs = mix.inputs
        if inputs.nnz and inputs.data.min() < 0.0:
            inputs = inputs.copy()
            inputs.data = np.maximum(inputs.data, 0.0)
        return Mix(mix.shares, inputs, mix.makes)

    # ---- limits ------------------------------------------------------------------------------------------------
    def _fit(self, point: PlanPoint, guard: float) -> Iterator[PlanPoint]:
        """Scale the whole plan, deliver less than planned, or work more than needed, until every limit holds."""
        yield point
        if self.program.kind == "use":
            yield self._raise_to_floors(point, guard)
            return
        room = self._room_factor(point.activity, guard)
        if not (np.isfinite(room) and room > 0.0):
            return
        scaled = PlanPoint(point.activity * room, point.scale * room, self._satiated(point.consumption * room))
        yield scaled
        yield self._raise_to_floors(scaled, guard)
        yield self._trimmed(scaled if room < 1.0 else point)

    def _trimmed(self, point: PlanPoint) -> PlanPoint:
        """The same activity, delivering only what it surely makes."""
        program, evaluator = self.program, self.evaluator
        net, throughput = evaluator.net_output(point.activity)
        sure = net - evaluator.margins(throughput, 0.0)
        if program.kind == "scale":
            wanted = program.targets > 0.0
            scale = min(point.scale, float(np.min(sure[wanted] / program.targets[wanted])) * (1.0 - 4e-16))
            return PlanPoint(point.activity, max(scale, 0.0), point.consumption)
        return PlanPoint(point.activity, point.scale, flush(np.clip(sure, 0.0, point.consumption)))

    def _satiated(self, consumption: FloatArray) -> FloatArray:
        """No more than is wanted, where a quadratic utility falls beyond its peak."""
        terms = self.program.terms
        return (
            consumption
            if terms is None
            else np.where(terms.kind == 1, np.minimum(consumption, np.maximum(terms.b, 0.0)), consumption)
        )

    def _room_factor(self, activity: FloatArray, guard: float) -> float:
        """The largest factor of the activity that upper limits and capacities allow, less ``guard``."""
        program = self.program
        use, _ = self.evaluator.use.times(activity)
        with np.errstate(divide="ignore", invalid="ignore"):
            limits = np.where(use > 0.0, program.resource_upper / use, np.inf)
            limits = np.where((use > 0.0) & (program.resource_upper <= 0.0), 0.0, limits)
            capacities = np.where(activity > 0.0, program.capacity / activity, np.inf)
        factor = min(np.min(limits, initial=np.inf) * (1.0 - guard), np.min(capacities, initial=np.inf) * (1.0 - 4e-16))
        return float(factor)

    def _raise_to_floors(self, point: PlanPoint, guard: float) -> PlanPoint:
        """More activity for the same delivery, where a lower limit of resource use asks for it."""
        use, _ = self.evaluator.use.times(point.activity)
        floor = self.program.resource_lower
        short = np.isfinite(floor) & (floor > 0.0) & (use > 0.0) & (use < floor)
        if not short.any():
            return point
        factor = float(np.max(floor[short] / use[short])) * (1.0 + guard)
        return PlanPoint(np.minimum(point.activity * factor, self.program.capacity), point.scale, point.consumption)

    def _blend(self, point: PlanPoint, safe: PlanPoint, guard: float) -> PlanPoint:
        """The least admixture of ``safe`` that brings every row inside its limit by ``guard``; plans are convex."""
        theta = 0.0
        for have, room in zip(self._slacks(point, guard), self._slacks(safe, guard), strict=True):
            broken = have < 0.0
            room = np.maximum(room[broken], 0.0)
            needed = -have[broken] / (room - have[broken])
            theta = max(theta, float(np.max(needed, initial=0.0)))
        theta = min(1.0, theta * (1.0 + 1e-9))
        mixed = lambda a, b: (1.0 - theta) * a + theta * b  # noqa: E731
        activity = np.minimum(mixed(point.activity, safe.activity), self.program.capacity)
        return PlanPoint(
            flush(activity), mixed(point.scale, safe.scale), flush(mixed(point.consumption, safe.consumption))
        )

    def _slacks(self, point: PlanPoint, guard: float) -> Iterator[FloatArray]:
        """How far inside its limits a plan is, less ``guard`` times the terms: goods, upper, lower, capacities."""
        program, evaluator = self.program, self.evaluator
        factor = point.scale if program.kind == "scale" else 1.0
        target = factor * program.targets if program.kind != "utility" else point.consumption
        net, throughput = evaluator.net_output(point.activity)
        yield net - target - evaluator.margins(throughput + np.abs(target), guard)
        use, size = evaluator.use.times(point.activity)
        for limit, sign in ((program.resource_upper, 1.0), (program.resource_lower, -1.0)):
            finite = np.isfinite(limit)
            bound = np.where(finite, limit, 0.0)
            yield np.where(finite, sign * (bound - use) - guard * (size + np.abs(bound)), np.inf)
        yield program.capacity - point.activity
