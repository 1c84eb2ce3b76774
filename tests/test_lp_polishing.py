"""Feasibility polishing and iterative refinement: what they gain, and that nothing is believed."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.data.datasets import data_folder
from kantor.errors import OptionError, ProblemError
from kantor.solvers import polishing
from kantor.solvers.lp import solve_lp
from kantor.solvers.mps import read_mps
from kantor.solvers.options import PdhgOptions
from kantor.solvers.polishing import Polishing, dual_program, primal_program
from kantor.solvers.problem import LinearProgram
from kantor.solvers.refinement import correction, refine
from kantor.solvers.solution import Status
from kantor.solvers.termination import residuals
from kantor.solvers.verify import verify_lp

INF = np.inf


def transport(seed=0, plants=8, towns=12, spread=3.0):
    """Equations and rows with two sides (so that it is not read as a plan), bounds on both sides, units that differ by
    powers of ten."""
    rng = np.random.default_rng(seed)
    pairs = plants * towns
    leave = np.kron(np.eye(plants), np.ones(towns))
    arrive = np.kron(np.ones(plants), np.eye(towns))
    need = rng.random(towns) + 0.5
    have = np.full(plants, 1.3 * need.sum() / plants)
    unit = 10.0 ** rng.uniform(-spread, spread, plants + towns)
    K = np.vstack([leave, arrive]) * unit[:, None]
    return LinearProgram(
        rng.random(pairs), K, np.append(np.zeros(plants), need) * unit, np.append(have, need) * unit,
        upper=np.full(pairs, 0.6),
    )  # fmt: skip


def netlib(name):
    try:
        folder = data_folder("netlib")
    except ProblemError as error:
        pytest.skip(str(error))
    return read_mps(next(folder.glob(f"{name}.*")))


# ---- polishing -----------------------------------------------------------------------------------------------------
def test_the_feasible_sets_are_the_programs_own():
    """Feasible for the primal program: feasible for the program. Dual residual of the dual program: the program's."""
    lp, rng = transport(), np.random.default_rng(1)
    x, y = rng.random(lp.shape[1]) * 0.6, rng.standard_normal(lp.shape[0])
    y[:8] = -np.abs(y[:8])
    here = residuals(lp, x, y)
    assert residuals(primal_program(lp), x, 0 * y).primal == here.primal
    assert residuals(dual_program(lp), 0 * x, y).dual == here.dual


def test_either_side_is_made_feasible_and_the_pair_is_judged():
    lp = transport(spread=0.0)
    exact = solve_lp(lp, 1e-9, method="highs")
    near_x, near_y = np.clip(exact.x + 8e-5, lp.lower, lp.upper), exact.y.copy()
    near_y[8:] += 1e-6
    asked = []

    def feasible(program, x, y, most):
        asked.append((program.c.any(), most))
        found = solve_lp(program, 1e-9, method="pdhg", warm_start=(x, y), presolve=False)
        return found.x, found.y, found.info.iterations

    tried = Polishing(lp, 1e-4, lambda x, y: (x, y), feasible, lambda x, y: residuals(lp, x, y))
    before = residuals(lp, near_x, near_y)
    assert before.primal > 1e-4
    found = tried.polish(near_x, near_y, 8_000)
    assert asked[0] == (False, 1_000)
    assert tried.iterations > 0
    assert tried.not_before == 16_000
    after = residuals(lp, *found)
    assert after.within(1e-4)
    # Far from the optimum both sides can be made feasible too, but the gap says no.
    assert tried.polish(np.zeros(lp.shape[1]), near_y, 8_000) is None


def test_polishing_is_tried_only_when_the_gap_is_closed():
    lp = transport()
    here = residuals(lp, np.zeros(lp.shape[1]), np.zeros(lp.shape[0]))
    tried = Polishing(lp, 1e-6, lambda x, y: (x, y), None, None)
    assert not tried.worth_trying(replace(here, gap=1e-6), 10_000)
    assert tried.worth_trying(replace(here, gap=1e-8), 10_000)
    assert not tried.worth_trying(replace(here, gap=1e-8), 100)


def test_polishing_ends_a_solve_that_lacks_only_feasibility():
    """fit1d, fit2d: the gap closes to many digits long before the rows hold in the original's own units."""
    lp = netlib("fit1d")
    plain = solve_lp(lp, 1e-6, method="pdhg", options=PdhgOptions(polish=False))
    found = solve_lp(lp, 1e-6, method="pdhg")
    for solution in (plain, found):
        assert solution.status is Status.OPTIMAL
        assert verify_lp(lp, solution).ok
    assert "feasibility polishing" in found.info.notes
    assert found.info.iterations < plain.info.iterations


@pytest.mark.parametrize("name", ["nesm"])
def test_what_postsolve_spoils_is_finished_on_the_original(name):
    """Optimal to 1e-4 in the reduced program, the duals come back wrong by orders of magnitude at any precision."""
    lp = netlib(name)
    found = solve_lp(lp, 1e-4, method="pdhg", iteration_limit=30_000, options=PdhgOptions(polish=False))
    assert found.status is Status.OPTIMAL
    assert verify_lp(lp, found).ok
    assert any("presolve undone" in note for note in found.info.notes)


# ---- refinement ----------------------------------------------------------------------------------------------------
def test_the_correction_of_a_point_leads_to_the_optimum():
    """The optimum, moved and magnified, is feasible and optimal in the program of the correction."""
    lp = transport(spread=1.0)
    exact = solve_lp(lp, 1e-9, method="highs")
    rng = np.random.default_rng(2)
    x = np.clip(exact.x + 1e-3 * rng.standard_normal(exact.x.size), lp.lower, lp.upper)
    y = exact.y * (1.0 + 1e-3 * rng.standard_normal(exact.y.size))
    step = correction(lp, x, y)
    assert np.log2([step.primal, step.dual]).tolist() == np.rint(np.log2([step.primal, step.dual])).tolist()
    s, best = np.clip(lp.K @ x, lp.row_lower, lp.row_upper), np.clip(lp.K @ exact.x, lp.row_lower, lp.row_upper)
    dx = step.primal * np.append(exact.x - x, (best - s)[step.loose])
    dy = step.dual * (exact.y - y)
    here = residuals(step.lp, dx, dy)
    assert max(here.primal, here.dual) < 1e-9
    assert here.gap < 1e-6


@pytest.mark.parametrize("maximise", [False, True])
def test_refinement_reaches_the_last_digits(maximise):
    lp = replace(transport(spread=1.0), maximise=maximise)
    found = solve_lp(lp, 1e-13, method="pdhg", options=PdhgOptions(refine=True))
    assert found.status is Status.OPTIMAL
    assert verify_lp(lp, found).ok
    assert any("refinement" in note for note in found.info.notes)
    exact = solve_lp(lp, 1e-9, method="highs")
    assert found.objective == pytest.approx(exact.objective, rel=1e-12)


def test_refinement_after_a_standstill(monkeypatch):
    """Iterations that stop moving above the tolerance (as with a matrix in float32) are helped by themselves."""
    from kantor.solvers import pdhg

    lp = transport(spread=0.0)
    honest = pdhg.Pdhg._check

    def tired(self, r):
        return honest(self, 0.0 if self.seen.worst < 1e-5 and self.stopping.tolerance < 1e-6 else r)

    monkeypatch.setattr(pdhg.Pdhg, "_check", tired)
    stuck = solve_lp(lp, 1e-10, method="pdhg", presolve=False, options=PdhgOptions(refine=False))
    assert stuck.status is Status.ITERATION_LIMIT
    helped = solve_lp(lp, 1e-10, method="pdhg", presolve=False)
    assert helped.status is Status.OPTIMAL
    assert verify_lp(lp, helped).ok


def test_a_correction_that_makes_it_worse_is_thrown_away():
    lp = transport(spread=0.0)
    found = solve_lp(lp, 1e-4, method="pdhg")
    judge = lambda x, y: residuals(lp, x, y)  # noqa: E731
    wrong = lambda program: (np.ones(program.shape[1]) * 1e6, np.ones(program.shape[0]))  # noqa: E731
    x, y, rounds, worst = refine(lp, found.x, found.y, judge, 1e-12, wrong)
    assert rounds == 1
    assert len(worst) == 1
    np.testing.assert_array_equal(x, found.x)
    np.testing.assert_array_equal(y, found.y)


def test_limits_hold_inside_refinement():
    lp = transport()
    limited = solve_lp(lp, 1e-13, method="pdhg", presolve=False, options=PdhgOptions(refine=True), iteration_limit=700)
    assert limited.info.iterations <= 700
    assert verify_lp(lp, limited).ok


@pytest.mark.parametrize("limit", [1_700, 1_900, 2_300])
def test_the_limit_is_on_the_iterations_of_polishing_too(monkeypatch, limit):
    """Polishing begins at 1,600 and takes up to 200 for either side; the loop goes on with what is left."""
    spent, honest = [], Polishing.polish
    monkeypatch.setattr(polishing, "_CLOSED", 1e14)

    def polish(self, *args):
        honest(self, *args)
        spent.append(self.iterations)

    monkeypatch.setattr(Polishing, "polish", polish)
    lp = transport()
    options = PdhgOptions(refine=False)
    limited = solve_lp(lp, 1e-13, method="pdhg", presolve=False, iteration_limit=limit, options=options)
    assert spent[0] > 0
    assert limited.status is Status.ITERATION_LIMIT
    assert limited.info.iterations == limit
    assert verify_lp(lp, limited).ok


def test_options_are_checked():
    for wrong in ({"polish": 1}, {"refine": "yes"}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            PdhgOptions(**wrong)


def test_sparse_duplicates_survive_the_correction():
    K = sp.coo_array(([1.0, 1.0, 1.0], ([0, 0, 0], [0, 0, 1])), shape=(1, 2))
    lp = LinearProgram([1.0, 3.0], K, row_lower=[2.0], upper=[0.25, INF])
    found = solve_lp(lp, 1e-12, method="pdhg", presolve=False, options=PdhgOptions(refine=True))
    assert verify_lp(lp, found).ok
    np.testing.assert_allclose(found.x, [0.25, 1.5], rtol=1e-10)
