"""Footprints: who uses resources, and for whose consumption (consumption- and production-based accounts).

With the final demand y^c of each region c and x^c = (I - A)^-1 y^c, and S_k the use of indicator k per unit of output:

    D_cba[k, (c, s)]   S_k (I - A)^-1 (products s in y^c)       footprint of region c by the sector it demands
    D_pba[k, i]        S_ki sum_c x^c_i                         use where it takes place
    D_imp[k, (c, s)]   the part of D_cba used outside c         what imports embody
    D_exp[k, i]        S_ki sum_{c != region of i} x^c_i        what is used for demand abroad

These are the accounts of pymrio (Stadler 2021, Journal of Open Research Software 9, 8), and its letters. They are
computed from M = S (I - A)^-1 (k right-hand sides), from the x^c (one for each region) and, for D_imp, from S cut to
one region at a time; the inverse is not formed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.economy import Economy
from ..data.labels import show
from ..errors import ProblemError, suggest
from .contents import unit_per_product
from .system import TOLERANCE, Bounded, InputOutput


def footprints(
    economy: Economy,
    by: str | Iterable[str] | None = None,
    *,
    demand: Any = None,
    households: pd.DataFrame | None = None,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> Footprints:
    """Consumption- and production-based accounts of every region and sector.

    Parameters
    ----------
    economy : a table with products labelled (region, sector) and demand labelled (region, category), or one of a single
        region
    by : indicator or alias, or several; None: all
    demand : None: the whole final demand of each region; a category such as "GFCF": that of each region. For a table of
        one region anything :meth:`Economy.demand` takes
    households : uses outside production, indicators x regions (pymrio's F_Y summed by region); they are added to the
        totals by region, in D_cba_reg and D_pba_reg
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError for unknown names, a table that is not productive, products without a technique of their own.

    >>> import pymrio
    >>> feet = footprints(Economy.from_pymrio(pymrio.load_test()), "Value Added")
    >>> bool(np.isclose(feet.D_cba.to_numpy().sum(), feet.D_pba.to_numpy().sum()))
    True
    """
    if isinstance(demand, str) and economy.products.nlevels == 1:
        economy = economy.for_demand(demand)
    system = InputOutput.of(economy, "footprints", by, tolerance, backend, needed=True)
    extra = None if households is None else _households(households, system)
    return Footprints(system, _demand(economy, demand), extra)


class Footprints:
    """Accounts with labels; frames are indicators x (region, sector), or x products for a table of one region.

    Attributes
    ----------
    S, M : direct and total use per unit of product
    D_cba, D_pba, D_imp, D_exp : see the module; D_imp is solved for when first asked for. In a table of one region
        D_imp and D_exp are zero
    D_cba_reg, D_pba_reg, D_imp_reg, D_exp_reg : sums by region, indicators x regions
    output : (n, regions) x^c, output that the final demand of each region takes
    unit, unit_M : unit of the accounts, and of M and S
    """

    def __init__(self, system: InputOutput, demand: pd.DataFrame, households: pd.DataFrame | None) -> None:
        self._system, self._demand, self._households = system, demand, households
        products = system.products
        several = products.nlevels > 1
        self._regions = demand.columns
        region = products.get_level_values(0) if several else pd.Index([demand.columns[0]] * len(products))
        self._home = self._regions.get_indexer(region)
        self._columns: pd.Index
        if several:
            rest: Any = products.droplevel(0)  # type: ignore[arg-type]
            code, sectors = pd.factorize(rest)
            self._columns = pd.MultiIndex.from_tuples(
                [(c, *s) if isinstance(s, tuple) else (c, s) for c in self._regions for s in sectors],
                names=products.names,
            )
        else:
            code, sectors, self._columns = np.arange(len(products)), products, products
        ones = np.ones(len(products))
        self._sector = sp.csr_array((ones, (np.arange(len(products)), code)), shape=(len(products), len(sectors)))
        self.S, self.unit, self.unit_M = system.S, system.units, unit_per_product(system)
        self._M = system.contents(system.S.to_numpy())
        self._x = system.outputs(np.ascontiguousarray(demand.to_numpy()))
        self.output = pd.DataFrame(self._x.value, products, self._regions)

    # ---- accounts ------------------------------------------------------------------------------------------------
    @property
    def M(self) -> pd.DataFrame:
        """Total use per unit of product."""
        return pd.DataFrame(self._M.value, self.S.index, self._system.products)

    @cached_property
    def D_cba(self) -> pd.DataFrame:
        """Footprint of each region by the sector whose products it demands."""
        return self._by_demand(self._cba.value)

    @cached_property
    def D_pba(self) -> pd.DataFrame:
        """Use by the producer."""
        return self._by_product(self._pba.value)

    @cached_property
    def D_imp(self) -> pd.DataFrame:
        """Use abroad for the final demand of each region, by the sector whose products it demands."""
        return self._by_demand(self._imp.value)

    @cached_property
    def D_exp(self) -> pd.DataFrame:
        """Use by the producer for the final demand of other regions."""
        return self._by_product(self._exp.value)

    def error_bound(self, account: str) -> pd.DataFrame:
        """|account - exact| <= this, proved for the table as stored; ``account``: M, D_cba, D_pba, D_imp or D_exp."""
        known = {"M": "_M", "D_cba": "_cba", "D_pba": "_pba", "D_imp": "_imp", "D_exp": "_exp"}
        if account not in known:
            raise ProblemError(f"account: {account!r} is unknown" + suggest(account, known))
        bound = getattr(self, known[account]).bound
        return self._by_demand(bound) if account in ("D_cba", "D_imp") else self._by_product(bound)

    # ---- by region -----------------------------------------------------------------------------------------------
    @property
    def D_cba_reg(self) -> pd.DataFrame:
        """Footprints by region, uses of households included if they were given."""
        return self._with_households(self._total(self.D_cba))

    @property
    def D_pba_reg(self) -> pd.DataFrame:
        """Use by region where it takes place, uses of households included if they were given."""
        return self._with_households(self._total(self.D_pba))

    @property
    def D_imp_reg(self) -> pd.DataFrame:
        """Use abroad for the demand of each region; needs no further solve."""
        abroad = np.where(self._home[:, None] == np.arange(len(self._regions))[None, :], 0.0, self._x.value)
        return pd.DataFrame(self.S.to_numpy() @ abroad, self.S.index, self._regions)

    @property
    def D_exp_reg(self) -> pd.DataFrame:
        """Use in each region for the demand of others."""
        return self._total(self.D_exp)

    def trade(self, indicator: str) -> pd.DataFrame:
        """Use of one indicator by region where it takes place (rows) and region that demands (columns)."""
        if indicator not in self.S.index:
            raise ProblemError(f"indicator: {indicator!r} was not asked for" + suggest(indicator, self.S.index))
        used = self.S.loc[indicator].to_numpy()[:, None] * self._x.value
        table = pd.DataFrame(used, columns=self._regions).groupby(self._home).sum()
        table.index = self._regions[table.index]
        return table.reindex(self._regions, fill_value=0.0).rename_axis(index="from", columns="for")

    # ---- how -----------------------------------------------------------------------------------------------------
    @cached_property
    def _cba(self) -> Bounded:
        return _stack([self._demanded(self._M, c) for c in range(len(self._regions))])

    @cached_property
    def _pba(self) -> Bounded:
        total = self._x.times(np.ones((len(self._regions), 1)))
        return Bounded(total.value.T, total.bound.T).scaled(self.S.to_numpy())

    @cached_property
    def _exp(self) -> Bounded:
        abroad = (self._home[:, None] != np.arange(len(self._regions))[None, :]).astype(float)
        total = self._x.scaled(abroad).times(np.ones((len(self._regions), 1)))
        return Bounded(total.value.T, total.bound.T).scaled(self.S.to_numpy())

    @cached_property
    def _imp(self) -> Bounded:
        if len(self._regions) * len(self.S) <= self._columns.size:
            at_home = self._at_home_by_source()
        else:
            at_home = self._at_home_by_output()
        return self._cba - at_home

    def _at_home_by_source(self) -> Bounded:
        """Domestic part of D_cba from S cut to each region: regions x indicators right-hand sides."""
        S, parts = self.S.to_numpy(), []
        cut = np.concatenate([np.where(self._home == c, S, 0.0) for c in range(len(self._regions))])
        found = self._system.contents(cut)
        for c in range(len(self._regions)):
            rows = slice(c * len(S), (c + 1) * len(S))
            parts.append(self._demanded(Bounded(found.value[rows], found.bound[rows]), c))
        return _stack(parts)

    def _at_home_by_output(self) -> Bounded:
        """The same from the output for each demanded sector: regions x sectors right-hand sides, few if S is large."""
        parts = []
        for c in range(len(self._regions)):
            wanted = self._sector.multiply(self._demand.to_numpy()[:, [c]]).toarray()
            x = self._system.outputs(np.ascontiguousarray(wanted))
            at_home = np.where(self._home == c, self.S.to_numpy(), 0.0)
            used = Bounded(x.value.T, x.bound.T).times(at_home.T)
            parts.append(Bounded(used.value.T, used.bound.T))
        return _stack(parts)

    def _demanded(self, per_unit: Bounded, c: int) -> Bounded:
        """Use per unit times the demand of region c, added up over the products of a sector."""
        return per_unit.scaled(self._demand.to_numpy()[:, c]).times(self._sector)

    def _by_demand(self, array: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(array, self.S.index, self._columns)

    def _by_product(self, array: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(array, self.S.index, self._system.products)

    def _total(self, account: pd.DataFrame) -> pd.DataFrame:
        if account.columns.nlevels == 1:
            return pd.DataFrame(account.sum(axis=1).to_numpy()[:, None], self.S.index, self._regions)
        sums = account.T.groupby(level=0, sort=False).sum().T
        return sums.reindex(columns=self._regions, fill_value=0.0)

    def _with_households(self, account: pd.DataFrame) -> pd.DataFrame:
        if self._households is None:
            return account
        return account + self._households.reindex(columns=account.columns, fill_value=0.0)


def _stack(parts: list[Bounded]) -> Bounded:
    return Bounded(np.hstack([part.value for part in parts]), np.hstack([part.bound for part in parts]))


def _demand(economy: Economy, what: Any) -> pd.DataFrame:
    """Final demand by region, products x regions."""
    if economy.products.nlevels == 1:
        name = what if isinstance(what, str) else "final demand"
        return pd.DataFrame({name: economy.demand("total" if what is None else what)})
    Y = economy.final_demand
    regions = economy.products.unique(0)
    if Y.columns.nlevels > 1:
        if what is not None:
            kept = Y.columns.get_level_values(1) == what
            if not kept.any():
                raise ProblemError(
                    f"demand: {show(what)!r} is no category" + suggest(show(what), Y.columns.unique(level=1))
                )
            Y = Y.loc[:, kept]
        Y = Y.T.groupby(level=0, sort=False).sum().T
    elif what is not None:
        raise ProblemError(f"demand: {show(what)!r}; the final demand of {economy.name!r} has no categories by region")
    unknown = [region for region in Y.columns if region not in regions]
    order = [region for region in regions if region in Y.columns]
    if not order:
        raise ProblemError(
            f"footprints: no column of final demand names a region of the products; got {show(Y.columns[0])!r}, "
            f"expected regions like {show(regions[0])!r}"
        )
    return Y.reindex(columns=pd.Index([*regions, *unknown], name="region"), fill_value=0.0)


def _households(table: pd.DataFrame, system: InputOutput) -> pd.DataFrame:
    """Uses outside production with the indicators asked for, one column a region."""
    if table.columns.nlevels > 1:
        table = table.T.groupby(level=0, sort=False).sum().T
    table = table.set_axis([show(label) for label in table.index])
    meant = {name: system.economy.indicator_name(name) for name in system.S.index}
    table = table.rename(index={label: name for name, label in meant.items() if name not in table.index})
    lacking = [name for name in system.S.index if name not in table.index]
    if lacking:
        raise ProblemError(f"households: no row for {lacking[0]!r}" + suggest(lacking[0], table.index))
    if not np.isfinite(table.to_numpy(dtype=float)).all():
        raise ProblemError("households: some entry is NaN or infinite, expected finite numbers")
    known = system.products.unique(0)
    strange = [region for region in table.columns if region not in known]
    if strange:
        raise ProblemError(f"households: {show(strange[0])!r} is no region" + suggest(show(strange[0]), known))
    return table.loc[list(system.S.index)]
