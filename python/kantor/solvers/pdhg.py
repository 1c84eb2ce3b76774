"""The outer loop of reflected restarted Halpern PDHG (r2HPDHG), once, for every backend.

    x_hat <- prox(x - tau (c - K'y));  y_hat <- y - sigma K xr + sigma clip(K xr - y/sigma, l, u),  xr = 2 x_hat - x
    z     <- (k+1)/(k+2) (2 z_hat - z) + z_anchor/(k+2);       tau = eta/w, sigma = eta w, eta = 0.998/||K||_2

A block of iterations is the unit of work (Backend.pdhg_block). Between blocks the loop looks at the residuals of the
original problem, at certificates of infeasibility, at the limits, and decides on restarts and the primal weight.
Source: arXiv 2507.14051 (cuPDLPx); the guards of the norm and of the weight: kantor.solvers.restart.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..backends.world import now
from .checkpoint import Checkpoint
from .clock import Clock
from .kkt import Array, Kkt
from .options import PdhgOptions, StoppingCriteria
from .polishing import Polishing
from .problem import FloatArray
from .rays import RaySearch
from .restart import WeightState, fixed_point_error, restart_reason, update_weight
from .solution import Status
from .termination import Residuals

# Longest piece of a block between two looks at the clock and at Ctrl-C.
_PIECE_SECONDS = 1.0
# The norm estimate is raised by this when the P-norm turns out negative.
_NORM_REPAIR = 1.05

# What a checkpoint holds of the state and of the loop.
_VECTORS = ("x", "x_anchor", "x_hat", "y", "y_anchor", "y_hat")
_SCALARS = ("norm", "products", "total", "restarts", "r0", "r_previous", "best_worst", "confirm_below")

Confirm = Callable[[FloatArray, FloatArray], Residuals]
Progress = Callable[[dict[str, float]], Any]


@dataclass
class Outcome:
    """How the loop ended; x, y scaled, on the host. ``ray`` is a certificate for the two infeasible statuses.

    ``stalled``: further iterations on this program will not give an answer that is confirmed on the raw data.
    ``polished``: the optimal point in the program's own units, where feasibility polishing found it.
    """

    status: Status
    why: str
    x: FloatArray
    y: FloatArray
    iterations: int = 0
    products: int = 0
    weight: float = 1.0
    history: list[dict[str, float]] = field(default_factory=list)
    ray: FloatArray | None = None
    stalled: bool = False
    polished: tuple[FloatArray, FloatArray] | None = None


def spectral_norm(kkt: Kkt, options: PdhgOptions, stop: Callable[[], bool] = lambda: False) -> tuple[float, int]:
    """(estimate of ||K||_2 with its margin, products used): power iteration on K'K from a seeded random start.

    The estimate comes from below, so it is raised by ``norm_margin``, and capped by the rigorous ``kkt.norm_bound``.
    ``stop`` is asked before every step.
    """
    b, (M, N) = kkt.backend, kkt.A.shape
    q = b.from_host(np.random.default_rng(options.seed).standard_normal(N))
    p, back = b.zeros(M), b.zeros(N)
    size = float(b.norm([q])[0])
    estimate, products = 0.0, 0
    for _ in range(options.norm_iterations):
        if stop():
            break
        b.axpby(1.0 / size, q, 0.0, back)
        b.matvec(kkt.A, back, p)
        b.rmatvec(kkt.A, p, q)
        products += 2
        # For a unit vector v the length of K'K v is a lower bound on ||K||^2 that rises from step to step.
        size = float(b.norm([q])[0])
        if not size > 0.0 or not math.isfinite(size):
            break
        previous, estimate = estimate, math.sqrt(size)
        if (
            estimate - previous <= options.norm_tolerance * estimate
            or estimate * (1 + options.norm_margin) >= kkt.norm_bound
        ):
            break
    raised = estimate * (1.0 + options.norm_margin)
    return (min(raised, kkt.norm_bound) if raised > 0.0 else kkt.norm_bound or 1.0), products


class Pdhg:
    """One solve. ``confirm`` recomputes the residuals of a scaled point from the raw data: only then it is optimal.

    ``reach``: points whose residuals here are at most this times the tolerance are worth confirming; one that is not
    confirmed although its residuals are below ``patience`` times the tolerance ends the loop as ``stalled``.
    """

    def __init__(
        self, kkt: Kkt, stopping: StoppingCriteria, options: PdhgOptions, clock: Clock, confirm: Confirm,
        on_progress: Progress | None = None, projection: Callable[[Array], Array] | None = None,
        in_user_sense: Callable[[float], float] = float, weight: float = 1.0, checkpoint: Checkpoint | None = None,
        reach: float = 1.0, patience: float = 0.0, polishing: Polishing | None = None,
    ) -> None:  # fmt: skip
        self.polishing = polishing
        self.patience = patience * stopping.tolerance
        self.kkt, self.backend = kkt, kkt.backend
        self.stopping, self.options, self.clock = stopping, options, clock
        self.confirm, self.on_progress, self.in_user_sense = confirm, on_progress, in_user_sense
        self.checkpoint, self.confirm_below = checkpoint, reach * stopping.tolerance
        self.norm, self.products = kkt.norm_bound or 1.0, 0
        self.state = kkt.state(options.step_factor / self.norm, weight, projection)
        self.weight = WeightState.start(weight)
        self.rays = RaySearch(kkt, clock.expired) if options.detect_rays and projection is None else None
        self.total = self.restarts = 0
        self.r0 = self.r_previous = math.inf
        self.history: list[dict[str, float]] = []
        self.seconds_per_iteration = 0.0
        self.seen = Residuals(math.inf, math.inf, math.inf, math.nan, math.nan)
        self.best_worst = math.inf
        self.best_x, self.best_y = self.backend.zeros(kkt.A.shape[1]), self.backend.zeros(kkt.A.shape[0])

    def solve(self, x: FloatArray, y: FloatArray) -> Outcome:
        """Run from a scaled start inside the bounds and the signs of the rows."""
        s, b = self.state, self.backend
        b.copy(b.from_host(x), s.x_hat)
        b.copy(b.from_host(y), s.y_hat)
        b.copy(s.x_hat, self.best_x)
        b.copy(s.y_hat, self.best_y)
        try:
            resumed = self.checkpoint is not None and self._resume(self.checkpoint)
            if not resumed:
                outcome = self._check(0.0)
                if outcome is not None:
                    return outcome
                self._first_step_size()
            return self._loop()
        except KeyboardInterrupt:
            return self._outcome(Status.INTERRUPTED, "interrupted; the best point so far")
        finally:
            if self.checkpoint is not None:
                self.checkpoint.write()

    def _first_step_size(self) -> None:
        with self.clock.phase("norm"):
            self.norm, self.products = spectral_norm(self.kkt, self.options, self.clock.expired)
        self.state.eta = self.options.step_factor / self.norm
        self._restart()

    def _loop(self) -> Outcome:
        while True:
            if self.checkpoint is not None:
                self.checkpoint.keep(*self._snapshot())
            if self.state.k == 0:
                self._advance(min(1, self._until_check()))
                self.r0 = self._error()
                if self.r0 < 0.0:
                    self._repair_norm(self.norm * _NORM_REPAIR)
                    continue
            self._advance(self._until_check())
            r = self._error()
            outcome = self._check(r)
            if outcome is not None:
                return outcome
            if self.state.k > 0:
                self._maybe_restart(r)

    @property
    def done(self) -> int:
        """Iterations of the loop and of its polishing: what the limit is on."""
        return self.total + (0 if self.polishing is None else self.polishing.iterations)

    # ---- iterations --------------------------------------------------------------------------------------------
    def _until_check(self) -> int:
        """Iterations to the next multiple of check_every, at most to the iteration limit."""
        until = self.options.check_every - self.total % self.options.check_every
        limit = self.stopping.iteration_limit
        return until if limit is None else max(0, min(until, limit - self.done))

    def _advance(self, iterations: int) -> None:
        """Run iterations in pieces short enough for the time limit and Ctrl-C; stops early when the time is over."""
        with self.clock.phase("iterate"):
            while iterations > 0 and not self.clock.expired():
                fits = iterations
                if self.seconds_per_iteration * iterations > _PIECE_SECONDS:
                    fits = max(1, int(_PIECE_SECONDS / self.seconds_per_iteration))
                piece = min(iterations, fits)
                before = now()
                self.backend.pdhg_block(self.state, piece)
                self.backend.synchronise()
                self.seconds_per_iteration = (now() - before) / piece
                iterations -= piece
                self.total += piece
                self.products += 2 * piece

    # ---- restarts ----------------------------------------------------------------------------------------------
    def _error(self) -> float:
        """The fixed-point error of the last iteration; -1 if ||K|| was estimated too low."""
        with self.clock.phase("check"):
            self.products += 1
            dx_dx, dy_dy, dy_kdx = self.kkt.movement(self.state)
            error = fixed_point_error(dx_dx, dy_dy, dy_kdx, self.state.eta, self.state.weight)
        if error < 0.0 and self.norm >= self.kkt.norm_bound:
            return sys.float_info.min  # the step is short enough for certain: the square is negative by rounding only
        return error

    def _maybe_restart(self, r: float) -> None:
        if r < 0.0:
            self._repair_norm(self.norm * _NORM_REPAIR)
            return
        reason = restart_reason(r, self.r0, self.r_previous, self.state.k, self.total, not self.restarts, self.options)
        self.r_previous = r
        if reason:
            self.restarts += 1
            self._move_weight()
            self._restart()

    def _repair_norm(self, norm: float) -> None:
        """||K|| was underestimated: shorten the step and start again from the point at hand."""
        self.norm = min(norm, max(self.norm, self.kkt.norm_bound))
        self.state.eta = self.options.step_factor / self.norm
        self._restart()

    def _move_weight(self) -> None:
        # The equilibrated program's residuals: with value scaling they, and so the weight, do not depend on units.
        # A residual that is exactly zero (all columns bounded, say) has moved its part of the error into the gap.
        gap = self.seen.gap if math.isfinite(self.seen.gap) else 0.0
        primal, dual = self.seen.scaled_primal or gap, self.seen.scaled_dual or gap
        self.weight = update_weight(self.weight, *self.kkt.travelled(self.state), primal, dual, self.options)
        self.state.weight = self.weight.weight

    def _restart(self) -> None:
        """Anchor and iterate <- the un-averaged point (x_hat, y_hat)."""
        s, b = self.state, self.backend
        for point, anchor, hat in ((s.x, s.x_anchor, s.x_hat), (s.y, s.y_anchor, s.y_hat)):
            b.copy(hat, point)
            b.copy(hat, anchor)
        s.k = 0
        self.r_previous = math.inf

    # ---- checks ------------------------------------------------------------------------------------------------
    def _check(self, r: float) -> Outcome | None:
        """Look at (x_hat, y_hat); return an outcome if this is the end."""
        with self.clock.phase("check"):
            s = self.state
            residuals = self.kkt.residuals(s.x_hat, s.y_hat)
            self.products += 2
            self.seen = residuals
            if not math.isfinite(residuals.primal) or math.isnan(residuals.dual) or math.isnan(r):
                if self.norm < self.kkt.norm_bound:
                    # Too long a step can blow up within one block: go back, with a step that is certainly short enough.
                    self.backend.copy(self.best_x, s.x_hat)
                    self.backend.copy(self.best_y, s.y_hat)
                    self._repair_norm(self.kkt.norm_bound)
                    return self._limit(math.inf)
                return self._outcome(Status.NUMERICAL_ERROR, "a number stopped being finite; the last finite point")
            if residuals.worst < self.best_worst:
                self.best_worst = residuals.worst
                self.backend.copy(s.x_hat, self.best_x)
                self.backend.copy(s.y_hat, self.best_y)
            self._report(residuals)
            if self._confirmed(residuals):
                return self._outcome(Status.OPTIMAL, "", s.x_hat, s.y_hat)
        polished = self._polish(residuals)
        if polished is not None:
            return polished
        with self.clock.phase("check"):
            if self.patience > 0.0 and residuals.worst <= self.patience:
                return self._stalled("what is optimal here is not on the raw data", s.x_hat, s.y_hat)
            return self._infeasible() or self._limit(r)

    def _polish(self, residuals: Residuals) -> Outcome | None:
        """The end, if the gap is closed and feasibility can be had on its own."""
        polishing, limit, s = self.polishing, self.stopping.iteration_limit, self.state
        if polishing is None or not polishing.worth_trying(residuals, self.total) or self.clock.expired():
            return None
        left = None if limit is None else max(0, limit - self.done)
        with self.clock.phase("polishing"):
            to_host = self.backend.to_host
            found = polishing.polish(np.array(to_host(s.x_hat)), np.array(to_host(s.y_hat)), self.total, left)
        if found is None:
            return None
        outcome = self._outcome(Status.OPTIMAL, "", s.x_hat, s.y_hat)
        outcome.polished = found
        return outcome

    def _confirmed(self, residuals: Residuals) -> bool:
        """Whether the point is good on the raw data; after a no, not asked again before the residuals have halved."""
        tolerance = self.stopping.tolerance
        if not (residuals.worst <= self.confirm_below and residuals.scaled <= tolerance):
            return False
        point = self.backend.to_host(self.state.x_hat), self.backend.to_host(self.state.y_hat)
        if self.confirm(*point).within(tolerance):
            return True
        self.confirm_below = 0.5 * residuals.worst
        return False

    def _report(self, residuals: Residuals) -> None:
        entry = {
            "iteration": self.total,
            "primal_residual": residuals.primal,
            "dual_residual": residuals.dual,
            "gap": residuals.gap,
            "scaled_residual": residuals.scaled,
            "objective": self.in_user_sense(residuals.objective),
            "dual_objective": self.in_user_sense(residuals.dual_objective),
            "weight": self.state.weight,
            "seconds": self.clock.elapsed(),
        }
        self.history.append(entry)
        if self.on_progress is not None:
            self.on_progress(entry)

    def _infeasible(self) -> Outcome | None:
        if self.rays is None or self.total == 0:
            return None
        found = self.rays.search(self.state, self.total)
        self.products += self.rays.products
        if found is None:
            return None
        status, ray, why = found
        outcome = self._outcome(status, why, self.state.x_hat, self.state.y_hat)
        outcome.ray = ray.vector
        return outcome

    def _limit(self, r: float) -> Outcome | None:
        limit = self.stopping.iteration_limit
        if limit is not None and self.done >= limit:
            return self._outcome(Status.ITERATION_LIMIT, f"{self.done} iterations done; the best point so far")
        if self.clock.expired():
            return self._outcome(Status.TIME_LIMIT, f"{self.stopping.time_limit_s} s are over; the best point so far")
        if r == 0.0 and self.total > 0:
            return self._stalled("a fixed point to the last bit: this tolerance is out of reach")
        return None

    def _stalled(self, why: str, x: Array | None = None, y: Array | None = None) -> Outcome:
        outcome = self._outcome(Status.ITERATION_LIMIT, why, x, y)
        outcome.stalled = True
        return outcome

    def _outcome(self, status: Status, why: str, x: Array | None = None, y: Array | None = None) -> Outcome:
        """The end; the best point seen unless another is given."""
        to_host = self.backend.to_host
        return Outcome(
            status=status,
            why=why,
            x=np.array(to_host(self.best_x if x is None else x)),
            y=np.array(to_host(self.best_y if y is None else y)),
            iterations=self.done,
            products=self.products,
            weight=self.state.weight,
            history=self.history,
        )

    # ---- checkpoints -------------------------------------------------------------------------------------------
    def _snapshot(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that the rest of the run depends on, at a check after the decision on a restart."""
        s, to_host = self.state, self.backend.to_host
        vectors = {name: getattr(s, name) for name in _VECTORS} | {"best_x": self.best_x, "best_y": self.best_y}
        scalars = {
            "eta": s.eta, "k": s.k, "weight": asdict(self.weight), "history": list(self.history),
            **{name: getattr(self, name) for name in _SCALARS},
            "not_before": {} if self.rays is None else self.rays.waiting,
            "polishing": None if self.polishing is None else self.polishing.state,
        }  # fmt: skip
        return scalars, {name: np.array(to_host(vector)) for name, vector in vectors.items()}

    def _resume(self, checkpoint: Checkpoint) -> bool:
        """Take over the state of a checkpoint; False if there is none."""
        found = checkpoint.read()
        if found is None:
            return False
        scalars, arrays = found
        s, put = self.state, self.backend.from_host
        for name in _VECTORS:
            self.backend.copy(put(arrays[name]), getattr(s, name))
        self.backend.copy(put(arrays["best_x"]), self.best_x)
        self.backend.copy(put(arrays["best_y"]), self.best_y)
        for name in _SCALARS:
            setattr(self, name, scalars[name])
        s.eta, s.k, self.history = scalars["eta"], scalars["k"], scalars["history"]
        self.weight = WeightState(**scalars["weight"])
        s.weight = self.weight.weight
        if self.rays is not None:
            self.rays.waiting = scalars["not_before"]
        if self.polishing is not None:
            self.polishing.state = scalars["polishing"]
        return True
