"""Checkpoints: an interrupted and continued solve computes the same bits; files that do not fit are refused."""

import numpy as np
import pytest

from kantor.errors import ProblemError
from kantor.solvers.checkpoint import FILE_NAME
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.solution import Status


def program(seed=3, curved=False):
    rng = np.random.default_rng(seed)
    rows, columns = 20, 30
    K = rng.standard_normal((rows, columns))
    b = K @ rng.random(columns)
    terms = None
    if curved:
        kind = np.zeros(columns, np.uint8)
        kind[:5] = 3
        terms = SeparableTerms(kind, np.ones(columns), np.full(columns, 0.1), np.zeros(columns))
    c = rng.standard_normal(columns)
    return LinearProgram(c, K, b - 0.1, b + 0.2, np.zeros(columns), np.full(columns, 2.0), terms=terms)


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("presolve", [False, None])
def test_continued_runs_give_the_same_bits(tmp_path, backend, curved, presolve):
    lp = program(curved=curved)
    options = {"tolerance": 1e-9, "backend": backend, "presolve": presolve}
    whole = solve_lp(lp, **options)
    assert whole.status is Status.OPTIMAL
    assert whole.info.iterations >= 1200
    folder = tmp_path / "state"

    def stop(progress):
        if progress["iteration"] >= 800:
            raise KeyboardInterrupt

    first = solve_lp(lp, checkpoint=folder, iteration_limit=450, **options)
    assert first.status is Status.ITERATION_LIMIT
    second = solve_lp(lp, checkpoint=folder, on_progress=stop, **options)
    assert second.status is Status.INTERRUPTED
    assert second.info.iterations == 800
    third = solve_lp(lp, checkpoint=folder, **options)
    assert third.info.iterations == whole.info.iterations
    assert third.x.tobytes() == whole.x.tobytes()
    assert third.y.tobytes() == whole.y.tobytes()
    assert [e["weight"] for e in third.info.history] == [e["weight"] for e in whole.info.history]
    assert sorted(p.name for p in folder.iterdir()) == [FILE_NAME]


def test_another_problem_and_other_options_are_refused(tmp_path):
    solve_lp(program(), backend="reference", checkpoint=tmp_path, iteration_limit=400)
    with pytest.raises(ProblemError, match="another problem"):
        solve_lp(program(4), backend="reference", checkpoint=tmp_path)
    with pytest.raises(ProblemError, match="other options"):
        solve_lp(program(), backend="reference", checkpoint=tmp_path, options=PdhgOptions(check_every=100))


@pytest.mark.parametrize("damage", ["a flipped byte", "cut short", "no archive"])
def test_a_damaged_file_is_named(tmp_path, damage):
    solve_lp(program(), backend="reference", checkpoint=tmp_path, iteration_limit=400)
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    if damage == "a flipped byte":
        data[data.index(b"NUMPY", len(data) // 2) + 200] ^= 1
    data = b"words" if damage == "no archive" else data[: len(data) // 2] if damage == "cut short" else data
    path.write_bytes(bytes(data))
    with pytest.raises(ProblemError, match=f"{FILE_NAME}.*(damaged|cannot be read)"):
        solve_lp(program(), backend="reference", checkpoint=tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProblemError, match="checkpoint"):
        solve_lp(program(), backend="reference", checkpoint=tmp_path / "file")
