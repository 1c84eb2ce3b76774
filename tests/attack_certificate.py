"""Attack on the certificate: thousands of random small plans against their exact optima, in rational arithmetic.

    python tests/attack_certificate.py 10000 [first seed]

Every plan is of one of the families of attack_families.py. Its optimum is that of the optimal basis that HiGHS finds,
evaluated without rounding and checked to be feasible and optimal exactly; concave plans are made around an optimum.
Then goods, activities and resources change their units by powers of two, up to 2^200, which changes no digit: kantor
solves that program, by the method that fits or another one, stopped late or early, and the interval that it proves must
hold the optimum.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from attack_families import FAMILIES, Draw, exact_utility, in_units, known_utility
from kantor.errors import OptionError, ProblemError
from kantor.solvers.dispatch import solve_program
from kantor.solvers.exact import optimal_basis
from kantor.solvers.options import StoppingCriteria
from kantor.solvers.program import PlanningProgram, to_linear_program
from kantor.solvers.program_solution import ProgramSolution
from kantor.solvers.rational import vertex
from kantor.solvers.solution import Status

STOPPING = StoppingCriteria(tolerance=1e-10)
ITERATIONS = 3_000  # the interval must hold wherever the solver stops
METHODS = ("reduced", "policy", "level", "exchange", "interior", "pdhg", "highs")


class Attack:
    """One random plan: ``plain`` and, in other units, ``program``; costs and scales are ``factor`` times plain ones.

    ``method`` and ``iterations`` say how it is solved and where that stops at the latest.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([20_261, seed])
        self.kind = str(self.rng.choice(["scale", "use", "utility"], p=[0.43, 0.43, 0.14]))
        draw = Draw(self.rng, bool(self.rng.random() < 0.5))
        self.consumption: np.ndarray | None = None
        if self.kind == "utility":
            self.family, known = "utility", known_utility(draw)
            self.plain, self.consumption = known.program, known.consumption
        else:
            self.family = str(self.rng.choice(list(FAMILIES), p=[0.28, *[0.12] * (len(FAMILIES) - 1)]))
            self.plain = PlanningProgram.build(self.kind, **FAMILIES[self.family](draw, self.kind))
        self.program, self.factor = self._other_units()
        self.method = str(self.rng.choice(["auto", *METHODS], p=[0.7, *[0.3 / len(METHODS)] * len(METHODS)]))
        self.iterations = int(self.rng.choice([1, 50, ITERATIONS], p=[0.1, 0.15, 0.75]))

    def _other_units(self) -> tuple[PlanningProgram, Fraction]:
        """The same in units that differ by powers of two: none, everyday ones, or tiny and huge ones."""
        p, rng = self.plain, self.rng
        n, m, r = p.shape
        spread = int(rng.choice([0, 5, 40] if self.kind == "utility" else [0, 5, 40, 100]))
        power = lambda k: np.ldexp(1.0, rng.integers(-spread, spread + 1, k))  # noqa: E731
        u, v, w, z = power(n), power(m), power(r), float(power(1)[0])
        factor = z if self.kind == "use" else 1.0 / z if self.kind == "scale" else 1.0
        targets = u * p.targets * (z if self.kind == "scale" else 1.0)
        try:
            program = PlanningProgram.build(
                self.kind, u[:, None] * p.output.toarray() * v, u[:, None] * p.input.toarray() * v, targets,
                resource_use=w[:, None] * p.resource_use.toarray() * v, resource_upper=w * p.resource_upper,
                resource_lower=w * p.resource_lower, capacity=p.capacity / v, cost=p.cost * v * factor,
                terms=None if p.terms is None else in_units(p.terms, u),
            )  # fmt: skip
        except ValueError:  # outside what a program may hold
            return p, Fraction(1)
        if self.consumption is not None:
            self.consumption = u * self.consumption
        return program, Fraction(factor)

    def solve(self) -> ProgramSolution:
        """By the drawn method, or by the one that fits where that does not apply."""
        options: dict[str, Any] = {"tolerance": 1e-6, "iteration_limit": self.iterations}
        try:
            return solve_program(self.program, method=self.method, **options)
        except OptionError:
            pass
        except ProblemError as error:
            if "HiGHS" not in str(error):
                raise
        self.method = "auto"
        return solve_program(self.program, **options)

    # ---- the truth ---------------------------------------------------------------------------------------------
    def truth(self) -> tuple[str, Fraction | None]:
        """("optimal", exact optimum), or another status; in the units of ``program``."""
        if self.consumption is not None:
            assert self.program.terms is not None
            return "optimal", exact_utility(self.program.terms, self.consumption)
        lp, _ = to_linear_program(self.plain)
        status, basis = optimal_basis(lp, STOPPING)
        if basis is None:
            return status.value, None
        found = vertex(lp, basis)
        if found is None or not (found.feasible and found.optimal_signs):
            return "undecided", None
        return "optimal", found.value * self.factor * (-1 if self.kind == "scale" else 1)


@dataclass
class Found:
    """What attacks came to: how often what, violations in words, and how far the intervals were from the optima.

    ``nearest``: the least (optimum - lower) / size and (upper - optimum) / size, negative where a bound is wrong;
    ``widest``: the largest relative width of an interval that was certified.
    """

    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    nearest: float = math.inf
    widest: float = 0.0

    def add(self, other: Found) -> None:
        """Those of another run too."""
        self.seen.update(other.seen)
        self.wrong += other.wrong
        self.nearest, self.widest = min(self.nearest, other.nearest), max(self.widest, other.widest)

    def measure(self, answer: ProgramSolution, optimum: Fraction) -> None:
        """Note how far the bounds are from the optimum, relative to it and to 1 where it is a utility."""
        size = max(abs(optimum), Fraction(1)) if math.isnan(answer.scale) else abs(optimum)
        size = size or Fraction(1)
        if math.isfinite(answer.lower_bound):
            self.nearest = min(self.nearest, float((optimum - Fraction(answer.lower_bound)) / size))
        if math.isfinite(answer.upper_bound):
            self.nearest = min(self.nearest, float((Fraction(answer.upper_bound) - optimum) / size))
        if answer.certified:
            self.widest = max(self.widest, answer.gap)


def violation(answer: ProgramSolution, status: str, optimum: Fraction | None) -> str:
    """What the answer claims and is not so, or ""."""
    if status == "optimal":
        assert optimum is not None
        if answer.status is Status.PRIMAL_INFEASIBLE:
            return "claims that there is no plan"
        if answer.status is Status.DUAL_INFEASIBLE:
            return "claims that there is no end"
        if not answer.lower_bound <= optimum <= answer.upper_bound:
            return f"proves [{answer.lower_bound!r}, {answer.upper_bound!r}], the optimum is {float(optimum)!r}"
    if status == Status.PRIMAL_INFEASIBLE.value and answer.certified:
        return "certifies a plan where none exists"
    if status == Status.DUAL_INFEASIBLE.value and answer.certified:
        return "certifies an optimum where there is no end"
    return ""


def run(first: int, count: int, tell: bool = False) -> Found:
    """The attacks ``first`` to ``first + count - 1``."""
    found = Found()
    for seed in range(first, first + count):
        attack = Attack(seed)
        status, optimum = attack.truth()
        try:
            answer = attack.solve()
        except Exception as error:  # no input of this kind may end in an error
            problem = f"{type(error).__name__}: {error}"
        else:
            found.seen[f"{status}, {answer.status.value}{', certified' if answer.certified else ''}"] += 1
            for what in (f"family {attack.family}", f"kind {attack.kind}", f"method {attack.method}"):
                found.seen[what] += 1
            found.seen["decided"] += status != "undecided"
            problem = violation(answer, status, optimum)
            if problem:
                problem += f"; {answer.status.value}, {answer.info.why}"
            if optimum is not None:
                found.measure(answer, optimum)
        if problem:
            found.wrong.append(f"seed {seed} ({attack.family}, {attack.kind}, {attack.method}): {problem}")
            if tell:
                print(found.wrong[-1], flush=True)
    return found


def main() -> int:
    """Attack as often as the command line says."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.perf_counter()
    found = run(first, count, tell=True)
    for what, times in sorted(found.seen.items()):
        print(f"{times:7d}  {what}")
    print(f"nearest bound {found.nearest:.1e}, widest certified interval {found.widest:.1e}")
    print(f"{count} plans, {len(found.wrong)} violations, {time.perf_counter() - began:.0f} s")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
