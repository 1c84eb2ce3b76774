"""When to restart and how to move the primal weight: pure functions of a few scalars.

Source: arXiv 2507.14051 (cuPDLPx), sections 3.2 and 3.3. r is the fixed-point error ||z - T(z)||_P of the last
iteration, r0 the same right after the restart, r_previous the one of the check before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .options import PdhgOptions

# Outside these ranges the ratio of movements says nothing about the right weight.
_DISTANCE_RANGE = (1e-16, 1e12)
_RESIDUAL_RATIO_RANGE = (1e-8, 1e8)
# Most that the logarithm of the ratio of residuals counts.
_LEAN = 9.0


def restart_reason(
    r: float, r0: float, r_previous: float, k: int, k_total: int, first_check: bool, options: PdhgOptions
) -> str:
    """Return why to restart now, or "" to go on.

    =========== =============================================================
    first       the first check of the solve
    sufficient  r <= 0.2 r0
    necessary   r <= 0.5 r0 and r > r_previous
    artificial  k >= 0.36 k_total (k iterations since the anchor was set)
    =========== =============================================================

    >>> restart_reason(0.19, 1.0, 0.3, 400, 10_000, False, PdhgOptions())
    'sufficient'
    >>> restart_reason(0.3, 1.0, 0.4, 400, 10_000, False, PdhgOptions())
    ''
    """
    if first_check:
        return "first"
    if r <= options.restart_sufficient * r0:
        return "sufficient"
    if r <= options.restart_necessary * r0 and r > r_previous:
        return "necessary"
    if k >= options.restart_artificial * k_total:
        return "artificial"
    return ""


def fixed_point_error(dx_dx: float, dy_dy: float, dy_kdx: float, eta: float, weight: float) -> float:
    """||(dx, dy)||_P with P = [w, eta K'; eta K, 1/w]; -1 if its square is negative: eta exceeds 1/||K||_2.

    The sign of the cross term is plus for the sign of y used here (y >= 0 on >= rows).
    """
    square = weight * dx_dx + dy_dy / weight + 2.0 * eta * dy_kdx
    if math.isnan(square):
        return math.nan
    return math.sqrt(square) if square >= 0.0 else -1.0


@dataclass(frozen=True)
class WeightState:
    """The primal weight w and the memory of its controller."""

    weight: float
    error_sum: float = 0.0
    last_error: float = 0.0
    best_weight: float = 1.0
    best_imbalance: float = math.inf

    @staticmethod
    def start(weight: float) -> WeightState:
        """The state at the start of a solve."""
        return WeightState(weight=weight, best_weight=weight)


def update_weight(
    state: WeightState, dx: float, dy: float, primal: float, dual: float, options: PdhgOptions
) -> WeightState:
    """Move the weight at a restart, so that primal and dual travel equally far and are equally far from feasible.

    dx, dy: 2-norms of the way from the anchor to the restart point; primal, dual: relative residuals there.
    e = ln(dy / dx) - ln w; S <- m S + e; w <- w exp(p e + i S + d (e - e_last) + b ln(primal / dual)), the last
    logarithm within +-9. The gains p, i, d, b and the memory m are options. Travel alone can drift: on some programs it
    favours one side ever more while that side's residual stops mattering (b, ours, leans against it).
    If dx or dy leaves (1e-16, 1e12) or dual/primal leaves (1e-8, 1e8), the best weight so far is taken: the one chosen
    when abs(log10(dual/primal)) was least. A residual of exactly zero is no imbalance but structure (where all columns
    have both bounds the dual residual is always zero), so the movement decides then; and so it does until some weight
    has kept the ratio inside its range, for there is nothing to fall back on.
    """
    comparable = primal > 0.0 and dual > 0.0
    ratio = dual / primal if comparable else math.inf
    in_range = all(_DISTANCE_RANGE[0] < d < _DISTANCE_RANGE[1] for d in (dx, dy))
    balanced = _RESIDUAL_RATIO_RANGE[0] < ratio < _RESIDUAL_RATIO_RANGE[1]
    never = not abs(state.best_imbalance) < math.log10(_RESIDUAL_RATIO_RANGE[1])
    if in_range and (balanced or not comparable or never):
        e = math.log(dy) - math.log(dx) - math.log(state.weight)
        error_sum = options.weight_memory * state.error_sum + e
        lean = min(_LEAN, max(-_LEAN, -math.log(ratio))) if comparable else 0.0
        change = (
            options.weight_proportional * e
            + options.weight_integral * error_sum
            + options.weight_derivative * (e - state.last_error)
            + options.weight_balance * lean
        )
        weight, last_error = state.weight * math.exp(change), e
    else:
        weight, error_sum, last_error = state.best_weight, 0.0, 0.0
    imbalance = abs(math.log10(ratio)) if 0.0 < ratio < math.inf else math.inf
    best_weight, best_imbalance = state.best_weight, state.best_imbalance
    if imbalance < best_imbalance:
        best_weight, best_imbalance = weight, imbalance
    return WeightState(weight, error_sum, last_error, best_weight, best_imbalance)
