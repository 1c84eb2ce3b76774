"""What a plan is for: the largest common scale, the most harmony, other utilities, or the least use of something.

An objective is a frozen value. :meth:`Objective.compile` turns it, with an economy and the targets y, into the arrays
of a planning programme: what the balance rows ask for, a direct cost per activity, and one concave term per product.

Targets may hold zeros and negative entries (imports, inventories, scrap), and what they mean depends on the objective:

* largest scale: the whole basket is scaled, so a negative entry is a supply from outside that grows with the plan;
* least use: a negative entry is a fixed supply from outside;
* utilities: only products with a target > 0 are consumed and carry a term. A target of zero means none is consumed.
  A negative one is a fixed supply from outside of |target| units, free to use and never more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import LARGEST
from ..errors import OptionError, ProblemError, suggest
from ..solvers.problem import FloatArray, SeparableTerms, TermKind
from .limits import unit_of
from .weights import Weights, product_weights


@dataclass(frozen=True)
class CompiledObjective:
    """The arrays of an objective. ``offset`` is added to every reported objective value and bound.

    kind: "scale", "use" or "utility"; targets (n,): see PlanningProgram; cost (m,); terms on consumption or None.
    ``supply`` (n,) >= 0 is what the outside delivers for nothing (utilities with negative targets), else zero.
    ``weights`` (n,) are the validated weights of the products, or None where products have none. ``sign``: what is
    reported is this times the programme's value: -1 for a maximum that is computed as a minimum.
    """

    kind: Literal["scale", "use", "utility"]
    targets: FloatArray
    cost: FloatArray
    terms: SeparableTerms | None
    supply: FloatArray
    offset: float = 0.0
    weights: FloatArray | None = None
    sign: float = 1.0


class Objective(ABC):
    """Base of all objectives: a name for files, a sense, a unit, and ``compile``."""

    name: ClassVar[str]
    sense: ClassVar[Literal["max", "min"]] = "max"

    @abstractmethod
    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        """Return the arrays for this economy and targets (n,); ProblemError if they do not fit."""

    def unit(self, economy: Economy) -> str:
        """The unit of the objective value."""
        return "fulfilment"

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters without the weights of products, which a plan folder keeps as a table."""
        return {"kind": self.name}


@dataclass(frozen=True, kw_only=True)
class MaxScale(Objective):
    """The largest common scale: ``max t`` subject to ``N x >= t w*y`` and the limits.

    t = 1 delivers the targets exactly, t = 0.95 delivers 95 % of each. Its dual is ``min lambda.b`` subject to
    ``N'p <= R'lambda, p.(w*y) = 1``, so t = lambda.b: the scale is the value of all that limits it.

    weights : number, Series or mapping by product, array (n,), optional
        A product with weight 2 is delivered at 2t times its target, one with weight 0 drops out of the basket.
        Products that a Series or mapping leaves out weigh 1. Weights are finite and >= 0.
    each : str, optional
        A level of the products' index, as "year" or "region": not one scale for all, but one for each of its labels,
        and the largest weighted sum of these scales. ``shares`` maps labels to weights; those it leaves out weigh 1.

    Sources: Kantorovich, Mathematical Methods of Organizing and Planning Production (1939); Koopmans (1951).

    >>> MaxScale().sense
    'max'
    """

    weights: Weights = None
    each: str | None = None
    shares: Mapping[Any, float] | None = None
    name: ClassVar[str] = "max-scale"

    def __post_init__(self) -> None:
        if self.each is not None and self.weights is not None:
            raise OptionError("weights: of products do not apply with each; scale the targets, or weigh with shares")

    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        weights = product_weights(self.weights, economy)
        basket = weights * targets
        if not (basket > 0).any():
            raise ProblemError(f"targets: the basket of {self.name!r} has no product with a positive target to scale")
        none = np.zeros(len(economy.techniques))
        return CompiledObjective("scale", basket, none, None, np.zeros(len(targets)), weights=weights)

    def unit(self, economy: Economy) -> str:
        return "times the targets"


class Utility(Objective):
    """Shared by all utilities: ``max sum_i w_i u(C_i / g_i)`` subject to ``N x >= C`` and the limits, C >= 0."""

    weights: Weights

    @abstractmethod
    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        """Fill the terms at the consumed products and return the constant that the terms leave out."""

    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        weights = product_weights(self.weights, economy)
        at = np.flatnonzero((targets > 0) & (weights > 0))
        if not at.size:
            raise ProblemError(
                f"targets: objective {self.name!r} needs at least one product with target > 0 and weight > 0"
            )
        terms = SeparableTerms.linear(len(targets))
        offset = self._terms(terms, at, weights[at], targets[at])
        return CompiledObjective(
            "utility",
            np.where((targets > 0) & (weights > 0), targets, 0.0),
            np.zeros(len(economy.techniques)),
            terms,
            np.maximum(-targets, 0.0),
            offset,
            weights,
        )


@dataclass(frozen=True, kw_only=True)
class Harmony(Utility):
    """Cockshott's harmony: ``max sum_i w_i H(C_i/g_i - 1)``, ``H(s) = s - s^2/2`` for s < 0, ``ln(1 + s)`` for s >= 0.

    Missing a target hurts more and more, exceeding it pleases less and less; zero when every target is just met.
    The price of a product is its marginal fulfilment, ``p_i = w_i H'(C_i/g_i - 1)/g_i`` wherever C_i > 0.

    weights : as in :class:`MaxScale`; a product with weight 0, like one with target 0, is not consumed.

    Source: P. Cockshott, 5yearplan ``Harmony.java`` and "New Harmony" (the form that is concave and twice
    differentiable at s = 0).
    """

    weights: Weights = None
    name: ClassVar[str] = "harmony"

    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        terms.kind[at], terms.a[at], terms.b[at] = TermKind.HARMONY, weight, target
        return 0.0

    def unit(self, economy: Economy) -> str:
        return "harmony"


@dataclass(frozen=True, kw_only=True)
class NewHarmony(Utility):
    """The other published harmony: ``max sum_i w_i u_i / (kappa + u_i)``, ``u_i = C_i/g_i``.

    Bounded: 1 for endless plenty, ``1/(kappa + 1)`` when a target is just met.

    weights : as in :class:`Harmony`.
    kappa : > 0; 1.1 in the source.

    Source: Cockshott, "New Harmony" (2023), there of the least u of a year: that is :class:`MaxScale`, since u / (kappa
    + u) rises with u.
    """

    weights: Weights = None
    kappa: float = 1.1
    name: ClassVar[str] = "new-harmony"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.kappa) and self.kappa > 0):
            raise OptionError(f"kappa: got {self.kappa!r}, expected a number > 0")

    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        terms.kind[at], terms.a[at], terms.b[at], terms.e[at] = TermKind.HYPERBOLIC, weight, target, self.kappa
        return 0.0

    def unit(self, economy: Economy) -> str:
        return "harmony"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "kappa": self.kappa}


@dataclass(frozen=True, kw_only=True)
class LogUtility(Utility):
    """Logarithmic utility of fulfilment: ``max sum_i w_i ln(C_i/g_i + epsilon)``.

    With w_i = g_i (base-year expenditure) it is the Cobb-Douglas utility whose demand at base-year prices is g.

    weights : as in :class:`Harmony`.
    epsilon : >= 0; with 0 every consumed product is indispensable (utility minus infinity without it).
    """

    weights: Weights = None
    epsilon: float = 0.0
    name: ClassVar[str] = "log"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.epsilon) and self.epsilon >= 0):
            raise OptionError(f"epsilon: got {self.epsilon!r}, expected a finite number >= 0")

    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        # ln(C/g + eps) = ln(C + eps g) - ln g
        terms.kind[at], terms.a[at], terms.b[at] = TermKind.LOG, weight, self.epsilon * target
        return -float(weight @ np.log(target))

    def unit(self, economy: Economy) -> str:
        return "utility"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "epsilon": self.epsilon}


@dataclass(frozen=True, kw_only=True)
class PowerUtility(Utility):
    """Constant relative risk aversion: ``max sum_i w_i (C_i/g_i)^(1 - sigma)/(1 - sigma)``.

    sigma : > 0 and not 1 (that is :class:`LogUtility`). The larger, the more the worst-served products count.
    weights : as in :class:`Harmony`.
    """

    sigma: float
    weights: Weights = None
    name: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma > 0 and self.sigma != 1):
            raise OptionError(f"sigma: got {self.sigma!r}, expected a number > 0 other than 1 (for 1 use LogUtility)")

    def _terms(self, terms: SeparableTerms, at: np.ndarray, weight: FloatArray, target: FloatArray) -> float:
        # w (C/g)^(1-s)/(1-s) = w g^(s-1) C^(1-s)/(1-s)
        terms.kind[at], terms.e[at] = TermKind.POWER, self.sigma
        with np.errstate(over="ignore"):
            terms.a[at] = weight * target ** (self.sigma - 1.0)
        bad = np.flatnonzero(~((terms.a[at] > 0) & (terms.a[at] <= LARGEST)))
        if bad.size:
            raise OptionError(
                f"sigma: {self.sigma!r} raises the target {float(target[bad[0]])!r} beyond the range of numbers; "
                "choose a smaller sigma"
            )
        return 0.0

    def unit(self, economy: Economy) -> str:
        return "utility"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "sigma": self.sigma}


class _WeightedUse(Objective):
    """Shared by the least and the largest weighted sum of indicators."""

    indicator: str | Sequence[str] | Mapping[str, float]
    weights: float | Mapping[str, float] | pd.Series | Sequence[float] | None
    _sign: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        self.factors()

    def factors(self) -> dict[str, float]:
        """Indicator names (as given) and their weights; OptionError if they are impossible."""
        if isinstance(self.indicator, Mapping):
            if self.weights is not None:
                raise OptionError(
                    f"weights: {self.name!r} has them already in its mapping of indicators; give one of the two"
                )
            found = {str(k): v for k, v in self.indicator.items()}
        else:
            names = [self.indicator] if isinstance(self.indicator, str) else [str(k) for k in self.indicator]
            found = dict(zip(names, self._weight_list(names), strict=True))
        if not found:
            raise OptionError(f"indicator: {self.name!r} needs at least one")
        for name, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise OptionError(f"weights: {name!r} has weight {value!r}, expected a finite number")
        return {name: float(value) for name, value in found.items()}

    def _weight_list(self, names: list[str]) -> list[Any]:
        weights = self.weights
        if weights is None or isinstance(weights, int | float):
            return [1.0 if weights is None else weights] * len(names)
        if isinstance(weights, Mapping | pd.Series):
            extra = [k for k in weights if k not in names]
            if extra:
                raise OptionError(
                    f"weights: {extra[0]!r} is not among the minimised indicators{suggest(extra[0], names)}"
                )
            return [weights.get(k, 1.0) for k in names]
        if len(weights) != len(names):
            raise OptionError(f"weights: got {len(weights)} numbers for {len(names)} indicators")
        return list(weights)

    def compile(self, economy: Economy, targets: FloatArray) -> CompiledObjective:
        cost = np.zeros(len(economy.techniques))
        for name, weight in self.factors().items():
            cost += self._sign * weight * economy.indicator(name).to_numpy(dtype=np.float64)
        return CompiledObjective("use", targets.copy(), cost, None, np.zeros(len(targets)), sign=self._sign)

    def unit(self, economy: Economy) -> str:
        factors = self.factors()
        units = {unit_of(economy.indicator_name(name), economy) for name in factors}
        priced = any(weight != 1.0 for weight in factors.values())
        return units.pop() if len(units) == 1 and not priced else "weighted use"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.name, "indicator": self.factors()}


@dataclass(frozen=True)
class MinimiseUse(_WeightedUse):
    """Deliver the targets with the least use: ``min sum_k w_k (S x)_k`` subject to ``N x >= y`` and the limits.

    indicator : name, several names, or a mapping name -> weight
        ``MinimiseUse("labour")`` is least labour; ``MinimiseUse({"labour": 1.2, "co2": 3.6})`` prices each factor, the
        rectangular choice of technology (Duchin and Levine 2011: ``min pi'F x``).
    weights : numbers by indicator, or one for all, optional
        Used with a name or names. Default 1.

    The price of a product is then what it embodies (under labour alone and without limits: its labour value), and the
    rent of a limit says how much one more unit of it would save.

    >>> MinimiseUse("labour").factors()
    {'labour': 1.0}
    """

    indicator: str | Sequence[str] | Mapping[str, float]
    weights: float | Mapping[str, float] | pd.Series | Sequence[float] | None = None
    name: ClassVar[str] = "minimise-use"
    sense: ClassVar[Literal["max", "min"]] = "min"


@dataclass(frozen=True)
class Maximise(_WeightedUse):
    """Deliver the targets with the largest use: ``max sum_k w_k (S x)_k`` subject to ``N x >= y`` and the limits.

    For indicators that are wanted, as employment, recycled mass or forest standing; ``indicator`` and ``weights`` as in
    :class:`MinimiseUse`. Computed as the least of the negative sum.

    >>> Maximise("labour").sense
    'max'
    """

    indicator: str | Sequence[str] | Mapping[str, float]
    weights: float | Mapping[str, float] | pd.Series | Sequence[float] | None = None
    name: ClassVar[str] = "maximise-use"
    _sign: ClassVar[float] = -1.0


OBJECTIVES: dict[str, type[Objective]] = {
    kind.name: kind for kind in (MaxScale, Harmony, NewHarmony, LogUtility, PowerUtility, MinimiseUse, Maximise)
}
