"""Random planning programs of every structure, and their optima by HiGHS; shared by the tests of the engine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog

from kantor.solvers.problem import LinearProgram, SeparableTerms, TermKind
from kantor.solvers.program import Layout, PlanningProgram, to_linear_program

FEATURES = ("joint", "negatives", "capacities", "floors", "units", "idle_limits")


class Instance(NamedTuple):
    """A program, the same in the units it was drawn in (``plain``), and the factors between them."""

    program: PlanningProgram
    plain: PlanningProgram
    good_units: np.ndarray
    activity_units: np.ndarray


def draw(
    rng: np.random.Generator, kind: Any, features: set[str], n: int | None = None, per_good: int | None = None
) -> Instance:
    """A program with the features asked for; ``units`` changes those of goods and activities by factors e^(+-10)."""
    n = n or int(rng.integers(2, 13))
    k = per_good or int(rng.integers(1, 4))
    own = np.tile(np.arange(n), k)
    m = own.size
    A = rng.lognormal(0, 1, (n, m)) * (rng.random((n, m)) < min(1.0, 3.0 / n + 0.15))
    A *= rng.uniform(0.2, 0.8, m) / np.maximum(A.sum(axis=0), 1e-9)
    B = np.zeros((n, m))
    B[own, np.arange(m)] = rng.uniform(0.5, 2, m) if rng.random() < 0.5 else 1.0
    A *= B.max(axis=0)
    if "joint" in features:
        B += (rng.random((n, m)) < 0.15) * rng.uniform(0, 0.5, (n, m))
    if "negatives" in features:
        A = np.where((rng.random((n, m)) < 0.04) & (B == 0), -0.02 * rng.random((n, m)), A)
    y = rng.lognormal(0, 1, n) * (rng.random(n) < 0.7)
    y[rng.integers(n)] += 1
    if "negatives" in features and kind != "utility":
        y = np.where((rng.random(n) < 0.15) & (y == 0), -0.05 * rng.random(n), y)
    base = np.zeros(m)
    base[:n] = np.maximum(np.linalg.lstsq((B - A)[:, :n], y, rcond=None)[0], 0)
    r = int(rng.integers(1, 5))
    R = rng.lognormal(0, 0.7, (r, m)) * (rng.random((r, m)) < (0.5 if "idle_limits" in features else 0.9))
    use = R @ base
    upper = use * (rng.uniform(0.97, 1.6, r) if kind == "use" else rng.uniform(0.8, 1.4, r))
    upper, lower = np.where(upper > 0, upper, 1.0), np.full(r, -np.inf)
    if "floors" in features and r > 1:
        upper[0], lower[0] = np.inf, use[0] * rng.uniform(0.2, 1.1)
    capacity = np.full(m, np.inf)
    if "capacities" in features:
        some = rng.random(m) < 0.3
        if k > 1:
            some[:n] = False
        reference = np.where(base > 0, base, np.resize(base[:n], m))
        capacity[some] = reference[some] * rng.uniform(0.3, 1.5, some.sum())
    cost = rng.lognormal(0, 0.7, m) if kind == "use" else np.zeros(m)
    terms = _utility(rng, y) if kind == "utility" else None
    if kind == "utility":
        y = np.maximum(y, 0.0)
    plain = PlanningProgram.build(
        kind,
        B,
        A,
        y,
        resource_use=R,
        resource_upper=upper,
        resource_lower=lower,
        capacity=capacity,
        cost=cost,
        terms=terms,
    )
    spread = 4.0 if "units" in features else 0.0
    u, v = rng.lognormal(0, spread, n), rng.lognormal(0, 0.5 * spread, m)
    return Instance(in_units(plain, u, v), plain, u, v)


def _utility(rng: np.random.Generator, y: np.ndarray) -> SeparableTerms:
    """A term of a random kind on every good with a target: all of one kind, or mixed."""
    n, terms = y.size, SeparableTerms.linear(y.size)
    kinds = rng.choice([1, 2, 3, 4, 5], n) if rng.random() < 0.5 else np.full(n, rng.choice([2, 3, 4, 5]))
    on = y > 0
    terms.kind[on], terms.a[on], terms.b[on] = kinds[on], rng.uniform(0.5, 2, n)[on], y[on]
    terms.e[:] = 1.1
    quadratic, log, power = (on & (terms.kind == k) for k in (TermKind.QUADRATIC, TermKind.LOG, TermKind.POWER))
    terms.a[quadratic] /= y[quadratic] ** 2
    terms.b[log] *= rng.choice([0.0, 0.2])
    terms.e[power] = rng.choice([0.5, 2.0, 3.0], n)[power]
    terms.a[power] *= y[power] ** (terms.e[power] - 1)
    return terms


def in_units(p: PlanningProgram, u: np.ndarray, v: np.ndarray) -> PlanningProgram:
    """The same program with good i counted in units 1/u_i and activity j in units v_j; its optimum is the same."""
    terms = p.terms
    if terms is not None:
        power, quadratic = terms.kind == TermKind.POWER, terms.kind == TermKind.QUADRATIC
        a = np.where(quadratic, terms.a / u**2, np.where(power, terms.a * u ** (terms.e - 1), terms.a))
        terms = SeparableTerms(terms.kind, a, np.where(power, terms.b, terms.b * u), terms.e)
    return PlanningProgram.build(
        p.kind,
        u[:, None] * p.output.toarray() * v,
        u[:, None] * p.input.toarray() * v,
        u * p.targets,
        resource_use=p.resource_use.toarray() * v,
        resource_upper=p.resource_upper,
        resource_lower=p.resource_lower,
        capacity=p.capacity / v,
        cost=p.cost * v,
        terms=terms,
    )


def optimum(instance: Instance) -> tuple[str, float, np.ndarray, np.ndarray, Layout]:
    """(status, optimum, x, y, layout) by HiGHS in the plain units; x and y are given in those of ``program``."""
    lp, layout = to_linear_program(instance.plain)
    status, value, x, y = highs(lp)
    if status == "optimal":
        n, m, _ = instance.program.shape
        x[:m] /= instance.activity_units
        y[:n] /= instance.good_units
    return status, -value if instance.program.kind == "scale" else value, x, y, layout


def highs(lp: LinearProgram) -> tuple[str, float, np.ndarray, np.ndarray]:
    """(status, minimum, x, row multipliers) of a small linear program."""
    K = lp.K.toarray()
    low, high = np.flatnonzero(np.isfinite(lp.row_lower)), np.flatnonzero(np.isfinite(lp.row_upper))
    found = linprog(
        lp.c,
        np.vstack([-K[low], K[high]]),
        np.concatenate([-lp.row_lower[low], lp.row_upper[high]]),
        bounds=list(zip(lp.lower, np.where(np.isfinite(lp.upper), lp.upper, None), strict=True)),
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    status = {0: "optimal", 2: "infeasible", 3: "unbounded"}.get(found.status, found.message)
    if status != "optimal":
        return status, np.nan, np.zeros(K.shape[1]), np.zeros(K.shape[0])
    y = np.zeros(K.shape[0])
    y[low] -= found.ineqlin.marginals[: low.size]
    y[high] += found.ineqlin.marginals[low.size :]
    return status, float(found.fun), found.x.copy(), y


def features_of(seed: int) -> set[str]:
    """A different set of features for every seed: 64 combinations."""
    return {name for bit, name in enumerate(FEATURES) if seed >> bit & 1}
