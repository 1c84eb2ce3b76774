"""Attack on the certificate: thousands of random small plans against their exact optima, in rational arithmetic.

    python tests/attack_certificate.py 10000 [first seed]

Every plan is drawn in plain numbers, many of them whole so that ties and degenerate vertices abound. Its optimum is
that of the optimal basis that HiGHS finds, evaluated without rounding and checked to be feasible and optimal exactly.
Then goods, activities and resources change their units by powers of two, up to 2^200, which changes no digit: kantor
solves that program, and the interval it proves must hold the optimum. Utilities are quadratic or logarithmic; their
optimum is a number with rounding, so that the upper bound is held against it with 1e-6 to spare.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kantor.solvers.dispatch import solve_program
from kantor.solvers.exact import optimal_basis
from kantor.solvers.options import StoppingCriteria
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram, to_linear_program
from kantor.solvers.program_solution import ProgramSolution
from kantor.solvers.rational import vertex
from kantor.solvers.solution import Status
from kantor.solvers.utilities import utility

STOPPING = StoppingCriteria(tolerance=1e-10)
ITERATIONS = 3_000  # the interval must hold wherever the solver stops


class Attack:
    """One random plan: ``plain`` and, in other units, ``program``; costs and scales are ``factor`` times plain ones."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([20_261, seed])
        self.whole = self.rng.random() < 0.5
        self.kind = str(self.rng.choice(["scale", "use", "utility"], p=[0.45, 0.45, 0.1]))
        self.plain = self._draw()
        self.program, self.factor = self._other_units()

    def _numbers(self, shape: Any) -> np.ndarray:
        if self.whole:
            return self.rng.choice([0.125, 0.25, 0.5, 1.0, 1.0, 2.0, 3.0], shape)
        return self.rng.lognormal(0.0, 1.0, shape)

    def _draw(self) -> PlanningProgram:
        rng = self.rng
        n, per_good = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        own = np.tile(np.arange(n), per_good)[: max(n, int(rng.integers(1, n * per_good + 1)))]
        m = own.size
        B = np.zeros((n, m))
        B[own, np.arange(m)] = self._numbers(m) if rng.random() < 0.3 else 1.0
        A = self._numbers((n, m)) * (rng.random((n, m)) < rng.choice([0.2, 0.5, 0.9])) * rng.choice([0.125, 0.25, 0.5])
        if rng.random() < 0.3:
            B += self._numbers((n, m)) * (rng.random((n, m)) < 0.2) * 0.25
        if rng.random() < 0.15:
            A *= rng.choice([1.0, -1.0], (n, m), p=[0.9, 0.1])
        if rng.random() < 0.1:
            B[:, rng.integers(m)] = 0.0
        y = self._numbers(n) * (rng.random(n) < 0.7)
        if rng.random() < 0.15:
            y *= rng.choice([1.0, -1.0], n, p=[0.8, 0.2])
        if self.kind == "scale" and not (y > 0).any():
            y[0] = 1.0
        r = int(rng.integers(0, 4))
        R = self._numbers((r, m)) * (rng.random((r, m)) < 0.7)
        if rng.random() < 0.2:
            R *= rng.choice([1.0, -1.0], (r, m), p=[0.85, 0.15])
        level = self._numbers(m) * 2.0
        use = R @ level
        share = rng.choice([0.0, 0.5, 1.0, 2.0], r, p=[0.05, 0.3, 0.4, 0.25])
        upper = np.where(rng.random(r) < 0.75, use * share, np.inf)
        lower = np.where(rng.random(r) < 0.3, use * rng.choice([0.0, 0.25, 0.5, 1.0], r), -np.inf)
        lower = np.minimum(lower, upper)
        capacity = np.full(m, np.inf)
        if rng.random() < 0.5:
            some = rng.random(m) < 0.5
            capacity[some] = level[some] * rng.choice([0.0, 0.5, 1.0, 2.0], int(some.sum()))
        cost = np.zeros(m)
        if self.kind == "use":
            cost = self._numbers(m) * (rng.random(m) < 0.9)
            if rng.random() < 0.1:
                cost *= rng.choice([1.0, -1.0], m, p=[0.8, 0.2])
        terms = None
        if self.kind == "utility":
            y = np.abs(y)
            y[0] += 1.0
            kind = np.where(y > 0, rng.choice([TermKind.QUADRATIC, TermKind.LOG], n), TermKind.LINEAR)
            terms = SeparableTerms(kind.astype(np.uint8), np.ones(n), y.copy(), np.ones(n))
        return PlanningProgram.build(
            self.kind, B, A, y, resource_use=R, resource_upper=upper, resource_lower=lower, capacity=capacity,
            cost=cost, terms=terms,
        )  # fmt: skip

    def _other_units(self) -> tuple[PlanningProgram, Fraction]:
        """The same in units that differ by powers of two: none, everyday ones, or tiny and huge ones."""
        p, rng = self.plain, self.rng
        n, m, r = p.shape
        spread = int(rng.choice([0, 5, 30, 100])) if self.kind != "utility" else 0
        power = lambda k: np.ldexp(1.0, rng.integers(-spread, spread + 1, k))  # noqa: E731
        u, v, w, z = power(n), power(m), power(r), float(power(1)[0])
        factor = z if self.kind == "use" else 1.0 / z if self.kind == "scale" else 1.0
        targets = u * p.targets * (z if self.kind == "scale" else 1.0)
        try:
            program = PlanningProgram.build(
                self.kind, u[:, None] * p.output.toarray() * v, u[:, None] * p.input.toarray() * v, targets,
                resource_use=w[:, None] * p.resource_use.toarray() * v, resource_upper=w * p.resource_upper,
                resource_lower=w * p.resource_lower, capacity=p.capacity / v, cost=p.cost * v * factor, terms=p.terms,
            )  # fmt: skip
        except ValueError:  # outside what a program may hold
            return p, Fraction(1)
        return program, Fraction(factor)

    # ---- the truth ---------------------------------------------------------------------------------------------
    def truth(self) -> tuple[str, Fraction | None]:
        """("optimal", exact optimum), ("near", its rounded value), or another status; in the units of ``program``."""
        if self.kind == "utility":
            return self._utility()
        lp, _ = to_linear_program(self.plain)
        status, basis = optimal_basis(lp, STOPPING)
        if basis is None:
            return status.value, None
        found = vertex(lp, basis)
        if found is None or not (found.feasible and found.optimal_signs):
            return "undecided", None
        return "optimal", found.value * self.factor * (-1 if self.kind == "scale" else 1)

    def _utility(self) -> tuple[str, Fraction | None]:
        lp, layout = to_linear_program(self.plain)
        K, at = lp.K.toarray(), layout.consumed
        start = np.full(lp.shape[1], 0.1)
        terms = self.plain.terms
        assert terms is not None

        def loss(z: np.ndarray) -> float:
            consumption = np.zeros(at.size)
            consumption[at] = np.maximum(z[layout.n_techniques :], 0.0)
            return -float(np.sum(utility(terms, consumption)[0][at]))

        rules = []
        for side, sign in ((lp.row_lower, 1.0), (lp.row_upper, -1.0)):
            k = np.flatnonzero(np.isfinite(side))
            if k.size:
                rules.append({"type": "ineq", "fun": lambda z, k=k, side=side, sign=sign: sign * (K[k] @ z - side[k])})
        bounds = [(lo, None if np.isinf(hi) else hi) for lo, hi in zip(lp.lower, lp.upper, strict=True)]
        tight = {"ftol": 1e-14, "maxiter": 500}
        found = minimize(loss, start, bounds=bounds, constraints=rules, method="SLSQP", options=tight)
        return ("near", Fraction(-float(found.fun))) if found.success else ("undecided", None)


def violation(attack: Attack, answer: ProgramSolution, status: str, optimum: Fraction | None) -> str:
    """What the answer claims and is not so, or ""."""
    if status in ("optimal", "near"):
        if answer.status is Status.PRIMAL_INFEASIBLE:
            return "claims that there is no plan"
        if answer.status is Status.DUAL_INFEASIBLE:
            return "claims that there is no end" if status == "optimal" else ""
        assert optimum is not None
        room = Fraction(0) if status == "optimal" else Fraction(1, 10**6) * (1 + abs(optimum))
        # A numerical optimum of a concave program is only a plan: no upper bound may lie below it.
        below = status == "optimal" and not answer.lower_bound <= optimum
        if below or not answer.upper_bound >= optimum - room:
            return f"proves [{answer.lower_bound!r}, {answer.upper_bound!r}], the optimum is {float(optimum)!r}"
    if status == Status.PRIMAL_INFEASIBLE.value and answer.certified:
        return "certifies a plan where none exists"
    if status == Status.DUAL_INFEASIBLE.value and answer.certified:
        return "certifies an optimum where there is no end"
    return ""


def run(first: int, count: int, tell: bool = False) -> tuple[Counter[str], list[str]]:
    """(how often what happened, violations) of the attacks ``first`` to ``first + count - 1``."""
    seen: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        attack = Attack(seed)
        status, optimum = attack.truth()
        try:
            answer = solve_program(attack.program, 1e-6, iteration_limit=ITERATIONS)
        except Exception as error:  # no input of this kind may end in an error
            wrong.append(f"seed {seed} ({attack.kind}): {type(error).__name__}: {error}")
            if tell:
                print(wrong[-1], flush=True)
            continue
        seen[f"{attack.kind}: {status}, {answer.status.value}{', certified' if answer.certified else ''}"] += 1
        seen["decided"] += status != "undecided"
        problem = violation(attack, answer, status, optimum)
        if problem:
            wrong.append(f"seed {seed} ({attack.kind}): {problem}; {answer.status.value}, {answer.info.why}")
            if tell:
                print(wrong[-1], flush=True)
    return seen, wrong


def main() -> int:
    """Attack as often as the command line says."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.perf_counter()
    seen, wrong = run(first, count, tell=True)
    for what, times in sorted(seen.items()):
        print(f"{times:7d}  {what}")
    print(f"{count} plans, {len(wrong)} violations, {time.perf_counter() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
