"""Proximal maps against the definition itself, in 60-digit decimals: no formula of the code is used here but phi."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from kantor.backends import Backend, DeviceTerms
from kantor.solvers.problem import FORMULAS, SeparableTerms, TermKind

getcontext().prec = 60
CONCAVE = [kind for kind in FORMULAS if kind not in (TermKind.LINEAR, TermKind.QUADRATIC)]


def phi(kind: int, x: Decimal, a: Decimal, b: Decimal, e: Decimal) -> Decimal:
    """The term as its table in kantor.solvers.problem.TermKind states it."""
    if kind == TermKind.LINEAR:
        return Decimal(0)
    if kind == TermKind.QUADRATIC:
        return a / 2 * (x - b) ** 2
    if kind == TermKind.HARMONY:
        s = x / b - 1
        return -a * (s - s * s / 2 if s < 0 else (1 + s).ln())
    if kind == TermKind.LOG:
        return -a * (x + b).ln()
    if kind == TermKind.POWER:
        return -a * x ** (1 - e) / (1 - e)
    return -a * (x / b) / (e + x / b)


def slope(kind: int, tau: float, v: float, u: Decimal, parameters: tuple[float, float, float]) -> Decimal:
    """d/du of phi(u) + (u - v)^2 / (2 tau), by central differences of phi in 60 digits."""
    a, b, e = (Decimal(p) for p in parameters)
    # The step is small against every scale on which phi varies; 60 digits leave 20 and more for the difference.
    h = (abs(u) if kind == TermKind.POWER else max(abs(u), b)) * Decimal("1e-20")
    derivative = (phi(kind, u + h, a, b, e) - phi(kind, u - h, a, b, e)) / (2 * h)
    return derivative + (u - Decimal(v)) / Decimal(tau)


def cancelled(kind: int, tau: float, v: float, parameters: tuple[float, float, float]) -> float:
    """Size of what the closed form adds up to get u: u cannot be known better than to its rounding."""
    a, b, e = parameters
    if kind == TermKind.QUADRATIC:
        return (abs(v) + tau * a * b) / (1.0 + tau * a)
    if kind == TermKind.HARMONY:
        return (abs(v) + 2.0 * tau * a / b) / (1.0 + tau * a / (b * b))
    return {TermKind.LOG: b, TermKind.HYPERBOLIC: b * e}.get(kind, 0.0)


def draw(kind: TermKind, size: int, spread: float, seed: int) -> tuple[np.ndarray, ...]:
    """v, a, b, e with magnitudes within 10^+-spread."""
    rng = np.random.default_rng([seed, int(kind)])
    v = rng.choice([-1.0, 1.0], size=size) * 10.0 ** rng.uniform(-spread, spread, size=size)
    a, b = 10.0 ** rng.uniform(-spread, spread, size=(2, size))
    e = rng.uniform(0.2, 6.0, size=size)
    e[np.abs(e - 1.0) < 0.01] = 2.0
    return v, a, b, e


def prox(
    backend: Backend, kind: TermKind, tau: float, v: np.ndarray, a: np.ndarray, b: np.ndarray, e: np.ndarray
) -> np.ndarray:
    kinds = backend.from_host(np.full(v.size, kind, dtype=np.uint8))
    terms = DeviceTerms(kinds, *(backend.from_host(p) for p in (a, b, e)))
    out = backend.zeros(v.size)
    backend.prox(terms, tau, backend.from_host(v), out)
    return np.array(backend.to_host(out))


@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0])
@pytest.mark.parametrize("kind", FORMULAS)
def test_is_the_minimiser(backend: Backend, kind: TermKind, spread: float) -> None:
    """The slope of the minimised function changes sign within a few units in the last place of the answer."""
    v, a, b, e = draw(kind, 60, spread, 2031)
    for tau in (1.0, 10.0**-spread, 10.0**spread):
        u = prox(backend, kind, tau, v, a, b, e)
        for j in range(v.size):
            parameters = (float(a[j]), float(b[j]), float(e[j]))
            near = Decimal(1e-14 * (abs(u[j]) + cancelled(kind, tau, v[j], parameters)))
            at = Decimal(float(u[j]))
            if at > 0 or kind not in CONCAVE:
                assert slope(kind, tau, v[j], at + near, parameters) >= 0
            if at - near > 0 or kind not in CONCAVE:
                assert slope(kind, tau, v[j], at - near, parameters) <= 0
            if at <= 0 and kind in CONCAVE:  # the bound x >= 0 of the concave kinds holds it
                assert at == 0
                assert slope(kind, tau, v[j], near + Decimal("1e-40"), parameters) >= 0


@pytest.mark.parametrize("kind", FORMULAS)
def test_agrees_with_a_scalar_search(backend: Backend, kind: TermKind) -> None:
    v, a, b, e = draw(kind, 12, 0.5, 2037)
    u = prox(backend, kind, 0.8, v, a, b, e)
    for j in range(v.size):
        parameters = [Decimal(float(p[j])) for p in (a, b, e)]

        def f(x: float, j: int = j, parameters: list[Decimal] = parameters) -> float:
            return float(phi(kind, Decimal(x), *parameters)) + (x - v[j]) ** 2 / 1.6

        low = -10.0 if kind not in CONCAVE else 1e-12
        found = minimize_scalar(f, bounds=(low, 20.0), method="bounded", options={"xatol": 1e-9})
        assert abs(found.x - u[j]) < 1e-5
        assert f(max(u[j], low)) <= found.fun + 1e-12


@pytest.mark.parametrize("kind", FORMULAS)
def test_one_subgradient_for_every_step(backend: Backend, kind: TermKind) -> None:
    """g = (v - u)/tau is a slope of phi at u, so u = prox(u + step g) for any other step size."""
    v, a, b, e = draw(kind, 400, 1.0, 2039)
    u = prox(backend, kind, 0.7, v, a, b, e)
    for step in (0.07, 3.0):
        again = prox(backend, kind, step, u + step * (v - u) / 0.7, a, b, e)
        scale = np.abs(u) + (1.0 + step) * (np.abs(v - u) + b * np.maximum(e, 1.0))
        np.testing.assert_array_less(np.abs(again - u), 1e-12 * scale + 1e-300)


@pytest.mark.parametrize("kind", FORMULAS)
def test_firmly_nonexpansive(backend: Backend, kind: TermKind) -> None:
    """(u1 - u2)(v1 - v2) >= (u1 - u2)^2, which every proximal map of a convex function satisfies."""
    v, a, b, e = draw(kind, 1000, 2.0, 2053)
    w = v + np.random.default_rng(2063).standard_normal(v.size)
    du = prox(backend, kind, 0.9, v, a, b, e) - prox(backend, kind, 0.9, w, a, b, e)
    slack = 1e-12 * (np.abs(v) + np.abs(w) + b * np.maximum(e, 1.0))
    assert np.all(du * (v - w) >= du * du - slack * (np.abs(du) + slack))


@pytest.mark.parametrize("kind", FORMULAS)
def test_scaled_terms_are_the_same_function(kind: TermKind) -> None:
    """phi'(x') - phi'(z') = objective (phi(s x') - phi(s z')): the constant drops out."""
    rng = np.random.default_rng([2069, int(kind)])
    _, a, b, e = draw(kind, 20, 1.0, 2069)
    s = 10.0 ** rng.uniform(-3.0, 3.0, size=20)
    terms = SeparableTerms(np.full(20, kind, np.uint8), a, b, e)
    terms.validate(20)
    scaled = terms.scaled(s, 0.37)
    scaled.validate(20)
    for j in range(20):
        old = [Decimal(float(p[j])) for p in (terms.a, terms.b, terms.e)]
        new = [Decimal(float(p[j])) for p in (scaled.a, scaled.b, scaled.e)]
        x, z = (Decimal(float(t)) for t in rng.uniform(0.1, 3.0, size=2) / s[j])
        factor = Decimal(float(s[j]))
        expected = Decimal("0.37") * (phi(kind, factor * x, *old) - phi(kind, factor * z, *old))
        got = phi(kind, x, *new) - phi(kind, z, *new)
        size = abs(phi(kind, x, *new)) + abs(phi(kind, z, *new)) + abs(expected)
        assert abs(got - expected) <= Decimal("1e-13") * size


@pytest.mark.parametrize("kind", FORMULAS)
def test_scaling_commutes_with_the_map(backend: Backend, kind: TermKind) -> None:
    """s prox'_t(v') = prox_{t s^2 objective}(s v'): one step on scaled data is the scaled step."""
    v, a, b, e = draw(kind, 50, 1.0, 2081)
    s, objective, step = 4.0, 0.25, 0.6
    scaled = SeparableTerms(np.full(50, kind, np.uint8), a, b, e).scaled(np.full(50, s), objective)
    left = s * prox(backend, kind, step, v / s, scaled.a, scaled.b, scaled.e)
    right = prox(backend, kind, step * s * s * objective, v, a, b, e)
    np.testing.assert_array_less(np.abs(left - right), 1e-12 * (np.abs(right) + b * np.maximum(e, 1.0)) + 1e-300)
