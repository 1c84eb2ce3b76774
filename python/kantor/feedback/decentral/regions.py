"""Regions, enterprises or nations that keep their techniques to themselves and exchange prices and net trade only.

Region r has techniques (net output N_r, resource use R_r with its own limits b_r) and people who value what they get,
``sum_i w_ri ln C_ri``. It proposes ``z_r = N_r x_r - C_r`` and learns nothing of the others but the board's signal. The
joint optimum, that of all regions planned at once, is what they agree on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls

from ...data.economy import Economy
from ...errors import ProblemError
from ...solvers.problem import FloatArray
from .exchange import Agreement, agree

# Few steps a round: what they leave open the next round goes on from, and it vanishes as proposals stand still.
_NEWTON_STEPS, _HALVINGS = 3, 30
_SETTLED = 1e-12
# Weight of a limit beside the curvature in the least-squares form of a Newton step; the miss is then rounding.
_HOLDS = 1e5


class Region:
    """One region: everything it knows is private; only :meth:`propose` answers, with one vector.

    net_output : sparse (n, m), use : (r, m) >= 0 of its own resources, limits : (r,), weights : (n,) of its people
    size : (n,) usual amount of each product, in which signals and proposals are measured
    start : (m,) activity to begin with
    """

    count = 1

    def __init__(
        self, net_output: Any, use: FloatArray, limits: FloatArray, weights: FloatArray, size: FloatArray,
        start: FloatArray,
    ) -> None:  # fmt: skip
        scale = np.where(start > 0, start, max(float(start.mean()), 1e-300))  # activities in units of the usual ones
        self._scale = scale
        self._table = np.asarray(sp.csr_array(sp.diags_array(1.0 / size) @ sp.csr_array(net_output)) @ np.diag(scale))
        self._use = use * scale / limits[:, None]
        self._weights, self._size = weights, size
        self._x = start / scale
        self._x = self._x / max(1.0, float((self._use @ self._x).max(initial=0.0)))
        self._taken = np.maximum(self._table @ self._x, 0.0) * (weights > 0)
        self._z = self._table @ self._x - self._taken
        self._moved = 0.0
        self.concerned = ((abs(self._table).sum(axis=1) > 0) | (weights > 0)).astype(np.float64)

    def propose(self, signal: FloatArray, rho: float) -> FloatArray:
        v = self._z - signal
        self._x = self._best(v, rho, self._x)
        s = self._table @ self._x - v
        self._taken = self._consumed(s, rho)
        z = self._table @ self._x - self._taken
        self._moved = float(((z - self._z) ** 2).sum())
        self._z = z
        return np.asarray(z, np.float64).copy()

    def moved(self) -> float:
        return self._moved

    def plan(self) -> tuple[FloatArray, FloatArray]:
        """(activity, consumption), for the region's own use."""
        return self._x * self._scale, self._taken * self._size

    # ---- its own problem ---------------------------------------------------------------------------------------
    def _consumed(self, s: FloatArray, rho: float) -> FloatArray:
        return np.where(self._weights > 0, 0.5 * (s + np.sqrt(s * s + 4.0 * self._weights / rho)), 0.0)

    def _value(self, x: FloatArray, v: FloatArray, rho: float) -> float:
        s = self._table @ x - v
        taken = self._consumed(s, rho)
        at = self._weights > 0
        return float(0.5 * rho * ((s - taken) ** 2).sum() - self._weights[at] @ np.log(taken[at]))

    def _best(self, v: FloatArray, rho: float, x: FloatArray) -> FloatArray:
        """Newton's method over activities within the limits; consumption is eliminated in closed form."""
        value = self._value(x, v, rho)
        for _ in range(_NEWTON_STEPS):
            s = self._table @ x - v
            root = np.sqrt(s * s + 4.0 * self._weights / rho)
            missing = rho * (s - self._consumed(s, rho))
            curvature = np.where(
                self._weights > 0, rho * 0.5 * (1.0 - np.divide(s, root, out=np.zeros_like(s), where=root > 0)), rho
            )
            gradient = self._table.T @ missing
            step = self._step(gradient, curvature, x)
            fall = float(gradient @ step)
            if fall > -_SETTLED * max(1.0, abs(value)):
                break
            size = 1.0
            for _ in range(_HALVINGS):
                new = x + size * step
                after = self._value(new, v, rho)
                if after <= value + 1e-4 * size * fall:
                    break
                size *= 0.5
            x, value = new, after
        return x

    def _step(self, gradient: FloatArray, curvature: FloatArray, x: FloatArray) -> FloatArray:
        """To the minimum of the quadratic model over activities >= 0 within the limits, as least squares >= 0."""
        H = (self._table.T * curvature) @ self._table
        H[np.diag_indices_from(H)] += 1e-10 * float(np.trace(H)) / len(x)
        root = np.linalg.cholesky(H)
        aim = np.linalg.solve(root, H @ x - gradient)
        r, m = self._use.shape
        hold = _HOLDS * float(np.sqrt(np.trace(H) / m))
        table = np.block([[root.T, np.zeros((m, r))], [hold * self._use, hold * np.eye(r)]])
        found, _ = nnls(table, np.append(aim, np.full(r, hold)))
        inside = found[:m] / max(1.0, float((self._use @ found[:m]).max(initial=0.0)))
        return np.asarray(inside - x)


@dataclass(frozen=True)
class Federation:
    """What regions agreed on: the agreement, and for each region its activity and consumption, which it may publish."""

    agreement: Agreement
    activity: dict[Any, FloatArray]
    consumption: dict[Any, FloatArray]
    objective: float


def federate(
    economy: Economy, demands: Mapping[Any, Any], limits: Mapping[Any, Mapping[str, float]], **options: Any
) -> Federation:
    """Let the regions of a multi-regional economy agree on production and trade.

    economy : products and techniques labelled (region, sector); a region runs the techniques that carry its name
    demands : region -> (n,) what its people usually take of each product; the weights of their utility
    limits : region -> indicator -> most that the region has of it
    options : as in :func:`kantor.feedback.decentral.exchange.agree`

    The weights are the usual amounts divided by the sum of all, so the objective is ``sum w ln(C / usual)``, zero where
    everyone gets what is usual. Nations are regions: a federation of national plans is the same procedure.
    """
    regions = list(dict.fromkeys(economy.techniques.get_level_values(0)))
    owner = economy.techniques.get_level_values(0)
    whole = sum(float(np.sum(np.asarray(demand, np.float64))) for demand in demands.values())
    size = np.maximum(economy.gross_output.to_numpy(np.float64), 0.0)
    size = np.where(size > 0, size, max(float(size[size > 0].min(initial=1.0)), 1e-300))
    net = sp.csc_array(economy.net_output)
    activity = np.maximum(economy.activity.to_numpy(np.float64), 0.0)
    agents: dict[Any, Region] = {}
    for region in regions:
        if region not in demands or region not in limits:
            raise ProblemError(f"federate: {region!r} has no {'demand' if region not in demands else 'limits'}")
        own = np.flatnonzero(owner == region)
        use = economy.use_of(list(limits[region])).toarray()[:, own]
        most = np.array(list(limits[region].values()), np.float64)
        weights = np.maximum(np.asarray(demands[region], np.float64), 0.0) / whole
        agents[region] = Region(net[:, own], use, most, weights, size, activity[own])
    agreement = agree(list(agents.values()), size, **options)
    plans = {region: agent.plan() for region, agent in agents.items()}
    objective = 0.0
    for region, (_, taken) in plans.items():
        usual = np.asarray(demands[region], np.float64)
        at = usual > 0
        objective += float(usual[at] / whole @ np.log(np.maximum(taken[at], 1e-300) / usual[at]))
    return Federation(agreement, {r: p[0] for r, p in plans.items()}, {r: p[1] for r, p in plans.items()}, objective)
