"""The balance report: does a table add up, can the economy reproduce itself, and what should a user know about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ProblemError
from .base import own_techniques, solve_joint
from .demand import total_demand
from .economy import Economy
from .labels import resolve, show
from .matrix import column_sums

# Coefficients below this are dropped by common solvers of linear programmes.
SOLVER_CUT_OFF = 1e-9
# A table whose rows miss their sum by more than this share of output is reported as not balanced.
ROW_TOLERANCE = 0.01


@dataclass(frozen=True)
class BalanceReport:
    """What :func:`check_economy` found. Errors are absolute sums relative to total output; None: cannot be told.

    row_error: |B x - A x - Y 1| ; worst_rows: the largest of them, signed, by label.
    column_error: |colsum(B) - colsum(A) - value added| x; worst_columns likewise.
    radius: lower and upper bound on the spectral radius of A (square tables), below 1 for a productive economy; with
    negative entries it is that of the magnitudes.
    productive: None if it was not decided; reason: what keeps the economy from being productive, sectors named.
    """

    name: str
    shape: tuple[int, int]
    nnz: int
    square: bool
    unit: str
    row_error: float | None
    worst_rows: list[tuple[str, float]]
    column_error: float | None
    worst_columns: list[tuple[str, float]]
    radius: tuple[float, float] | None
    productive: bool | None
    reason: str
    negative_inputs: list[tuple[str, str, float]]
    n_negative_inputs: int
    n_negative_demands: int
    n_negative_intensities: int
    without_output: list[str]
    idle_with_inputs: list[str]
    free: list[str]
    below_cut_off: int
    coefficient_spread: float
    demand_spread: float
    large_columns: list[tuple[str, float]]
    row_tolerance: float = ROW_TOLERANCE
    notes: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """True unless the rows are known to miss their sum by more than the tolerance."""
        return self.row_error is None or self.row_error <= self.row_tolerance

    @property
    def ok(self) -> bool:
        """True if the table is balanced and not known to be non-productive."""
        return self.balanced and self.productive is not False

    def lines(self) -> list[str]:
        """The report as lines of text."""
        n, m = self.shape
        kind = "square" if self.square else "rectangular"
        out = [
            f"table        {self.name}: {n:,} products x {m:,} techniques, {kind}, unit {self.unit or 'not given'}",
            f"inputs       {self.nnz:,} non-zeros, {100 * self.nnz / (n * m):.3g} % of the cells",
            _identity("rows", self.row_error, self.worst_rows, "output less use less final demand"),
            _identity("columns", self.column_error, self.worst_columns, "output less inputs less value added"),
        ]
        if self.radius is not None:
            size = "rho(|A|)" if self.n_negative_inputs else "rho(A)"
            out.append(f"radius       {self.radius[0]:.6g} <= {size} <= {self.radius[1]:.6g}")
        said = {True: "yes", False: f"NO: {self.reason}", None: f"not decided: {self.reason}"}[self.productive]
        out.append(f"productive   {said}")
        if self.large_columns:
            out.append(f"column sums  {len(self.large_columns)} above 1: " + _pairs(self.large_columns))
        if self.n_negative_inputs:
            cells = "; ".join(f"{i} in {j} {value:.3g}" for i, j, value in self.negative_inputs[:3])
            out.append(f"negative     {self.n_negative_inputs} input coefficients, lowest: {cells}")
        if self.n_negative_demands:
            out.append(f"negative     {self.n_negative_demands} final demands (inventories, imports, used goods)")
        if self.n_negative_intensities:
            out.append(f"negative     {self.n_negative_intensities} intensities")
        if self.without_output:
            out.append(
                f"idle         {len(self.without_output)} techniques without output: " + _some(self.without_output)
            )
        if self.idle_with_inputs:
            out.append(
                f"idle         {len(self.idle_with_inputs)} of these have inputs all the same, so the observed use "
                "leaves them out: " + _some(self.idle_with_inputs)
            )
        if self.free:
            out.append(f"free         {len(self.free)} techniques use no input and no resource: " + _some(self.free))
        out.append(
            f"spread       coefficients over 10^{self.coefficient_spread:.1f}, "
            f"final demand over 10^{self.demand_spread:.1f}; "
            f"{self.below_cut_off:,} coefficients below {SOLVER_CUT_OFF:g}"
        )
        out += [f"note         {note}" for note in self.notes]
        out.append("result       " + ("balanced" if self.balanced else "NOT BALANCED") + self._verdict())
        return out

    def _verdict(self) -> str:
        return {True: ", productive", False: ", NOT PRODUCTIVE", None: ""}[self.productive]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {**self.__dict__, "balanced": self.balanced, "ok": self.ok}

    def __str__(self) -> str:
        return "\n".join(self.lines())


def check_economy(eco: Economy, *, row_tolerance: float = ROW_TOLERANCE) -> BalanceReport:
    """Check identities, productivity, signs and magnitudes of an economy; nothing is changed, nothing is raised.

    Rows: output = use by techniques + final demand (the whole final demand of the technology in use). Columns: output =
    inputs + value added, if the table holds value added in the unit of the products and counts imported inputs.

    >>> eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], labels=["grain", "iron"])
    >>> check_economy(eco).ok
    True
    """
    row_error, worst_rows = _row_identity(eco)
    column_error, worst_columns, notes = _column_identity(eco)
    radius, productive, reason = _productivity(eco)
    A = eco.input_coefficients
    negative = _negative_cells(eco)
    sums = column_sums(A) - column_sums(eco.output_coefficients)
    above = np.flatnonzero(sums > 0) if isinstance(eco.unit, str) else np.empty(0, dtype=int)
    above = above[np.argsort(-sums[above])]
    made = column_sums(eco.output_coefficients)
    idle = ~(eco.activity.to_numpy() > 0)
    used = np.bincount(A.indices, minlength=A.shape[1]) > 0
    empty = ~used & ~np.isin(np.arange(eco.n_techniques), eco.intensity_matrix.indices)
    free = empty & (made > 0) if len(eco.indicators) else np.zeros(eco.n_techniques, dtype=bool)
    return BalanceReport(
        name=eco.name,
        shape=(eco.n_goods, eco.n_techniques),
        nnz=int(A.nnz),
        square=eco.is_square,
        unit=eco.unit if isinstance(eco.unit, str) else "several",
        row_error=row_error,
        worst_rows=worst_rows,
        column_error=column_error,
        worst_columns=worst_columns,
        radius=radius,
        productive=productive,
        reason=reason,
        negative_inputs=negative,
        n_negative_inputs=int((A.data < 0).sum()),
        n_negative_demands=int((eco.final_demand.to_numpy() < 0).sum()),
        n_negative_intensities=int((eco.intensity_matrix.data < 0).sum()),
        without_output=[show(label) for label in eco.techniques[idle]],
        idle_with_inputs=[show(label) for label in eco.techniques[idle & used]],
        free=[show(label) for label in eco.techniques[free]],
        below_cut_off=int((np.abs(A.data) < SOLVER_CUT_OFF).sum()),
        coefficient_spread=_spread(A.data),
        demand_spread=_spread(eco.final_demand.to_numpy()),
        large_columns=[(show(eco.techniques[j]), float(sums[j] + made[j])) for j in above.tolist()],
        row_tolerance=row_tolerance,
        notes=notes,
    )


def _row_identity(eco: Economy) -> tuple[float | None, list[tuple[str, float]]]:
    final = total_demand(eco)
    x = eco.activity.to_numpy()
    output = eco.output_coefficients @ x
    if final is None or not output.any():
        return None, []
    error = output - eco.input_coefficients @ x - final
    return _summary(error, np.abs(output).sum(), eco.products)


def _column_identity(eco: Economy) -> tuple[float | None, list[tuple[str, float]], list[str]]:
    """The column identity where it can hold: value added in the products' unit and no imported inputs left out."""
    try:
        label = resolve("value_added", eco.indicators, eco.aliases, "indicator")
    except ProblemError:
        return None, [], ["no indicator is value added, so columns cannot be checked"]
    if not isinstance(eco.unit, str) or not eco.activity.to_numpy().any():
        return None, [], ["products have several units or no observed activity, so columns cannot be checked"]
    if eco.technology == "domestic" or "imports" in eco.indicators:
        return None, [], ["imported inputs are not in the table, so columns cannot be checked"]
    x = eco.activity.to_numpy()
    margin = column_sums(eco.output_coefficients) - column_sums(eco.input_coefficients)
    error = (margin - eco.indicator(label).to_numpy()) * x
    total, worst = _summary(error, np.abs(eco.output_coefficients @ x).sum(), eco.techniques)
    return total, worst, []


def _summary(error: np.ndarray, scale: float, labels: pd.Index) -> tuple[float, list[tuple[str, float]]]:
    worst = np.argsort(-np.abs(error))[:5]
    return float(np.abs(error).sum() / scale), [(show(labels[i]), float(error[i])) for i in worst if error[i] != 0]


def _productivity(eco: Economy) -> tuple[tuple[float, float] | None, bool | None, str]:
    """Bounds on the spectral radius, whether the economy is productive, and why not."""
    if own_techniques(eco) is None:
        return None, *_joint_productivity(eco)
    try:
        bounds = eco.check_productive()
    except ProblemError as error:
        return None, False, str(error)
    radius = (float(bounds.lower), float(bounds.upper))
    if radius[1] < 1.0:
        return radius, True, ""
    return radius, None, "the bounds do not exclude a radius of 1 or more" + "".join(f"; {n}" for n in bounds.notes)


def _joint_productivity(eco: Economy) -> tuple[bool | None, str]:
    """For joint production: an activity with a net output of every product proves productivity."""
    x = eco.activity.to_numpy()
    net = eco.net_output @ x
    output = eco.output_coefficients @ x
    if not output.any():
        return None, "no observed activity, and the table is not square"
    short = np.flatnonzero(net <= 0)
    if short.size == 0:
        return True, ""
    if eco.n_goods == eco.n_techniques:
        # Any activity that makes more of every good than it uses is a proof: ask for a tenth of the output on balance.
        wanted = np.where(output > 0, 0.1 * output, 0.0)
        other = solve_joint(eco, wanted)
        if other is not None and ((eco.net_output @ other)[output > 0] > 0).all():
            return True, ""
    return (
        None,
        f"the observed activity uses more of {_some([show(eco.products[i]) for i in short.tolist()])} than it makes",
    )


def _negative_cells(eco: Economy) -> list[tuple[str, str, float]]:
    A = eco.input_coefficients
    below = np.flatnonzero(A.data < 0)
    lowest = below[np.argsort(A.data[below])][:5]
    rows = np.searchsorted(A.indptr, lowest, side="right") - 1
    return [
        (show(eco.products[i]), show(eco.techniques[j]), float(value))
        for i, j, value in zip(rows, A.indices[lowest], A.data[lowest], strict=True)
    ]


def _spread(values: np.ndarray) -> float:
    """log10 of the largest over the smallest non-zero magnitude; 0 for no entries."""
    sizes = np.abs(values[values != 0])
    return float(np.log10(sizes.max() / sizes.min())) if sizes.size else 0.0


def _identity(title: str, error: float | None, worst: list[tuple[str, float]], meaning: str) -> str:
    if error is None:
        return f"{title:<12} not checked ({meaning})"
    return f"{title:<12} off by {100 * error:.3g} % of output ({meaning})" + (
        f"; worst: {_pairs(worst)}" if error else ""
    )


def _pairs(pairs: list[tuple[str, float]]) -> str:
    return ", ".join(f"{label} {value:.4g}" for label, value in pairs[:3])


def _some(labels: list[str]) -> str:
    return ", ".join(labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")
