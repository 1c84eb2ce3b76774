"""Hypothetical extraction: what the economy loses if some sectors stop buying, selling, or working.

With x the output before and x* after, all kinds scale what they remove by ``share`` (1 removes all of it; Dietzenbacher
and Lahr 2013, Economic Systems Research 25, 341-360):

* "total": rows and columns of the group in A, and its final demand (Strassert 1968; Miller and Blair 2009, chapter 12)
* "backward": its columns of A, it buys no inputs (Dietzenbacher and van der Linden 1997, J. of Regional Science 37)
* "forward": its rows of the allocation coefficients b_ij = z_ij / x_i, it sells none, in the supply-driven model
  x' = v'(I - B)^-1 with the primary inputs v of the base year (the same source; Ghosh 1958)

"total" and "backward" hold final demand y fixed, x = (I - A)^-1 y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.economy import Economy
from ..data.labels import show, show_some
from ..errors import OptionError, ProblemError, suggest
from .system import TOLERANCE, Bounded, InputOutput, members, solve

KINDS = ("total", "backward", "forward")


@dataclass(frozen=True)
class Extraction:
    """Loss of output and of every indicator.

    output : products x (before, after, loss, error_bound), the bound being that of the loss
    use : indicators x (before, after, loss, share), share = loss / before; unit: that of each indicator
    extracted : labels of the group; kind, share : what was asked for
    """

    output: pd.DataFrame
    use: pd.DataFrame
    unit: pd.Series
    extracted: pd.Index
    kind: str
    share: float

    @property
    def loss(self) -> float:
        """Total loss of output, the extracted group included."""
        return float(self.output["loss"].sum())

    @property
    def loss_elsewhere(self) -> float:
        """Loss of output outside the group."""
        return float(self.output["loss"].drop(self.extracted).sum())


def extraction(
    economy: Economy,
    sectors: Any,
    *,
    kind: str = "total",
    share: float = 1.0,
    demand: Any = "total",
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> Extraction:
    """Extract a group of sectors, wholly or in part.

    Parameters
    ----------
    economy : one technique for each product
    sectors : a product's label, a region or sector name (all products that carry it), or a list of these
    kind : "total", "backward" or "forward", see the module
    share : part that is removed, in (0, 1]
    demand : final demand that is delivered, anything :meth:`Economy.demand` takes; not for "forward"
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError for unknown sectors, OptionError for an unknown kind or a share out of range.

    >>> eco = Economy.from_iot(Z=[[150.0, 500.0], [200.0, 100.0]], Y=[350.0, 1700.0], labels=["corn", "iron"])
    >>> found = extraction(eco, "corn")
    >>> found.output["loss"].round(2).to_dict()
    {'corn': 1000.0, 'iron': 210.53}
    """
    if kind not in KINDS:
        raise OptionError(f"kind: {kind!r} is unknown" + suggest(kind, KINDS))
    if not 0.0 < share <= 1.0:
        raise OptionError(f"share: {share!r}, expected a number in (0, 1]")
    if isinstance(demand, str) and kind != "forward":
        economy = economy.for_demand(demand)
    system = InputOutput.of(economy, "extraction", None, tolerance, backend)
    group = members(system.products, sectors, "sectors")
    before, after = (
        _supply_driven(system, group, share)
        if kind == "forward"
        else _demand_driven(system, group, share, economy.demand(demand).to_numpy(), kind)
    )
    loss = before - after
    output = pd.DataFrame(
        {"before": before.value, "after": after.value, "loss": loss.value, "error_bound": loss.bound}, system.products
    )
    use = pd.DataFrame(
        {column: system.S.to_numpy() @ output[column].to_numpy() for column in ("before", "after", "loss")},
        system.S.index,
    )
    use["share"] = np.divide(use["loss"], use["before"], out=np.full(len(use), np.nan), where=use["before"] != 0)
    return Extraction(output, use, system.units, system.products[group], kind, share)


def _demand_driven(
    system: InputOutput, group: np.ndarray, share: float, y: np.ndarray, kind: str
) -> tuple[Bounded, Bounded]:
    inside = np.zeros(len(system.products), dtype=bool)
    inside[group] = True
    A = system.A.tocoo()
    touched = inside[A.col] | (inside[A.row] if kind == "total" else False)
    left = sp.csr_array((np.where(touched, (1.0 - share) * A.data, A.data), A.coords), shape=A.shape)
    wanted = np.where(inside, (1.0 - share) * y, y) if kind == "total" else y
    return system.outputs(y), solve(left, wanted, False, system.tolerance, system.backend)


def _supply_driven(system: InputOutput, group: np.ndarray, share: float) -> tuple[Bounded, Bounded]:
    """x = B'x + v with B' = X^-1-weighted flows, before and after the rows of the group shrink."""
    x = system.x
    Z = sp.coo_array((system.A.data * x[system.A.indices], system.A.tocoo().coords), shape=system.A.shape)
    idle = np.setdiff1d(Z.row[Z.data != 0.0], np.flatnonzero(x > 0.0))
    if idle.size:
        raise ProblemError(
            f"extraction: {show_some(system.products[idle])} sells inputs but has no output; the supply-driven "
            "model divides by output"
        )
    allocation = np.divide(Z.data, x[Z.row], out=np.zeros(Z.data.size), where=Z.data != 0.0)
    v = x - np.bincount(Z.col, weights=Z.data, minlength=x.size)
    inside = np.zeros(x.size, dtype=bool)
    inside[group] = True
    results = []
    for factor in (1.0, 1.0 - share):
        data = np.where(inside[Z.row], factor * allocation, allocation)
        # Transposed: row j of B' holds what j buys of each supplier, as a share of the supplier's output.
        B = sp.csr_array((data, (Z.col, Z.row)), shape=Z.shape)
        results.append(solve(B, v, False, system.tolerance, system.backend))
    return results[0], results[1]


def extraction_ranking(
    economy: Economy,
    sectors: Any = None,
    *,
    kind: str = "total",
    share: float = 1.0,
    demand: Any = "total",
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """Extract one sector after another: a table of losses, the largest first.

    ``sectors``: labels, region or sector names, each extracted by itself; None: every product. Other arguments as in
    :func:`extraction`. Columns: ``output`` and ``elsewhere`` (loss of output in all, and outside the sector), then the
    loss of each indicator.

    >>> eco = Economy.from_iot(Z=[[150.0, 500.0], [200.0, 100.0]], Y=[350.0, 1700.0], labels=["corn", "iron"])
    >>> extraction_ranking(eco)["output"].round(1).to_dict()
    {'iron': 2588.2, 'corn': 1210.5}
    """
    names = list(economy.products) if sectors is None else list(sectors) if isinstance(sectors, list) else [sectors]
    rows = []
    for name in names:
        found = extraction(economy, [name], kind=kind, share=share, demand=demand, tolerance=tolerance, backend=backend)
        rows.append([found.loss, found.loss_elsewhere, *found.use["loss"]])
    labels: pd.Index = economy.products if sectors is None else pd.Index([show(name) for name in names])
    columns = ["output", "elsewhere", *economy.indicators]
    return pd.DataFrame(rows, labels, columns).sort_values("output", ascending=False, kind="stable")
