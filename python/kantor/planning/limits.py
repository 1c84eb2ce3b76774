"""Limits on the use of indicators: what a plan may use of labour, emissions, energy, water, land at most, or at least.

A limit's *base* is the use by the base plan, the one that delivers the targets exactly (at scale 1) with the base-year
technology: ``base_k = S_k x_base``, ``(B - A) x_base = y`` (:meth:`Economy.base_use`). So "102%" of labour means two
percent more than these targets would take, whatever the economy's observed output was.

Ways to write a bound:

========================== ==================================================================
``900.0``                  in the unit of the indicator
``"102%"``, ``"95 %"``     percent of the base (no sign)
``"-5%"``, ``"+2%"``       change relative to the base (with a sign): 95 % and 102 % of it
``"4.6e12 kg"``            a number and its unit, which must be the indicator's own
========================== ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..errors import OptionError, ProblemError

Bound = float | str | None

_NUMBER = re.compile(r"\s*([+-]?)\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan)\s*(.*?)\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """``at_least <= use of the indicator <= at_most``; either may be missing, bounds as the module's page says.

    indicator : name or alias; by default the limit's own name.
    at_most, at_least : number or text.
    unit : if given, must be the indicator's unit; for numbers whose unit should be checked.
    over : in a plan over several years, "each" year by itself or the "total" of all years. With "each", ``at_most`` and
        ``at_least`` may be mappings year -> bound; years they do not name are free.
    soft : price of one unit beyond the bound, in units of the objective, > 0: more use than ``at_most`` and less than
        ``at_least`` are then possible and paid for. None: the limit holds.

    >>> Limit(at_most="-10%").at_most
    '-10%'
    """

    indicator: str | None = None
    at_most: Any = None
    at_least: Any = None
    unit: str | None = None
    over: Literal["each", "total"] = "each"
    soft: float | None = None

    def __post_init__(self) -> None:
        if self.soft is not None and (isinstance(self.soft, bool) or not (np.isfinite(self.soft) and self.soft > 0)):
            raise OptionError(f"soft: got {self.soft!r}, expected a price > 0 for each unit beyond the limit")


@dataclass(frozen=True)
class ResolvedLimit:
    """A limit in numbers. ``name`` is the planner's, ``indicator`` the economy's; lower, upper may be infinite.

    ``base`` is the use by the base plan, NaN where the economy has none. ``stated`` is what the planner wrote.
    """

    name: str
    indicator: str
    unit: str
    base: float
    lower: float
    upper: float
    stated: dict[str, Any]


def resolve_limits(
    limits: Mapping[str, Bound | Limit] | None, economy: Economy, base: pd.Series | None, no_base: str = ""
) -> list[ResolvedLimit]:
    """Turn what the planner wrote into numbers.

    Parameters
    ----------
    limits : name -> number, text or Limit; a plain number or text is the most of the indicator of that name.
    base : use of every indicator by the base plan, or None where the economy has no base plan.
    no_base : why it has none.

    Errors
    ------
    ProblemError for an unknown indicator (with the nearest known name), NaN, a wrong unit, lower > upper, a percentage
    of a base that is missing, zero or negative.
    """
    return [_resolve(str(name), value, economy, base, no_base) for name, value in (limits or {}).items()]


def is_relative(value: Bound | Limit) -> bool:
    """Whether a bound is written in percent of the base."""
    sides = (value.at_most, value.at_least) if isinstance(value, Limit) else (value,)
    return any(isinstance(side, str) and "%" in side for side in sides)


def with_own_limits(economy: Economy, limits: Mapping[str, Bound | Limit] | None) -> dict[str, Bound | Limit]:
    """The limits of a plan and those of its economy on indicators that none of them speaks of.

    The economy's carry the names of their indicators; ProblemError where a limit on another indicator has that name.
    """
    given = dict(limits or {})
    if not economy.limits:
        return given
    named = {
        known_indicator((limit.indicator if isinstance(limit, Limit) else None) or name, economy, f"limits[{name!r}]")
        for name, limit in given.items()
    }
    own: dict[str, Bound | Limit] = {
        indicator: Limit(at_least=least if np.isfinite(least) else None, at_most=most if np.isfinite(most) else None)
        for indicator, (least, most) in economy.limits.items()
        if indicator not in named and (np.isfinite(least) or np.isfinite(most))
    }
    taken = next((name for name in own if name in given), None)
    if taken is not None:
        stated = given[taken]
        other = stated.indicator if isinstance(stated, Limit) else None
        raise ProblemError(
            f"limits[{taken!r}]: speaks of {other!r}, but the economy has a limit of its own on {taken!r}, which goes "
            "by that name; give this one another name"
        )
    return own | given


def _resolve(name: str, value: Bound | Limit, economy: Economy, base: pd.Series | None, no_base: str) -> ResolvedLimit:
    limit = value if isinstance(value, Limit) else Limit(at_most=value)
    where = f"limits[{name!r}]"
    if limit.at_most is None and limit.at_least is None:
        raise ProblemError(f"{where}: gives neither at_most nor at_least")
    indicator = known_indicator(limit.indicator or name, economy, where)
    unit = unit_of(indicator, economy)
    if limit.unit is not None and _folded(limit.unit) != _folded(unit):
        raise ProblemError(f"{where}: unit {limit.unit!r}, but indicator {indicator!r} " + _in_unit(unit))
    use = float("nan") if base is None else float(base[indicator])
    resource = _Resource(indicator, unit, use, no_base)
    upper = _bound(limit.at_most, np.inf, f"{where}.at_most", resource)
    lower = _bound(limit.at_least, -np.inf, f"{where}.at_least", resource)
    if lower > upper:
        raise ProblemError(
            f"{where}: at_least {_shown(limit.at_least, lower)} exceeds at_most {_shown(limit.at_most, upper)}"
        )
    stated = {key: item for key, item in (("at_most", limit.at_most), ("at_least", limit.at_least)) if item is not None}
    stated = {key: item if isinstance(item, str) else float(item) for key, item in stated.items()}
    return ResolvedLimit(name, indicator, unit, use, lower, upper, stated)


def known_indicator(name: str, economy: Economy, where: str) -> str:
    """The economy's own name of an indicator or alias; ProblemError that says where, with the nearest known name."""
    try:
        return economy.indicator_name(name)
    except ProblemError as error:
        raise ProblemError(f"{where}: {error}") from None


def unit_of(indicator: str, economy: Economy) -> str:
    """The unit of an indicator, "" where none is known."""
    return "" if economy.indicator_units is None else str(economy.indicator_units.get(indicator, ""))


def parse_bound(text: str, where: str) -> tuple[str, float, str]:
    """Split a written bound into ("relative", change, "") or ("percent", factor, "") or ("number", value, unit).

    >>> parse_bound("-5%", "at_most"), parse_bound("102 %", "at_most"), parse_bound("4.6e12 kg", "at_most")
    (('relative', -0.05, ''), ('percent', 1.02, ''), ('number', 4600000000000.0, 'kg'))
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ProblemError(f"{where}: cannot read {text!r}; write a number, '102%', '-5%' or a number with its unit")
    sign, digits, rest = match.groups()
    value = float(sign + digits)
    if rest == "%":
        # Decimal shift before the division: "102%" is then the double nearest to 1.02.
        return ("relative" if sign else "percent"), value / 100.0, ""
    return "number", value, rest


@dataclass(frozen=True)
class _Resource:
    """What a bound is about: the indicator, its unit, its base (NaN: none) and why there is no base."""

    indicator: str
    unit: str
    base: float
    no_base: str


def _bound(written: Bound, absent: float, where: str, about: _Resource) -> float:
    if written is None:
        return absent
    if not isinstance(written, str):
        if isinstance(written, bool) or not isinstance(written, int | float | np.number):
            raise ProblemError(f"{where}: got {written!r}, expected a number or text")
        return _not_nan(float(written), where)
    kind, value, rest = parse_bound(written, where)
    _not_nan(value, where)
    if kind == "number":
        if rest and _folded(rest) != _folded(about.unit):
            raise ProblemError(f"{where}: unit {rest!r}, but indicator {about.indicator!r} " + _in_unit(about.unit))
        return value
    if not np.isfinite(about.base):
        raise ProblemError(f"{where}: {written!r} is relative to the base plan, but there is none ({about.no_base})")
    if about.base <= 0:
        amount = f"{about.base!r} {about.unit}".rstrip()
        raise ProblemError(f"{where}: {written!r} of a base use of {amount}: give a number instead")
    return about.base * (1.0 + value if kind == "relative" else value)


def _not_nan(value: float, where: str) -> float:
    if np.isnan(value):
        raise ProblemError(f"{where}: NaN, expected a number")
    return value


def _in_unit(unit: str) -> str:
    return f"is in {unit!r}" if unit else "has no unit"


def _folded(unit: str) -> str:
    return " ".join(unit.split()).casefold()


def _shown(written: Bound, value: float) -> str:
    return f"{written!r} (= {value:.10g})" if isinstance(written, str) else f"{value:.10g}"
