"""Horizon: the years of a plan, what links them, and how targets and limits read over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import aligned, as_index, show
from ..errors import OptionError, ProblemError
from ..solvers.problem import FloatArray
from .capital import Capital, Storage


@dataclass(frozen=True, kw_only=True)
class Horizon:
    """The years of a plan and what links one year to the next.

    Parameters
    ----------
    years : how many, or the years themselves, one after another
    first : the first year if ``years`` is a number; None: the year after the economy's own, or 1
    growth : of the targets from year to year, a rate or a Series by product
    discount : rate at which later years count less: year k of 0, 1, ... weighs (1 + discount)^-k in a utility and in
        ``MaxScale(each="year")``; one common scale for all years is not changed by it
    capital : what must stand for production, see :class:`Capital`
    storage : which products keep from one year to the next, see :class:`Storage`
    input_lag : years by which inputs come ahead of the output; 0: in the same year
    rise, fall : greatest relative increase and decrease of an activity from one year to the next, a rate or a Series by
        technique; in the first year against the economy's base activity. Techniques not named are free.
    minimum : least activity: Series by technique (every year) or DataFrame techniques x years
    technology : year -> Economy with the same products and techniques: other coefficients from that year on (learning,
        phasing in by its capacities)

    >>> Horizon(years=3, first=2027).named(None)
    (2027, 2028, 2029)
    """

    years: int | Sequence[int]
    first: int | None = None
    growth: float | pd.Series = 0.0
    discount: float = 0.0
    capital: Capital | None = None
    storage: Storage | None = None
    input_lag: int = 0
    rise: float | pd.Series | None = None
    fall: float | pd.Series | None = None
    minimum: pd.Series | pd.DataFrame | None = None
    technology: Mapping[int, Economy] = field(default_factory=dict)

    def named(self, eco: Economy | None) -> tuple[int, ...]:
        """The years by number; OptionError if they do not follow one another."""
        if isinstance(self.years, int | np.integer) and not isinstance(self.years, bool):
            if self.years < 1:
                raise OptionError(f"years: got {self.years}, expected at least 1")
            start = self.first
            if start is None:
                start = 1 if eco is None or eco.year is None else eco.year + 1
            return tuple(range(start, start + int(self.years)))
        years = tuple(int(year) for year in self.years) if isinstance(self.years, Sequence | range) else ()
        if not years:
            raise OptionError(f"years: got {self.years!r}, expected a number of years or the years")
        if self.first is not None and self.first != years[0]:
            raise OptionError(f"first: {self.first} is not the first of the years, {years[0]}")
        for before, after in pairwise(years):
            if after != before + 1:
                raise OptionError(f"years: {after} does not follow {before}; a plan has every year from first to last")
        return years

    def year_weights(self, eco: Economy | None) -> dict[int, float]:
        """The weight of every year, ``(1 + discount)^-k``.

        >>> Horizon(years=2, first=2027, discount=0.25).year_weights(None)
        {2027: 1.0, 2028: 0.8}
        """
        if not np.isfinite(self.discount) or self.discount <= -1:
            raise OptionError(f"discount: got {self.discount!r}, expected a finite rate above -1")
        return {year: (1.0 + self.discount) ** -k for k, year in enumerate(self.named(eco))}

    def targets(self, eco: Economy, wanted: Any) -> FloatArray:
        """Targets (years, products): a table products x years as it is, anything else grown year by year.

        ``wanted``: DataFrame products x years, or what :meth:`Economy.demand` takes, for the first year.
        """
        years = self.named(eco)
        if isinstance(wanted, pd.DataFrame):
            given = [int(year) for year in wanted.columns]
            if sorted(given) != list(years):
                raise ProblemError(f"targets: the table has the years {given}, the horizon {list(years)}")
            return np.array(
                [aligned(wanted.iloc[:, given.index(year)], eco.products, f"targets {year}") for year in years]
            )
        first = eco.demand(wanted).to_numpy(np.float64)
        growth = self.growth
        if isinstance(growth, pd.Series):
            rate = aligned(growth, eco.products, "growth", "products")
        else:
            rate = np.full(len(first), float(growth))
        if not np.isfinite(rate).all() or (rate <= -1).any():
            raise OptionError("growth: expected finite rates above -1")
        return np.array([first * (1.0 + rate) ** k for k in range(len(years))])

    def technologies(self, eco: Economy) -> list[Economy]:
        """The economy of every year: the last one named up to it."""
        years = self.named(eco)
        for year, other in self.technology.items():
            if year not in years:
                raise OptionError(f"technology: {year} is none of the years {years[0]}-{years[-1]}")
            for what, mine, theirs in (
                ("products", eco.products, other.products),
                ("techniques", eco.techniques, other.techniques),
                ("indicators", eco.indicators, other.indicators),
            ):
                if not mine.equals(theirs):
                    raise ProblemError(f"technology[{year}]: its {what} are not those of {eco.name!r}")
        now, out = eco, []
        for year in years:
            now = self.technology.get(year, now)
            out.append(now)
        return out

    def rates(self, eco: Economy, which: str) -> tuple[np.ndarray[Any, np.dtype[np.intp]], FloatArray]:
        """Positions of the techniques bound by ``rise`` or ``fall``, and their rates."""
        given = getattr(self, which)
        if given is None:
            return np.zeros(0, np.intp), np.zeros(0)
        if isinstance(given, pd.Series):
            labels = as_index(given.index, which)
            at = eco.techniques.get_indexer(labels)
            if (at < 0).any():
                raise ProblemError(f"{which}: {show(labels[int(np.argmin(at))])!r} is none of the techniques")
            rate = given.to_numpy(np.float64)
        else:
            at, rate = np.arange(eco.n_techniques), np.full(eco.n_techniques, float(given))
        lowest, highest = (-1.0, np.inf) if which == "rise" else (0.0, 1.0)
        bad = ~((rate >= lowest) & (rate <= highest))
        if bad.any():
            name = show(eco.techniques[int(at[np.flatnonzero(bad)[0]])])
            raise OptionError(f"{which}: {name!r} has {rate[bad][0]!r}, expected a rate in [{lowest:g}, {highest:g}]")
        kept = np.isfinite(rate)
        return np.asarray(at)[kept], rate[kept]

    def least(self, eco: Economy) -> FloatArray | None:
        """Least activity (years, techniques), or None."""
        if self.minimum is None:
            return None
        years, table = self.named(eco), self.minimum
        if isinstance(table, pd.Series):
            table = pd.DataFrame(dict.fromkeys(years, table))
        unknown = table.index.difference(eco.techniques)
        if len(unknown):
            raise ProblemError(f"minimum: {show(unknown[0])!r} is none of the techniques")
        strange = [year for year in table.columns if year not in years]
        if strange:
            raise ProblemError(f"minimum: {strange[0]!r} is none of the years {years[0]}-{years[-1]}")
        full = table.reindex(index=eco.techniques, columns=list(years), fill_value=0.0).to_numpy(np.float64)
        if not np.isfinite(full).all() or (full < 0).any():
            j, k = (int(i) for i in np.argwhere(~(full >= 0) | ~np.isfinite(full))[0])
            raise ProblemError(f"minimum: {show(eco.techniques[j])!r} in {years[k]} is {full[j, k]!r}, expected >= 0")
        return np.ascontiguousarray(full.T)
