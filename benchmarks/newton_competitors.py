"""Two Newton methods for choice of technique with capacities, to compare with block exchange (docs/decisions/0004).

    python benchmarks/newton_competitors.py interior 5000
    python benchmarks/newton_competitors.py newton 5000 --none-free --json out.json

"interior": an infeasible primal-dual interior point method with predictor and corrector. "newton": the proximal point
method on the plan, each step by a semismooth Newton method on the prices. Both solve systems (K D K' + E) dy = f in the
prices of goods and limits by conjugate gradients, preconditioned by the mean technique of every good, weighted by D:
two Leontief solves, and a dense block for the limits. Kind "use" only. Counts and seconds are printed step by step;
every point is judged by the certificate, as an answer of the package would be.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from harness import families

from kantor.backends import get_backend
from kantor.bench.machine import describe
from kantor.data.technique_choice import technique_choice
from kantor.solvers.bounds import DualPoint
from kantor.solvers.certificate import certify
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.policy import cheapest_policy, outputs_of
from kantor.solvers.program import PlanningProgram
from kantor.solvers.repair import PlanPoint
from kantor.solvers.technology import Technology

Vector = np.ndarray[Any, Any]
INNER = 1e-3  # relative residual of the Leontief solves inside the preconditioner


class Problem:
    """min c.x, K x >= b, 0 <= x <= u in units of value: balances of the goods, then limits (with a minus)."""

    def __init__(self, program: PlanningProgram) -> None:
        self.program, self.technology = program, Technology.of(program, get_backend("auto"))
        t = self.technology
        self.n, self.m, self.r = t.shape
        made = sp.csr_array((np.ones(self.m), (np.arange(self.m), t.own)), shape=(self.m, self.n))
        self.KT = sp.csr_array(sp.hstack([made - t.inputs, sp.csr_array(-t.use)], format="csr"))
        self.K = sp.csr_array(self.KT.T)
        self.c, self.b = t.cost, np.concatenate([program.targets * t.value, -np.ones(self.r)])
        self.u = program.capacity * t.per_activity
        self.bounded = np.isfinite(self.u)
        policy = cheapest_policy(t, t.cost)
        self.q = np.maximum(outputs_of(t, policy, program.targets * t.value), 1e-9)
        self.p = policy.prices
        self.x = np.zeros(self.m)
        self.x[policy.choice] = self.q
        self.solves = self.products = self.iterations = 0

    def gap(self, x: Vector, y: Vector) -> float:
        """The certified gap of a point."""
        t, program = self.technology, self.program
        plan = PlanPoint(t.activity(np.clip(x, 0.0, self.u)), np.nan, program.targets)
        rents = np.zeros(program.shape[2])
        rents[t.limited] = np.maximum(y[self.n :], 0.0) / t.limit
        dual = DualPoint(t.prices(np.maximum(y[: self.n], 0.0)), rents, np.zeros_like(rents))
        return certify(Evaluator(program), plan, dual, tolerance=1e-6).gap


class System:
    """(K D K' + E) dy = f, preconditioned by mean techniques."""

    def __init__(self, problem: Problem, D: Vector, E: Vector) -> None:
        self.problem, self.D, self.E = problem, D, E
        t, n = problem.technology, problem.n
        weight = np.bincount(t.own, D, n)
        floor = 1e-8 * np.median(weight[weight > 0.0])
        share = sp.csr_array(
            (D / np.maximum(weight, 1e-300)[t.own], (t.own, np.arange(problem.m))), shape=(n, problem.m)
        )
        self.rows = sp.csr_array(share @ t.inputs)
        self.columns = sp.csr_array(self.rows.T)
        self.weight = np.maximum(weight + E[:n], floor)
        if problem.r:
            use = problem.KT[:, n:].toarray()
            self.corner = scipy.linalg.lu_factor(use.T @ (D[:, None] * use) + np.diag(E[n:]))

    def _goods(self, v: Vector) -> Vector:
        """(N W N')^-1 v for the mean techniques N: one solve for quantities, one for prices."""
        problem, t = self.problem, self.problem.technology
        before = t.products
        w = t.solve(self.columns, v, v, INNER) / self.weight
        out = t.solve(self.rows, w, w, INNER)
        problem.solves += 2
        problem.products += t.products - before
        return out

    def precondition(self, f: Vector) -> Vector:
        """Goods and limits apart: the few limits are a few bad eigenvalues, no more."""
        n = self.problem.n
        first = self._goods(f[:n])
        return np.concatenate([first, scipy.linalg.lu_solve(self.corner, f[n:])]) if self.problem.r else first

    def times(self, v: Vector) -> Vector:
        """(K D K' + E) v."""
        return self.problem.K @ (self.D * (self.problem.KT @ v)) + self.E * v

    def solve(self, f: Vector, tolerance: float, most: int) -> Vector:
        """Flexible conjugate gradients (Polak-Ribiere), for the preconditioner is solved to a few digits only."""
        y, r = np.zeros_like(f), f.copy()
        z = self.precondition(r)
        p, rz = z.copy(), float(r @ z)
        stop = tolerance * float(np.linalg.norm(f))
        for _ in range(most):
            if not rz > 0.0 or float(np.linalg.norm(r)) <= stop:
                break
            image = self.times(p)
            alpha = rz / float(p @ image)
            y, before = y + alpha * p, r
            r = r - alpha * image
            self.problem.iterations += 1
            z = self.precondition(r)
            new = float(r @ z)
            p = z + (new - float(before @ z)) / rz * p
            rz = new
        return y


def interior(problem: Problem, tolerance: float, limit: float, tell: Any) -> tuple[Vector, Vector]:
    """Predictor and corrector (Mehrotra 1992) from a point inside every bound."""
    P, n = problem, problem.n
    began = time.perf_counter()
    share = np.full(P.m, 1.0 / 3.0) * P.q[P.technology.own]
    x = np.where(P.bounded, np.minimum(share, 0.5 * P.u), share)
    y = np.concatenate([1.5 * P.p, np.full(P.r, 0.05 * float(P.c @ x))])
    s = np.concatenate([np.maximum(0.1 * P.q, 1e-9), np.full(P.r, 0.1)])
    v = np.where(P.bounded, P.u - x, 1.0)
    excess = P.c - P.KT @ y
    z = np.maximum(excess, 0.1 * P.p[P.technology.own])
    w = np.where(P.bounded, np.maximum(-excess, 0.1 * P.p[P.technology.own]), 0.0)
    count = 2 * (P.m + n + P.r)
    for step in range(1, 61):
        rp, rd = P.b - P.K @ x + s, P.c - P.KT @ y - z + w
        mu = float(x @ z + s @ y + (w * v)[P.bounded].sum()) / count
        primal, size = float(np.abs(rp[:n]).sum() / P.q.sum()), max(float(P.c @ x), 1e-300)
        gap = count * mu / size
        tell(step, gap=gap, primal=primal, dual=float(np.abs(rd).max()), x=x, y=y)
        if (gap < 0.3 * tolerance and primal < 0.1 * tolerance) or time.perf_counter() - began > limit:
            break
        D = 1.0 / (z / x + np.where(P.bounded, w / v, 0.0))
        system = System(P, D, s / y)
        accuracy = min(1e-3, max(1e-8, 1e-2 * gap))

        def newton(rxz: Vector, rsy: Vector, rwv: Vector) -> tuple[Vector, ...]:
            g = rd - rxz / x + np.where(P.bounded, rwv / v, 0.0)  # noqa: B023
            f = rp + P.K @ (D * g) + rsy / y  # noqa: B023
            dy = system.solve(f, accuracy, 400)  # noqa: B023
            dx = D * (P.KT @ dy - g)  # noqa: B023
            ds = (rsy - s * dy) / y  # noqa: B023
            dz, dv = (rxz - z * dx) / x, np.where(P.bounded, -dx, 0.0)  # noqa: B023
            return dx, dy, ds, dz, dv, np.where(P.bounded, (rwv - w * dv) / v, 0.0)  # noqa: B023

        parts = (x, y, s, z, np.where(P.bounded, v, np.inf), np.where(P.bounded, w, np.inf))
        aim = newton(-x * z, -s * y, -w * v * P.bounded)
        a = [_step(part, move) for part, move in zip(parts, aim, strict=True)]
        ap, ad = min(a[0], a[2], a[4]), min(a[1], a[3], a[5])
        after = float(
            (x + ap * aim[0]) @ (z + ad * aim[3]) + (s + ap * aim[2]) @ (y + ad * aim[1])
            + ((w + ad * aim[5]) * (v + ap * aim[4]))[P.bounded].sum()
        ) / count  # fmt: skip
        target = mu * min(1.0, (after / mu) ** 3)
        moves = newton(
            target - x * z - aim[0] * aim[3], target - s * y - aim[2] * aim[1],
            (target - w * v - aim[5] * aim[4]) * P.bounded,
        )  # fmt: skip
        a = [_step(part, move) for part, move in zip(parts, moves, strict=True)]
        ap, ad = 0.995 * min(a[0], a[2], a[4]), 0.995 * min(a[1], a[3], a[5])
        x, s, v = x + ap * moves[0], s + ap * moves[2], np.where(P.bounded, v + ap * moves[4], 1.0)
        y, z, w = y + ad * moves[1], z + ad * moves[3], w + ad * moves[5]
    return x, y


def _step(part: Vector, move: Vector) -> float:
    """The longest step of at most one that keeps a part positive."""
    falls = move < 0.0
    with np.errstate(invalid="ignore"):
        return min(1.0, float((part[falls] / -move[falls]).min(initial=np.inf)))


def newton(problem: Problem, tolerance: float, limit: float, tell: Any) -> tuple[Vector, Vector]:
    """Proximal steps x <- the least of c.x + (x - x0)^2 / (2 sigma) over the plans, by Newton on their prices.

    x(y) = clip(x0 + sigma (K'y - c), 0, u), slacks likewise; the gradient of the dual function is b - K x(y) + s(y),
    its generalised Hessian K D K' + E with D = sigma where x(y) is inside its bounds: a border around the Leontief
    matrix of the techniques in use.
    """
    P, n = problem, problem.n
    began = time.perf_counter()
    x, y = np.minimum(P.x, P.u), np.concatenate([P.p, np.zeros(P.r)])
    s, sigma = np.zeros(n + P.r), 1.0
    unit = P.q[P.technology.own] + 1e-6 * P.q.mean()
    slack_unit = np.concatenate([P.q, np.full(P.r, 1.0 / max(float(P.c @ P.q[P.technology.own]), 1e-300))])
    steps = 0
    for outer in range(1, 81):
        x0, s0 = x, s
        tau, rho = sigma * unit, sigma * slack_unit

        def value(y: Vector) -> tuple[float, Vector, Vector, Vector]:
            free = x0 + tau * (P.KT @ y - P.c)  # noqa: B023
            x = np.clip(free, 0.0, P.u)
            s = np.maximum(s0 - rho * y, 0.0)  # noqa: B023
            inner = float(P.c @ x + ((x - x0) ** 2 / (2.0 * tau)).sum() + ((s - s0) ** 2 / (2.0 * rho)).sum())  # noqa: B023
            gradient = P.b - P.K @ x + s
            return inner + float(y @ gradient), gradient, x, s

        accuracy = max(1e-9, 10.0 ** -(2 + outer / 3))
        for _ in range(30):
            f, gradient, x, s = value(y)
            error = float(np.abs(gradient[:n]).sum() / P.q.sum() + np.abs(gradient[n:]).sum())
            if error <= accuracy or time.perf_counter() - began > limit:
                break
            steps += 1
            free = x0 + tau * (P.KT @ y - P.c)
            D = np.where((free > 0.0) & (free < P.u), tau, 0.0)
            E = np.where(s0 - rho * y > 0.0, rho, 0.0) + 1e-2 * min(1.0, error) * sigma * slack_unit
            dy = System(P, D, E).solve(gradient, min(0.1, max(1e-4, error)), 300)
            slope, length = float(gradient @ dy), 1.0
            while length > 1e-4 and not value(y + length * dy)[0] >= f + 1e-4 * length * slope:
                length *= 0.5
            y = y + length * dy
        moved = float((np.abs(x - x0) * P.p[P.technology.own]).sum() / max(float(P.c @ x), 1e-300))
        tell(outer, moved=moved, error=error, steps=steps, sigma=sigma, x=x, y=y)
        if (moved < 0.3 * tolerance * sigma and error < 0.1 * tolerance) or time.perf_counter() - began > limit:
            break
        sigma = min(3.0 * sigma, 1e4)
    return x, y


METHODS = {"interior": interior, "newton": newton}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=list(METHODS))
    parser.add_argument("goods", type=int)
    parser.add_argument("--none-free", action="store_true", help="no technique is left without a capacity")
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    program = (
        technique_choice(given.goods, limits="blend", capacities=0.3, leave_one_free=False).program
        if given.none_free
        else families.least_labour(given.goods, 5, 0.3)
    )
    problem, log = Problem(program), []
    wall, cpu = time.perf_counter(), time.process_time()

    def tell(step: int, x: Vector, y: Vector, **numbers: float) -> None:
        row = {"step": step, **numbers, "iterations": problem.iterations, "products": round(problem.products)}
        log.append(row | {"cpu_s": time.process_time() - cpu})
        print(" ".join(f"{key} {value:.3g}" for key, value in log[-1].items()), flush=True)

    x, y = METHODS[given.method](problem, given.tolerance, given.time_limit, tell)
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    result = {"method": given.method, "goods": given.goods, "none_free": given.none_free, "gap": problem.gap(x, y)}
    print(result | seconds)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": describe(), **result, **seconds, "steps": log}, indent=1) + "\n")


if __name__ == "__main__":
    main()
