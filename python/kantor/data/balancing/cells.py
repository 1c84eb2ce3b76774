"""The smallest adjustment of reported cells that meets linear totals, by its dual.

Cells a_k with variances v_k are adjusted to z_k so that G z = r, where each row of G (entries +1, -1) is a total, known
exactly (w_i = 0) or with variance w_i, in which case it gives way as well:

    minimise   sum_k (1/theta_k) |a_k| (rho_k ln rho_k - rho_k + 1)  +  sum_i (u_i - r_i)^2 / (2 w_i),   rho = z / a
    entropy    z_k = a_k exp(sign(a_k) theta_k t_k),   t = G'y,   u_i = r_i - w_i y_i,   theta_k = v_k / |a_k|

Signs are kept. theta = 1 and exact row and column totals give RAS (Stone 1961; Bacharach 1970) and, with negative
cells, GRAS (Junius and Oosterhaven 2003, Economic Systems Research 15, 87-96) in the corrected form of Lenzen, Wood and
Gallego (2007, the same 19, 461-465), whose objective is the one above. Variances weigh cells by their reliability, as
in Lenzen, Gallego and Wood (2009, the same 21, 23-45) and Rodrigues (2014, Entropy 16, 1243-1271). To second order it
is (z_k - a_k)^2 / (2 v_k), which is taken as it is by

    least squares   z_k = a_k + v_k t_k        (Stone, Champernowne and Meade 1942; Byron 1978, JRSS A 141, 359-367)

The dual is concave, smooth and without constraints. Where theta = 1 and totals are exact its coordinates have closed
forms (Temurshoev, Miller and Bouwmeester 2013, Economic Systems Research 25, 361-367), which are the scaling sweeps of
RAS; otherwise, and where sweeps are slow, Newton steps with conjugate gradients are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg

SWEEPS = 50  # scaling sweeps before Newton steps, unless they slow down
SLOW = 0.5  # a sweep that leaves more than this share of the residual is slow
NEWTON = 100
CG_STEPS = 1000
FAR = 300.0  # a cell scaled by exp(300) says that the totals cannot be met
HALVINGS = 60
# Totals that depend on each other (rows and columns have one sum) leave a direction in which nothing changes; rounding
# alone would send a step there without bound.
DAMPING = 1e-11


@dataclass(frozen=True)
class Cells:
    """Reported cells and totals, arrays only.

    value (k,) reported, nonzero for entropy; variance (k,) >= 0, 0 fixes a cell; theta (k,) the same over |value|;
    G (totals, k) CSR with entries +1, -1; target (totals,), target_variance (totals,) >= 0; blocks: slices of totals in
    each of which a cell occurs at most once; entropy: which of the two objectives
    """

    value: np.ndarray
    variance: np.ndarray
    theta: np.ndarray
    G: sp.csr_array
    target: np.ndarray
    target_variance: np.ndarray
    blocks: list[slice]
    entropy: bool = True

    def adjusted(self, t: np.ndarray) -> np.ndarray:
        """z for t = G'y."""
        if not self.entropy:
            return self.value + self.variance * t
        with np.errstate(over="ignore"):
            return self.value * np.exp(np.sign(self.value) * self.theta * t)

    def slope(self, z: np.ndarray) -> np.ndarray:
        """dz/dt >= 0."""
        return self.theta * np.abs(z) if self.entropy else self.variance

    def dual(self, y: np.ndarray, t: np.ndarray, z: np.ndarray) -> float:
        """The concave function that y maximises, up to a constant."""
        if self.entropy:
            free = self.theta > 0.0
            cells = np.abs(z[free]) / self.theta[free]
            cells_sum = float(cells.sum() + self.value[~free] @ t[~free])
        else:
            cells_sum = float(self.value @ t + 0.5 * (self.variance @ t**2))
        return float(self.target @ y) - cells_sum - 0.5 * float(self.target_variance @ y**2)


@dataclass(frozen=True)
class Adjusted:
    """value z (k,), multipliers y (totals,), iterations, converged; ``far``: multipliers grew without limit."""

    value: np.ndarray
    multipliers: np.ndarray
    iterations: int
    converged: bool
    far: bool
    method: str


def relative_residuals(cells: Cells, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|G z + w y - r| over the larger of |r| and the sum of magnitudes in the total."""
    residual = np.abs(cells.G @ z + cells.target_variance * y - cells.target)
    scale = np.maximum(np.abs(cells.target), abs(cells.G) @ np.abs(z))
    return np.divide(residual, scale, out=np.zeros_like(residual), where=scale > 0.0)


def adjust(cells: Cells, tolerance: float, max_iterations: int) -> Adjusted:
    """Adjust cells until every total holds to ``tolerance`` relative to its size."""
    y = np.zeros(cells.target.size)
    if not y.size or not cells.value.size:
        return Adjusted(cells.value.copy(), y, 0, True, False, "none")
    iterations, method = 0, []
    if cells.entropy and (cells.theta == 1.0).all() and not cells.target_variance.any():
        y, iterations, done = _sweeps(cells, y, tolerance, min(SWEEPS, max_iterations))
        method.append("scaling")
        if done:
            return Adjusted(cells.adjusted(cells.G.T @ y), y, iterations, True, False, "scaling")
    y, steps, done, far = _newton(cells, y, tolerance, min(NEWTON, max_iterations - iterations))
    method.append("newton")
    return Adjusted(cells.adjusted(cells.G.T @ y), y, iterations + steps, done, far, "+".join(method))


# ---- scaling ---------------------------------------------------------------------------------------------------------
def _sweeps(cells: Cells, y: np.ndarray, tolerance: float, limit: int) -> tuple[np.ndarray, int, bool]:
    """Each block in turn takes the values that meet its totals: e^d with p e^d - n e^-d = r."""
    sign = np.sign(cells.value)
    parts = []
    for block in cells.blocks:
        G = sp.csr_array(cells.G[block])
        rising = sp.csr_array(G * sign[None, :])  # +1: the cell's part of the total grows with the multiplier
        parts.append((block, G.T.tocsr(), rising > 0, rising < 0))
    t = cells.G.T @ y
    z = cells.adjusted(t)
    last = np.inf
    for sweep in range(1, limit + 1):
        for block, back, up, down in parts:
            size = np.abs(z)
            step = _scaling(up @ size, down @ size, cells.target[block])
            y[block] += step
            z *= np.exp(sign * (back @ step))
        worst = float(relative_residuals(cells, z, y).max())
        if worst <= 0.1 * tolerance:
            return y, sweep, True
        if not np.isfinite(worst) or np.abs(y).max() > FAR or (sweep > 3 and worst > SLOW * last):
            return np.clip(y, -FAR / 4, FAR / 4), sweep, False
        last = worst
    return y, limit, False


def _scaling(p: np.ndarray, n: np.ndarray, r: np.ndarray) -> np.ndarray:
    """ln e^d with p e^d - n e^-d = r; written so that nothing cancels. 0 where the total has no cell."""
    root = np.sqrt(r**2 + 4.0 * p * n)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(r >= 0.0, (r + root) / (2.0 * p), 2.0 * n / (root - r))
        step = np.log(factor)
    return np.where(np.isfinite(step), step, 0.0)


# ---- Newton ----------------------------------------------------------------------------------------------------------
def _newton(cells: Cells, y: np.ndarray, tolerance: float, limit: int) -> tuple[np.ndarray, int, bool, bool]:
    """Damped Newton steps on the dual: (y, steps, converged, far)."""
    back = cells.G.T.tocsr()
    t = back @ y
    z = cells.adjusted(t)
    value, far, worst = cells.dual(y, t, z), False, np.inf
    for step in range(limit + 1):
        worst = float(relative_residuals(cells, z, y).max())
        if worst <= 0.1 * tolerance:
            return y, step, True, False
        far = cells.entropy and float((np.abs(t) * cells.theta).max()) > FAR
        if step == limit or far:
            break
        gradient = cells.target - cells.G @ z - cells.target_variance * y
        direction = _direction(cells, cells.slope(z), gradient, worst)
        ahead, rise, length = back @ direction, float(gradient @ direction), 1.0
        for _ in range(HALVINGS):
            y_new, t_new = y + length * direction, t + length * ahead
            z_new = cells.adjusted(t_new)
            value_new = cells.dual(y_new, t_new, z_new)
            if np.isfinite(value_new):
                if value_new >= value + 1e-4 * length * rise:
                    break
                # Near the top gains drown in rounding; the slope does not (Hager and Zhang 2005, SIAM J. Optim. 16).
                left = float((cells.target - cells.G @ z_new - cells.target_variance * y_new) @ direction)
                if length * rise <= 1e-6 * abs(value) and left >= -0.5 * rise:
                    break
            length *= 0.5
        else:
            break
        y, t, z, value = y_new, t_new, z_new, value_new
    return y, step, worst <= tolerance, far


def _direction(cells: Cells, slope: np.ndarray, gradient: np.ndarray, worst: float) -> np.ndarray:
    """(G W G' + diag(w)) d = gradient, W = diag(slope), roughly.

    Totals of one block share no cell, so their part of the matrix is diagonal: the largest block is eliminated, and
    conjugate gradients run on the rest in the units of its true diagonal, which one dominant cell cannot spoil.
    """
    G = cells.G
    block = max(cells.blocks, key=lambda part: part.stop - part.start)
    rest = np.setdiff1d(np.arange(G.shape[0]), np.arange(block.start, block.stop))
    diagonal = abs(G) @ slope + cells.target_variance
    own = np.where(diagonal[block] > 0.0, diagonal[block], np.inf)  # a total without cells keeps its multiplier
    direction = np.zeros(G.shape[0])
    if not rest.size:
        direction[block] = gradient[block] / own
        return direction
    weighted = sp.csr_array(G[rest].multiply(slope[None, :]))
    between = sp.csr_array(weighted @ G[block].T)
    among = sp.csr_array(weighted @ G[rest].T) + sp.dia_array(
        (cells.target_variance[rest][None, :], 0), shape=(rest.size, rest.size)
    )
    across = between.T.tocsr()
    share = (between.power(2) @ (1.0 / own)).ravel()
    units = np.sqrt(np.maximum(among.diagonal() - share, 1e-14 * among.diagonal()))
    units = np.where(units > 0.0, units, np.inf)

    def times(d: np.ndarray) -> np.ndarray:
        inner = d.ravel() / units
        return (among @ inner - between @ ((across @ inner) / own)) / units + DAMPING * d.ravel()

    right = (gradient[rest] - between @ (gradient[block] / own)) / units
    operator: Any = LinearOperator((rest.size, rest.size), matvec=times, dtype=np.float64)
    scaled, _ = cg(operator, right, rtol=min(0.1, max(worst, 1e-12)), maxiter=CG_STEPS)
    direction[rest] = scaled / units
    direction[block] = (gradient[block] - across @ direction[rest]) / own
    return direction
