"""The answer to a planning program: a plan, prices and rents, and proved bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .problem import FloatArray
from .solution import NotOptimal, SolveInfo, Status


@dataclass
class ProgramSolution:
    """What solve_program returns; n goods, m techniques, r resources.

    Attributes
    ----------
    status: OPTIMAL if the proved gap is within the tolerance, or, where a side cannot be proved, if verify_lp confirms
        the tolerance (then ``certified`` is False and info.why says "not certified"); PRIMAL_INFEASIBLE only with a
        proof; else as :class:`kantor.Status` says.
    objective: what the plan achieves: its cost, scale or utility; NaN if there is no plan.
    lower_bound, upper_bound: proved bounds on the optimum in the user's sense, from the raw arrays with rounding
        accounted for; -inf or inf where nothing is proved.
    gap: (upper - lower) / max(|upper|, |lower|), for "utility" / max(1, |upper|, |lower|).
    activity: (m,); scale: t, NaN unless the kind is "scale"; consumption: (n,) (scale: t y; use: y).
    prices: (n,) value of a unit of each good; rents, floor_rents: (r,) of upper and lower limits; capacity_rents: (m,).
        All >= 0. For PRIMAL_INFEASIBLE they are the proof: the demand is worth ``surplus`` more than all limits. For
        DUAL_INFEASIBLE activity is a direction without end that improves any plan, and prices and rents are zero.
    certified: whether both bounds are proved and within the tolerance.
    surplus: for PRIMAL_INFEASIBLE, how much more the demand is worth at least than everything that limits it; else NaN.
    """

    status: Status
    objective: float
    lower_bound: float
    upper_bound: float
    gap: float
    activity: FloatArray
    scale: float
    consumption: FloatArray
    prices: FloatArray
    rents: FloatArray
    floor_rents: FloatArray
    capacity_rents: FloatArray
    certified: bool = False
    surplus: float = math.nan
    info: SolveInfo = field(default_factory=SolveInfo)

    def raise_for_status(self) -> None:
        """Raise NotOptimal unless the status is OPTIMAL."""
        if self.status is not Status.OPTIMAL:
            raise NotOptimal(f"status is {self.status.value}: {self.info.why or 'see info'}")
