"""Regions that trade: each with its own techniques and resources, and shipments as techniques between them.

A shipment of good i from region k to region r is a technique that uses one unit of i in k, and the transport services
that carrying it takes in k, and makes one unit of i in r. So no price of a good in r can exceed its price in k plus the
transport at k's prices, with equality where goods are shipped: ``p_r <= p_k + T_kr'p_k``.
Source: Duchin, World Trade Model (2005); Stromman and Duchin, with bilateral trade (2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import as_index, show
from ..data.sparse_table import SparseTable
from ..errors import ProblemError, suggest
from ..solvers.problem import FloatArray
from .columns import Columns
from .stacking import Block, stacked_labels

NET_IMPORTS = "net imports"
GROSS_IMPORTS = "gross imports"


@dataclass(frozen=True, kw_only=True)
class Trade:
    """Who may ship what to whom, and what it takes.

    Parameters
    ----------
    goods : products that may be shipped, or "all"
    transport : (from, to) -> Series over products: units of transport needed to ship one unit of each; products it
        leaves out take none. A pair given in one direction only serves both.
    carrier : the product that is transport, supplied by the exporting region; needed if ``transport`` is given
    limits : (from, to) -> Series over products, or number: most that is shipped; pairs not named are unlimited
    pairs : pairs (from, to) that trade; None: all
    prices : Series over products, or 1: values at which net imports are counted
    observed : Series with index (from, to, product): shipments of the base year
    observed_only : only shipments that were observed are possible
    home_share : least share of what a region has of a product, made or brought in, that it makes itself, in [0, 1]: a
        number for all regions, or region -> number or Series over products; regions and products left out have none

    Every economy joined gets the indicators "net imports in REGION" and "gross imports in REGION", in units of
    ``prices``: a limit of zero on the first asks for balanced trade, any other number is a debt or surplus limit; the
    second counts what comes in, whatever goes out.
    """

    goods: Any = "all"
    transport: Mapping[tuple[str, str], pd.Series] | None = None
    carrier: Any = None
    limits: Mapping[tuple[str, str], Any] | None = None
    pairs: Iterable[tuple[str, str]] | None = None
    prices: float | pd.Series = 1.0
    observed: pd.Series | None = None
    observed_only: bool = False
    home_share: float | Mapping[str, float | pd.Series] = 0.0


def join_regions(regions: Mapping[str, Economy], trade: Trade | None = None, name: str = "world") -> Economy:
    """One economy of several regions that may trade; products are (region, product).

    ``regions``: name -> economy; all have the same products and indicators, each its own techniques, demand, activity
    and capacities. ``trade``: None is autarky. Indicators are summed over the regions, and once more for each by the
    name "indicator in region".

    Raises ProblemError for products that differ, unknown regions or products, a region that nobody trades with.

    >>> eco = Economy.from_iot(A=[[0.5]], Y=[1.0], labels=["grain"])
    >>> world = join_regions({"north": eco, "south": eco}, Trade())
    >>> world.techniques.tolist()[-1]
    ('south', 'grain from north')
    """
    if not regions:
        raise ProblemError("regions: none given")
    return _World({str(key): eco for key, eco in regions.items()}, trade, name).build()


class _World:
    def __init__(self, regions: dict[str, Economy], trade: Trade | None, name: str):
        self.regions, self.trade, self.name = regions, trade, name
        first = next(iter(regions.values()))
        for region, eco in regions.items():
            for what, mine, theirs in (
                ("products", first.products, eco.products),
                ("indicators", first.indicators, eco.indicators),
            ):
                if not mine.equals(theirs):
                    odd = mine.symmetric_difference(theirs)
                    raise ProblemError(
                        f"regions[{region!r}]: its {what} differ from those of {next(iter(regions))!r}"
                        + (f", first {show(odd[0])!r}" if len(odd) else " in their order")
                    )
            _check_units(first, eco, next(iter(regions)), region)
            if eco.products.nlevels != 1 or eco.techniques.nlevels != 1:
                raise ProblemError(f"regions[{region!r}]: labels have several levels, expected plain product names")
        self.first, self.n = first, first.n_goods
        self.at = {region: k for k, region in enumerate(regions)}
        self.share = self._home_shares(trade)
        blocks = [Block((region,), first.products) for region in regions]
        blocks += [
            Block((region,), [f"home share of {show(first.products[i])}" for i in np.flatnonzero(share > 0.0).tolist()])
            for region, share in zip(regions, self.share, strict=True)
        ]
        self.products = stacked_labels(blocks, ["region", "product"])

    def build(self) -> Economy:
        """Production of every region, then the shipments."""
        base = list(self.first.indicators)
        count = len(self.regions)
        extra = 2 * count if self.trade is not None else 0
        columns = Columns(len(self.products), len(base) * (1 + count) + extra)
        for region, eco in self.regions.items():
            row, use = self.at[region] * self.n, eco.intensity_matrix
            columns.add(
                eco.techniques,
                prefix=(region,),
                output=[(row, eco.output_coefficients), self._own(region, eco.output_coefficients)],
                input=[(row, eco.input_coefficients)],
                use=[(0, use), (len(base) * (1 + self.at[region]), use)] if base else [],
                capacity=np.inf if eco.capacities is None else eco.capacities.to_numpy(),
                activity=eco.activity.to_numpy(),
            )
        if self.trade is not None:
            self._shipments(columns, self.trade, len(base) * (1 + count))
        return self._economy(columns, base)

    # ---- shipments ---------------------------------------------------------------------------------------------------
    def _shipments(self, columns: Columns, trade: Trade, balance: int) -> None:
        goods = self._goods(trade)
        prices = self._vector(trade.prices, "trade prices", 1.0)
        pairs = self._pairs(trade)
        for what, named in (("transport", trade.transport), ("limits", trade.limits)):
            for region in (region for pair in named or {} for region in pair):
                self._region(region, f"trade {what}")
        lonely = set(self.regions) - {region for pair in pairs for region in pair}
        if lonely and len(self.regions) > 1:
            raise ProblemError(f"trade: no pair names the region {min(lonely)!r}; leave it out or give it a partner")
        seen = self._observed(trade)
        traded: set[str] = set()
        for source, target in pairs:
            flow = seen.get((source, target), np.zeros(self.n))
            at = goods[flow[goods] > 0] if trade.observed_only else goods
            if not len(at):
                continue
            traded |= {source, target}
            k = np.arange(len(at))
            one = sp.csr_array((np.ones(len(at)), (at, k)), shape=(self.n, len(at)))
            needs = one + self._carried(trade, source, target, at)
            worth = sp.csr_array(prices[at].reshape(1, -1))
            columns.add(
                [f"{show(self.first.products[i])} from {source}" for i in at],
                prefix=(target,),
                output=[(self.at[target] * self.n, one)],
                input=[(self.at[source] * self.n, needs), self._brought_in(target, one)],
                use=[
                    (balance + self.at[target], worth),
                    (balance + self.at[source], -worth),
                    (balance + len(self.regions) + self.at[target], worth),
                ],
                capacity=self._limit(trade, source, target)[at],
                activity=flow[at],
            )
        alone = [region for region in self.regions if region not in traded]
        if alone and len(self.regions) > 1:
            raise ProblemError(
                f"trade: nobody trades with the region {alone[0]!r}: nothing was shipped to or from it in the base "
                "year, and observed_only allows no more; leave the region out, or observed_only away"
            )

    # ---- least shares made at home ------------------------------------------------------------------------------
    # What a region makes of a product counts 1 - share, what it brings in uses up share: (1 - s) made >= s imported.
    def _home_shares(self, trade: Trade | None) -> FloatArray:
        """(regions, products)."""
        given = {} if trade is None else trade.home_share
        if not isinstance(given, Mapping):
            given = dict.fromkeys(self.regions, given)
        share = np.zeros((len(self.regions), self.n))
        for region, value in given.items():
            share[self.at[self._region(region, "home share")]] = self._vector(value, f"home share of {region!r}", 0.0)
        if (share > 1.0).any():
            r, i = np.argwhere(share > 1.0)[0]
            name = show(self.first.products[i])
            raise ProblemError(
                f"home share of {list(self.regions)[r]!r}: {name!r} is {float(share[r, i])!r}, expected <= 1"
            )
        return share

    def _counted(self, region: str) -> tuple[int, np.ndarray[Any, np.dtype[np.intp]]]:
        """The first of the rows of a region's shares, and the products they are about."""
        r = self.at[region]
        return self.n * len(self.regions) + int((self.share[:r] > 0.0).sum()), np.flatnonzero(self.share[r] > 0.0)

    def _own(self, region: str, output: sp.csr_array) -> tuple[int, sp.csr_array]:
        first, goods = self._counted(region)
        return first, sp.csr_array(sp.diags_array(1.0 - self.share[self.at[region], goods]) @ output[goods])

    def _brought_in(self, region: str, one: sp.csr_array) -> tuple[int, sp.csr_array]:
        first, goods = self._counted(region)
        return first, sp.csr_array(sp.diags_array(self.share[self.at[region], goods]) @ one[goods])

    def _goods(self, trade: Trade) -> np.ndarray[Any, np.dtype[np.intp]]:
        if isinstance(trade.goods, str) and trade.goods == "all":
            return np.arange(self.n)
        return np.array([self._product(label, "trade goods") for label in as_index(trade.goods, "trade goods")])

    def _product(self, label: Any, what: str) -> int:
        if label not in self.first.products:
            known = [show(name) for name in self.first.products]
            raise ProblemError(f"{what}: {show(label)!r} is none of the products" + suggest(show(label), known))
        return int(self.first.products.get_loc(label))  # type: ignore[arg-type]

    def _region(self, name: Any, what: str) -> str:
        if name not in self.at:
            raise ProblemError(f"{what}: {name!r} is none of the regions" + suggest(str(name), list(self.at)))
        return str(name)

    def _pairs(self, trade: Trade) -> list[tuple[str, str]]:
        if trade.pairs is None:
            return [(k, r) for r in self.regions for k in self.regions if k != r]
        out = []
        for source, target in trade.pairs:
            pair = self._region(source, "trade pairs"), self._region(target, "trade pairs")
            if pair[0] == pair[1]:
                raise ProblemError(f"trade pairs: {source!r} cannot trade with itself")
            out.append(pair)
        return out

    def _vector(self, value: Any, what: str, blank: float) -> FloatArray:
        """Values over all products; those a Series leaves out get ``blank``."""
        out = np.full(self.n, blank if isinstance(value, pd.Series | Mapping) else float(value))
        if isinstance(value, pd.Series):
            at = self.first.products.get_indexer(value.index)
            for label in value.index[at < 0]:
                self._product(label, what)  # raises, with the nearest name
            out[at] = value.to_numpy(np.float64)
        elif isinstance(value, Mapping):
            for label, number in value.items():
                out[self._product(label, what)] = float(number)
        bad = ~(out >= 0)
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise ProblemError(f"{what}: {show(self.first.products[i])!r} is {float(out[i])!r}, expected >= 0")
        return out

    def _carried(self, trade: Trade, source: str, target: str, at: np.ndarray[Any, Any]) -> sp.csr_array:
        """Transport used per unit shipped, in the row of the carrier."""
        shape = (self.n, len(at))
        if trade.transport is None:
            return sp.csr_array(shape)
        if trade.carrier is None:
            raise ProblemError("trade: transport is given but no carrier; name the product that is transport")
        need = trade.transport.get((source, target), trade.transport.get((target, source)))
        if need is None:
            return sp.csr_array(shape)
        amounts = self._vector(need, f"transport {source!r} to {target!r}", 0.0)[at]
        row = np.full(len(at), self._product(trade.carrier, "trade carrier"))
        return sp.csr_array((amounts, (row, np.arange(len(at)))), shape=shape)

    def _limit(self, trade: Trade, source: str, target: str) -> FloatArray:
        given = (trade.limits or {}).get((source, target), np.inf)
        return self._vector(given, f"trade limit {source!r} to {target!r}", np.inf)

    def _observed(self, trade: Trade) -> dict[tuple[str, str], FloatArray]:
        out: dict[tuple[str, str], FloatArray] = {}
        if trade.observed is None:
            if trade.observed_only:
                raise ProblemError("trade: observed_only needs the observed shipments")
            return out
        for key, flows in trade.observed.groupby(level=[0, 1]):
            source, target = key  # type: ignore[misc,str-unpack]
            pair = self._region(source, "trade observed"), self._region(target, "trade observed")
            out[pair] = self._vector(flows.droplevel([0, 1]), f"observed trade {source!r} to {target!r}", 0.0)
        return out

    # ---- the economy -------------------------------------------------------------------------------------------------
    def _economy(self, columns: Columns, base: list[Any]) -> Economy:
        first, regions = self.first, list(self.regions)
        techniques = columns.techniques(["region", "technique"])
        indicators = [*base, *(f"{name} in {region}" for region in regions for name in base)]
        units = [str(u) for u in first.indicator_units] if first.indicator_units is not None else [""] * len(base)
        units = units * (1 + len(regions))
        if self.trade is not None:
            indicators += [f"{what} in {region}" for what in (NET_IMPORTS, GROSS_IMPORTS) for region in regions]
            units += [first.unit if isinstance(first.unit, str) else ""] * (2 * len(regions))
        aliases = dict(first.aliases)
        aliases |= {f"{a} in {r}": f"{name} in {r}" for a, name in first.aliases.items() for r in regions}
        return Economy(
            name=self.name,
            products=self.products,
            techniques=techniques,
            output_coefficients=columns.output(),
            input_coefficients=columns.input(),
            intensities=SparseTable(pd.Index(indicators, dtype=object), techniques, columns.use()),
            final_demand=self._demand(),
            activity=pd.Series(columns.activity(), techniques),
            capacities=pd.Series(columns.capacity(), techniques),
            unit=first.unit if isinstance(first.unit, str) else self._stacked("unit"),
            indicator_units=pd.Series(units, indicators, dtype=object),
            aliases=aliases,
            limits={f"{key} in {r}": sides for r, eco in self.regions.items() for key, sides in eco.limits.items()},
            year=first.year,
            licence=first.licence,
            sources=list(dict.fromkeys(source for eco in self.regions.values() for source in eco.sources)),
            notes=[f"{len(regions)} regions" + (", each for itself" if self.trade is None else " that trade")],
        )

    def _stacked(self, field: str) -> pd.Series:
        values = np.concatenate([getattr(eco, field).to_numpy() for eco in self.regions.values()])
        shared = values[: self.n][np.argwhere(self.share > 0.0)[:, 1]]
        return pd.Series(np.concatenate([values, shared]), self.products)

    def _demand(self) -> pd.DataFrame:
        """Final demand by (region, category): what a region demands of its own supply of each product."""
        parts = {}
        for region, eco in self.regions.items():
            for category in eco.final_demand.columns:
                column = np.zeros(len(self.products))
                column[self.at[region] * self.n :][: self.n] = eco.final_demand[category].to_numpy()
                parts[(region, show(category))] = column
        columns = pd.MultiIndex.from_tuples(list(parts), names=["region", "category"]) if parts else pd.Index([])
        return pd.DataFrame(np.column_stack(list(parts.values())) if parts else None, self.products, columns)


def _check_units(first: Economy, other: Economy, name: str, region: str) -> None:
    """Products and indicators of two regions are in the same units; those without a unit fit any."""
    for what, labels, mine, theirs in (
        ("product", first.products, first.unit, other.unit),
        ("indicator", first.indicators, first.indicator_units, other.indicator_units),
    ):
        columns = [
            [unit] * len(labels) if isinstance(unit, str) or unit is None else list(unit) for unit in (mine, theirs)
        ]
        for label, one, two in zip(labels, *columns, strict=True):
            if one and two and one != two:
                raise ProblemError(
                    f"regions[{region!r}]: {what} {show(label)!r} is in {two!r}, in {name!r} it is in {one!r}; "
                    "convert one "
                    "of the tables"
                )
