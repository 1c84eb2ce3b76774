"""Techniques collected in blocks and put together as the tables of an economy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..solvers.problem import FloatArray
from .blocks import Blocks
from .stacking import Block, stacked_labels, stacked_matrix

# (first row, matrix): the matrix stands in the rows from there on.
Part = tuple[int, Any]


@dataclass
class Columns:
    """Blocks of techniques over rows of goods and rows of indicators; :meth:`table` puts them side by side."""

    n_goods: int
    n_indicators: int
    labels: list[Block] = field(default_factory=list)
    outputs: list[tuple[int, int, Any]] = field(default_factory=list)
    inputs: list[tuple[int, int, Any]] = field(default_factory=list)
    uses: list[tuple[int, int, Any]] = field(default_factory=list)
    capacities: list[FloatArray] = field(default_factory=list)
    activities: list[FloatArray] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        labels: pd.Index | Sequence[Any],
        *,
        output: Sequence[Part] = (),
        input: Sequence[Part] = (),
        use: Sequence[Part] = (),
        capacity: Any = np.inf,
        activity: Any = 0.0,
        prefix: tuple[Any, ...] = (),
    ) -> int:
        """Append k techniques (*prefix, *label), each part a matrix of k columns. Returns the number of the first."""
        k, first = len(labels), self.count
        for parts, kept in ((output, self.outputs), (input, self.inputs), (use, self.uses)):
            for row, matrix in parts:
                if matrix.shape[1] != k:
                    raise ValueError(f"a part has {matrix.shape[1]} columns for {k} techniques")
                kept.append((row, first, matrix))
        self.labels.append(Block(prefix, labels))
        self.capacities.append(np.broadcast_to(np.asarray(capacity, np.float64), (k,)))
        self.activities.append(np.broadcast_to(np.asarray(activity, np.float64), (k,)))
        self.count += k
        return first

    def techniques(self, names: Sequence[str]) -> pd.MultiIndex:
        """The labels of all techniques."""
        return stacked_labels(self.labels, names)

    def output(self) -> sp.csr_array:
        """(goods, techniques): what a unit of each technique makes."""
        return stacked_matrix(self.outputs, (self.n_goods, self.count))

    def input(self) -> sp.csr_array:
        """(goods, techniques): what it uses up."""
        return self.input_blocks().matrix

    def input_blocks(self) -> Blocks:
        """The same in blocks, written out when its cells are asked for."""
        return Blocks(self.inputs, (self.n_goods, self.count))

    def use(self) -> sp.csr_array:
        """(indicators, techniques)."""
        return stacked_matrix(self.uses, (self.n_indicators, self.count))

    def capacity(self) -> FloatArray:
        """(techniques,) upper bounds on activity."""
        return np.concatenate(self.capacities)

    def activity(self) -> FloatArray:
        """(techniques,) observed activity."""
        return np.concatenate(self.activities)
