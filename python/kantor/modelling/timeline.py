"""An economy over several years: each year's goods, the assets that stand in it, and what links the years.

Rows (products of the new economy) carry the labels (year, account, product): account "product" is a good in a year,
"capital" the services of an asset that stands in it, "rise" and "fall" the room that limits on change leave, "minimum"
a least activity. Columns are (year, action, label):

========= ======================================================== ==================================================
action    uses up                                                  makes
========= ======================================================== ==================================================
run       inputs, services of assets                               outputs
invest    products while an asset is built                         its services, year after year, as it wears out
store     a product of this year                                   what is left of it next year
inherit   (at most once)                                           all that stands when the plan begins
leave     what must stand or be in stock at the end, least         (exactly once)
          activities
========= ======================================================== ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.sparse_table import SparseTable
from ..solvers.problem import FloatArray
from .capital import CapitalArrays, StorageArrays
from .columns import Columns, Part
from .horizon import Horizon
from .stacking import Block, stacked_labels

OBLIGATIONS = "obligations"
LEVELS = ("year", "account")


def over_years(eco: Economy, horizon: Horizon, base: pd.Series | None = None) -> Economy:
    """The economy over the years of a horizon, as one larger economy.

    ``base``: activity of the techniques that counts as the base of every year; None: the observed activity.

    Its final demand is that of ``eco`` in every year, grown by ``horizon.growth``; its indicators are those of ``eco``
    summed over the years, and once more for every year by the name "indicator year". Where something must be left at
    the end or run at least, the indicator "obligations" must be at least 1: :class:`kantor.Plan` sets that limit.

    >>> eco = Economy.from_iot(A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], labels=["wheat", "cloth"])
    >>> two = over_years(eco, Horizon(years=2, first=2027))
    >>> two.products.tolist()[:2], two.n_techniques
    ([(2027, 'product', 'wheat'), (2027, 'product', 'cloth')], 4)
    """
    return _Timeline(eco, horizon, base).build()


def place_targets(eco: Economy, horizon: Horizon, by_year: FloatArray) -> FloatArray:
    """A vector over the products of :func:`over_years` from targets (years, products of ``eco``)."""
    return _Timeline(eco, horizon, None).place(by_year)


@dataclass(frozen=True)
class _Rows:
    """Where each year's goods and assets, and the rows of single techniques, begin."""

    goods: dict[int, int]
    assets: dict[int, int]
    single: dict[tuple[str, int], int]
    count: int


class _Timeline:
    def __init__(self, eco: Economy, horizon: Horizon, base: pd.Series | None):
        self.eco, self.horizon = eco, horizon
        self.years = horizon.named(eco)
        self.beyond = self.years[-1] + 1
        self.economies = horizon.technologies(eco)
        self.capital: CapitalArrays | None = None if horizon.capital is None else horizon.capital.arrays(eco)
        self.storage: StorageArrays | None = None if horizon.storage is None else horizon.storage.arrays(eco)
        self.rates = {which: horizon.rates(eco, which) for which in ("rise", "fall")}
        least = horizon.least(eco)
        self.least = np.zeros((len(self.years), eco.n_techniques)) if least is None else least
        self.levels = max(eco.products.nlevels, eco.techniques.nlevels)
        self.rows = self._lay_out()
        observed = eco.activity if base is None else base
        self.base = np.maximum(observed.to_numpy(np.float64), 0.0)

    # ---- rows ------------------------------------------------------------------------------------------------------
    def _lay_out(self) -> _Rows:
        goods, assets, single, count = {}, {}, {}, 0
        for year in range(self.years[0] - self.horizon.input_lag, self.years[-1] + 1):
            goods[year] = count
            count += self.eco.n_goods
        if self.capital is not None:
            for year in (*self.years, self.beyond) if self.capital.looks_beyond else self.years:
                assets[year] = count
                count += len(self.capital.assets)
        for k, year in enumerate(self.years):
            for which, at in (*((w, r[0]) for w, r in self.rates.items()), ("minimum", np.flatnonzero(self.least[k]))):
                single[which, year] = count
                count += len(at)
        return _Rows(goods, assets, single, count)

    def _products(self) -> pd.MultiIndex:
        labels = [Block((year, "product"), self.eco.products) for year in self.rows.goods]
        for year in self.rows.assets:
            assert self.capital is not None
            labels.append(Block((year, "capital"), self.capital.assets))
        bound = {which: self.eco.techniques[at] for which, (at, _) in self.rates.items()}
        for k, year in enumerate(self.years):
            for which in self.rates:
                labels.append(Block((year, which), bound[which]))
            labels.append(Block((year, "minimum"), self.eco.techniques[np.flatnonzero(self.least[k])]))
        names = [name or f"label {k}" for k, name in enumerate(self.eco.products.names)]
        names = [f"label {k}" for k in range(self.levels - len(names))] + names
        return stacked_labels(labels, [*LEVELS, *names])

    # ---- columns ---------------------------------------------------------------------------------------------------
    def build(self) -> Economy:
        """All blocks, then the economy."""
        n_indicators = len(self.eco.indicators)
        columns = Columns(self.rows.count, n_indicators * (1 + len(self.years)) + 1)
        for k, year in enumerate(self.years):
            self._run(columns, k, year)
        if self.capital is not None:
            self._invest(columns, self.capital)
        if self.storage is not None:
            self._store(columns, self.storage)
        self._inherit(columns)
        obliged = self._leave(columns)
        return self._economy(columns, obliged)

    def _effort(self, year: int, table: Any) -> list[Part]:
        """Rows of the indicators' sums and of this year's."""
        n = len(self.eco.indicators)
        return [(0, table), (n * (1 + self.years.index(year)), table)] if n else []

    def _run(self, columns: Columns, k: int, year: int) -> None:
        eco, m = self.economies[k], self.eco.n_techniques
        output: list[Part] = [(self.rows.goods[year], eco.output_coefficients)]
        needs: list[Part] = [(self.rows.goods[year - self.horizon.input_lag], eco.input_coefficients)]
        if self.capital is not None:
            needs.append((self.rows.assets[year], self.capital.requirements))
            if self.capital.balanced and year == self.years[-1]:
                grown = self.capital.requirements * (1.0 + self.capital.growth)
                needs.append((self.rows.assets[self.beyond], grown))
        for which, (at, rate) in self.rates.items():
            own, nearby = (needs, output) if which == "rise" else (output, needs)
            own.append((self.rows.single[which, year], _pick(at, np.ones(len(at)), m)))
            if year != self.years[-1]:
                factor = 1.0 + rate if which == "rise" else 1.0 - rate
                nearby.append((self.rows.single[which, year + 1], _pick(at, factor, m)))
        least = np.flatnonzero(self.least[k])
        output.append((self.rows.single["minimum", year], _pick(least, np.ones(len(least)), m)))
        columns.add(
            eco.techniques,
            prefix=(year, "run"),
            output=output,
            input=needs,
            use=self._effort(year, eco.intensity_matrix),
            capacity=np.inf if eco.capacities is None else eco.capacities.to_numpy(),
            activity=self.base,
        )

    def _invest(self, columns: Columns, capital: CapitalArrays) -> None:
        """Assets that come into use in year u; what would have to begin before the plan does is left out."""
        first_goods, survival = min(self.rows.goods), 1.0 - capital.depreciation
        for used in self.rows.assets:
            if any(used - lead < first_goods or used - lead > self.years[-1] for lead in capital.composition):
                continue
            if any(used - lead not in self.years for lead in capital.intensities):
                continue
            columns.add(
                capital.assets,
                prefix=(used - capital.gestation, "invest"),
                output=[
                    (row, sp.diags_array(survival ** (year - used)))
                    for year, row in self.rows.assets.items()
                    if year >= used
                ],
                input=[(self.rows.goods[used - lead], table) for lead, table in capital.composition.items()],
                use=[part for lead, table in capital.intensities.items() for part in self._effort(used - lead, table)],
            )

    def _store(self, columns: Columns, storage: StorageArrays) -> None:
        n, at = self.eco.n_goods, storage.at
        stored = self.eco.products[at]
        for year, row in self.rows.goods.items():
            if year != self.years[-1]:
                columns.add(
                    stored,
                    prefix=(year, "store"),
                    output=[(self.rows.goods[year + 1], _pick(at, 1.0 - storage.loss, n, rows=True))],
                    input=[(row, _pick(at, np.ones(len(at)), n, rows=True))],
                )

    def _inherit(self, columns: Columns) -> None:
        made: list[Part] = []
        if self.capital is not None:
            for year, row in self.rows.assets.items():
                standing = self.capital.initial * (1.0 - self.capital.depreciation) ** (year - self.years[0])
                made.append((row, _column(standing)))
        if self.storage is not None:
            stock = np.zeros(self.eco.n_goods)
            stock[self.storage.at] = self.storage.initial
            made.append((min(self.rows.goods.values()), _column(stock)))
        at, rate = self.rates["rise"]
        made.append((self.rows.single["rise", self.years[0]], _column((1.0 + rate) * self.base[at])))
        if any(part.count_nonzero() for _, part in made):
            columns.add([""], prefix=(self.years[0], "inherit"), output=made, capacity=1.0, activity=1.0)

    def _leave(self, columns: Columns) -> bool:
        owed: list[Part] = []
        if self.capital is not None and self.capital.terminal is not None and self.capital.looks_beyond:
            owed.append((self.rows.assets[self.beyond], _column(self.capital.terminal)))
        if self.storage is not None:
            left = np.zeros(self.eco.n_goods)
            left[self.storage.at] = self.storage.terminal
            owed.append((self.rows.goods[self.years[-1]], _column(left)))
        at, rate = self.rates["fall"]
        owed.append((self.rows.single["fall", self.years[0]], _column((1.0 - rate) * self.base[at])))
        for k, year in enumerate(self.years):
            least = self.least[k]
            owed.append((self.rows.single["minimum", year], _column(least[least > 0])))
        if not any(part.count_nonzero() for _, part in owed):
            return False
        last = columns.n_indicators - 1
        one = sp.csr_array(np.ones((1, 1)))
        columns.add([""], prefix=(self.years[-1], "leave"), input=owed, use=[(last, one)], activity=1.0)
        return True

    # ---- the economy -----------------------------------------------------------------------------------------------
    def _economy(self, columns: Columns, obliged: bool) -> Economy:
        eco, years = self.eco, self.years
        products = self._products()
        given = eco.techniques.names if eco.techniques.nlevels == self.levels else products.names[2:]
        names = ["year", "action", *(str(name or f"label {k}") for k, name in enumerate(given))]
        techniques = columns.techniques(names)
        base = list(eco.indicators)
        indicators = [*base, *(f"{name} {year}" for year in years for name in base), OBLIGATIONS]
        units = [str(u) for u in eco.indicator_units] if eco.indicator_units is not None else [""] * len(base)
        units = [*units * (1 + len(years)), "1"]
        use = columns.use()
        if not obliged:
            indicators, units = indicators[:-1], units[:-1]
            use = sp.csr_array((use.data, use.indices, use.indptr[:-1]), shape=(len(indicators), use.shape[1]))
        aliases = dict(eco.aliases)
        aliases |= {f"{alias} {year}": f"{name} {year}" for alias, name in eco.aliases.items() for year in years}
        return Economy(
            name=f"{eco.name}, {years[0]}-{years[-1]}",
            products=products,
            techniques=techniques,
            output_coefficients=columns.output(),
            input_coefficients=columns.input_blocks(),
            intensities=SparseTable(pd.Index(indicators, dtype=object), techniques, use),
            final_demand=self._demand(products),
            activity=pd.Series(columns.activity(), techniques),
            capacities=pd.Series(columns.capacity(), techniques),
            reference_use=pd.Series(self._reference(len(indicators)), pd.Index(indicators, dtype=object)),
            unit=self._units(products),
            indicator_units=pd.Series(units, indicators, dtype=object),
            aliases=aliases,
            product_names=self._names(products),
            year=years[0],
            licence=eco.licence,
            sources=eco.sources,
            notes=[*eco.notes, f"{len(years)} years, {years[0]}-{years[-1]}"],
        )

    def _reference(self, count: int) -> FloatArray:
        """What the base activity uses with the first technology, in every year and in total; obligations are 1."""
        once = self.eco.intensity_matrix @ self.base
        every = np.concatenate([len(self.years) * once, np.tile(once, len(self.years))])
        return np.append(every, 1.0)[:count]

    def place(self, by_year: FloatArray) -> FloatArray:
        """A vector over all rows from values (years, products)."""
        out = np.zeros(self.rows.count)
        for k, year in enumerate(self.years):
            first = self.rows.goods[year]
            out[first : first + self.eco.n_goods] = by_year[k]
        return out

    def _demand(self, products: pd.MultiIndex) -> pd.DataFrame:
        own = self.eco.final_demand
        columns = {name: self.place(self.horizon.targets(self.eco, own[name])) for name in own.columns}
        return pd.DataFrame(columns, index=products, columns=own.columns)

    def _units(self, products: pd.MultiIndex) -> str | pd.Series:
        if isinstance(self.eco.unit, str):
            return self.eco.unit
        return self._tiled(self.eco.unit.to_numpy(), "", products)

    def _names(self, products: pd.MultiIndex) -> pd.Series | None:
        if self.eco.product_names is None:
            return None
        readable = pd.Series([" / ".join(str(p) for p in label[2:] if p) for label in products], products, dtype=object)
        tiled = self._tiled(self.eco.product_names.to_numpy(), "", products)
        tiled = tiled.where(tiled != "", readable)
        return pd.Series([f"{n}, {y}" for n, y in zip(tiled, products.get_level_values(0), strict=True)], products)

    def _tiled(self, values: Any, blank: str, products: pd.MultiIndex) -> pd.Series:
        out = np.full(self.rows.count, blank, dtype=object)
        for first in self.rows.goods.values():
            out[first : first + self.eco.n_goods] = values
        return pd.Series(out, products)


def _pick(at: Any, values: FloatArray, n: int, rows: bool = False) -> sp.csr_array:
    """Entry k in column (or row) at[k] of row (or column) k: (len(at), n), or (n, len(at)) with ``rows``."""
    k = np.arange(len(at))
    return sp.csr_array((values, (at, k) if rows else (k, at)), shape=(n, len(at)) if rows else (len(at), n))


def _column(values: FloatArray) -> sp.csr_array:
    return sp.csr_array(np.asarray(values, np.float64).reshape(-1, 1))
