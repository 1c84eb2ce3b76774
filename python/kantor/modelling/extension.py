"""More goods, indicators and techniques for an economy: what objectives and soft limits are compiled to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.sparse_table import SparseTable
from ..errors import ProblemError
from ..solvers.problem import FloatArray


class Extension:
    """Collects what is added to an economy; :meth:`build` returns the larger economy.

    base : activity of its techniques to which percentages of limits refer, None where there is none.
    """

    def __init__(self, eco: Economy, base: pd.Series | None):
        self.eco, self.base = eco, base
        self.goods: list[Any] = []
        self.units: list[str] = []
        self.labels: list[Any] = []
        self.rows: dict[str, FloatArray] = {}
        self.row_units: dict[str, str] = {}
        self.references: dict[str, float] = {}
        self.outputs: list[tuple[int, int, float]] = []
        self.inputs: list[tuple[int, int, float]] = []
        self.uses: list[tuple[str, int, float]] = []
        self.capacities: list[float] = []

    def good(self, word: str, unit: str = "1") -> int:
        """Add a good and return its row."""
        self.goods.append(labelled(self.eco.products, word))
        self.units.append(unit)
        return len(self.eco.products) + len(self.goods) - 1

    def copies(self, at: Sequence[int], word: str) -> list[int]:
        """Add a good for each of these products, "PRODUCT for WORD", and return their rows."""
        first = len(self.eco.products) + len(self.goods)
        for i in at:
            label = self.eco.products[i]
            renamed = (*label[:-1], f"{label[-1]} for {word}") if isinstance(label, tuple) else f"{label} for {word}"
            self.goods.append(renamed)
            self.units.append(self.eco.unit if isinstance(self.eco.unit, str) else str(self.eco.unit.iloc[i]))
        return list(range(first, first + len(at)))

    def indicator(self, name: str, unit: str, of: Mapping[str, float] | None = None) -> str:
        """Add an indicator, a weighted sum of others; ProblemError if the name is taken."""
        if name in self.eco.indicators or name in self.rows or name in self.eco.aliases:
            raise ProblemError(f"the economy has an indicator {name!r} already, which the plan would add")
        row, reference = np.zeros(len(self.eco.techniques)), 0.0
        for other, weight in (of or {}).items():
            row += weight * self.eco.indicator(other).to_numpy(np.float64)
            if self.eco.reference_use is not None:
                reference += weight * float(self.eco.reference_use[self.eco.indicator_name(other)])
        if self.eco.reference_use is None and self.base is not None:
            reference = float(row @ self.base.to_numpy(np.float64))
        self.rows[name], self.row_units[name], self.references[name] = row, unit, reference
        return name

    def technique(
        self,
        word: Any,
        *,
        output: Mapping[int, float] | None = None,
        input: Mapping[int, float] | None = None,
        use: Mapping[str, float] | None = None,
        capacity: float = np.inf,
    ) -> None:
        """Add a technique: rows of goods and names of added indicators with what a unit of it makes and uses."""
        j = len(self.eco.techniques) + len(self.labels)
        self.labels.append(word if isinstance(word, tuple) else labelled(self.eco.techniques, str(word)))
        self.outputs += [(i, j, value) for i, value in (output or {}).items()]
        self.inputs += [(i, j, value) for i, value in (input or {}).items()]
        self.uses += [(name, j, value) for name, value in (use or {}).items()]
        self.capacities.append(capacity)

    def build(self) -> Economy:
        """The larger economy; percentages keep their base."""
        eco = self.eco
        n, m = len(eco.products) + len(self.goods), len(eco.techniques) + len(self.labels)
        products, techniques = _index(eco.products, self.goods), _index(eco.techniques, self.labels)
        names = [*eco.indicators, *self.rows]
        at = {name: k for k, name in enumerate(names)}
        added = sp.csr_array(np.array(list(self.rows.values())).reshape(len(self.rows), len(eco.techniques)))
        use = _grown(
            sp.csr_array(sp.vstack([eco.intensity_matrix, added])),
            [(at[name], j, value) for name, j, value in self.uses],
            (len(names), m),
        )
        pad = lambda values, fill, index: pd.Series(np.append(values, np.full(len(index) - len(values), fill)), index)  # noqa: E731
        changes: dict[str, Any] = {}
        if self.base is not None:
            reference = self.base.to_numpy(np.float64)
            used = eco.intensity_matrix @ reference if eco.reference_use is None else eco.reference_use.to_numpy()
            changes["reference_use"] = pd.Series(np.append(used, list(self.references.values())), names)
            changes["activity"] = pad(reference, 0.0, techniques)
        units = [] if eco.indicator_units is None else eco.indicator_units.tolist()
        own = np.full(len(eco.techniques), np.inf) if eco.capacities is None else eco.capacities.to_numpy(np.float64)
        demand = np.zeros((n, eco.final_demand.shape[1]))
        demand[: len(eco.products)] = eco.final_demand.to_numpy()
        readable = eco.product_names
        return eco.replace(
            **{
                "products": products,
                "techniques": techniques,
                "output_coefficients": _grown(eco.output_coefficients, self.outputs, (n, m)),
                "input_coefficients": _grown(eco.input_coefficients, self.inputs, (n, m)),
                "intensities": SparseTable(pd.Index(names, dtype=object), techniques, use),
                "final_demand": pd.DataFrame(demand, products, eco.final_demand.columns),
                "activity": pad(eco.activity.to_numpy(np.float64), 0.0, techniques),
                "capacities": pd.Series(np.append(own, self.capacities), techniques),
                "technologies": {},
                "technology": None,
                "unit": eco.unit if isinstance(eco.unit, str) else pd.Series([*eco.unit, *self.units], products),
                "indicator_units": pd.Series([*units, *self.row_units.values()], names, dtype=object),
                "product_names": None
                if readable is None
                else pd.Series([*readable, *(str(label) for label in self.goods)], products),
            }
            | changes
        )


def labelled(like: pd.Index, word: str) -> Any:
    """A label with the levels of others: the last year where years stand, else the word."""
    if like.nlevels == 1:
        return word
    levels = [like.get_level_values(k) for k in range(like.nlevels)]
    return tuple(level.max() if pd.api.types.is_integer_dtype(level) else word for level in levels)


def _index(old: pd.Index, more: list[Any]) -> pd.Index:
    if isinstance(old, pd.MultiIndex):
        return pd.MultiIndex.from_tuples([*old, *more], names=old.names)
    return pd.Index([*old, *more], name=old.name, dtype=object if len(more) else old.dtype)


def _grown(matrix: sp.csr_array, entries: list[tuple[int, int, float]], shape: tuple[int, int]) -> sp.csr_array:
    old = sp.coo_array(matrix)
    at = np.array([(i, j) for i, j, _ in entries], dtype=np.int64).reshape(-1, 2)
    values = np.array([value for _, _, value in entries])
    rows, columns = np.append(old.row, at[:, 0]), np.append(old.col, at[:, 1])
    return sp.csr_array((np.append(old.data, values), (rows, columns)), shape=shape)
