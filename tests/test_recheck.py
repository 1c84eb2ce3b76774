"""The verifier's arithmetic: bounds from prices, guards against rounding, proofs that there is no plan or no end."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from kantor import Harmony, LogUtility, Plan, PowerUtility
from kantor.errors import ProblemError
from kantor.planning import intervals, rebound, recheck
from kantor.planning.objectives import Objective
from kantor.planning.rebound import check_multipliers, surplus
from kantor.planning.recheck import Multipliers, Problem, Utility, check_activity, check_direction
from plan_folders import economy

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def random_problem(seed: int, kind: str) -> Problem:
    """Six goods, ten techniques, two of them with capacities, three limits, one of them with a floor."""
    g = np.random.default_rng(seed)
    n, m, r = 6, 10, 3
    own = np.r_[np.arange(n), g.integers(0, n, m - n)]
    B = np.zeros((n, m))
    B[own, np.arange(m)] = g.uniform(0.5, 2, m)
    A = g.uniform(0, 1, (n, m)) * (g.random((n, m)) < 0.4)
    A[own, np.arange(m)] = 0
    A *= g.uniform(0.2, 0.6) * B.sum(0) / np.maximum(A.sum(0), 0.1)
    R = g.uniform(0.2, 1, (r, m))
    y = g.uniform(0, 2, n)
    y[0] = 0
    capacity = np.full(m, np.inf)
    capacity[-2:] = g.uniform(0.1, 1, 2)
    upper = 15 * R.sum(1)
    lower = np.array([-np.inf, -np.inf, 0.01 * upper[2]])
    cost = g.uniform(0.5, 1, m) if kind == "use" else np.zeros(m)
    return Problem(
        kind, sp.csr_array(B), sp.csr_array(A), y, sp.csr_array(R), lower, upper, capacity, cost, np.zeros(n)
    )  # type: ignore[arg-type]


def by_highs(p: Problem) -> tuple[float, np.ndarray, Multipliers]:
    """Optimum, activity and multipliers from HiGHS: a stranger to both the solver and the verifier."""
    N, R = (p.output - p.input).toarray(), p.resource_use.toarray()
    n, m = N.shape
    extra = 1 if p.kind == "scale" else 0
    rows = np.block([[-N], [R], [-R[2:]]])
    h = np.r_[np.zeros(n) if extra else -p.targets, p.upper, -p.lower[2:]]
    c = p.cost
    bounds = [(0, None if np.isinf(u) else u) for u in p.capacity]
    if extra:
        rows = np.column_stack([rows, np.r_[p.targets, np.zeros(len(rows) - n)]])
        c, bounds = np.r_[np.zeros(m), -1.0], [*bounds, (0, None)]
    s = linprog(c, rows, h, bounds=bounds, method="highs")
    assert s.status == 0, s.message
    mu = np.maximum(-s.ineqlin.marginals, 0)
    floors = np.r_[0.0, 0.0, mu[n + 3 :]]
    rents = np.maximum(-s.upper.marginals[:m], 0)
    value = float(s.x[-1]) if extra else float(s.fun)
    return value, np.maximum(s.x[:m], 0), Multipliers(mu[:n], mu[n : n + 3], floors, rents)


@pytest.mark.parametrize("kind", ["scale", "use"])
@pytest.mark.parametrize("seed", range(3, 11))
def test_bounds_of_linear_plans(kind: str, seed: int) -> None:
    """Optimal multipliers prove the optimum; any other ones give a valid, weaker bound."""
    p = random_problem(seed, kind)
    optimum, x, exact = by_highs(p)
    primal = check_activity(p, x, p.targets * optimum)
    assert primal.value == pytest.approx(optimum, rel=1e-8)
    assert primal.violation < 1e-8
    found = check_multipliers(p, exact)
    assert found.bound == pytest.approx(optimum, rel=1e-8)
    assert found.violation < 1e-8
    g = np.random.default_rng(seed)
    noise = lambda v: v * g.uniform(0.7, 1.3, v.shape) + 0.01 * (g.random(v.shape) < 0.2)  # noqa: E731
    for _ in range(15):
        other = Multipliers(noise(exact.prices), noise(exact.rents), noise(exact.floor_rents) * np.isfinite(p.lower),
                            noise(exact.capacity_rents) * np.isfinite(p.capacity))  # fmt: skip
        bound = check_multipliers(p, other).bound
        assert bound <= optimum * (1 + 1e-9) if kind == "use" else bound >= optimum * (1 - 1e-9)


def test_negative_multipliers_prove_nothing() -> None:
    p = random_problem(3, "use")
    _, _, m = by_highs(p)
    assert np.isnan(check_multipliers(p, Multipliers(m.prices, -m.rents - 1.0, m.floor_rents, m.capacity_rents)).bound)


UTILITIES = {
    ("harmony", 0.0): lambda u: np.where(u < 1, (u - 1) - (u - 1) ** 2 / 2, np.log(np.maximum(u, 1))),
    ("log", 0.0): lambda u: np.log(u),
    ("log", 0.3): lambda u: np.log(u + 0.3),
    ("power", 0.5): lambda u: 2 * np.sqrt(u),
    ("power", 2.0): lambda u: -1 / u,
}


@pytest.mark.parametrize("key", list(UTILITIES))
def test_conjugates_bound_every_consumption(key: tuple[str, float]) -> None:
    """U°(p) >= U(C) - pC for every C, and nearly equal for the best C on a fine grid."""
    grid = np.concatenate([[1e-12], np.geomspace(1e-4, 1e4, 20001)])
    for weight, target, price in [
        (1.0, 2.0, 0.3),
        (3.0, 0.5, 9.0),
        (2.0, 10.0, 0.05),
        (1.5, 4.0, 0.6),
        (1.0, 1.0, 5.0),
    ]:
        u = Utility(*key, np.array([True]), np.array([weight]), np.array([target]))
        bound = rebound._conjugate(u, np.array([price], np.longdouble))
        best = float((weight * UTILITIES[key](grid / target) - price * grid).max())
        assert float(bound.high) >= best - 1e-12 * max(1.0, abs(best))
        assert float(bound.low) <= best + 1e-5 * max(1.0, abs(best))


def test_guards_cover_rounding() -> None:
    """Products with heavy cancellation stay inside their interval, checked in exact arithmetic."""
    from fractions import Fraction

    g = np.random.default_rng(11)
    dense = g.normal(size=(7, 400)) * 10.0 ** g.integers(-12, 12, (7, 400))
    x = g.normal(size=400) * 10.0 ** g.integers(-12, 12, 400)
    dense[:, 200:] = -dense[:, :200]
    x[200:] = x[:200]
    dense[3] = 0.0
    found = intervals.product(sp.csr_array(dense), x)
    for i in range(7):
        exact = sum(
            (Fraction(a) * Fraction(b) for a, b in zip(dense[i].tolist(), x.tolist(), strict=True)), Fraction(0)
        )
        low, high = (Fraction(*value[i].as_integer_ratio()) for value in (found.low, found.high))
        assert low <= exact <= high
    whole = intervals.inner(dense[0], x)
    exact = sum((Fraction(a) * Fraction(b) for a, b in zip(dense[0].tolist(), x.tolist(), strict=True)), Fraction(0))
    assert Fraction(*whole.low.as_integer_ratio()) <= exact <= Fraction(*whole.high.as_integer_ratio())


def test_products_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(7)
    matrix = sp.random_array((50, 40), density=0.2, rng=g, format="csr")
    x = g.normal(size=40)
    whole = intervals.product(matrix, x)
    monkeypatch.setattr(intervals, "CHUNK", 7)
    parts = intervals.product(matrix, x)
    np.testing.assert_array_equal(whole.low, parts.low)
    np.testing.assert_allclose(whole.low.astype(float), matrix @ x, rtol=1e-12, atol=1e-14)


def test_a_proof_of_infeasibility() -> None:
    """Härdin's two techniques at demand 2.6 and CO2 at most 5: price 2, CO2 rent 1."""
    nothing = np.array([-np.inf])
    p = Problem("use", sp.csr_array(np.ones((1, 2))), sp.csr_array((1, 2)), np.array([2.6]), sp.csr_array([[3.0, 2.0]]),
                nothing, np.array([5.0]), np.full(2, np.inf), np.zeros(2), np.zeros(1))  # fmt: skip
    proof = Multipliers(np.array([2.0]), np.array([1.0]), np.zeros(1), np.zeros(2))
    assert surplus(p, proof) > 0
    assert not surplus(p, Multipliers(np.array([1.9]), np.array([1.0]), np.zeros(1), np.zeros(2))) > 0
    enough = Problem(**{**p.__dict__, "targets": np.array([2.5])})
    assert not surplus(enough, proof) > 0


def test_objectives_of_plan_and_verifier_agree() -> None:
    """The verifier's own reading of every objective gives the plan's value at the same consumption."""
    objectives: list[Objective] = [Harmony(), LogUtility(epsilon=0.2), LogUtility(), PowerUtility(sigma=0.5)]
    for objective in objectives:
        result = Plan(economy(), objective=objective, limits={"HOURS": "90%"}).solve(1e-6)
        parameter = float(objective.to_dict().get("sigma", objective.to_dict().get("epsilon", 0.0)))
        u = Utility(objective.name, parameter, np.ones(3, bool), np.ones(3), result.targets.to_numpy())
        value = recheck._utility_value(u, result.consumption.to_numpy())
        assert float(value[0].low) == pytest.approx(result.objective, rel=1e-9)


def test_a_direction_without_end() -> None:
    """One technique makes two of a good from one of it and a little labour; only without a limit is that endless."""
    nothing, infinite = np.array([-np.inf]), np.array([np.inf])
    p = Problem("scale", sp.csr_array([[2.0]]), sp.csr_array([[1.0]]), np.ones(1), sp.csr_array([[0.1]]),
                nothing, infinite, infinite, np.zeros(1), np.zeros(1))  # fmt: skip
    found = check_direction(p, np.ones(1))
    assert found.violation == 0
    assert found.value > 0.4
    assert check_direction(p, np.zeros(1)).value == 0
    assert check_direction(p, -np.ones(1)).violation > 0
    for changes in (
        {"upper": np.ones(1)},
        {"capacity": np.ones(1)},
        {"input": sp.csr_array([[2.0]])},
    ):
        limited = check_direction(Problem(**{**p.__dict__, **changes}), np.ones(1))
        assert limited.violation > 0 or limited.value == 0, changes
    free = {"kind": "use", "cost": -np.ones(1)}
    assert check_direction(Problem(**{**p.__dict__, **free}), np.ones(1)).value == 1.0
    assert check_direction(Problem(**{**p.__dict__, **free, "cost": np.ones(1)}), np.ones(1)).value == 0
    for name, parameter, endless in (("harmony", 0.0, True), ("power", 0.5, True), ("power", 2.0, False)):
        rising = Utility(name, parameter, np.ones(1, bool), np.ones(1), np.ones(1))
        utility = Problem(**{**p.__dict__, "kind": "utility", "utility": rising})
        assert (check_direction(utility, np.ones(1)).value > 0) is endless


def test_prices_are_not_shrunk_where_a_technique_is_paid_to_run() -> None:
    """min -x1 + x2: 2 x1 - x1 >= 0 of nothing limits x1, and no factor of the prices may pretend otherwise."""
    eye = sp.csr_array(np.eye(2))
    problem = Problem(
        "use", sp.csr_array(0.0 * eye), eye, np.array([-4.0, -4.0]), sp.csr_array((0, 2)), np.zeros(0), np.zeros(0),
        np.full(2, np.inf), np.array([-1.0, 1.0]), np.zeros(2),
    )  # fmt: skip
    none = Multipliers(np.array([1.0, 0.0]), np.zeros(0), np.zeros(0), np.zeros(2))
    assert check_multipliers(problem, none).bound == pytest.approx(-4.0)
    short = Multipliers(np.array([0.5, 0.0]), np.zeros(0), np.zeros(0), np.zeros(2))
    assert check_multipliers(problem, short).bound == -np.inf


def test_a_column_that_must_be_tight_to_the_last_digit() -> None:
    """Two goods that turn into each other for nothing: equal prices prove the bound, the next float does not."""
    output = sp.csr_array(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    used = sp.csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    problem = Problem(
        "use", output, used, np.array([1.0, 1.0]), sp.csr_array((0, 3)), np.zeros(0), np.zeros(0),
        np.full(3, np.inf), np.array([0.0, 0.0, 0.1]), np.zeros(2),
    )  # fmt: skip
    price = np.nextafter(0.1, 0.0)
    m = Multipliers(np.full(2, price), np.zeros(0), np.zeros(0), np.zeros(3))
    assert check_multipliers(problem, m).bound == pytest.approx(0.2)
    m = Multipliers(np.array([price, np.nextafter(price, 0.0)]), np.zeros(0), np.zeros(0), np.zeros(3))
    assert check_multipliers(problem, m).bound <= 0.0


def test_a_utility_without_a_name_here_is_refused() -> None:
    """Taken for another one, its bound would prove nothing."""
    u = Utility("square-root", 0.5, np.ones(1, bool), np.ones(1), np.ones(1))
    for check in (rebound._conjugate, recheck._utility_value):
        with pytest.raises(ProblemError, match="square-root"):
            check(u, np.ones(1, np.longdouble))
