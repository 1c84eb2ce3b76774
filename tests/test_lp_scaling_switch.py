"""The second scaling: when it gets its turn, and when not."""

import numpy as np
import pytest
import scipy.sparse as sp

from kantor.solvers import run
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram
from kantor.solvers.verify import verify_lp


def program():
    """Entries from 1e-3 to 1e3, so that the two scalings differ; feasible and bounded."""
    rng = np.random.default_rng(11)
    K = sp.random_array((30, 50), density=0.3, rng=rng, format="csr")
    K.data[:] = 10.0 ** rng.uniform(-3, 3, K.nnz)
    return LinearProgram(rng.random(50) + 0.1, K, row_lower=K @ rng.random(50))


def notes_of(solution):
    return [note for note in solution.info.notes if "scaling" in note]


def test_the_scalings_take_turns_and_the_count_goes_on(monkeypatch):
    monkeypatch.setattr(run, "_SWITCH_SCALING", 400)
    lp = program()
    found = solve_lp(lp, 1e-9, method="pdhg", iteration_limit=2_000)
    assert notes_of(found)[:2] == [
        "logarithmic scaling after 400 iterations", "plain scaling after 1200 iterations"
    ]  # fmt: skip
    iterations = [entry["iteration"] for entry in found.info.history]
    assert iterations == sorted(iterations)
    assert found.info.iterations <= 2_000
    assert verify_lp(lp, found).ok


@pytest.mark.parametrize(
    "fixed",
    [{"presolve": False}, *({"options": PdhgOptions(log_scaling=choice)} for choice in (False, True))],
)
def test_a_scaling_that_was_asked_for_stays(monkeypatch, fixed):
    monkeypatch.setattr(run, "_SWITCH_SCALING", 400)
    found = solve_lp(program(), 1e-9, method="pdhg", iteration_limit=2_000, **fixed)
    assert notes_of(found) == []
    assert verify_lp(program(), found).ok
