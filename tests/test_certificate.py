"""Certificates: exact arithmetic, the two judges, repair and bounds; valid whatever the solver did."""

import importlib.util
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.solvers.bounds import BoundSearch, DualPoint
from kantor.solvers.certificate import certify, merge, prove_infeasible, relative_gap
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram
from kantor.solvers.repair import PlanPoint, Repair
from kantor.solvers.rigour import GuardedMatrix, exact_dot, gamma, two_product
from kantor.solvers.utilities import conjugate, demand, demand_slope, utility

_spec = importlib.util.spec_from_file_location("random_programs", Path(__file__).with_name("random_programs.py"))
random_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_programs)

INF = np.inf
CURVED = [TermKind.QUADRATIC, TermKind.HARMONY, TermKind.LOG, TermKind.POWER, TermKind.HYPERBOLIC]
# HiGHS finds optima to about this, in the units the instances were drawn in.
TRUST = 1e-8


def parts(x, y, layout, program):
    return PlanPoint(*layout.split_primal(x, program.targets)), DualPoint(*layout.split_dual(y))


# ---- arithmetic ------------------------------------------------------------------------------------------------
def test_products_are_split_without_error():
    rng = np.random.default_rng(301)
    a, b = rng.normal(size=200) * 10.0 ** rng.integers(-90, 90, 200), rng.normal(size=200) * 1e-20
    for p, e, left, right in zip(*two_product(a, b), a, b, strict=True):
        assert F(p) + F(e) == F(left) * F(right)


def test_exact_dot_has_the_true_sign():
    a, b = np.array([1e16, 1.0, -1e16, 0.1]), np.array([1.0, 1.0, 1.0, 0.1])
    assert exact_dot(a, b) == float(F(1) + F(0.1) ** 2)
    assert exact_dot(np.array([0.1, 0.3]), np.array([3.0, -1.0])) == float(3 * F(0.1) - F(0.3)) > 0
    assert exact_dot(np.zeros(0), np.zeros(0)) == 0.0


def test_guards_hold_the_rounding_error():
    rng = np.random.default_rng(302)
    M = sp.csr_array(rng.normal(size=(12, 40)) * 10.0 ** rng.integers(-8, 8, (12, 40)) * (rng.random((12, 40)) < 0.6))
    x = rng.lognormal(0, 6, 40)
    guarded = GuardedMatrix.of(M)
    value, size = guarded.times(x)
    dense = M.toarray()
    for i in range(12):
        exact = sum(F(dense[i, j]) * F(x[j]) for j in range(40))
        assert abs(F(value[i]) - exact) <= F(gamma(guarded.row_count[i]) * size[i])


# ---- utilities -------------------------------------------------------------------------------------------------
def curve(kind, e=2.0):
    terms = SeparableTerms(
        np.full(3, kind, np.uint8), np.array([0.7, 2.0, 1.3]), np.array([0.5, 1.0, 3.0]), np.full(3, e)
    )
    return terms


@pytest.mark.parametrize("kind", CURVED)
@pytest.mark.parametrize("e", [0.5, 2.0])
def test_the_conjugate_bounds_every_consumption_and_is_attained(kind, e):
    terms, grid = curve(kind, e), np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 2000)])
    wide = SeparableTerms(*(np.repeat(getattr(terms, f), grid.size) for f in ("kind", "a", "b", "e")))
    gained = utility(wide, np.tile(grid, 3))[0].reshape(3, -1)
    for p in np.geomspace(1e-3, 1e2, 23):
        prices = np.full(3, p)
        value, error = conjugate(terms, prices)
        taken = demand(terms, prices)
        assert ((gained - p * grid).max(axis=1) <= value + error).all()
        assert np.allclose(utility(terms, taken)[0] - p * taken, value, rtol=1e-9, atol=1e-9)
        assert (error < 1e-11 * (1 + np.abs(value) + p * taken)).all()


@pytest.mark.parametrize("kind", CURVED)
def test_the_slope_of_demand(kind):
    terms = curve(kind)
    for p in np.geomspace(1e-2, 10, 17):
        h = 1e-6 * p
        numeric = (demand(terms, np.full(3, p + h)) - demand(terms, np.full(3, p - h))) / (2 * h)
        assert np.allclose(demand_slope(terms, np.full(3, p)), numeric, rtol=1e-4, atol=1e-7)


def test_goods_without_utility_contribute_nothing():
    terms = SeparableTerms.linear(2)
    terms.kind[1] = TermKind.LOG  # a = 0
    for function in (utility, conjugate):
        assert np.array_equal(function(terms, np.zeros(2)), np.zeros((2, 2)))
    assert demand(terms, np.ones(2)).tolist() == [0.0, 0.0]


# ---- the judges, against rational arithmetic -------------------------------------------------------------------
def exact_plan(program, x, t, consumption):
    """Is the plan feasible, in rational numbers?"""
    B, A, R = (m.toarray() for m in (program.output, program.input, program.resource_use))
    x = [F(v) for v in x]
    row = lambda M, i: sum(F(M[i, j]) * x[j] for j in range(len(x)))  # noqa: E731
    target = [F(c) for c in consumption] if program.kind == "utility" else [F(v) for v in program.targets]
    factor = F(t) if program.kind == "scale" else F(1)
    good = all(row(B, i) - row(A, i) >= factor * target[i] for i in range(len(target)))
    for k in range(R.shape[0]):
        use = row(R, k)
        good &= not np.isfinite(program.resource_upper[k]) or use <= F(program.resource_upper[k])
        good &= not np.isfinite(program.resource_lower[k]) or use >= F(program.resource_lower[k])
    return bool(good and all(0 <= v <= c for v, c in zip(x, program.capacity, strict=True)))


def exact_bound(program, p, rents, floors):
    """The bound of a dual point for "scale" and "use" in rational numbers; None if there is none."""
    B, A, R = (m.toarray() for m in (program.output, program.input, program.resource_use))
    n, m, r = program.shape
    total = sum(F(rents[k]) * F(program.resource_upper[k]) for k in range(r) if rents[k])
    total -= sum(F(floors[k]) * F(program.resource_lower[k]) for k in range(r) if floors[k])
    for j in range(m):
        earned = sum((F(B[i, j]) - F(A[i, j])) * F(p[i]) for i in range(n)) - F(program.cost[j])
        earned -= sum(F(R[k, j]) * (F(rents[k]) - F(floors[k])) for k in range(r))
        if earned > 0:
            most = [F(program.capacity[j])] if np.isfinite(program.capacity[j]) else []
            most += [
                F(program.resource_upper[k]) / F(R[k, j])
                for k in range(r)
                if np.isfinite(program.resource_upper[k]) and (R[k] >= 0).all() and R[k, j] > 0
            ]
            if not most:
                return None
            total += earned * min(most)
    worth = sum(F(p[i]) * F(program.targets[i]) for i in range(n))
    if program.kind == "use":
        return worth - total
    return total / worth if worth > 0 else None


@pytest.mark.parametrize("kind", ["scale", "use"])
def test_judges_agree_with_rational_arithmetic(kind):
    rng = np.random.default_rng(303)
    proved = bounds = 0
    for seed in range(40):
        instance = random_programs.draw(
            rng, kind, random_programs.features_of(seed), n=int(rng.integers(2, 5)), per_good=2
        )
        program = instance.program
        status, _, x, y, layout = random_programs.optimum(instance)
        if status != "optimal":
            continue
        judge = Evaluator(program)
        plan, dual = parts(x, y, layout, program)
        for noise in (0.0, 1e-15, 1e-9, 1e-3):
            x_near = np.maximum(plan.activity * (1 + noise * rng.normal(size=plan.activity.size)), 0)
            t = plan.scale * (1 - 2 * noise) if kind == "scale" else np.nan
            check = judge.check_plan(x_near, t, plan.consumption)
            truth = exact_plan(program, x_near, t, plan.consumption)
            assert check.feasible == truth  # rows within rounding of their limit are decided exactly
            proved += check.feasible
            p = np.maximum(dual.prices * (1 - 2 * noise + noise * rng.normal(size=dual.prices.size)), 0)
            bound = judge.bound(p, dual.rents, dual.floor_rents)
            exact = exact_bound(program, p, dual.rents, dual.floor_rents)
            if bound.valid:
                bounds += 1
                assert exact is not None
                assert bound.value <= exact if kind == "use" else bound.value >= exact
                assert abs(bound.value - float(exact)) <= 1e-9 * max(
                    abs(bound.value), float(abs(dual.prices @ program.targets))
                )
    assert bounds > 40
    assert proved > 2


def test_a_plan_exactly_on_its_limits_is_feasible_and_one_bit_more_is_not():
    program = PlanningProgram.build(
        "use", [[3.0]], [[0.5]], [2.5], resource_use=[[0.1]], resource_upper=[0.1], cost=[1.0]
    )
    judge = Evaluator(program)
    assert judge.check_plan(np.array([1.0]), np.nan, program.targets).feasible
    over, under = judge.check_plan(np.array([np.nextafter(1.0, 2.0)]), np.nan, program.targets), np.nextafter(1.0, 0.0)
    assert not over.feasible
    assert over.why == "upper limit of resource 0"
    assert judge.check_plan(np.array([under]), np.nan, program.targets).why == "balance of good 0"


@pytest.mark.parametrize("bad", [np.nan, INF, -1e-300, 1e200, 1e-200])
def test_judges_refuse_what_is_not_a_plan_or_a_price(bad):
    program = PlanningProgram.build("scale", [[1.0]], [[0.5]], [1.0], resource_use=[[1.0]], resource_upper=[2.0])
    judge = Evaluator(program)
    assert not judge.check_plan(np.array([bad]), 0.1, program.targets).feasible
    assert not judge.check_plan(np.array([1.0]), bad, program.targets).feasible
    if bad != 1e-200:  # as a price this counts as zero
        assert not judge.bound(np.array([bad]), np.ones(1), np.zeros(1)).valid
        assert not judge.bound(np.ones(1), np.array([bad]), np.zeros(1)).valid


# ---- certificates ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["scale", "use"])
def test_the_optimum_lies_in_the_interval_and_the_gap_closes(kind):
    """At least 300 instances with both kinds: capacities, joint production, several techniques, negative entries."""
    rng, solved, closed = np.random.default_rng(304), 0, 0
    for seed in range(192):
        features = random_programs.features_of(seed)
        instance = random_programs.draw(rng, kind, features, n=int(rng.integers(15, 30)) if seed % 12 == 0 else None)
        status, best, x, y, layout = random_programs.optimum(instance)
        if status != "optimal":
            continue
        judge = Evaluator(instance.program)
        found = certify(judge, *parts(x, y, layout, instance.program))
        assert found.lower <= best + TRUST * abs(best), (seed, features)
        assert found.upper >= best - TRUST * abs(best), (seed, features)
        solved += 1
        closed += found.gap <= 1e-8
        if kind == "scale" and features <= {"capacities", "units", "idle_limits"}:
            assert found.gap <= 1e-8, (seed, features)
    assert solved > 150
    assert closed > 0.4 * solved


def test_no_perturbation_makes_an_interval_invalid():
    rng, checked = np.random.default_rng(305), 0
    for seed in range(18):
        kind = ("scale", "use")[seed % 2]
        instance = random_programs.draw(rng, kind, random_programs.features_of(seed), n=int(rng.integers(2, 7)))
        status, best, x, y, layout = random_programs.optimum(instance)
        if status != "optimal":
            continue
        judge = Evaluator(instance.program)
        attacks = [
            lambda v: v * (1 + 10.0 ** rng.integers(-12, 4) * rng.normal(size=v.size)),
            lambda v: v + 10.0 ** rng.integers(-12, 4) * np.max(np.abs(v)) * rng.normal(size=v.size),
            lambda v: np.where(rng.random(v.size) < 0.3, 10.0 ** rng.uniform(-300, 300, v.size), v),
            lambda v: np.where(rng.random(v.size) < 0.3, rng.choice([np.nan, INF, -INF, -1.0, 0.0], v.size), v),
            lambda v: -v,
            lambda v: np.zeros(v.size),
        ]
        for attack in attacks:
            with np.errstate(all="ignore"):
                found = certify(judge, *parts(attack(x), attack(y), layout, instance.program))
            assert found.lower <= best + TRUST * abs(best)
            assert found.upper >= best - TRUST * abs(best)
            checked += 1
    assert checked > 60


@pytest.mark.parametrize("kind", ["scale", "use"])
def test_certified_plans_hold_in_extended_precision_without_tolerance(kind):
    rng, seen = np.random.default_rng(306), 0
    wide = lambda m: m.toarray().astype(np.longdouble)  # noqa: E731
    for seed in range(32):
        instance = random_programs.draw(rng, kind, random_programs.features_of(2 * seed))
        p = instance.program
        status, _, x, y, layout = random_programs.optimum(instance)
        found = certify(Evaluator(p), *parts(x, y, layout, p)) if status == "optimal" else None
        if found is None or not found.feasible:
            continue
        seen += 1
        activity = found.plan.activity.astype(np.longdouble)
        factor = np.longdouble(found.plan.scale) if kind == "scale" else 1
        assert (wide(p.output) @ activity - wide(p.input) @ activity >= factor * p.targets).all()
        use = wide(p.resource_use) @ activity
        assert (use <= p.resource_upper).all()
        assert (use >= p.resource_lower).all()
        assert (found.plan.activity <= p.capacity).all()
        assert (found.plan.activity >= 0).all()
    assert seen > 8


def test_prices_near_the_optimum_give_bounds_near_it():
    """One percent of noise on prices costs little: values of the plan's own techniques and sweeps recover them."""
    rng, gaps = np.random.default_rng(307), []
    for _ in range(12):
        instance = random_programs.draw(rng, "scale", set(), n=12, per_good=3)
        _, _, x, y, layout = random_programs.optimum(instance)
        n = instance.program.shape[0]
        y[:n] *= 1 + 0.01 * rng.normal(size=n)
        found = certify(Evaluator(instance.program), *parts(x, y, layout, instance.program))
        gaps.append(found.gap)
    assert max(gaps) < 1e-9


def test_a_technique_that_uses_no_limited_resource_needs_prices_from_below():
    program = PlanningProgram.build(
        "scale", np.eye(2), [[0.0, 0.7], [0.3, 0.1]], [1.0, 1.0], resource_use=[[1.0, 0.0]], resource_upper=[5.0]
    )
    exact = np.linalg.solve((np.eye(2) - program.input.toarray()).T, [1.0, 0.0])
    judge, rents = Evaluator(program), np.ones(1)
    assert not judge.bound(exact * [1.0, 1 + 1e-13], rents, np.zeros(1)).valid
    point = DualPoint(exact * (1 + 1e-6), rents, np.zeros(1))
    _, bound = BoundSearch(judge).best(point, np.ones(2), 5.0 / exact.sum(), 1e-6)
    assert abs(bound.value - 5.0 / exact.sum()) < 1e-10


# ---- the searches, one by one ----------------------------------------------------------------------------------
def joint_example():
    """Two goods from two joint techniques and one that makes good 1 alone; one resource."""
    return PlanningProgram.build(
        "scale",
        [[1.0, 0.5, 1.0], [0.5, 1.0, 0.0]],
        [[0.1, 0.2, 0.2], [0.2, 0.1, 0.1]],
        [1.0, 1.0],
        resource_use=[[1.0, 1.2, 3.0]],
        resource_upper=[10.0],
    )


def test_too_high_prices_are_scaled_down_to_validity():
    judge = Evaluator(joint_example())
    search, rents = BoundSearch(judge), np.ones(1)
    high = DualPoint(np.array([0.9, 1.2]), rents, np.zeros(1))
    excess, _, full = judge.column_excess(high.prices, rents, np.zeros(1), np.zeros(3))
    assert excess.max() > 0
    (scaled,) = search.scaled(high)
    alpha = scaled.prices / high.prices
    assert alpha == pytest.approx(np.min(full / (full + excess)), rel=1e-12)
    after, guard, _ = judge.column_excess(scaled.prices, rents, np.zeros(1), np.zeros(3))
    assert -1e-14 < (after + guard).max() <= 0
    assert list(search.scaled(scaled)) == []


def test_excess_is_cut_off_the_price_of_the_best_product():
    judge = Evaluator(joint_example())
    search, rents = BoundSearch(judge), np.ones(1)
    high = DualPoint(np.array([0.9, 1.2]), rents, np.zeros(1))
    cut = next(search.cut(high))
    after, guard, _ = judge.column_excess(cut.prices, rents, np.zeros(1), np.zeros(3))
    assert (after + guard).max() <= 0
    assert (cut.prices <= high.prices).all()
    assert (after > -0.05).any()  # no more than needed


def test_sweeps_rise_to_the_least_costs():
    """T from zero prices: the cheaper of two techniques decides, and the fixed point solves p = A'p + c for it."""
    program = PlanningProgram.build(
        "use", [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[0.2, 0.3, 0.0], [0.1, 0.0, 0.2]], [1.0, 1.0], cost=[1.0, 2.0, 9.0]
    )
    search = BoundSearch(Evaluator(program))
    point, none = DualPoint(np.zeros(2), np.zeros(0), np.zeros(0)), np.zeros(3, bool)
    first = search.sweep(np.zeros(2), point, none)
    assert first == pytest.approx([1.0, 2.0], rel=1e-11)
    prices = first
    for _ in range(100):
        new = search.sweep(prices, point, none)
        assert (new >= prices - 1e-11).all()
        prices = new
    exact = np.linalg.solve([[0.8, -0.1], [-0.3, 1.0]], [1.0, 2.0])
    assert prices == pytest.approx(exact, rel=1e-10)
    assert Evaluator(program).bound(prices, np.zeros(0), np.zeros(0)).value == pytest.approx(exact.sum(), rel=1e-10)
    barred = search.sweep(np.zeros(2), point, np.array([True, False, False]))
    assert barred == pytest.approx([9.0, 2.0], rel=1e-11)


def test_blending_with_safe_prices():
    judge = Evaluator(joint_example())
    search, rents = BoundSearch(judge), np.ones(1)
    high, safe = (
        DualPoint(np.array([0.9, 1.2]), rents, np.zeros(1)),
        DualPoint(np.array([0.2, 0.2]), rents, np.zeros(1)),
    )
    _, without = search.best(high, np.ones(3), 0.0, 0.0)
    assert any(judge.bound(c.prices, c.rents, c.floor_rents).valid for c in search.candidates(high, np.ones(3), safe))
    blended = search.blend(high, safe)
    after, guard, _ = judge.column_excess(blended.prices, rents, np.zeros(1), np.zeros(3))
    assert -1e-6 < (after + guard).max() <= 0
    assert without.valid


def two_sources(kind="use", **given):
    """A good from a cheap technique with a capacity of 3 and a dear one without; it needs a tenth of itself."""
    return PlanningProgram.build(kind, [[1.0, 1.0]], [[0.1, 0.1]], [9.0], capacity=[3.0, INF], **given)


def test_rebuilding_moves_what_exceeds_a_capacity_to_the_other_techniques():
    program = two_sources(cost=[1.0, 2.0])
    repair = Repair(Evaluator(program), np.array([1.0, 2.0]))
    for start in ([2.9, 1.0], [3.0, 6.9], [1e-9, 1e-9], [0.0, 0.0], [3.0, 0.0]):
        plan = repair.rebuild(np.array(start), program.targets)
        assert plan.sum() == pytest.approx(10.0, rel=1e-10)
        assert plan[0] <= 3.0
        assert Evaluator(program).check_plan(plan, np.nan, program.targets).feasible


def test_lifting_adds_only_what_is_missing():
    program = two_sources(cost=[1.0, 2.0])
    repair = Repair(Evaluator(program), np.array([1.0, 2.0]))
    plan = repair.lift(np.array([2.0, 7.99]), program.targets)
    assert plan.sum() == pytest.approx(10.0, rel=1e-10)
    assert (plan >= [2.0, 7.99]).all()
    assert repair.lift(plan, program.targets) == pytest.approx(plan, rel=1e-15)


def test_a_plan_outside_a_limit_is_blended_with_a_safe_one():
    program = two_sources(cost=[2.0, 1.0], resource_use=[[1.0, 2.0]], resource_upper=[17.5], resource_lower=[5.0])
    judge, none = Evaluator(program), DualPoint(np.zeros(1), np.zeros(1), np.zeros(1))
    point, safe = (
        PlanPoint(np.array([2.0, 8.0]), np.nan, program.targets),
        PlanPoint(np.array([3.0, 7.1]), np.nan, program.targets),
    )
    assert not certify(judge, point, none).feasible
    found = certify(judge, point, none, safe=safe)
    assert found.feasible
    assert judge.use.times(found.plan.activity)[0] == pytest.approx([17.5], rel=1e-9)


def test_scale_is_cut_to_what_is_surely_made():
    """A joint technique that no repair can raise: the plan delivers a little less than the approximate answer says."""
    program = PlanningProgram.build(
        "scale", [[1.0], [2.0]], [[0.5], [0.5]], [1.0, 3.0], resource_use=[[1.0]], resource_upper=[7.0]
    )
    found = certify(
        Evaluator(program),
        PlanPoint(np.array([7.0]), 3.6, 3.6 * program.targets),
        DualPoint(np.array([0.0, 1.0]), np.ones(1), np.zeros(1)),
    )
    assert found.lower == pytest.approx(3.5, rel=1e-10)
    assert found.lower <= 3.5 <= found.upper


def test_two_certificates_merge_to_the_better_sides():
    rng = np.random.default_rng(308)
    instance = random_programs.draw(rng, "scale", set(), n=6, per_good=2)
    _, best, x, y, layout = random_programs.optimum(instance)
    judge, program = Evaluator(instance.program), instance.program
    bad = y.copy()
    bad[program.shape[0] :] *= rng.uniform(0.5, 1.5, bad.size - program.shape[0])
    good_plan, poor_bound = parts(x, bad, layout, program)
    poor_plan, good_bound = parts(0.9 * x, y, layout, program)
    first = certify(judge, good_plan, poor_bound)
    second = certify(
        judge, PlanPoint(poor_plan.activity * rng.uniform(0.1, 1, x.size - 1), 0.1, poor_plan.consumption), good_bound
    )
    for both in (merge(first, second), merge(second, first)):
        assert both.lower == max(first.lower, second.lower)
        assert both.upper == min(first.upper, second.upper)
        assert both.lower <= best * (1 + TRUST)
        assert both.upper >= best * (1 - TRUST)
    assert merge(None, first) is first


def test_a_gap_is_relative():
    assert relative_gap("scale", 1e-9, 2e-9) == 0.5
    assert relative_gap("use", -INF, 1.0) == INF
    assert relative_gap("utility", -1e-7, 0.0) == 1e-7
    assert relative_gap("use", 0.0, 0.0) == 0.0


# ---- infeasible programs ---------------------------------------------------------------------------------------
def test_infeasibility_is_proved_in_rational_numbers():
    program = PlanningProgram.build(
        "use",
        [[1.0, 1.0]],
        [[0.0, 0.0]],
        [2.6],
        resource_use=[[2.0, 3.0], [3.0, 2.0]],
        resource_upper=[INF, 5.0],
        cost=[2, 3],
    )
    ray = DualPoint(np.array([2.0 + 1e-9]), np.array([0.0, 1.0]), np.zeros(2))
    proof = prove_infeasible(Evaluator(program), ray, np.zeros(2))
    assert proof is not None
    free = replace(program, cost=np.zeros(2))
    assert exact_bound(free, proof.dual.prices, proof.dual.rents, proof.dual.floor_rents) >= F(proof.surplus) > 0


def test_feasible_programs_are_never_proved_infeasible():
    rng = np.random.default_rng(309)
    for seed in range(0, 48, 4):
        kind = ("scale", "use", "utility")[seed % 3]
        instance = random_programs.draw(rng, kind, random_programs.features_of(seed) - {"floors"}, n=4)
        program = instance.program
        if kind == "use" and random_programs.optimum(instance)[0] != "optimal":
            continue
        n, m, r = program.shape
        for spread in (0.0, 3.0, 30.0):
            ray = DualPoint(rng.lognormal(0, spread, n), rng.lognormal(0, spread, r), np.zeros(r))
            assert prove_infeasible(Evaluator(program), ray, rng.random(m)) is None
