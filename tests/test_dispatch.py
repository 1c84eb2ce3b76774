"""solve_program: published cases, random programs of every structure, limits, warm starts, and honest answers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kantor.errors import OptionError, ProblemError
from kantor.solvers import rounds
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram
from kantor.solvers.program_solution import ProgramSolution
from kantor.solvers.solution import NotOptimal, Status

_spec = importlib.util.spec_from_file_location("random_programs", Path(__file__).with_name("random_programs.py"))
random_programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_programs)

INF = np.inf


def check_certificate(program, found, tolerance=1e-6):
    """Everything an OPTIMAL, certified answer claims, from its own vectors."""
    assert found.status is Status.OPTIMAL, found.info.why
    assert found.certified
    assert found.gap <= tolerance
    assert found.lower_bound <= found.objective <= found.upper_bound
    judge = Evaluator(program)
    plan = judge.check_plan(found.activity, found.scale, found.consumption)
    assert plan.feasible
    assert plan.value == found.objective
    bound = judge.bound(found.prices, found.rents, found.floor_rents)
    assert bound.value == (found.lower_bound if program.kind == "use" else found.upper_bound)
    for part in (found.prices, found.rents, found.floor_rents, found.capacity_rents):
        assert (part >= 0).all()
    found.raise_for_status()


# ---- published cases -------------------------------------------------------------------------------------------
def rcot(data, demand):
    """min pi'F s : (V' - U) s >= e, F s <= phi; the dual has p and the rents of the factors."""
    limits = [INF if v is None else v for v in data["factor_limits"]]
    factors = np.array(data["factors"], dtype=float)
    return PlanningProgram.build(
        "use",
        np.array(data["make"], dtype=float).T,
        np.array(data["use"], dtype=float),
        demand,
        resource_use=factors,
        resource_upper=limits,
        cost=np.array(data["factor_prices"], dtype=float) @ factors,
    )


def test_two_techniques_and_a_carbon_cap(case):
    data = case("two_techniques_and_a_carbon_cap")
    for name, scenario in data["scenarios"].items():
        expected, program = data["expected"][name], rcot(data["inputs"], scenario["final_demand"])
        found = solve_program(program, tolerance=1e-9)
        if expected["status"] == "infeasible":
            assert found.status is Status.PRIMAL_INFEASIBLE
            assert found.surplus > 0
            continue
        assert found.status is Status.OPTIMAL
        assert found.objective == pytest.approx(expected["objective"], rel=1e-7)
        assert found.activity == pytest.approx(expected["activity"], abs=1e-6)
        if "prices" in expected:
            assert found.prices == pytest.approx(expected["prices"], rel=1e-6)
            assert found.rents == pytest.approx(expected["rents"], abs=1e-6)


@pytest.mark.parametrize("identifier", ["rcot_base", "rcot_without_factor_limits"])
def test_rectangular_choice_of_technology(case, identifier):
    data = case(identifier)
    program = rcot(data["inputs"], data["inputs"]["final_demand"])
    found = solve_program(program, tolerance=1e-8)
    expected = data["expected"]
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(expected["objective"], rel=1e-7)
    assert found.activity == pytest.approx(expected["activity"], rel=1e-6)
    assert program.resource_use @ found.activity == pytest.approx(expected["factor_use"], rel=1e-6)
    assert found.lower_bound == pytest.approx(expected["objective"], rel=1e-7)
    if "prices" in expected:
        assert found.prices == pytest.approx(expected["prices"], rel=1e-6)


def test_a_plan_without_any_room_is_still_certified(case):
    """In rcot_base every factor is used up exactly, so only s = (1, 1, 1) itself is feasible: proved exactly."""
    data = case("rcot_base")
    program = rcot(data["inputs"], data["inputs"]["final_demand"])
    found = solve_program(program)
    check_certificate(program, found)
    assert found.activity.tolist() == [1.0, 1.0, 1.0]


def test_kantorovich_machines(case):
    """A column for every pair of machine group and good; resources are machine-days."""
    data = case("kantorovich_machines")
    rate = np.array(data["inputs"]["rate"], dtype=float)
    groups, goods = rate.shape
    output, days = np.zeros((goods, groups * goods)), np.zeros((groups, groups * goods))
    for i in range(groups):
        for j in range(goods):
            output[j, i * goods + j], days[i, i * goods + j] = rate[i, j], 1.0
    program = PlanningProgram.build(
        "scale", output, np.zeros(output.shape), data["inputs"]["assortment"],
        resource_use=days, resource_upper=data["inputs"]["machines"],
    )  # fmt: skip
    found = solve_program(program, tolerance=1e-9)
    check_certificate(program, found, 1e-9)
    assert found.objective == pytest.approx(data["expected"]["objective"], rel=1e-8)
    assert found.prices == pytest.approx(data["expected"]["multipliers"], rel=1e-7)
    assert found.rents == pytest.approx(data["expected"]["rents"], rel=1e-7)
    assert found.activity.reshape(groups, goods) == pytest.approx(np.array(data["expected"]["machine_time"]), abs=1e-6)


def test_steedman_joint_production(case):
    data = case("steedman_joint_production")
    given, expected = data["inputs"], data["expected"]
    for name, basket in given["baskets"].items():
        program = PlanningProgram.build(
            "use", np.transpose(given["outputs"]), np.transpose(given["inputs"]), basket, cost=given["labour"]
        )
        found = solve_program(program, tolerance=1e-9)
        check_certificate(program, found, 1e-9)
        assert found.objective == pytest.approx(expected["least_labour"][name], rel=1e-8)
        assert found.activity == pytest.approx(expected["activity"][name], abs=1e-7)
        assert found.prices == pytest.approx(expected["optimal_values"][name], abs=1e-7)


# ---- random programs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["scale", "use"])
def test_linear_programs_of_every_structure(kind):
    rng, solved = np.random.default_rng(501), 0
    for seed in range(0, 64, 3):
        features = random_programs.features_of(seed)
        instance = random_programs.draw(rng, kind, features, n=int(rng.integers(2, 9)))
        status, best, *_ = random_programs.optimum(instance)
        found = solve_program(instance.program, iteration_limit=400_000)
        if status == "optimal":
            check_certificate(instance.program, found)
            assert found.lower_bound <= best + 1e-8 * abs(best), (seed, features)
            assert found.upper_bound >= best - 1e-8 * abs(best), (seed, features)
            solved += 1
        else:
            expected = {"infeasible": Status.PRIMAL_INFEASIBLE, "unbounded": Status.DUAL_INFEASIBLE}[status]
            assert found.status is expected, (seed, features)
    assert solved >= 15


def test_utilities_of_every_structure():
    rng = np.random.default_rng(502)
    for seed in range(0, 32, 2):
        features = random_programs.features_of(seed)
        program = random_programs.draw(rng, "utility", features, n=int(rng.integers(2, 9))).program
        found = solve_program(program, iteration_limit=400_000)
        check_certificate(program, found)


def test_utility_with_techniques_and_capacities_equals_a_hand_worked_answer():
    """ln C with a cheap technique (1 hour a unit, up to 3 units) and a dear one (2 hours): 10 hours make 3 + 3.5."""
    terms = SeparableTerms.linear(1)
    terms.kind[:], terms.a[:], terms.b[:] = TermKind.LOG, 1.0, 0.0
    program = PlanningProgram.build(
        "utility", [[1.0, 1.0]], [[0.0, 0.0]], [1.0], resource_use=[[1.0, 2.0]], resource_upper=[10.0],
        capacity=[3.0, INF], terms=terms,
    )  # fmt: skip
    found = solve_program(program, tolerance=1e-8)
    check_certificate(program, found, 1e-8)
    assert found.objective == pytest.approx(np.log(6.5), abs=1e-7)
    assert found.prices == pytest.approx([1 / 6.5], rel=1e-6)
    assert found.rents == pytest.approx([0.5 / 6.5], rel=1e-6)
    assert found.capacity_rents == pytest.approx([0.5 / 6.5, 0.0], rel=1e-5)


def test_answers_do_not_depend_on_units():
    rng = np.random.default_rng(503)
    instance = random_programs.draw(rng, "scale", {"units", "capacities"}, n=8, per_good=2)
    one, two = solve_program(instance.plain), solve_program(instance.program)
    assert max(one.lower_bound, two.lower_bound) <= min(one.upper_bound, two.upper_bound)
    assert two.info.iterations <= 5 * one.info.iterations + 2000


# ---- methods, limits, starts -----------------------------------------------------------------------------------
def techniques(kind="scale", n=8, seed=504):
    return random_programs.draw(np.random.default_rng(seed), kind, set(), n=n, per_good=3).program


@pytest.mark.parametrize("kind", ["scale", "use"])
def test_all_methods_agree(kind):
    program = techniques(kind)
    found = {method: solve_program(program, method=method) for method in ("auto", "pdhg", "highs")}
    for method, answer in found.items():
        check_certificate(program, answer)
        assert answer.info.method == method or (method == "auto" and answer.info.method in ("policy", "level"))
        assert "choice of technique" in answer.info.why or method != "auto"
    assert max(a.lower_bound for a in found.values()) <= min(a.upper_bound for a in found.values())
    assert found["pdhg"].info.seconds["total"] >= found["pdhg"].info.seconds["lp"] > 0


def test_a_tighter_tolerance_is_met():
    program = techniques()
    found = solve_program(program, tolerance=1e-10)
    check_certificate(program, found, 1e-10)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "simplex"}, OptionError, "method: 'simplex' is unknown"),
        ({"tolerance": 0.0}, OptionError, "tolerance"),
        ({"time_limit_s": -1.0}, OptionError, "time_limit_s"),
        ({"iteration_limit": -1}, OptionError, "iteration_limit"),
        ({"backend": "abacus"}, OptionError, "backend"),
        ({"warm_start": 3}, ProblemError, "warm_start"),
        ({"warm_start": (np.ones(2), np.ones(8))}, ProblemError, r"warm_start: activity has shape \(2,\)"),
        ({"method": "reduced"}, OptionError, "several techniques"),
    ],
)
def test_impossible_options_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        solve_program(techniques(), **options)
    with pytest.raises(ProblemError, match="program: got list"):
        solve_program([])


def test_highs_refuses_concave_programs():
    with pytest.raises(OptionError, match="highs"):
        solve_program(
            random_programs.draw(np.random.default_rng(505), "utility", set(), n=3, per_good=2).program, method="highs"
        )


@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_an_early_stop_reports_what_is_proved(kind):
    program = techniques(kind)
    best = solve_program(program)
    early = solve_program(program, tolerance=1e-9, method="pdhg", iteration_limit=40)
    assert early.status is Status.ITERATION_LIMIT
    assert not early.certified
    assert early.lower_bound <= best.upper_bound
    assert early.upper_bound >= best.lower_bound
    assert early.info.iterations <= 40
    with pytest.raises(NotOptimal, match="iteration limit"):
        early.raise_for_status()


def test_a_time_limit():
    found = solve_program(techniques(n=12), tolerance=1e-12, time_limit_s=1e-3)
    assert found.status is Status.TIME_LIMIT
    assert found.lower_bound <= found.upper_bound


def test_an_interruption_keeps_the_certificate():
    calls = []

    def stop_in_the_second_round(entry):
        calls.append(entry)
        if any("lower_bound" in e for e in calls[:-1]) and "lower_bound" not in entry:
            raise KeyboardInterrupt

    program = techniques("scale", n=12)
    found = solve_program(program, tolerance=1e-12, on_progress=stop_in_the_second_round)
    assert found.status is Status.INTERRUPTED
    assert 0 < found.lower_bound <= found.upper_bound < INF
    assert Evaluator(program).check_plan(found.activity, found.scale, found.consumption).feasible


def test_an_interruption_before_anything_is_known():
    def stop(entry):
        raise KeyboardInterrupt

    found = solve_program(techniques(), on_progress=stop)
    assert found.status is Status.INTERRUPTED
    assert found.lower_bound <= found.upper_bound


def test_progress_ends_with_the_proved_gap():
    seen = []
    found = solve_program(techniques(), on_progress=seen.append)
    assert seen[-1]["gap"] == found.gap
    assert seen[-1]["lower_bound"] == found.lower_bound
    assert all(set(entry) >= {"iteration", "seconds", "gap"} for entry in seen)


@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_a_warm_start_saves_iterations(kind):
    program = techniques(kind, n=12)
    cold = solve_program(program, method="pdhg")
    warm = solve_program(program, method="pdhg", warm_start=cold)
    check_certificate(program, warm)
    assert warm.info.iterations < cold.info.iterations
    bare = solve_program(program, warm_start=(cold.activity, cold.prices))
    check_certificate(program, bare)
    assert isinstance(bare, ProgramSolution)


# ---- honest answers --------------------------------------------------------------------------------------------
def test_a_plan_that_no_float_can_hold_is_not_called_certified():
    """0.9 x = 0.3 exactly has no solution among binary fractions, so no plan can be proved feasible; the bound can."""
    program = PlanningProgram.build(
        "use", [[1.0]], [[0.0]], [0.1], resource_use=[[0.9]], resource_upper=[0.3], resource_lower=[0.3], cost=[1.0]
    )
    found = solve_program(program)
    assert found.status is Status.OPTIMAL
    assert not found.certified
    assert "not certified" in found.info.why
    assert found.upper_bound == INF
    assert found.gap == INF
    assert found.lower_bound == pytest.approx(1 / 3, rel=1e-5)
    assert found.lower_bound <= 1 / 3
    assert found.objective == pytest.approx(1 / 3, rel=1e-5)


def test_an_infeasible_ray_that_proves_nothing_is_replaced_by_one_that_does(monkeypatch):
    real, refused = rounds.prove_infeasible, []

    def refuse_once(*args, **options):
        if not refused:
            refused.append(1)
            return None
        return real(*args, **options)

    monkeypatch.setattr(rounds, "prove_infeasible", refuse_once)
    program = PlanningProgram.build(
        "use",
        [[1.0, 1.0]],
        [[0.0, 0.0]],
        [2.6],
        resource_use=[[2.0, 3.0], [3.0, 2.0]],
        resource_upper=[INF, 5.0],
        cost=[2, 3],
    )
    found = solve_program(program)
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert found.surplus > 0
    monkeypatch.setattr(rounds, "prove_infeasible", lambda *args, **options: None)
    assert solve_program(program).status is Status.NUMERICAL_ERROR


def test_a_good_that_costs_nothing_scarce_has_no_best_amount():
    """Good 2 is made from itself and good 3 without labour; the logarithm of its consumption rises for ever."""
    terms = SeparableTerms.linear(3)
    terms.kind[:2], terms.a[:2], terms.b[:2] = TermKind.LOG, 1.0, 1.0
    program = PlanningProgram.build(
        "utility",
        np.hstack([np.eye(3), np.eye(3)]),
        np.hstack([[[0.1, 0, 0], [0, 1.2, 0], [0, 0, 0]], [[0, 0, 0], [0, 0.2, 0.1], [0, 0.3, 0]]]),
        np.ones(3),
        resource_use=[[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]],
        resource_upper=[10.0],
        terms=terms,
    )
    found = solve_program(program)
    assert found.status is Status.DUAL_INFEASIBLE
    assert "good 1" in found.info.why
    assert found.activity[:4].tolist() == [0.0, 0.0, 0.0, 0.0]
    gain = (program.output - program.input) @ found.activity
    assert gain[1] > 0
    assert gain.min() >= -1e-12


def test_the_scale_of_something_for_nothing_has_no_end():
    program = PlanningProgram.build(
        "scale", [[1.0, 2.0]], [[0.5, 0.5]], [1.0], resource_use=[[1.0, 0.0]], resource_upper=[1.0]
    )
    assert solve_program(program).status is Status.DUAL_INFEASIBLE
