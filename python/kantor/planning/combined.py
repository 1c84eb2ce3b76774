"""Objectives made of others: sums, orders of priority, steadiness; and how they become goods, techniques and limits.

Nothing here is known to a solver. A basket that is delivered t times is a technique "deliver" whose activity is t; the
excess over a soft limit is a technique that makes room under it at a price; a rise of employment from one year to the
next is a technique that a limit forces to run. What is left to optimise is then the largest scale of
one good, a weighted sum of indicators, or one utility, and the plan has limits and a certificate like any other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..errors import OptionError, ProblemError
from ..modelling.extension import Extension
from ..solvers.problem import FloatArray
from .limits import Bound, Limit, unit_of
from .objectives import CompiledObjective, Maximise, MaxScale, MinimiseUse, Objective, Utility
from .weights import product_weights

PENALTIES = "penalties"
# What the name of a soft limit ends with where it holds: on what is not paid for.
SOFTENED = ", soft"
FULFILMENT = "fulfilment"


class _Made(Objective):
    """An objective that is restated before it is compiled."""

    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        raise ProblemError(f"{self.name}: is made of other objectives; use it in a Plan")


@dataclass(frozen=True)
class WeightedSum(_Made):
    """A weighted sum of objectives: those to maximise count positive, those to minimise negative.

    objectives : any of :class:`MaxScale`, :class:`Maximise`, :class:`MinimiseUse`, :class:`LeastChange`
    weights : one number > 0 for each, in units of the sum per unit of the objective; default 1 each

    With a :class:`MaxScale` among them the targets are delivered as many times as pays, else they are delivered once.

    >>> WeightedSum([MaxScale(), MinimiseUse("labour")], weights=[100.0, 1.0]).name
    'weighted-sum'
    """

    objectives: Sequence[Objective]
    weights: Sequence[float] | None = None
    name: ClassVar[str] = "weighted-sum"

    def __post_init__(self) -> None:
        _all_objectives(self.name, self.objectives)
        weights = [1.0] * len(self.objectives) if self.weights is None else list(self.weights)
        if len(weights) != len(self.objectives):
            raise OptionError(f"weights: got {len(weights)} numbers for {len(self.objectives)} objectives")
        for weight in weights:
            if isinstance(weight, bool) or not (np.isfinite(weight) and weight > 0):
                raise OptionError(f"weights: got {weight!r}, expected finite numbers > 0")

    def parts(self) -> list[tuple[float, Objective]]:
        """(weight, objective), sums of sums written out."""
        weights = [1.0] * len(self.objectives) if self.weights is None else list(self.weights)
        out: list[tuple[float, Objective]] = []
        for weight, objective in zip(weights, self.objectives, strict=True):
            out += [(weight * w, part) for w, part in _parts(objective)]
        return out


@dataclass(frozen=True)
class Lexicographic(_Made):
    """Objectives in order of priority: each decides only among the plans that are best for all before it.

    objectives : the most important first; any but :class:`Lexicographic`
    slack : what is held of each result, relative to it: 1e-6 leaves later objectives that much room, and the solver
        an interior. A utility is held by its consumption, which is unique where its terms are strictly concave.

    The result is the plan of the last objective; ``result.stages`` holds those before it, each with its certificate.
    """

    objectives: Sequence[Objective]
    slack: float = 1e-6
    name: ClassVar[str] = "lexicographic"

    def __post_init__(self) -> None:
        _all_objectives(self.name, self.objectives)
        if any(isinstance(objective, Lexicographic) for objective in self.objectives):
            raise OptionError("lexicographic: an order of priority inside another; write one list")
        if not 0 < self.slack < 1:
            raise OptionError(f"slack: got {self.slack!r}, expected a number in (0, 1)")


@dataclass(frozen=True)
class LeastChange(_Made):
    """Steadiness, as stable employment: the least sum of changes of an indicator from year to year, up and down.

    indicator : name, or several ("JOBS in north", "JOBS in south"), summed over all pairs of years that follow one
        another; needs a plan with a horizon. For a price on change beside another objective use :class:`WeightedSum`.
    """

    indicator: str | Sequence[str]
    name: ClassVar[str] = "least-change"
    sense = "min"


def _parts(objective: Objective) -> list[tuple[float, Objective]]:
    return objective.parts() if isinstance(objective, WeightedSum) else [(1.0, objective)]


def _all_objectives(name: str, objectives: Sequence[Objective]) -> None:
    if isinstance(objectives, Objective) or not len(objectives):
        raise OptionError(f"{name}: expected a list of objectives")
    for objective in objectives:
        if not isinstance(objective, Objective):
            raise OptionError(f"{name}: got {objective!r}, expected objectives as MaxScale() or MinimiseUse(...)")


@dataclass(frozen=True)
class Held:
    """An earlier objective that must reach at least (or at most) ``value``; a utility delivers ``consumption``.

    ``penalties``: the value is net of what soft limits cost; the objective that decides next does not pay them again.
    """

    objective: Objective
    value: float
    consumption: pd.Series | None = None
    penalties: bool = False


@dataclass(frozen=True)
class Restated:
    """The plan in plain terms.

    plain : an objective that compiles; whole : the one it was made from, on the labels before restating.
    drawn : product -> row of the good from which a utility consumes it, None: from the product itself
    products : the labels before anything was added; soft : whether some limit was soft
    """

    economy: Economy
    targets: pd.Series
    plain: Objective
    limits: dict[str, Bound | Limit]
    whole: Objective
    products: pd.Index
    drawn: Mapping[int, int] | None = None
    soft: bool = False

    def delivered(self, consumption: pd.Series) -> pd.Series:
        """What a utility's plan delivers of each product, from the consumption of this larger economy's goods."""
        amounts = consumption.to_numpy(np.float64)
        if self.drawn is None:
            return pd.Series(amounts[: len(self.products)], self.products)
        out = np.zeros(len(self.products))
        out[list(self.drawn)] = amounts[list(self.drawn.values())]
        return pd.Series(out, self.products)


def is_plain(objective: Objective, limits: Mapping[str, Bound | Limit], held: Sequence[Held]) -> bool:
    """Whether nothing has to be restated."""
    soft = any(isinstance(limit, Limit) and limit.soft is not None for limit in limits.values())
    return not (soft or held or isinstance(objective, _Made))


def restate_plan(
    economy: Economy,
    targets: pd.Series,
    objective: Objective,
    limits: Mapping[str, Bound | Limit],
    held: Sequence[Held] = (),
    years: Sequence[int] = (),
) -> Restated:
    """The plan with sums, steadiness, soft limits and earlier objectives as goods, techniques and limits."""
    return _Restating(economy, targets, dict(limits), held, years).of(objective)


def hold(written: Restated, consumption: pd.Series, reached: float, slack: float, first: bool) -> Held:
    """What later plans are held to of one that reached ``reached`` and consumes ``consumption``.

    ``first``: it is the first of its order, whose objective pays for what soft limits give way.
    """
    if isinstance(written.whole, Utility):
        return Held(written.whole, 1.0 - slack, written.delivered(consumption))
    sense = 1.0 if written.plain.sense == "max" else -1.0
    reached = reached if abs(reached) >= 1e-100 else 0.0  # nothing, proved by guards of the last bit
    return Held(written.whole, reached - sense * slack * abs(reached), penalties=first and written.soft)


class _Restating:
    def __init__(
        self,
        economy: Economy,
        targets: pd.Series,
        limits: dict[str, Bound | Limit],
        held: Sequence[Held],
        years: Sequence[int],
    ):
        self.eco, self.targets, self.held, self.years = economy, targets, held, years
        try:
            base = economy.base_plan(targets)
        except ProblemError:
            base = None
        self.new = Extension(economy, base)
        self.limits = limits
        self.linear: dict[str, float] = {}  # indicator -> weight in the maximised sum
        self.changes: dict[tuple[str, ...], str] = {}

    def of(self, objective: Objective) -> Restated:
        parts = _parts(objective)
        utilities = [part for _, part in parts if isinstance(part, Utility)]
        if utilities and len(parts) > 1:
            raise OptionError(
                f"weighted-sum: {utilities[0].name!r} cannot be added to other objectives; put it in Lexicographic, or "
                "use MaxScale"
            )
        soft = self._soften()
        # In an order of priority the first objective pays for what soft limits give way.
        paid = soft and not any(hold.penalties for hold in self.held)
        if utilities and soft:
            raise OptionError(f"limits: soft limits cannot be priced in units of {utilities[0].name!r}; use MaxScale")
        held = [part for hold in self.held for _, part in _parts(hold.objective)]
        rows = self._deliveries([part for _, part in parts] + held)
        scales = [(weight, part) for weight, part in parts if isinstance(part, MaxScale)]
        for weight, part in parts:
            if not isinstance(part, MaxScale | Utility):
                self._count(weight, part)
        for place, hold in enumerate(self.held, 1):
            self._hold(place, hold, rows)
        goal: int | None = None
        if scales and not self.linear and not paid:
            goal = self.new.good("common scale")
        for place, (weight, part) in enumerate(scales, 1):
            name = self.new.indicator(FULFILMENT if place == 1 else f"{FULFILMENT} {place}", "times the targets")
            makes = {} if goal is None else {goal: weight}
            self.new.technique("deliver" if place == 1 else f"deliver {place}",
                               output=makes, input=self._basket(part, rows[id(part)]), use={name: 1.0})  # fmt: skip
            if goal is None:
                self.linear[name] = weight
        if paid:
            self.linear[PENALTIES] = -1.0
        made = self._plain(parts, utilities, goal, rows)
        drawn = rows[id(utilities[0])] if utilities else None
        return dataclasses.replace(made, whole=objective, drawn=drawn, soft=soft)

    def _plain(
        self, parts: list[tuple[float, Objective]], utilities: list[Any], goal: int | None, rows: dict[int, Any]
    ) -> Restated:
        larger = self.new.build()
        aim = np.zeros(len(larger.products))
        plain: Objective
        if utilities:
            own = rows[id(utilities[0])]
            wanted = self.targets.to_numpy(np.float64)
            weights = np.ones(len(aim))
            given = product_weights(utilities[0].weights, self.eco)
            for i, row in own.items():
                aim[row], weights[row] = wanted[i], given[i]
            plain = dataclasses.replace(utilities[0], weights=weights)
        elif goal is not None:
            aim[goal], plain = 1.0, MaxScale()
        else:
            if not rows:
                aim[: len(self.targets)] = self.targets.to_numpy(np.float64)
            least = all(part.sense == "min" for _, part in parts)
            plain = (
                MinimiseUse({name: -weight for name, weight in self.linear.items()})
                if least
                else Maximise(dict(self.linear))
            )
        targets = pd.Series(aim, larger.products, name="target")
        return Restated(larger, targets, plain, self.limits, plain, self.eco.products)

    # ---- what is delivered -------------------------------------------------------------------------------------------
    def _deliveries(self, members: list[Objective]) -> dict[int, dict[int, int]]:
        """For each objective that delivers: product -> row of the good it draws on.

        One alone draws on the products. Several value the same deliveries: a technique turns each product into one unit
        for every one of them.
        """
        who = {id(part): part for part in members if isinstance(part, MaxScale | Utility)}
        wanted = self.targets.to_numpy(np.float64)
        at = np.flatnonzero(wanted != 0).tolist()
        if len(who) < 2:
            return {key: {i: i for i in at} for key in who}
        if (wanted < 0).any():
            raise ProblemError("targets: some are negative; objectives on the same deliveries need targets >= 0")
        rows = {key: self.new.copies(at, f"{part.name} {k}") for k, (key, part) in enumerate(who.items(), 1)}
        for k, i in enumerate(at):
            label = self.eco.products[i]
            name = (*label[:-1], f"consume {label[-1]}") if isinstance(label, tuple) else f"consume {label}"
            levels = self.eco.techniques.nlevels
            name = name if levels == self.eco.products.nlevels else str(name)
            self.new.technique(name, output={own[k]: 1.0 for own in rows.values()}, input={i: 1.0})
        return {key: dict(zip(at, own, strict=True)) for key, own in rows.items()}

    def _basket(self, part: MaxScale, rows: dict[int, int]) -> dict[int, float]:
        if part.each is not None:
            raise OptionError(f"max-scale: each={part.each!r} cannot be combined with other objectives or soft limits")
        wanted = product_weights(part.weights, self.eco) * self.targets.to_numpy(np.float64)
        if not (wanted > 0).any():
            raise ProblemError("targets: the basket of 'max-scale' has no product with a positive target to scale")
        return {rows[i]: float(wanted[i]) for i in np.flatnonzero(wanted).tolist()}

    # ---- what is counted ---------------------------------------------------------------------------------------------
    def factors(self, part: Objective) -> dict[str, float]:
        """Indicators of the larger economy with their weights in a maximised sum."""
        if isinstance(part, LeastChange):
            return {self._change(part): -1.0}
        if isinstance(part, Maximise | MinimiseUse):
            sign = 1.0 if isinstance(part, Maximise) else -1.0
            return {name: sign * weight for name, weight in self.eco.by_indicator(part.factors()).items()}
        raise OptionError(f"weighted-sum: {part.name!r} cannot be added to other objectives")

    def _count(self, weight: float, part: Objective) -> None:
        for name, factor in self.factors(part).items():
            self.linear[name] = self.linear.get(name, 0.0) + weight * factor

    def _change(self, part: LeastChange) -> str:
        """The indicator of all changes: for each pair of years a technique that must cover a rise, one for a fall."""
        given = (part.indicator,) if isinstance(part.indicator, str) else tuple(part.indicator)
        if len(self.years) < 2:
            raise OptionError("least-change: needs a plan over several years (horizon=...)")
        if given in self.changes:
            return self.changes[given]
        own = [self.eco.indicator_name(f"{name} {self.years[0]}") for name in given]
        total = self.new.indicator(f"change of {', '.join(given)}", unit_of(own[0], self.eco))
        for name in given:
            for before, after in pairwise(self.years):
                for word, sign in (("rise", 1.0), ("fall", -1.0)):
                    change = {f"{name} {after}": sign, f"{name} {before}": -sign}
                    row = self.new.indicator(f"{word} of {name} {after} not counted", unit_of(own[0], self.eco), change)
                    self.new.technique(f"{word} of {name} {after}", use={row: -1.0, total: 1.0})
                    self.limits[row] = Limit(at_most=0.0)
        self.changes[given] = total
        return total

    # ---- earlier objectives and soft limits --------------------------------------------------------------------------
    def _hold(self, place: int, hold: Held, rows: dict[int, dict[int, int]]) -> None:
        part, name = hold.objective, f"objective {place}"
        if isinstance(part, Utility):
            assert hold.consumption is not None
            row = self.new.indicator(name, "1")
            amounts = hold.consumption.reindex(self.eco.products).to_numpy(np.float64)
            basket = {own: float(amounts[i]) for i, own in rows[id(part)].items() if amounts[i] > 0}
            self.new.technique(f"deliver for {name}", input=basket, use={row: 1.0})
            self.limits[name] = Limit(at_least=hold.value)
            return
        inner = _parts(part)
        sense = 1.0 if any(p.sense == "max" for _, p in inner) else -1.0
        scales = [(weight, p) for weight, p in inner if isinstance(p, MaxScale)]
        both: dict[str, float] = {}
        for weight, p in inner:
            for key, factor in {} if isinstance(p, MaxScale) else self.factors(p).items():
                both[key] = both.get(key, 0.0) + sense * weight * factor
        known = {key: w for key, w in both.items() if key in self.eco.indicators}
        row = self.new.indicator(name, "times the targets" if isinstance(part, MaxScale) else "", known)
        for number, (weight, p) in enumerate(scales, 1):
            word = f"deliver for {name}" + ("" if number == 1 else f", {number}")
            self.new.technique(word, input=self._basket(p, rows[id(p)]), use={row: weight})
        for key, w in both.items():
            if key not in known:  # an indicator that was added: what uses it uses the sum too
                self.new.uses += [(row, j, w * value) for other, j, value in list(self.new.uses) if other == key]
        if hold.penalties:
            self.new.uses += [(row, j, -sense * cost) for other, j, cost in list(self.new.uses) if other == PENALTIES]
        self.limits[name] = Limit(at_least=hold.value) if sense > 0 else Limit(at_most=hold.value)

    def _soften(self) -> bool:
        """Soft limits hold on an indicator less the excess, which is a technique that costs its price."""
        soft = {
            name: limit for name, limit in self.limits.items() if isinstance(limit, Limit) and limit.soft is not None
        }
        if not soft:
            return False
        self.new.indicator(PENALTIES, "")
        for name, limit in soft.items():
            own = self.eco.indicator_name(limit.indicator or name)
            row = self.new.indicator(f"{own} within {name}", unit_of(own, self.eco), {own: 1.0})
            for side, word, room in (("at_most", "exceed", -1.0), ("at_least", "fall short of", 1.0)):
                if getattr(limit, side) is not None:
                    self.new.technique(f"{word} {name}", use={row: room, PENALTIES: float(limit.soft)})  # type: ignore[arg-type]
            # A name of its own, so that the table of use shows what is really used beside what counts.
            self.limits[name + SOFTENED] = dataclasses.replace(limit, indicator=row, soft=None)
            del self.limits[name]
        return True
