"""Multipliers of type I and II, and backward and forward linkages.

Sources: Miller and Blair (2009), Input-Output Analysis, chapters 6 and 12; Rasmussen (1956), Studies in Inter-Sectoral
Relations; Ghosh (1958), Economica 25, 58-64; Jones (1976), Quarterly Journal of Economics 90, 323-333.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.economy import Economy
from ..data.matrix import guarded
from ..errors import OptionError, ProblemError
from .system import TOLERANCE, InputOutput, solve


def multipliers(
    economy: Economy,
    by: str | Iterable[str] | None = None,
    *,
    income: str | None = None,
    consumption: str | None = None,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """What one more unit of final demand for each product sets in motion.

    Parameters
    ----------
    economy : one technique for each product
    by : indicators (jobs, income, emissions), None: all
    income, consumption : close the table for households (type II): the indicator that is their income, in the unit of
        the products, and the category of final demand that is their spending. Households then spend each unit of income
        as that category does: its column is consumption divided by all income of the base year
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Returns
    -------
    products x (of, effect). ``of`` is "output" or an indicator; effects: "direct" (for output 1), "total" (direct and
    indirect), "ratio" = total / direct, the type I multiplier (NaN where direct is 0); with households also "total II"
    and "ratio II".

    Raises ProblemError for unknown names, or if income and consumption make the closed table unproductive.

    >>> eco = Economy.from_iot(Z=[[150.0, 500.0], [200.0, 100.0]], Y=[[50.0, 300.0], [400.0, 1300.0]], F=[300.0, 500.0],
    ...                        categories=["households", "other"], indicators=["wages"])
    >>> multipliers(eco, income="wages", consumption="households")["output"].round(3).to_numpy().tolist()
    [[1.0, 1.518, 1.518, 1.982, 1.982], [1.0, 1.452, 1.452, 1.85, 1.85]]
    """
    if (income is None) != (consumption is None):
        raise OptionError("multipliers: give both income and consumption, or neither")
    system = InputOutput.of(economy, "multipliers", by, tolerance, backend)
    direct = np.vstack([np.ones(len(system.products)), system.S.to_numpy()])
    effects = {"direct": direct, "total": system.contents(direct).value}
    effects["ratio"] = _ratio(effects["total"], direct)
    if income is not None and consumption is not None:
        closed = _closed_for_households(system, income, consumption)
        right = np.hstack([direct, np.zeros((len(direct), 1))])
        found = solve(closed, np.ascontiguousarray(right.T), True, tolerance, backend)
        effects["total II"] = found.value[:-1].T
        effects["ratio II"] = _ratio(effects["total II"], direct)
    names = ["output", *system.S.index]
    columns = pd.MultiIndex.from_tuples([(name, e) for name in names for e in effects], names=["of", "effect"])
    values = [effects[effect][k] for k in range(len(names)) for effect in effects]
    return pd.DataFrame(np.column_stack(values), system.products, columns)


def _ratio(total: np.ndarray, direct: np.ndarray) -> np.ndarray:
    return np.divide(total, direct, out=np.full(total.shape, np.nan), where=direct != 0.0)


def _closed_for_households(system: InputOutput, income: str, consumption: str) -> sp.csr_array:
    """[[A, c], [h, 0]]: h income per unit of output, c spending per unit of income (Miller and Blair, section 2.5)."""
    eco = system.economy
    earned = InputOutput.of(eco, "multipliers", income).S.to_numpy()[0]
    spent = eco.demand(consumption).to_numpy()
    total = float(earned @ system.x)
    if not total > 0.0:
        raise ProblemError(
            f"income: {income!r} adds up to {total!r} in the base year, expected a positive sum to spend from"
        )
    column = sp.csr_array((spent / total)[:, None])
    return sp.csr_array(sp.block_array([[system.A, column], [sp.csr_array(earned[None, :]), None]], format="csr"))


def linkages(economy: Economy, *, tolerance: float = TOLERANCE, backend: str | Backend = "auto") -> pd.DataFrame:
    """How strongly each product depends on its suppliers and its buyers.

    Returns
    -------
    products x columns:

    * ``backward``: 1'L, output of all sectors for one unit of final demand (column sums of L = (I - A)^-1)
    * ``forward``: G 1, with G = (I - B)^-1 and b_ij = z_ij / x_i: output of all sectors per unit of the product's
      primary inputs (Ghosh 1958; preferred by Jones 1976). It is L x / x, so B is never formed; 1 without output
    * ``power_of_dispersion``, ``sensitivity_of_dispersion``: column and row sums of L over their means (Rasmussen 1956)
    * ``forward_index``: forward over its mean
    * ``key``: power of dispersion and forward index both above 1

    >>> eco = Economy.from_iot(Z=[[150.0, 500.0], [200.0, 100.0]], Y=[350.0, 1700.0])
    >>> linkages(eco)[["backward", "forward"]].round(3).to_numpy().tolist()
    [[1.518, 1.914], [1.452, 1.254]]
    """
    system = InputOutput.of(economy, "linkages", [], tolerance, backend)
    ones = np.ones((1, len(system.products)))
    backward = system.contents(ones).value[0]
    rows = system.outputs(np.column_stack([ones[0], system.x])).value
    forward = np.where(system.x > 0.0, guarded(rows[:, 1], system.x), 1.0)
    table = pd.DataFrame({"backward": backward, "forward": forward}, system.products)
    table["power_of_dispersion"] = backward / backward.mean()
    table["sensitivity_of_dispersion"] = rows[:, 0] / rows[:, 0].mean()
    table["forward_index"] = forward / forward.mean()
    table["key"] = (table["power_of_dispersion"] > 1.0) & (table["forward_index"] > 1.0)
    return table
