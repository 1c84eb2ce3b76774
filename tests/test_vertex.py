"""Exact vertices: found, solved to the last digit, confirmed in fractions, saved and rechecked; intervals of prices."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import attack_certificate
import plan_folders
from kantor import Economy, Lexicographic, MaxScale, MinimiseUse, Plan, load_plan, verify_plan
from kantor.errors import OptionError, ProblemError
from kantor.planning.record import VERTEX
from kantor.solvers import dual_face, rational
from kantor.solvers.basis import Bordered, basic_point
from kantor.solvers.dispatch import solve_program
from kantor.solvers.exact import optimal_basis
from kantor.solvers.problem import LinearProgram
from kantor.solvers.program import PlanningProgram, to_linear_program
from kantor.solvers.rational import Basis, optimal_vertex, vertex
from kantor.solvers.solution import Status
from kantor.solvers.value_units import ValueUnits
from kantor.solvers.vertex import at_vertex


def plain(lp):
    return ValueUnits(np.ones(lp.shape[0]), np.ones(lp.shape[1]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_vertices_of_every_family_have_the_exact_optimum():
    """Of whatever structure and in whatever units, and every number of theirs is the exact one rounded."""
    seen = set()
    for seed in range(45):
        attack = attack_certificate.Attack(seed)
        status, optimum = attack.truth()
        if attack.kind == "utility" or status != "optimal":
            continue
        answer = solve_program(attack.program, 1e-6)
        if answer.status is not Status.OPTIMAL:
            continue
        better, found = at_vertex(attack.program, answer)
        assert found is not None, (seed, better.info.notes)
        assert found.exact is not None
        value = found.exact.value * (-1 if attack.kind == "scale" else 1) * Fraction(found.value_unit)
        assert value == optimum
        assert found.value == pytest.approx(float(optimum), rel=1e-15, abs=0.0)
        for exact, stored in ((found.exact.x, found.point.x), (found.exact.y, found.point.y)):
            assert stored == pytest.approx([float(v) for v in exact], rel=1e-13, abs=1e-14)
        assert better.lower_bound <= optimum <= better.upper_bound
        seen.add(attack.family)
    assert {"mixed", "joint", "years", "floors", "soft"} <= seen


def test_degenerate_prices_are_intervals(tmp_path):
    result = plan_folders.degenerate().solve(1e-9, vertex=True)
    corner = result.vertex
    assert corner.degenerate == 1
    assert corner.products.loc["good", ["low", "high"]].tolist() == pytest.approx([1.0, 3.0], rel=1e-12)
    assert corner.techniques.loc["cheap", ["rent_low", "rent_high"]].tolist() == pytest.approx([0.0, 2.0], abs=1e-12)
    assert corner.techniques.loc["dear", ["rent_low", "rent_high"]].tolist() == [0.0, 0.0]
    assert corner.price_intervals(["good"]).columns.tolist() == ["low", "price", "high"]
    with pytest.raises(ProblemError, match="names"):
        corner.price_intervals(["god"])
    folder = result.save(tmp_path / "plan")
    assert verify_plan(folder).ok, verify_plan(folder)
    assert load_plan(folder).vertex.price_intervals().equals(corner.price_intervals())


def test_prices_without_end(tmp_path):
    """All that can be made is asked for: no price is too high."""
    economy = Economy.from_arrays(
        input=np.zeros((1, 1)), output=np.ones((1, 1)), intensities=np.array([[1.0]]), products=["good"],
        techniques=["only"], indicators=["hours"],
    )  # fmt: skip
    result = Plan(economy, [2.0], MinimiseUse("hours"), capacities={"only": 2.0}).solve(1e-9, vertex=True)
    assert result.vertex.products.loc["good", ["low", "high"]].tolist() == [1.0, np.inf]
    assert verify_plan(result.save(tmp_path / "plan")).ok


def test_intervals_hold_what_one_unit_more_and_less_changes():
    """The ends are the derivatives of the optimum on either side (perturbation)."""
    plan = plan_folders.degenerate()
    corner = plan.solve(1e-9, vertex=True).vertex
    step = 1e-3
    value = {
        sign: plan.with_changed(plan.targets + sign * step, plan.capacities, {}).solve(1e-10).objective
        for sign in (-1, 1)
    }
    ends = [(2.0 - value[-1]) / step, (value[1] - 2.0) / step]
    assert corner.products.loc["good", ["low", "high"]].tolist() == pytest.approx(ends, rel=1e-6)


@pytest.mark.parametrize("method", ["auto", "pdhg", "highs", "exchange"])
def test_every_method_ends_at_the_same_vertex(method):
    plan = plan_folders.PLANS["capacity"]()
    corner = plan.solve(1e-7, method, vertex=True).vertex
    assert corner.techniques["state"].tolist() == ["running", "full", "running"]
    assert corner.products["state"].tolist() == ["balanced"] * 3
    assert corner.limits["state"].tolist() == ["slack"]
    made = np.array([corner.techniques["activity"][g] for g in plan_folders.GOODS])
    net = made - plan.economy.A.toarray() @ made
    assert net == pytest.approx(corner.objective * np.array([10.0, 20.0, 30.0]), rel=1e-15)
    assert (corner.rows, corner.exact, corner.degenerate, corner.alternatives) == (4, True, 0, 0)


def test_the_result_and_its_certificate_are_those_of_the_vertex(tmp_path):
    rough = plan_folders.PLANS["scale"]().solve(1e-3, "pdhg")
    result = plan_folders.PLANS["scale"]().solve(1e-3, "pdhg", vertex=True)
    assert rough.gap > 1e-9
    assert result.gap < 1e-10
    assert result.lower_bound <= result.vertex.objective <= result.upper_bound
    assert rough.vertex is None
    assert not list(rough.save(tmp_path / "rough").glob("vertex*"))


@pytest.mark.parametrize("capacities", [0.0, 0.3])
def test_choice_of_technique_too_large_for_fractions(capacities):
    """Bordered solves only: 400 goods by a large margin exceed what is confirmed in rational arithmetic."""
    program = choice(400, capacities)
    answer = solve_program(program, 1e-6)
    better, found = at_vertex(program, answer)
    assert found is not None, better.info.notes
    assert found.exact is None
    assert found.point.optimal
    assert answer.lower_bound <= found.value <= answer.upper_bound
    lp, _ = to_linear_program(program)
    status, basis = optimal_basis(lp, attack_certificate.STOPPING)
    assert status is Status.OPTIMAL
    assert found.value == pytest.approx(basic_point(lp, plain(lp), basis).x @ lp.c, rel=1e-12)


def choice(n: int, share: float) -> PlanningProgram:
    rng = np.random.default_rng(n)
    m = 2 * n
    own = np.tile(np.arange(n), 2)
    B = np.zeros((n, m))
    B[own, np.arange(m)] = 1.0
    A = rng.random((n, m)) * (rng.random((n, m)) < 4.0 / n) * 0.3
    capacity = np.where((rng.random(m) < share) & (np.arange(m) < n), 0.5 * rng.random(m) * 2.0, np.inf)
    return PlanningProgram.build("use", B, A, rng.random(n), cost=0.5 + rng.random(m), capacity=capacity)


def test_goods_of_which_next_to_nothing_is_used():
    """Inputs of 1e-14 in value, which a simplex code drops, and goods of which exactly nothing flows."""
    n = 40
    rng = np.random.default_rng(5)
    A = np.zeros((3 * n, 4 * n))
    A[:n, :n] = A[:n, 3 * n :] = rng.random((n, n)) * (rng.random((n, n)) < 0.1) * 0.4
    A[n + np.arange(n), np.arange(n)] = A[n + np.arange(n), 3 * n + np.arange(n)] = 1e-14  # tools last for ever
    A[2 * n :, 2 * n : 3 * n] = 0.3 * rng.random((n, n)) / n  # goods that only make each other
    A[:n, n : 3 * n] = 0.2 * (rng.random((n, 2 * n)) < 0.1)
    B = np.hstack([np.eye(3 * n), np.eye(3 * n)[:, :n]])
    B[1, 0] = 0.05  # a by-product: block exchange does not apply
    targets = np.r_[rng.random(n), np.zeros(2 * n)]
    use = np.vstack([rng.random(4 * n), rng.random(4 * n)])
    program = PlanningProgram.build("scale", B, A, targets, resource_use=use, resource_upper=np.array([50.0, 52.0]))
    answer = solve_program(program, 1e-6)
    better, found = at_vertex(program, answer)
    assert found is not None, better.info.notes
    assert found.point.optimal
    assert found.value == pytest.approx(answer.objective, rel=1e-6)
    idle = slice(2 * n, 3 * n)
    assert np.all(found.activity[idle] == 0.0)
    net = (B - A) @ found.activity
    assert np.all(net[n : 2 * n] >= -1e-14 * (A @ found.activity)[n : 2 * n])


def test_large_cores_are_solved_by_iteration(monkeypatch):
    """The same point to the last digits, whether the core is factorised or iterated on."""
    program = choice(60, 0.3)
    _, found = at_vertex(program, solve_program(program, 1e-8))
    dense = found.point
    monkeypatch.setattr("kantor.solvers.basis._DENSE", 5)
    calls = []
    solve = Bordered.solve
    monkeypatch.setattr(Bordered, "solve", lambda self, right: calls.append(self.rows.size) or solve(self, right))
    again = basic_point(found.lp, plain(found.lp), dense.basis)
    assert calls
    assert again.optimal
    assert again.x == pytest.approx(dense.x, rel=1e-14)
    assert again.y == pytest.approx(dense.y, rel=1e-14)


def test_wrong_and_singular_bases_are_told():
    program = choice(5, 0.0)
    lp, _ = to_linear_program(program)
    _, best = optimal_basis(lp, attack_certificate.STOPPING)
    swapped = Basis(best.columns.copy(), best.rows.copy())
    swapped.columns[:5], swapped.columns[5:] = best.columns[5:], best.columns[:5]
    point = basic_point(lp, plain(lp), swapped)
    assert point.residual <= 1e-15
    assert not point.optimal
    assert basic_point(lp, plain(lp), Basis(np.zeros(10, np.int8), best.rows)) is None
    twice = Basis(np.array([0, -1, -1, -1, -1, 0, -1, -1, -1, -1], np.int8), np.array([-1, -1, 0, 0, 0], np.int8))
    assert basic_point(lp, plain(lp), twice) is None or not basic_point(lp, plain(lp), twice).optimal


def test_exact_pivots_lead_to_the_optimum():
    """From any feasible basis by the primal method, from any with optimal signs by the dual one."""
    program = choice(4, 0.0)
    lp, _ = to_linear_program(program)
    _, best = optimal_basis(lp, attack_certificate.STOPPING)
    start = Basis(np.repeat([0, -1], 4).astype(np.int8), np.full(4, -1, np.int8))  # the first technique of each good
    assert vertex(lp, start).feasible
    assert not vertex(lp, start).optimal_signs
    _, found, pivots = optimal_vertex(lp, start)
    assert pivots > 0
    assert found.value == vertex(lp, best).value
    idle = Basis(np.full(8, -1, np.int8), np.zeros(4, np.int8))  # nothing made: signs right, demand not met
    assert vertex(lp, idle).optimal_signs
    _, found, pivots = optimal_vertex(lp, idle)
    assert pivots >= 4
    assert found.value == vertex(lp, best).value


def test_what_has_no_vertex_says_so():
    with pytest.raises(OptionError, match="utility has no vertex"):
        plan_folders.PLANS["harmony"]().solve(vertex=True)
    result = plan_folders.PLANS["infeasible"]().solve(vertex=True)
    assert result.vertex is None
    assert any("none was looked for" in note for note in result.info.notes)
    unlimited = solve_program(PlanningProgram.build("scale", np.eye(1), np.zeros((1, 1)), [1.0]))
    assert at_vertex(PlanningProgram.build("scale", np.eye(1), np.zeros((1, 1)), [1.0]), unlimited)[1] is None


def test_the_last_of_an_order_of_priority_has_the_vertex():
    objectives = [MaxScale(), MinimiseUse("labour")]
    result = Plan(plan_folders.two_ways(), [2.0], Lexicographic(objectives), limits={"labour": 5.0, "CO2": 5.0}).solve(
        1e-8, vertex=True
    )
    assert result.vertex is not None
    assert result.stages[0].vertex is None


def test_a_scenario_asks_for_it(tmp_path):
    text = plan_folders.FULL.replace('"harmony"', '"max-scale"') + "[solve]\nvertex = true\n"
    (tmp_path / "weights.csv").write_text("product,weight\niron,3\n")
    from kantor.data.saved import save_economy
    from kantor.planning.scenario import build, load_scenario

    save_economy(plan_folders.economy(), tmp_path / "small")
    (tmp_path / "scenario.toml").write_text(text)
    loaded = load_scenario(tmp_path / "scenario.toml")
    result = build(loaded).solve(**loaded.document.solve.model_dump())
    assert result.vertex.exact
    assert verify_plan(result.save(tmp_path / "plan")).ok


def test_a_folder_that_promises_a_vertex_must_hold_one(tmp_path):
    folder = plan_folders.PLANS["scale"]().solve(1e-9, vertex=True).save(tmp_path / "plan")
    for name in VERTEX:
        kept = Path(folder, name).read_bytes()
        Path(folder, name).unlink()
        plan_folders.reseal(folder)
        assert not verify_plan(folder).ok
        Path(folder, name).write_bytes(kept)
    plan_folders.reseal(folder)
    assert verify_plan(folder).ok
    table = pd.read_parquet(folder / VERTEX[0])
    other = table.copy()
    other["state"] = "idle"
    other.to_parquet(folder / VERTEX[0])
    plan_folders.reseal(folder)
    assert any("running techniques" in reason for reason in verify_plan(folder).reasons)


def test_an_interval_without_ends_is_no_interval(monkeypatch):
    """Where HiGHS gives up the vertex alone would pass for the whole interval."""
    result = plan_folders.degenerate().solve(1e-9, vertex=True)
    honest = dual_face._solver

    def hasty(face):
        solver = honest(face)
        solver.setOptionValue("simplex_iteration_limit", 0)
        return solver

    monkeypatch.setattr(dual_face, "_solver", hasty)
    with pytest.raises(OptionError, match="no end"):
        dual_face.multiplier_ranges(result.vertex.source, [0], [])
    again = plan_folders.degenerate().solve(1e-9, vertex=True)
    assert not again.vertex.intervals
    assert again.vertex.products["low"].isna().all()


def test_one_transposed_solve_says_what_every_variable_moves():
    matrix = np.array([[3.0, 1.0, 4.0, 1.0], [5.0, 9.0, 2.0, 6.0], [5.0, 3.0, 5.0, 8.0]])
    lp = LinearProgram(np.ones(4), matrix, row_lower=np.ones(3))
    basis = Basis(np.array([0, 0, -1, -1]), np.array([-1, 0, -1]))
    K = lp.K.toarray()
    for out in (0, 1, 4 + 1):
        moves = rational._moves(lp, K, basis, out)
        for k in (2, 3, 4, 6):
            assert moves[k] == rational._direction(lp, K, basis, k)[out]


def test_time_ends_the_search_for_a_vertex():
    program = attack_certificate.Attack(3).program
    answer = solve_program(program, 1e-6)
    better, found = at_vertex(program, answer, seconds=0.0)
    assert found is None
    assert any("time" in note for note in better.info.notes)


def test_a_vertex_narrows_what_the_solver_proved():
    """It is right to the last digit, so the bounds are as well; what was proved before stays proved."""
    A, hours = np.array([[0.25, 0.4], [0.14, 0.12]]), {"resource_use": [[0.8, 3.6]], "resource_upper": [520.0]}
    program = PlanningProgram.build("scale", np.eye(2), A, [55.0, 30.0], **hours)
    coarse = solve_program(program, 1e-2, method="pdhg")
    better, found = at_vertex(program, coarse)
    assert found is not None
    assert better.lower_bound >= coarse.lower_bound
    assert better.upper_bound <= coarse.upper_bound
    assert better.gap <= 1e-11 < coarse.gap
