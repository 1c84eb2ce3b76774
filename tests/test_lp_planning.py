"""solve_lp on linear programs that are plans: recognised, solved by the planning engine, judged as linear programs."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.technique_choice import technique_choice
from kantor.errors import OptionError
from kantor.solvers import lp as solve_lp_module
from kantor.solvers.lp import solve_lp
from kantor.solvers.plan_form import read_plan
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.program import PlanningProgram, to_linear_program
from kantor.solvers.solution import Status
from kantor.solvers.verify import verify_lp

INF = np.inf


def program_of(family="use", capacities=0.3, **options):
    return technique_choice(60, family=family, resources=3, capacities=capacities, seed=3, **options).program


def shuffled(lp, seed=0):
    """Rows and columns in another order, every other row written the other way round."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(lp.shape[0]), rng.permutation(lp.shape[1])
    sign = np.where(np.arange(rows.size) % 2 == 0, 1.0, -1.0)
    low, high = lp.row_lower[rows], lp.row_upper[rows]
    return LinearProgram(
        lp.c[columns], sp.diags_array(sign) @ lp.K[rows][:, columns], np.where(sign > 0, low, -high),
        np.where(sign > 0, high, -low), lp.lower[columns], lp.upper[columns],
    )  # fmt: skip


@pytest.mark.parametrize("family", ["use", "scale"])
@pytest.mark.parametrize("capacities", [0.0, 0.3])
def test_choice_of_technique_in_any_order_and_orientation(family, capacities):
    lp, _ = to_linear_program(program_of(family, capacities))
    exact = solve_lp(lp, 1e-9, method="highs")
    for form in (lp, shuffled(lp)):
        found = solve_lp(form, 1e-8, method="planning")
        assert found.status is Status.OPTIMAL
        assert found.info.method.startswith("planning:")
        assert "techniques" in found.info.why
        assert verify_lp(form, found).ok
        assert found.objective == pytest.approx(exact.objective, rel=1e-7)


def test_a_maximum_and_a_scale_worth_more_than_one():
    lp, _ = to_linear_program(program_of("scale"))
    exact = solve_lp(lp, 1e-9, method="highs")
    largest = LinearProgram(5.0 * lp.c, lp.K, lp.row_lower, lp.row_upper, upper=lp.upper, maximise=True, offset=2.0)
    found = solve_lp(largest, 1e-8, method="planning")
    assert verify_lp(largest, found).ok
    assert found.objective == pytest.approx(-(5.0 * exact.objective + 2.0), rel=1e-7)


def test_a_square_table_with_a_negative_input_and_equations():
    A = np.array([[0.2, 0.1, 0.3], [0.1, 0.3, -0.05], [0.2, 0.2, 0.1]])
    labour = np.array([[1.0, 2.0, 1.5]])
    lp = LinearProgram(
        labour[0], np.vstack([np.eye(3) - A, labour]), np.array([1.0, 2.0, 3.0, -INF]), np.array([1.0, 2.0, 3.0, 99.0])
    )
    form, why = read_plan(lp)
    assert why == ""
    assert (form.program.output.toarray() == np.diag(1.0 - A.diagonal())).all()
    found = solve_lp(lp, 1e-9, method="planning")
    assert verify_lp(lp, found).ok
    np.testing.assert_allclose(found.x, np.linalg.solve(np.eye(3) - A, [1.0, 2.0, 3.0]), rtol=1e-7)


def test_an_impossible_plan_has_a_ray_that_the_rows_prove():
    program = program_of("use")
    lp, _ = to_linear_program(program)
    needed = solve_lp(lp, 1e-9, method="highs")
    n = program.shape[0]
    tight = np.append(np.full(n, INF), 0.2 * (program.resource_use @ needed.x))
    impossible = LinearProgram(lp.c, lp.K, lp.row_lower, tight, upper=lp.upper)
    found = solve_lp(impossible, 1e-6, method="planning")
    assert found.status is Status.PRIMAL_INFEASIBLE
    assert verify_lp(impossible, found).ok


def test_auto_asks_from_a_size_on_and_goes_on_by_itself(monkeypatch):
    lp, _ = to_linear_program(program_of())
    assert solve_lp(lp).info.method == "highs"
    monkeypatch.setattr(solve_lp_module, "LEAST_NONZEROS", 0)
    assert solve_lp(lp).info.method.startswith("planning:")
    assert solve_lp(lp, method="pdhg", iteration_limit=400).info.method == "pdhg"
    joint = LinearProgram(lp.c, lp.K + sp.csr_array(([1.0], ([1], [0])), shape=lp.shape), lp.row_lower, lp.row_upper)
    assert solve_lp(joint).info.method == "highs"


def test_an_answer_that_misses_the_residuals_is_not_taken(monkeypatch):
    """The planning engine's word is not enough: a spoiled plan is replaced by the answer of another method."""
    from kantor.solvers import dispatch

    lp, _ = to_linear_program(program_of())
    honest = dispatch.solve_program

    def spoiled(*args, **options):
        plan = honest(*args, **options)
        plan.activity = 0.5 * plan.activity
        return plan

    monkeypatch.setattr(dispatch, "solve_program", spoiled)
    monkeypatch.setattr(solve_lp_module, "LEAST_NONZEROS", 0)
    found = solve_lp(lp)
    assert found.info.method == "highs"
    assert any("residuals" in note for note in found.info.notes)
    assert verify_lp(lp, found).ok


def test_a_warm_start_is_taken_over():
    lp, _ = to_linear_program(program_of("use", 0.0))
    first = solve_lp(lp, 1e-8, method="planning")
    again = solve_lp(lp, 1e-8, method="planning", warm_start=first)
    assert verify_lp(lp, again).ok
    assert again.info.iterations <= first.info.iterations


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lp: LinearProgram(lp.c, lp.K, lp.row_lower, lp.row_upper, lower=np.ones(lp.shape[1])), "lower bound"),
        (lambda lp: LinearProgram(lp.c, lp.K, np.where(np.isinf(lp.row_lower), 0.1, lp.row_lower), lp.row_upper),
         "two different sides"),
        (lambda lp: LinearProgram(lp.c, -lp.K, lp.row_lower, np.where(np.isinf(lp.row_upper), INF, lp.row_upper)),
         "neither|make"),
        (lambda lp: LinearProgram(lp.c, lp.K, lp.row_lower, lp.row_upper, terms=quadratic(lp.shape[1])), "concave"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(spoil, words):
    lp, _ = to_linear_program(program_of())
    other = spoil(lp)
    assert read_plan(other)[0] is None
    with pytest.raises(OptionError, match=words):
        solve_lp(other, method="planning")


def quadratic(n):
    terms = SeparableTerms.linear(n)
    terms.kind[0], terms.a[0] = 1, 1.0
    return terms


def test_reading_gives_back_the_program():
    for program in (program_of("use"), program_of("scale")):
        lp, _ = to_linear_program(program)
        form, _ = read_plan(lp)
        read = form.program
        assert isinstance(read, PlanningProgram)
        assert read.kind == program.kind
        assert abs((read.output - read.input) - (program.output - program.input)).max() == 0.0
        assert abs(read.resource_use - program.resource_use).max() == 0.0
        for name in ("targets", "resource_upper", "capacity", "cost"):
            np.testing.assert_array_equal(getattr(read, name), getattr(program, name))


@pytest.mark.parametrize("given", ["projection", "support"])
def test_what_planning_would_ignore_is_refused(given):
    lp = LinearProgram(np.ones(2), np.eye(2), row_lower=np.ones(2))
    with pytest.raises(OptionError, match=given):
        solve_lp(lp, method="planning", **{given: lambda v: v})
