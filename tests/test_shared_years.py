"""Plans over several years that share one technology: against the same plan written out, and the memory it takes."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.errors import ProblemError
from kantor.solvers.dispatch import solve_program
from kantor.solvers.evaluate import Evaluator
from kantor.solvers.horizon import HorizonProgram, StackedEvaluator, solve_horizon
from kantor.solvers.slots import SlotMatrix
from kantor.solvers.solution import Status

INF = np.inf


def drawn(seed, kind, years=4, n=7, **changes):
    rng = np.random.default_rng(seed)
    A = sp.random_array((n, n), density=0.4, rng=rng).toarray()
    A *= 0.6 / np.maximum(A.sum(axis=0), 1e-9)
    y = rng.lognormal(0, 1, (years, n))
    x = np.linalg.solve(np.eye(n) - A, y.T).T
    R, H = rng.random((2, n)), rng.random((1, n))
    given = {
        "yearly_use": R, "yearly_upper": (x @ R.T) * rng.uniform(1.0, 1.4, (years, 2)),
        "horizon_use": H, "horizon_upper": (x @ H.T).sum(axis=0) * (0.9 if kind == "scale" else 1.1),
    }  # fmt: skip
    if kind == "use":
        given["cost"] = rng.random((years, n))
    return HorizonProgram.build(kind, np.eye(n), A, y, **(given | changes))


@pytest.mark.parametrize("kind", ["scale", "use"])
@pytest.mark.parametrize("seed", range(5))
def test_shared_years_have_the_optimum_of_the_plan_written_out(kind, seed):
    program = drawn(seed, kind)
    found = solve_horizon(program, 1e-9)
    whole = solve_program(program.stacked().expanded(), 1e-9, method="highs")
    assert found.status is Status.OPTIMAL
    assert found.certified
    assert found.info.method == "reduced"
    assert found.objective == pytest.approx(whole.objective, rel=1e-7)
    assert found.lower_bound <= whole.upper_bound
    assert whole.lower_bound <= found.upper_bound


def test_the_judges_of_slots_say_what_those_of_the_whole_say():
    program = drawn(11, "scale")
    stacked = program.stacked()
    shared, whole = StackedEvaluator(stacked), Evaluator(stacked.expanded())
    rng = np.random.default_rng(12)
    found = solve_horizon(program, 1e-9)
    plan, prices = found.activity.ravel(), found.prices.ravel()
    rents = np.concatenate([found.yearly_rents.ravel(), found.horizon_rents])
    none = np.zeros_like(rents)
    for factor in (1.0, 1.0 + 1e-9, 0.7):
        x = plan * (factor if factor > 0.9 else rng.random(plan.size))
        a, b = (e.check_plan(x, found.scale, stacked.targets) for e in (shared, whole))
        assert (a.feasible, a.why) == (b.feasible, b.why)
        a, b = (e.bound(prices / factor, rents, none) for e in (shared, whole))
        assert a.value == pytest.approx(b.value, rel=1e-12)


def test_what_cannot_be_eliminated_is_written_out():
    program = drawn(13, "use", capacity=np.full((4, 7), 1e3))
    found = solve_horizon(program, 1e-6)
    assert found.status is Status.OPTIMAL
    assert "written out" in found.info.notes[-1]
    assert found.activity.shape == (4, 7)
    floors = solve_horizon(drawn(13, "use", horizon_lower=drawn(13, "use").horizon_upper * 0.99), 1e-7)
    assert floors.status is Status.OPTIMAL
    assert floors.horizon_floor_rents[0] > 0.0


def test_slots_multiply_like_the_matrix_written_out():
    rng = np.random.default_rng(14)
    A, B = (sp.csr_array(rng.normal(size=(3, 4)) * (rng.random((3, 4)) < 0.6)) for _ in range(2))
    slots = SlotMatrix([(0, 0, A), (1, 1, A), (1, 0, B), (2, 1, A), (0, 0, B)], [3, 3, 3], [4, 4])
    whole = slots.expanded().toarray()
    x, y = rng.normal(size=8), rng.normal(size=9)
    assert np.allclose(slots @ x, whole @ x)
    assert np.allclose(slots.transposed_times(y), whole.T @ y)
    size = slots.magnitude()
    assert all((part.data > 0).all() for _, _, part in size.blocks)
    assert size.stored_nnz == slots.stored_nnz
    assert slots.stored_nnz == A.nnz + B.nnz
    rows, columns = slots.counts()
    assert rows.sum() == columns.sum() == slots.nnz == 3 * A.nnz + 2 * B.nnz
    at, data = slots.row(4)
    assert np.isclose(data @ x[at], whole[4] @ x)


def test_mistakes_are_named():
    with pytest.raises(ProblemError, match=r"blocks\[0\]: slot \(0, 0\) has shape \(1, 2\), expected \(2, 2\)"):
        SlotMatrix([(0, 0, sp.csr_array((1, 2)))], [2], [2])
    with pytest.raises(ProblemError, match="kind: got 'utility'"):
        drawn(1, "utility")
    with pytest.raises(ProblemError, match=r"yearly_upper: shape \(3, 2\), expected \(4, 2\)"):
        drawn(1, "use", yearly_upper=np.ones((3, 2)))
    y = drawn(1, "use").targets.copy()
    y[2, 3] = np.nan
    program = drawn(1, "use")
    with pytest.raises(ProblemError, match=r"year 2: targets\[3\] is nan"):
        HorizonProgram.build("use", program.output, program.input, y)
