"""The options of the first-order method: frozen, checked, each with its meaning, range and source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from ..errors import OptionError


@dataclass(frozen=True, kw_only=True)
class StoppingCriteria:
    """When to stop; the formulas of the three residuals are in :func:`kantor.solvers.lp.solve_lp`.

    tolerance: largest relative primal residual, dual residual and gap of an optimal point; in (0, 1).
    iteration_limit: most iterations, >= 0; None is no limit.
    time_limit_s: most wall-clock seconds for the whole call, > 0; None is no limit. It is looked at between pieces of
        a block, so it may be passed by about a second, and by one iteration when an iteration takes longer than that.
    """

    tolerance: float = 1e-6
    iteration_limit: int | None = None
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        _number("tolerance", self.tolerance, 0.0, 1.0, open_low=True, open_high=True)
        if self.iteration_limit is not None:
            _whole("iteration_limit", self.iteration_limit, 0)
        if self.time_limit_s is not None:
            _number("time_limit_s", self.time_limit_s, 0.0, math.inf, open_low=True, infinite=True)


@dataclass(frozen=True, kw_only=True)
class PdhgOptions:
    """Parameters of reflected restarted Halpern PDHG; defaults of arXiv 2507.14051, section 3, but for the weight's.

    check_every: iterations in a block, between two looks at residuals and restarts; >= 1.
    ruiz_iterations: passes of Ruiz' equilibration before Pock-Chambolle's; >= 0.
    log_scaling: whether scales that minimise the squared logarithms of the entries come before Ruiz' equilibration, see
        :func:`kantor.solvers.scaling.log_scales`: the iterations are then the same in any units. None: where entries
        differ so much in size that units must be the reason; unless presolve=False is given, also in turn with the
        plain scaling where one alone has not converged. Not together with value_scaling, which does the same.
    step_factor: eta = step_factor / ||K||_2, in (0, 1).
    norm_margin: the power iteration's estimate of ||K||_2 is raised by this share, for it comes from below; >= 0.
    norm_tolerance, norm_iterations: the power iteration stops when its estimate grows by less than this share.
    restart_sufficient, restart_necessary, restart_artificial: see :func:`kantor.solvers.restart.restart_reason`.
    weight_proportional, weight_integral, weight_derivative, weight_balance, weight_memory: gains of the primal weight's
        controller, see :func:`kantor.solvers.restart.update_weight`.
    initial_weight: the primal weight w of the start, > 0.
    detect_rays: look for certificates of infeasibility at every check.
    polish: feasibility polishing of linear programs, see :mod:`kantor.solvers.polishing`: tried where the gap is within
        a tenth of the tolerance and the rest is not, for at most a quarter of the iterations.
    refine: iterative refinement of linear programs, see :mod:`kantor.solvers.refinement`. True: from 1e-6 on; False:
        never; None: where the iterations themselves come to a standstill above the tolerance.
    seed: of the power iteration's random start; >= 0.
    """

    check_every: int = 200
    log_scaling: bool | None = None
    ruiz_iterations: int = 10
    step_factor: float = 0.998
    norm_margin: float = 0.01
    norm_tolerance: float = 1e-4
    norm_iterations: int = 5000
    restart_sufficient: float = 0.2
    restart_necessary: float = 0.5
    restart_artificial: float = 0.36
    weight_proportional: float = 0.7
    weight_integral: float = 0.0
    weight_derivative: float = 0.0
    weight_balance: float = 0.1
    weight_memory: float = 0.3
    initial_weight: float = 1.0
    detect_rays: bool = True
    polish: bool = True
    refine: bool | None = None
    seed: int = 20

    def __post_init__(self) -> None:
        _whole("check_every", self.check_every, 1)
        _whole("ruiz_iterations", self.ruiz_iterations, 0)
        _whole("norm_iterations", self.norm_iterations, 1)
        _whole("seed", self.seed, 0)
        _number("step_factor", self.step_factor, 0.0, 1.0, open_low=True, open_high=True)
        _number("norm_margin", self.norm_margin, 0.0, 10.0)
        _number("norm_tolerance", self.norm_tolerance, 0.0, 1.0, open_low=True)
        for name in ("restart_sufficient", "restart_necessary", "restart_artificial"):
            _number(name, getattr(self, name), 0.0, 1.0, open_low=True)
        if self.restart_sufficient > self.restart_necessary:
            raise OptionError(
                f"restart_sufficient: {self.restart_sufficient!r} exceeds restart_necessary {self.restart_necessary!r}"
            )
        for name in ("weight_proportional", "weight_integral", "weight_derivative", "weight_balance", "weight_memory"):
            _number(name, getattr(self, name), 0.0, 1.0)
        for name, allowed in (
            ("polish", (True, False)),
            ("refine", (True, False, None)),
            ("log_scaling", (True, False, None)),
        ):
            value = getattr(self, name)
            if not any(value is option for option in allowed):
                raise OptionError(f"{name}: got {value!r}, expected one of {', '.join(map(str, allowed))}")
        _number("initial_weight", self.initial_weight, 0.0, math.inf, open_low=True)


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}: got {value!r}, expected a whole number >= {least}")


def _number(
    name: str,
    value: object,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    open_high: bool = False,
    infinite: bool = False,
) -> None:
    """Raise OptionError unless value is a real number in the interval."""
    good = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    if good:
        number = float(value)  # type: ignore[arg-type]
        good = (low < number if open_low else low <= number) and (number < high if open_high else number <= high)
        good = good and (infinite or math.isfinite(number))
    if not good:
        interval = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise OptionError(f"{name}: got {value!r}, expected a number in {interval}")
