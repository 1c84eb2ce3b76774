"""Choice of technique: the generated families, policy iteration, quoted rents, block exchange."""

import numpy as np
import pytest
from scipy.optimize import linprog

from kantor.backends import get_backend
from kantor.data.technique_choice import technique_choice
from kantor.errors import OptionError
from kantor.solvers.choice import Choice, coupling
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.exchange import Exchange, Point
from kantor.solvers.policy import cheapest_policy, outputs_of
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram, to_linear_program
from kantor.solvers.solution import Status
from kantor.solvers.technology import Technology, not_leontief


def highs(program):
    """Optimum by HiGHS' interior point method with crossover, on the linear program."""
    lp, _ = to_linear_program(program)
    n = program.shape[0]
    found = linprog(
        lp.c,
        A_ub=np.vstack([-lp.K[:n].toarray(), lp.K[n:].toarray()]),
        b_ub=np.concatenate([-lp.row_lower[:n], lp.row_upper[n:]]),
        bounds=np.column_stack([lp.lower, lp.upper]),
        method="highs",
    )
    assert found.status == 0
    return found.fun if program.kind == "use" else -found.fun


def check(program, found, tolerance=1e-8):
    """Optimal, and both sides hold when judged again."""
    assert found.status is Status.OPTIMAL, found.info.why
    assert found.gap <= tolerance
    judge = Evaluator(program)
    assert judge.check_plan(found.activity, found.scale, found.consumption).feasible
    bound = judge.bound(found.prices, found.rents, found.floor_rents).value
    assert bound == (found.lower_bound if program.kind == "use" else found.upper_bound)


# ---- the generator -------------------------------------------------------------------------------------------------
def test_generator_is_repeatable_and_as_described():
    one, two = (technique_choice(300, resources=4, capacities=0.3, seed=5).program for _ in range(2))
    assert (one.input != two.input).nnz == 0
    assert (one.capacity == two.capacity).all()
    assert (technique_choice(300, resources=4, seed=6).program.targets != one.targets).any()
    first = one.input[:, :300].toarray()
    assert abs(np.abs(np.linalg.eigvals(first)).max() - 0.8) < 1e-3
    bounded = np.isfinite(one.capacity).reshape(3, 300)
    assert 0.15 < bounded.mean() < 0.3
    assert not bounded.all(axis=0).any()
    assert (first.diagonal() == 0).all()


def test_degenerate_capacities_may_bound_every_technique():
    program = technique_choice(500, family="scale", capacities=0.5, leave_one_free=False).program
    assert np.isfinite(program.capacity).reshape(2, 500).all(axis=0).any()


@pytest.mark.parametrize("family", ["use", "scale"])
def test_units_do_not_change_the_optimum(family):
    plain, scaled = (
        solve_program(
            technique_choice(80, family=family, resources=3, capacities=0.3, limits="blend", unit_spread=s).program,
            1e-9,
        )
        for s in (0.0, 4.0)
    )
    assert scaled.objective == pytest.approx(plain.objective, rel=3e-9)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"family": "least"}, "family"),
        ({"limits": "loose"}, "limits"),
        ({"rho": 1.0}, "rho"),
        ({"capacities": 1.5}, "capacities"),
        ({"resources": -1}, "resources"),
        ({"techniques": 0}, "techniques"),
        ({"unit_spread": -1.0}, "unit_spread"),
        ({"blend": 2.0}, "blend"),
    ],
)
def test_generator_names_a_wrong_option(wrong, name):
    with pytest.raises(OptionError, match=name):
        technique_choice(50, **wrong)


def test_generated_folder_plans_to_the_same_optimum(tmp_path):
    import kantor as kt
    from kantor.data.saved import save_economy

    instance = technique_choice(40, family="scale", resources=3, capacities=0.3)
    economy = kt.load_economy(save_economy(instance.economy(), tmp_path / "instance"))
    limits = dict(zip(economy.intensities.index, instance.program.resource_upper.tolist(), strict=True))
    targets = economy.final_demand["demand"]
    planned = kt.Plan(economy, targets=targets, objective=kt.MaxScale(), limits=limits).solve(tolerance=1e-8)
    assert planned.objective == pytest.approx(solve_program(instance.program, 1e-8).objective, rel=3e-8)


# ---- policy iteration ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spread", [0.0, 4.0])
def test_policy_iteration_finds_the_optimum(spread):
    program = technique_choice(120, resources=0, rho=0.9, unit_spread=spread).program
    found = solve_program(program, 1e-9)
    check(program, found, 1e-9)
    assert found.info.method == "policy"
    plain = technique_choice(120, resources=0, rho=0.9).program
    assert found.objective == pytest.approx(highs(plain), rel=1e-8)


def test_policy_does_not_cycle_among_tied_techniques():
    free = technique_choice(200, resources=0).program
    twins = PlanningProgram.build(
        "use", *(_twice(M) for M in (free.output, free.input)), free.targets, cost=np.tile(free.cost, 2)
    )
    technology = Technology.of(twins, get_backend("reference"))
    policy = cheapest_policy(technology, technology.cost)
    assert policy.rounds < 30
    output = outputs_of(technology, policy, twins.targets * technology.value)
    cost = technology.cost[policy.choice] @ output
    assert cost == pytest.approx(solve_program(free, 1e-9).objective, rel=1e-9)


def _twice(matrix):
    import scipy.sparse as sp

    return sp.hstack([matrix, matrix], format="csr")


def test_one_limit_of_a_scale_is_a_policy():
    program = technique_choice(150, family="scale", resources=1).program
    found = solve_program(program, 1e-9)
    check(program, found, 1e-9)
    assert found.info.method == "policy"
    assert found.objective == pytest.approx(highs(program), rel=1e-8)


# ---- quoted rents --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("family", "resources", "limits"), [("use", 5, "tight"), ("use", 12, "blend"), ("scale", 6, "tight")]
)
def test_quoted_rents_and_exchange(family, resources, limits):
    program = technique_choice(100, family=family, resources=resources, limits=limits).program
    found = solve_program(program, 1e-9)
    check(program, found, 1e-9)
    assert found.info.method == "level"
    assert found.objective == pytest.approx(highs(program), rel=1e-8)


@pytest.mark.parametrize("family", ["use", "scale"])
def test_level_method_alone(family):
    program = technique_choice(60, family=family, resources=3).program
    found = solve_program(program, 1e-7, method="level")
    check(program, found, 1e-7)
    assert found.objective == pytest.approx(highs(program), rel=1e-6)
    assert "block exchange" not in found.info.why


@pytest.mark.parametrize("kind", [TermKind.HARMONY, TermKind.LOG])
def test_utilities_by_quoted_rents(kind):
    base = technique_choice(60, family="scale", resources=3).program
    n = base.shape[0]
    wanted = base.targets > 0
    kinds = np.where(wanted, kind, TermKind.LINEAR).astype(np.uint8)
    b = np.where(wanted, base.targets, 1.0) if kind is TermKind.HARMONY else np.full(n, 0.1)
    terms = SeparableTerms(kinds, np.where(wanted, 1.0, 0.0), b, np.zeros(n))
    program = PlanningProgram.build(
        "utility", base.output, base.input, base.targets, resource_use=base.resource_use,
        resource_upper=base.resource_upper, terms=terms,
    )  # fmt: skip
    found = solve_program(program, 1e-6, method="level")
    check(program, found, 1e-6)
    assert found.info.method == "level"
    other = solve_program(program, 1e-6, method="pdhg")
    assert found.objective == pytest.approx(other.objective, rel=2e-6, abs=2e-6)


def test_impossible_limits_are_proved_impossible():
    base = technique_choice(60, resources=0).program
    least = solve_program(base, 1e-9).objective
    labour = {"resource_use": base.cost[None, :], "resource_upper": [0.95 * least]}
    program = PlanningProgram.build("use", base.output, base.input, base.targets, cost=base.cost, **labour)
    found = solve_program(program, 1e-6)
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert found.surplus > 0


# ---- capacities ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize(("family", "resources"), [("use", 0), ("use", 4), ("scale", 6)])
def test_capacities_by_block_exchange(family, resources, free):
    instance = technique_choice(
        150, family=family, resources=resources, limits="blend", blend=0.5, capacities=0.3, leave_one_free=free, seed=3
    )
    program = instance.program
    found = solve_program(program, 1e-9)
    check(program, found, 1e-9)
    assert "exchange" in found.info.method
    assert found.objective == pytest.approx(highs(program), rel=1e-8)


def test_exchange_from_a_rough_point_gives_the_vertex():
    program = technique_choice(150, family="scale", resources=5, capacities=0.3).program
    optimum = solve_program(program, 1e-9)
    rng = np.random.default_rng(0)
    choice = Choice(program, get_backend("reference"), 1e-9)
    technology = choice.technology
    noise = lambda v: v * rng.uniform(0.9, 1.1, v.size)  # noqa: E731
    start = Point(
        noise(optimum.activity) * technology.per_activity,
        0.95 * optimum.scale,
        noise(optimum.prices) / technology.value,
        noise(optimum.rents)[technology.limited] * technology.limit,
    )
    demand, capacity = program.targets * technology.value, program.capacity * technology.per_activity
    found = Exchange(technology, demand, capacity, True, 1e-9).run(start)
    assert found.settled, found.why
    assert found.point.scale == pytest.approx(optimum.objective, rel=1e-8)


def test_stopped_early_still_gives_a_certified_interval():
    program = technique_choice(400, family="scale", capacities=0.3).program
    optimum = solve_program(program, 1e-8).objective
    found = solve_program(program, 1e-8, iteration_limit=200)
    assert found.lower_bound <= optimum * (1 + 1e-8)
    assert found.upper_bound >= optimum * (1 - 1e-8)
    assert found.lower_bound > 0.0
    assert np.isfinite(found.upper_bound)


def test_limits_stop_the_quotes_with_a_certified_interval():
    program = technique_choice(100, resources=5, limits="blend").program
    optimum = solve_program(program, 1e-9)
    early = solve_program(program, 1e-9, method="level", iteration_limit=3)
    assert early.status is Status.ITERATION_LIMIT
    assert early.info.iterations == 3
    assert early.lower_bound <= optimum.upper_bound
    assert early.upper_bound >= optimum.lower_bound
    again = solve_program(program, 1e-6, method="level", warm_start=optimum)
    cold = solve_program(program, 1e-6, method="level")
    assert again.info.iterations < cold.info.iterations


# ---- what applies --------------------------------------------------------------------------------------------------
def test_coupling_and_methods():
    assert coupling(technique_choice(30, resources=0).program) == "nothing"
    assert coupling(technique_choice(30, resources=2).program) == "limits"
    bounded = technique_choice(30, resources=2, capacities=0.3).program
    assert coupling(bounded) == "capacities"
    for method in ("policy", "level"):
        with pytest.raises(OptionError, match="capacities couple the goods"):
            solve_program(bounded, method=method)
    joint = PlanningProgram.build("use", [[1.0, 0.5], [0.5, 1.0]], np.zeros((2, 2)), [1.0, 1.0], cost=[1.0, 1.0])
    assert "several goods" in not_leontief(joint)
    with pytest.raises(OptionError, match="several goods"):
        solve_program(joint, method="exchange")
