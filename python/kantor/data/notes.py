"""What a reader says about the table it read: negative entries, sectors without output. Nothing is changed silently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .labels import show, show_some


def negative_inputs(
    A: sp.csr_array, products: pd.Index, techniques: pd.Index, what: str = "input coefficients"
) -> list[str]:
    """A line on negative coefficients, with the lowest one named; none if there are none."""
    negative = A.data < 0
    count = int(negative.sum())
    if count == 0:
        return []
    at = int(np.argmin(A.data))
    row = int(np.searchsorted(A.indptr, at, side="right")) - 1
    return [
        f"{count} negative {what} kept (by-products, scrap, used goods), lowest {float(A.data[at]):.3g}: "
        f"{show(products[row])!r} in {show(techniques[A.indices[at]])!r}"
    ]


def negative_demand(Y: pd.DataFrame) -> list[str]:
    """A line on negative final demand (inventories drawn down, imports, sales of used goods); none if there is none."""
    values = Y.to_numpy()
    counts = (values < 0).sum(axis=0)
    if counts.sum() == 0:
        return []
    where = ", ".join(f"{show(Y.columns[j])} {counts[j]}" for j in np.flatnonzero(counts)[:6].tolist())
    more = ", ..." if np.count_nonzero(counts) > 6 else ""
    i, j = (int(k) for k in np.unravel_index(int(np.argmin(values)), values.shape))
    return [
        f"{int(counts.sum())} negative final demands kept ({where}{more}), "
        f"lowest {float(values[i, j]):.4g}: {show(Y.index[i])!r}"
    ]


def without_output(x: np.ndarray, labels: pd.Index, what: str = "products") -> list[str]:
    """A line on sectors whose output is not positive: their coefficients are zero, their labels stay."""
    idle = np.flatnonzero(~(x > 0))
    if idle.size == 0:
        return []
    negative = idle[x[idle] < 0]
    below = ", ".join(f"{show(labels[i])!r} {float(x[i]):.4g}" for i in negative[:4].tolist())
    return [
        f"{idle.size} {what} without positive output: {show_some(labels[idle], 6)}; they keep their labels, "
        "use no inputs and no resources" + (f"; negative output: {below}" if below else "")
    ]


def dropped(amounts: Any, idle: np.ndarray, labels: pd.Index, what: str) -> list[str]:
    """A line on amounts that cannot be expressed per unit of output because the output is not positive."""
    lost = np.asarray(amounts)[idle]
    hit = np.flatnonzero(lost != 0)
    if hit.size == 0:
        return []
    return [
        f"{what} of {hit.size} sectors without positive output dropped, {float(lost[hit].sum()):.4g} in all: "
        f"{show_some(labels[idle[hit]], 6)}"
    ]
