"""Capital and stocks: what production needs to have standing, how it is built, wears out and is left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import aligned, as_index, show, show_some
from ..data.matrix import as_csr
from ..errors import OptionError, ProblemError
from ..solvers.problem import FloatArray

TERMINAL = ("none", "keep", "balanced")


@dataclass(frozen=True, kw_only=True)
class Capital:
    """Assets that techniques need to have standing, and that are built from products ahead of their use.

    Parameters
    ----------
    requirements : DataFrame assets x techniques: units of an asset that must stand per unit of activity, >= 0. Its
        index names the assets.
    composition : DataFrame products x assets: products built into one unit of an asset. A mapping lead -> DataFrame
        says how many years ahead of its first year of use each part is needed; a single table is needed ``gestation``
        years ahead.
    depreciation : share of an asset lost each year, in [0, 1]: number or Series by asset; 0 where nothing wears out.
    initial : Series by asset: what stands in the first year; "base": what the base activity of the economy needs.
    gestation : years between the start of an investment and its first year of use, >= 1.
    terminal : what must stand in the year after the last one, so that the last year does not eat the capital:
        "keep" the initial stock, "balanced": what the activity of the last year needs, growing by ``growth``; "none";
        or a Series by asset.
    growth : rate of the balanced terminal condition, per year.
    intensities : DataFrame indicators x assets, or mapping lead -> DataFrame: labour and emissions of building.

    Model: with survival s_a(k) = (1 - depreciation_a)^k, in every year t
    ``sum_j requirements_aj x_jt <= initial_a s_a(t - 1) + sum_{u <= t} s_a(t - u) new_au``, which is the stock equation
    K_t = (1 - depreciation) K_t-1 + new_t without the stocks as variables of their own.
    Sources: Johansen (1978); Cockshott's five-year plan; Williams, Model Building in Mathematical Programming, 12.9.
    """

    requirements: pd.DataFrame
    composition: pd.DataFrame | Mapping[int, pd.DataFrame]
    depreciation: float | pd.Series | None = None
    initial: pd.Series | str = "base"
    gestation: int = 1
    terminal: str | pd.Series = "keep"
    growth: float = 0.0
    intensities: pd.DataFrame | Mapping[int, pd.DataFrame] | None = None

    @classmethod
    def by_industry(
        cls, stocks: pd.DataFrame, depreciation: float | pd.DataFrame | None = None, **options: Any
    ) -> Capital:
        """Capital tied to the technique that uses it: one asset for every pair (product, technique) with an entry.

        ``stocks``: products x techniques, units of the product that must stand per unit of activity.
        ``depreciation``, ``initial`` and ``terminal`` may be tables like ``stocks``.
        """
        entries = sp.coo_array(np.asarray(stocks.to_numpy(), np.float64))
        pairs = [
            (stocks.index[i], stocks.columns[j])
            for i, j in zip(entries.row.tolist(), entries.col.tolist(), strict=True)
        ]
        names = pd.Index([f"{show(i)} in {show(j)}" for i, j in pairs])
        k = np.arange(len(names))
        requirements = sp.csr_array((entries.data, (k, entries.col)), shape=(len(k), stocks.shape[1])).toarray()
        made_of = sp.csr_array((np.ones(len(k)), (entries.row, k)), shape=(stocks.shape[0], len(k))).toarray()

        def of_pairs(value: Any) -> Any:
            if not isinstance(value, pd.DataFrame):
                return value
            table = value.reindex(index=stocks.index, columns=stocks.columns)
            return pd.Series(table.to_numpy(np.float64)[entries.row, entries.col], names)

        options = {key: of_pairs(value) for key, value in options.items()}
        return cls(
            requirements=pd.DataFrame(requirements, names, stocks.columns),
            composition=pd.DataFrame(made_of, stocks.index, names),
            depreciation=of_pairs(depreciation),
            **options,
        )

    def arrays(self, eco: Economy) -> CapitalArrays:
        """The tables in the order of the economy's labels, checked."""
        assets = as_index(self.requirements.index, "capital requirements")
        if not len(assets):
            raise ProblemError("capital requirements: no assets")
        if isinstance(self.gestation, bool) or not isinstance(self.gestation, int) or self.gestation < 1:
            raise OptionError(f"gestation: got {self.gestation!r}, expected a whole number of years >= 1")
        needs = as_csr(self.requirements, assets, eco.techniques, "capital requirements")
        _not_negative(needs, assets, eco.techniques, "capital requirements")
        if self.depreciation is None:
            raise ProblemError(
                f"capital: depreciation of {show_some(assets)} is missing, the share lost each year; give "
                "depreciation=0 if nothing wears out"
            )
        wear = _series(self.depreciation, assets, "depreciation")
        if ((wear < 0) | (wear > 1)).any():
            a = int(np.flatnonzero((wear < 0) | (wear > 1))[0])
            raise ProblemError(f"depreciation: asset {show(assets[a])!r} has {wear[a]!r}, expected a share in [0, 1]")
        initial = _initial(self.initial, needs, eco, assets)
        built = _by_lead(self.composition, self.gestation, eco.products, assets, "capital composition")
        for table in built.values():
            _not_negative(table, eco.products, assets, "capital composition")
        effort = {}
        if self.intensities is not None:
            rows = eco.indicators
            effort = _by_lead(self.intensities, self.gestation, rows, assets, "capital intensities")
        balanced = isinstance(self.terminal, str) and self.terminal == "balanced"
        left = None if balanced else _terminal(self.terminal, initial, assets)
        if not np.isfinite(self.growth) or self.growth <= -1:
            raise OptionError(f"growth: got {self.growth!r}, expected a finite rate above -1")
        return CapitalArrays(assets, needs, built, effort, wear, initial, left, balanced, self.growth)


@dataclass(frozen=True)
class CapitalArrays:
    """Capital in the economy's order. ``terminal`` is None for the balanced condition, which ``growth`` completes."""

    assets: pd.Index
    requirements: sp.csr_array
    composition: dict[int, sp.csr_array]
    intensities: dict[int, sp.csr_array]
    depreciation: FloatArray
    initial: FloatArray
    terminal: FloatArray | None
    balanced: bool
    growth: float

    @property
    def gestation(self) -> int:
        """Years from the first product or effort put in to the first year of use."""
        return max([*self.composition, *self.intensities])

    @property
    def looks_beyond(self) -> bool:
        """Whether anything must stand in the year after the last one."""
        return self.balanced or bool(self.terminal is not None and self.terminal.any())


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Products that may be carried from one year into the next.

    products : labels, or "all".
    loss : share lost from one year to the next, in [0, 1]: number or Series by product.
    initial : Series by product: in stock when the first year begins.
    terminal : "none", "keep" the initial stock after the last year, or a Series by product.
    """

    products: Any = "all"
    loss: float | pd.Series = 0.0
    initial: pd.Series | None = None
    terminal: str | pd.Series = "none"

    def arrays(self, eco: Economy) -> StorageArrays:
        """The tables in the order of the economy's products, checked."""
        every = isinstance(self.products, str) and self.products == "all"
        labels = eco.products if every else as_index(self.products, "storage products")
        at = eco.products.get_indexer(labels)
        if (at < 0).any():
            raise ProblemError(f"storage: {show(labels[int(np.argmin(at))])!r} is none of the products")
        loss = _series(self.loss, labels, "storage loss")
        if ((loss < 0) | (loss > 1)).any():
            raise ProblemError("storage loss: expected shares in [0, 1]")
        initial = np.zeros(len(labels))
        if self.initial is not None:
            initial = _some(self.initial, labels, "storage initial")
        terminal = np.zeros(len(labels)) if self.terminal is None else _terminal(self.terminal, initial, labels)
        return StorageArrays(np.asarray(at), loss, initial, terminal)


@dataclass(frozen=True)
class StorageArrays:
    """``at``: positions of the storable products; the other fields belong to them."""

    at: np.ndarray[Any, np.dtype[np.intp]]
    loss: FloatArray
    initial: FloatArray
    terminal: FloatArray


def _series(value: Any, labels: pd.Index, what: str) -> FloatArray:
    if isinstance(value, int | float | np.number):
        if not np.isfinite(value):
            raise ProblemError(f"{what}: got {value!r}, expected a finite number")
        return np.full(len(labels), float(value))
    return aligned(value, labels, what, "assets")


def _some(value: Any, labels: pd.Index, what: str) -> FloatArray:
    """Values >= 0 by label; labels not named are zero."""
    if not isinstance(value, pd.Series):
        value = pd.Series(dict(value) if isinstance(value, Mapping) else value)
    unknown = value.index.difference(labels)
    if len(unknown):
        raise ProblemError(f"{what}: {show(unknown[0])!r} is unknown")
    vector = aligned(value.reindex(labels, fill_value=0.0), labels, what, "labels")
    if (vector < 0).any():
        raise ProblemError(f"{what}: {show(labels[int(np.argmin(vector))])!r} is {vector.min()!r}, expected >= 0")
    return vector


def _initial(value: Any, needs: sp.csr_array, eco: Economy, assets: pd.Index) -> FloatArray:
    if isinstance(value, str):
        if value != "base":
            raise OptionError(f"initial: got {value!r}, expected 'base' or a Series by asset")
        return np.asarray(needs @ np.maximum(eco.activity.to_numpy(), 0.0))
    return _some(value, assets, "initial capital")


def _terminal(value: Any, initial: FloatArray, labels: pd.Index) -> FloatArray:
    if isinstance(value, str):
        if value not in TERMINAL:
            raise OptionError(f"terminal: got {value!r}, expected one of {', '.join(TERMINAL)} or a Series")
        return initial.copy() if value == "keep" else np.zeros(len(labels))
    return _some(value, labels, "terminal stock")


def _by_lead(value: Any, gestation: int, rows: pd.Index, columns: pd.Index, what: str) -> dict[int, sp.csr_array]:
    tables = value if isinstance(value, Mapping) else {gestation: value}
    out = {}
    for lead, table in tables.items():
        if isinstance(lead, bool) or not isinstance(lead, int) or lead < 0:
            raise OptionError(f"{what}: lead {lead!r}, expected a whole number of years >= 0")
        full = table.reindex(index=rows, fill_value=0.0) if set(table.index) <= set(rows) else table
        out[lead] = as_csr(full, rows, columns, what)
    return out


def _not_negative(table: sp.csr_array, rows: pd.Index, columns: pd.Index, what: str) -> None:
    if table.nnz and table.data.min() < 0:
        entries = sp.coo_array(table)
        k = int(np.argmin(entries.data))
        row, column = show(rows[int(entries.row[k])]), show(columns[int(entries.col[k])])
        raise ProblemError(f"{what}: row {row!r}, column {column!r} is {float(entries.data[k])!r}, expected >= 0")
