"""A slice of the attack on the certificate, rational vertices, and units that would break a linear program."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import attack_certificate
import attack_families
from kantor.solvers.dispatch import solve_program
from kantor.solvers.endless import prove_endless
from kantor.solvers.exact import optimal_basis
from kantor.solvers.plain_units import PlainUnits
from kantor.solvers.problem import LinearProgram
from kantor.solvers.program import PlanningProgram
from kantor.solvers.rational import Basis, vertex
from kantor.solvers.solution import Status


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_interval_misses_the_exact_optimum():
    found = attack_certificate.run(0, 60)
    assert found.wrong == []
    assert found.nearest >= 0.0
    assert found.widest <= 1e-6
    assert found.seen["decided"] >= 50
    assert sum(times for what, times in found.seen.items() if what.endswith("certified")) >= 25
    assert all(found.seen[f"family {name}"] for name in [*attack_families.FAMILIES, "utility"])


@pytest.mark.parametrize("seed", [72, 112, 3006])
def test_attacks_that_once_ended_in_an_error(seed):
    """Quoted rents where nothing is limited; a side question that presolve reduces to nothing; prices that overflow."""
    assert attack_certificate.run(seed, 1).wrong == []


def test_the_attack_finds_a_bound_that_is_wrong_in_the_last_digit():
    attack = next(a for a in map(attack_certificate.Attack, range(100)) if a.family == "floors" and a.truth()[1])
    status, optimum = attack.truth()
    answer = solve_program(attack.program, 1e-6)
    assert (status, attack_certificate.violation(answer, status, optimum)) == ("optimal", "")
    below = float(np.nextafter(float(optimum), -np.inf))
    cut = replace(answer, upper_bound=below if below < optimum else float(np.nextafter(below, -np.inf)))
    assert "the optimum is" in attack_certificate.violation(cut, status, optimum)
    found = attack_certificate.Found()
    found.measure(cut, optimum)
    assert found.nearest < 0.0


def test_utilities_are_made_around_their_optimum():
    """The prices that a known utility is drawn from bound it: what no other plan of that program surpasses."""
    seeds = [seed for seed in range(60) if attack_certificate.Attack(seed).kind == "utility"][:5]
    for seed in seeds:
        attack = attack_certificate.Attack(seed)
        value = attack_families.exact_utility(attack.program.terms, attack.consumption)
        answer = solve_program(attack.program, 1e-7)
        assert answer.lower_bound <= value
        assert answer.lower_bound == pytest.approx(float(value), rel=1e-6, abs=1e-6)


def test_a_vertex_in_rational_numbers():
    """max x + y with x + 3 y <= 4, 3 x + y <= 4 and its mirror image: x = y = 1; with sevenths, 1/7 of that."""
    lp = LinearProgram([-1.0, -1.0], np.array([[1.0, 3.0], [3.0, 1.0]]), row_upper=[4.0, 1.0])
    status, basis = optimal_basis(lp, attack_certificate.STOPPING)
    found = vertex(lp, basis)
    assert status is Status.OPTIMAL
    assert found.feasible
    assert found.optimal_signs
    assert found.value == -Fraction(1)
    assert found.x == [Fraction(0), Fraction(1)]
    wrong = vertex(lp, Basis(np.array([0, 0]), np.array([1, 1])))
    assert wrong.x == [Fraction(-1, 8), Fraction(11, 8)]
    assert not wrong.feasible


def test_singular_bases_have_no_vertex():
    lp = LinearProgram([1.0, 1.0], np.ones((2, 2)), row_lower=[1.0, 1.0])
    assert vertex(lp, Basis(np.array([0, 0]), np.array([-1, -1]))) is None
    assert vertex(lp, Basis(np.array([0, -1]), np.array([-1, -1]))) is None


A2 = np.array([[0.25, 0.4], [0.14, 0.12]])


@pytest.mark.parametrize("kind", ["scale", "use"])
def test_plans_in_extreme_units_are_the_same_plans(kind):
    """Limits beyond 1e20 are limits, and no digit of the answer depends on the unit, whichever method solves it."""
    given = {"cost": [1.0, 1.0]} if kind == "use" else {}
    plain = PlanningProgram.build(
        kind, np.hstack([np.eye(2)] * 2), np.hstack([A2, 0.5 * A2]), [55.0, 30.0], resource_use=[[0.8, 3.6, 1.0, 4.0]],
        resource_upper=[260.0], capacity=[np.inf, np.inf, 30.0, 30.0],
        **({"cost": [1.0, 1.0, 2.0, 2.0]} if given else {}),
    )  # fmt: skip
    u, v, w = np.array([2.0**90, 2.0**-90]), np.array([2.0**-80, 2.0**80, 1.0, 2.0**60]), 2.0**100
    odd = PlanningProgram.build(
        kind, u[:, None] * plain.output.toarray() * v, u[:, None] * plain.input.toarray() * v, u * plain.targets,
        resource_use=w * plain.resource_use.toarray() * v, resource_upper=w * plain.resource_upper,
        capacity=plain.capacity / v, cost=plain.cost * v,
    )  # fmt: skip
    assert PlainUnits.of(plain) is None
    assert PlainUnits.of(odd) is not None
    a, b = solve_program(plain, 1e-8), solve_program(odd, 1e-8)
    assert b.status is a.status is Status.OPTIMAL
    assert b.objective == pytest.approx(a.objective, rel=1e-8)
    assert b.activity * v == pytest.approx(a.activity, rel=1e-6)
    assert b.prices * u == pytest.approx(a.prices, rel=1e-6)
    assert b.rents * w == pytest.approx(a.rents, rel=1e-6)
    warm = solve_program(odd, 1e-8, warm_start=b)
    assert warm.objective == pytest.approx(a.objective, rel=1e-8)
    seen = []
    solve_program(odd, 1e-8, on_progress=seen.append)
    assert any(entry.get("lower_bound", -1.0) == pytest.approx(b.lower_bound, rel=1e-6) for entry in seen)


def test_a_direction_that_proves_nothing_is_not_called_endless():
    """Good 1 takes more of itself than it makes, good 0 is given by it: solved without signs, both grow for ever."""
    program = PlanningProgram.build("scale", np.eye(2), [[0.2, -50.0], [0.0, 1.1]], [1.0, 1.0])
    assert prove_endless(program, np.array([1.0, 1.0]), lambda: False) is None
    answer = solve_program(program, 1e-6)
    assert answer.status is Status.OPTIMAL
    assert answer.objective == 0.0


def test_a_direction_that_gains_is_proved():
    free = PlanningProgram.build("scale", np.eye(2), A2, [55.0, 30.0])
    direction = prove_endless(free, np.array([100.0, 50.0]), lambda: False)
    assert ((np.eye(2) - A2) @ direction >= 0.0).all()
    assert solve_program(free).status is Status.DUAL_INFEASIBLE
    limited = replace(free, capacity=np.array([1.0, np.inf]))
    assert prove_endless(limited, np.array([100.0, 50.0]), lambda: False) is None
    paid = PlanningProgram.build("use", np.eye(2), A2, [0.0, 0.0], cost=[1.0, -9.0])
    assert prove_endless(paid, np.array([0.6, 1.0]), lambda: False) is not None
    dear = replace(paid, cost=np.array([1.0, -0.1]))
    assert prove_endless(dear, np.array([1.0, 0.5]), lambda: False) is None
