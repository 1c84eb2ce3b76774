"""Small random plans of every structure, in plain numbers, many of them whole so that degenerate vertices abound.

Each family draws the arrays of a :class:`PlanningProgram` of kind "scale" or "use"; :func:`known_utility` draws a
concave program around an optimum that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kantor.solvers.problem import FORMULAS, SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram

Arrays = dict[str, Any]


class Draw:
    """Random numbers of one attack: all from a few whole ones and halves, or all lognormal."""

    def __init__(self, rng: np.random.Generator, whole: bool) -> None:
        self.rng, self.whole = rng, whole

    def numbers(self, shape: Any) -> np.ndarray:
        if self.whole:
            return self.rng.choice([0.125, 0.25, 0.5, 1.0, 1.0, 2.0, 3.0], shape)
        return self.rng.lognormal(0.0, 1.0, shape)

    def chance(self, probability: float, shape: Any = None) -> Any:
        return self.rng.random(shape) < probability

    def signs(self, share: float, shape: Any) -> np.ndarray:
        return self.rng.choice([1.0, -1.0], shape, p=[1.0 - share, share])

    def technology(self, n: int, most: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """(output, input) of 1 to ``most`` techniques a good, most of them viable."""
        own = np.repeat(np.arange(n), self.rng.integers(1, most + 1, n))
        B = np.zeros((n, own.size))
        B[own, np.arange(own.size)] = 1.0
        A = self.numbers(B.shape) * self.chance(self.rng.choice([0.2, 0.5]), B.shape) * self.rng.choice([0.125, 0.25])
        return B, A

    def basket(self, n: int, kind: str) -> np.ndarray:
        y = self.numbers(n) * self.chance(0.7, n)
        if kind == "scale" and not (y > 0).any():
            y[0] = 1.0
        return y

    def limits(self, m: int, most: int = 3) -> Arrays:
        """Up to ``most`` upper limits on what a random activity uses, some of them floors as well."""
        r = int(self.rng.integers(1, most + 1))
        R = self.numbers((r, m)) * self.chance(0.7, (r, m))
        use = R @ (self.numbers(m) * 2.0)
        upper = use * self.rng.choice([0.5, 1.0, 2.0], r)
        lower = np.where(self.chance(0.2, r), upper * self.rng.choice([0.25, 0.5, 1.0], r), -np.inf)
        return {"resource_use": R, "resource_upper": upper, "resource_lower": lower}

    def cost(self, m: int, kind: str) -> np.ndarray:
        return self.numbers(m) * self.chance(0.9, m) if kind == "use" else np.zeros(m)


def mixed(draw: Draw, kind: str) -> Arrays:
    """Everything at once: by-products, negative inputs and targets, floors, capacities, techniques without output."""
    rng, numbers, chance = draw.rng, draw.numbers, draw.chance
    n, per_good = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    own = np.tile(np.arange(n), per_good)[: max(n, int(rng.integers(1, n * per_good + 1)))]
    m = own.size
    B = np.zeros((n, m))
    B[own, np.arange(m)] = numbers(m) if chance(0.3) else 1.0
    A = numbers((n, m)) * chance(rng.choice([0.2, 0.5, 0.9]), (n, m)) * rng.choice([0.125, 0.25, 0.5])
    if chance(0.3):
        B += numbers((n, m)) * chance(0.2, (n, m)) * 0.25
    if chance(0.15):
        A *= draw.signs(0.1, (n, m))
    if chance(0.1):
        B[:, rng.integers(m)] = 0.0
    y = numbers(n) * chance(0.7, n)
    if chance(0.15):
        y *= draw.signs(0.2, n)
    if kind == "scale" and not (y > 0).any():
        y[0] = 1.0
    r = int(rng.integers(0, 4))
    R = numbers((r, m)) * chance(0.7, (r, m))
    if chance(0.2):
        R *= draw.signs(0.15, (r, m))
    level = numbers(m) * 2.0
    use = R @ level
    upper = np.where(chance(0.75, r), use * rng.choice([0.0, 0.5, 1.0, 2.0], r, p=[0.05, 0.3, 0.4, 0.25]), np.inf)
    lower = np.where(chance(0.3, r), use * rng.choice([0.0, 0.25, 0.5, 1.0], r), -np.inf)
    capacity = np.full(m, np.inf)
    if chance(0.5):
        some = chance(0.5, m)
        capacity[some] = level[some] * rng.choice([0.0, 0.5, 1.0, 2.0], int(some.sum()))
    cost = draw.cost(m, kind)
    if chance(0.1):
        cost *= draw.signs(0.2, m)
    return {
        "output": B, "input": A, "targets": y, "resource_use": R, "resource_upper": upper,
        "resource_lower": np.minimum(lower, upper), "capacity": capacity, "cost": cost,
    }  # fmt: skip


def joint(draw: Draw, kind: str) -> Arrays:
    """Joint production as in supply-use tables, recycling of by-products, and disposal of what nobody wants."""
    rng = draw.rng
    n = int(rng.integers(2, 6))
    B, A = draw.technology(n, 2)
    B += draw.numbers(B.shape) * draw.chance(0.4, B.shape) * 0.5
    waste = int(rng.integers(n))
    recycling, disposal = np.zeros((n, 1)), np.zeros((n, 1))
    recycling[(waste + 1) % n], disposal[waste] = 1.0, 1.0
    B = np.hstack([B, recycling, np.zeros((n, 1))])
    A = np.hstack([A, 2.0 * disposal, disposal])
    m = B.shape[1]
    y = draw.basket(n, kind)
    y[waste] *= draw.chance(0.5)
    if kind == "scale" and not (y > 0).any():
        y[(waste + 1) % n] = 1.0
    return {"output": B, "input": A, "targets": y, "cost": draw.cost(m, kind)} | draw.limits(m)


def years(draw: Draw, kind: str) -> Arrays:
    """Years that share a technology, joined by stocks with losses and by capital that investment adds to."""
    n, T = int(draw.rng.integers(1, 4)), int(draw.rng.integers(2, 4))
    B1, A1 = draw.technology(n, 2)
    k = B1.shape[1]
    goods, columns = T * (n + 1), T * (k + 2)  # good n of a year is capital service
    B, A = np.zeros((goods, columns)), np.zeros((goods, columns))
    keep, wear = draw.rng.choice([1.0, 0.75, 0.5], 2)
    for t in range(T):
        rows, at = t * (n + 1), t * (k + 2)
        B[rows : rows + n, at : at + k] = B1
        A[rows : rows + n, at : at + k] = A1
        A[rows + n, at : at + k] = draw.rng.choice([0.0, 0.5, 1.0], k)
        A[rows, at + k] = A[rows + n - 1, at + k + 1] = 1.0  # a stock of good 0, an investment of the last good
        for later in range(t + 1, T):
            B[later * (n + 1) + n, at + k + 1] = wear ** (later - t - 1)
        if t + 1 < T:
            B[(t + 1) * (n + 1), at + k] = keep
    y = np.tile(np.append(draw.basket(n, kind), 0.0), T)
    first = np.tile(np.append(np.zeros(n), 1.0), T) * np.repeat(wear ** np.arange(T), n + 1) * draw.numbers(1)[0] * 4.0
    supply = np.diag(first)[:, first > 0]  # the capital that is there already, run at most once
    B, A = np.hstack([B, supply]), np.hstack([A, np.zeros_like(supply)])
    m = B.shape[1]
    capacity = np.append(np.full(columns, np.inf), np.ones(supply.shape[1]))
    hours = np.zeros((T, m))
    for t in range(T):
        hours[t, t * (k + 2) : t * (k + 2) + k] = draw.numbers(k)
    R = np.vstack([hours, hours.sum(axis=0)[None] * draw.rng.choice([0.0, 1.0], m)])
    upper = np.append(draw.numbers(T) * 4.0, draw.rng.choice([np.inf, 8.0]))
    return {
        "output": B, "input": A, "targets": y, "resource_use": R, "resource_upper": upper, "capacity": capacity,
        "cost": draw.cost(m, kind),
    }  # fmt: skip


def trade(draw: Draw, kind: str) -> Arrays:
    """Regions with techniques and labour of their own; goods are shipped for nothing, for transport, or with a loss."""
    n, regions = int(draw.rng.integers(1, 4)), int(draw.rng.integers(2, 4))
    parts = [draw.technology(n, 2) for _ in range(regions)]
    m = sum(B.shape[1] for B, _ in parts)
    B, A, R = np.zeros((n * regions, m)), np.zeros((n * regions, m)), np.zeros((regions, m))
    at = 0
    for g, (B1, A1) in enumerate(parts):
        columns = slice(at, at + B1.shape[1])
        B[g * n : (g + 1) * n, columns], A[g * n : (g + 1) * n, columns] = B1, A1
        R[g, columns] = draw.numbers(B1.shape[1])
        at = columns.stop
    shipped, used, balance = [], [], []
    for g in range(regions):
        for h in range(regions):
            for i in range(n):
                if g != h and draw.chance(0.7):
                    out, inputs, value = np.zeros(n * regions), np.zeros(n * regions), np.zeros(regions)
                    out[h * n + i], inputs[g * n + i] = draw.rng.choice([1.0, 1.0, 0.75]), 1.0
                    if draw.chance(0.4):
                        inputs[g * n] += 0.125
                    value[g], value[h] = -1.0, 1.0
                    shipped.append(out), used.append(inputs), balance.append(value)
    if shipped:
        B, A = np.hstack([B, np.array(shipped).T]), np.hstack([A, np.array(used).T])
    R = np.hstack([R, np.zeros((regions, len(shipped)))])
    upper = draw.numbers(regions) * 4.0
    if shipped and draw.chance(0.5):  # a limit on the deficit of every region
        R = np.vstack([R, np.hstack([np.zeros((regions, m)), np.array(balance).T])])
        upper = np.append(upper, draw.rng.choice([0.0, 0.5, 1.0], regions))
    m = B.shape[1]
    y = draw.basket(n * regions, kind)
    return {
        "output": B, "input": A, "targets": y, "resource_use": R, "resource_upper": upper, "cost": draw.cost(m, kind)
    }  # fmt: skip


def floors(draw: Draw, kind: str) -> Arrays:
    """Techniques that must run at least, or exactly, so much, beside limits and capacities."""
    n = int(draw.rng.integers(1, 5))
    B, A = draw.technology(n)
    m = B.shape[1]
    given = draw.limits(m, 2)
    level = draw.numbers(m)
    held = np.flatnonzero(draw.chance(0.4, m))
    fixed = draw.chance(0.3, held.size)
    capacity = np.where(draw.chance(0.4, m), level * draw.rng.choice([1.0, 2.0], m), np.inf)
    return {
        "output": B, "input": A, "targets": draw.basket(n, kind), "cost": draw.cost(m, kind), "capacity": capacity,
        "resource_use": np.vstack([given["resource_use"], np.eye(m)[held]]),
        "resource_lower": np.append(given["resource_lower"], level[held]),
        "resource_upper": np.append(given["resource_upper"], np.where(fixed, level[held], np.inf)),
    }  # fmt: skip


def soft(draw: Draw, kind: str) -> Arrays:
    """Limits that may be exceeded at a price: a technique makes room under each, paid for or itself limited."""
    n = int(draw.rng.integers(1, 5))
    B, A = draw.technology(n)
    given = draw.limits(B.shape[1])
    r = given["resource_upper"].size
    R = np.hstack([given["resource_use"], -np.eye(r)])
    cost = np.append(draw.cost(B.shape[1], kind), draw.numbers(r) * 2.0 if kind == "use" else np.zeros(r))
    upper, lower = given["resource_upper"], given["resource_lower"]
    if kind == "scale":  # all the excesses together
        R = np.vstack([R, np.append(np.zeros(B.shape[1]), draw.numbers(r))])
        upper, lower = np.append(upper, draw.numbers(1)), np.append(lower, -np.inf)
    none = np.zeros((n, r))
    return {
        "output": np.hstack([B, none]), "input": np.hstack([A, none]), "targets": draw.basket(n, kind), "cost": cost,
        "resource_use": R, "resource_upper": upper, "resource_lower": lower,
    }  # fmt: skip


def ties(draw: Draw, kind: str) -> Arrays:
    """Degenerate on purpose: twins among techniques and limits, capacities of what a basket takes, zero targets."""
    n = int(draw.rng.integers(1, 4))
    draw.whole = True
    B, A = draw.technology(n, 2)
    A *= 0.5
    B, A = np.hstack([B, B[:, :1], B]), np.hstack([A, A[:, :1], A])
    m = B.shape[1]
    y = draw.basket(n, kind)
    if kind == "use" and draw.chance(0.15):
        y[:] = 0.0
    R = draw.rng.choice([0.0, 1.0, 1.0, 2.0], (1, m))
    level = np.zeros(m)
    level[:n] = draw.rng.choice([0.0, 1.0, 2.0], n)
    R = np.vstack([R, 2.0 * R, R])[: int(draw.rng.integers(1, 4))]
    upper = R @ np.where(level > 0, level, 1.0)
    capacity = np.where(draw.chance(0.5, m), draw.rng.choice([0.0, 1.0, 1.0, 2.0], m), np.inf)
    cost = draw.rng.choice([0.0, 1.0, 1.0, 2.0], m) if kind == "use" else np.zeros(m)
    return {
        "output": B, "input": A, "targets": y, "resource_use": R, "resource_upper": upper, "capacity": capacity,
        "cost": cost,
    }  # fmt: skip


FAMILIES: dict[str, Callable[[Draw, str], Arrays]] = {
    "mixed": mixed, "joint": joint, "years": years, "trade": trade, "floors": floors, "soft": soft, "ties": ties,
}  # fmt: skip


# ---- utilities around a known optimum --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Known:
    """A concave program and its optimal consumption (n,)."""

    program: PlanningProgram
    consumption: np.ndarray


def known_utility(draw: Draw) -> Known:
    """A program made around plan and prices that prove each other optimal, in numbers that no rounding touches.

    Activity, prices and rents are drawn first; the use of the first resource then makes every running technique earn
    just what it costs, limits and capacities are what is used where they have a rent, and each utility gets the slope
    at its consumption that the price asks for.
    """
    rng = draw.rng
    draw.whole = True
    n = int(rng.integers(1, 5))
    B, A = draw.technology(n)
    m = B.shape[1]
    x = rng.choice([0.0, 0.5, 1.0, 2.0, 4.0], m)
    x[B[0] > 0] = 1.0
    net = (B - A) @ x
    for i in np.flatnonzero((net < 0) | ((net == 0) & draw.chance(0.5, n))):
        running = np.flatnonzero(x > 0)
        j = int(running[rng.integers(running.size)])
        B[i, j] += (max(-net[i], 0.0) + rng.choice([0.0, 1.0, 2.0])) / x[j]
        net = (B - A) @ x
    p = rng.choice([0.25, 0.5, 1.0, 2.0, 4.0], n)
    consumed = (net > 0) | draw.chance(0.5, n)
    if not consumed.any():
        B[0, int(np.flatnonzero(x > 0)[0])] += 1.0
        net = (B - A) @ x
        consumed[0] = True
    p[(net > 0) & draw.chance(0.1, n)] = 0.0
    r = int(rng.integers(1, 4))
    R, rents = rng.choice([0.0, 0.5, 1.0, 2.0], (r, m)), rng.choice([0.0, 0.5, 1.0], r)
    rents[0] = 1.0
    earned = (B - A).T @ p - R.T @ rents
    full = (x > 0) & (earned > 0) & draw.chance(0.4, m)
    R[0] += np.where(full, 0.0, np.where(x > 0, earned, np.maximum(earned, 0.0) + rng.choice([0.0, 1.0], m)))
    capacity = np.where(full, x, np.where(draw.chance(0.2, m), x + 1.0, np.inf))
    upper = R @ x + np.where(rents > 0, 0.0, rng.choice([0.0, 1.0], r))
    terms = _terms(draw, net, p, consumed)
    program = PlanningProgram.build(
        "utility", B, A, net, resource_use=R, resource_upper=upper, capacity=capacity, terms=terms
    )
    return Known(program, np.where(program.consumed, net, 0.0))


def _terms(draw: Draw, c: np.ndarray, p: np.ndarray, consumed: np.ndarray) -> SeparableTerms:
    """Utilities whose slope at the consumption is the price; where nothing is consumed it is at most the price."""
    kinds, a, b, e = np.zeros(c.size, np.uint8), np.zeros(c.size), np.ones(c.size), np.ones(c.size)
    for i in np.flatnonzero(consumed):
        k = int(draw.rng.choice(FORMULAS[1:]))
        if p[i] == 0.0 or (c[i] == 0.0 and k == TermKind.POWER):
            k = int(TermKind.QUADRATIC)
        b[i] = draw.rng.choice([0.5, 1.0, 2.0])
        if k == TermKind.QUADRATIC:
            d = draw.rng.choice([0.25, 1.0, 2.0])
            a[i], b[i] = (p[i] / d, c[i] + d) if p[i] > 0 else (1.0, c[i])
        elif k == TermKind.LOG:
            a[i] = p[i] * (c[i] + b[i])
        elif k == TermKind.HARMONY:
            b[i] = c[i] * draw.rng.choice([0.25, 0.5, 1.0]) if c[i] > 0 else b[i]
            a[i] = p[i] * c[i] if c[i] > 0 else p[i] * b[i] * 0.5
        elif k == TermKind.POWER:
            a[i], e[i] = p[i] * c[i] ** 2, 2.0
        else:
            a[i] = p[i] * (b[i] + c[i]) ** 2 / b[i]
        if c[i] == 0.0:
            a[i] *= draw.rng.choice([0.5, 1.0])
        kinds[i] = k
    return SeparableTerms(kinds, a, b, e)


def in_units(terms: SeparableTerms, u: np.ndarray) -> SeparableTerms:
    """The same utilities of u times the consumption (of LOG up to a constant): exact for powers of two."""
    a = np.select(
        [terms.kind == TermKind.QUADRATIC, terms.kind == TermKind.POWER], [terms.a / u**2, terms.a * u], terms.a
    )
    return SeparableTerms(terms.kind, a, terms.b * u, terms.e)


def exact_utility(terms: SeparableTerms, consumption: np.ndarray) -> Fraction:
    """sum U_i(C_i), logarithms to eighty digits (formulas: docs/notation.md)."""
    from decimal import Decimal, localcontext

    def logarithm(value: Fraction) -> Fraction:
        with localcontext() as context:
            context.prec = 80
            return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).ln())

    total = Fraction(0)
    for kind, *numbers in zip(terms.kind, terms.a, terms.b, terms.e, consumption, strict=True):
        a, b, e, c = (Fraction(float(v)) for v in numbers)
        if kind == TermKind.LINEAR or a == 0:
            continue
        if kind == TermKind.QUADRATIC:
            total -= a / 2 * (c - b) ** 2
        elif kind == TermKind.LOG:
            total += a * logarithm(c + b)
        elif kind == TermKind.HARMONY:
            s = c / b - 1
            total += a * (logarithm(1 + s) if s >= 0 else s - s * s / 2)
        elif kind == TermKind.POWER:
            total += a * c ** int(1 - e) / (1 - e)
        else:
            total += a * (c / b) / (e + c / b)
    return total
