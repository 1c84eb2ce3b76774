"""Checkpoints: an interrupted and continued solve computes the same bits; files that do not fit are refused."""

import numpy as np
import pytest

import plan_folders
from kantor.errors import ProblemError
from kantor.solvers import polishing, run
from kantor.solvers.checkpoint import FILE_NAME
from kantor.solvers.lp import solve_lp
from kantor.solvers.options import PdhgOptions
from kantor.solvers.presolve import Presolved
from kantor.solvers.problem import LinearProgram, SeparableTerms
from kantor.solvers.solution import Status
from test_interior import world
from test_lp_polishing import transport


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


# ---- solves of several runs ----------------------------------------------------------------------------------------
def stop_at(iteration):
    def stop(progress):
        if progress["iteration"] >= iteration:
            raise KeyboardInterrupt

    return stop


def folders(place):
    return sorted(str(p.parent.relative_to(place)) for p in place.rglob(FILE_NAME))


def spoiled(self, x, y):
    """A postsolve whose points are never any good."""
    return np.full(self.full.c.size, np.nan), np.full(self.full.row_lower.size, np.nan)


@pytest.mark.parametrize("stop", [200, 800, 1800])
@pytest.mark.parametrize("how", ["without presolve", "other scalings", "polishing", "refinement"])
def test_every_attempt_has_its_own_state(tmp_path, monkeypatch, how, stop):
    """A fresh folder is no obstacle, what a run solves on the way leaves nothing in it, and the bits are the same."""
    lp = transport(spread=1.0 if how == "refinement" else 3.0)
    options = {"tolerance": 1e-9, "method": "pdhg", "options": PdhgOptions(polish=how == "polishing")}
    if how == "without presolve":
        monkeypatch.setattr(Presolved, "finish", spoiled)
    elif how == "other scalings":
        monkeypatch.setattr(run, "_SWITCH_SCALING", 400)
    elif how == "polishing":
        monkeypatch.setattr(polishing, "_CLOSED", 1e9)
        options |= {"presolve": False}
    else:
        options |= {"tolerance": 1e-12, "options": PdhgOptions(refine=True), "presolve": False}
    whole = solve_lp(lp, **options)
    assert whole.status is Status.OPTIMAL
    cut = solve_lp(lp, checkpoint=tmp_path, on_progress=stop_at(stop), **options)
    assert cut.status in (Status.INTERRUPTED, Status.OPTIMAL)
    several = how in ("without presolve", "other scalings")
    for _ in range(2):  # what is complete is gone on from as well
        again = solve_lp(lp, checkpoint=tmp_path, **options)
        assert again.info.iterations == whole.info.iterations
        assert again.x.tobytes() == whole.x.tobytes()
        assert again.y.tobytes() == whole.y.tobytes()
        assert [e["iteration"] for e in again.info.history] == [e["iteration"] for e in whole.info.history]
        assert all(place == "." or (several and place.startswith("attempt-")) for place in folders(tmp_path))
        assert (len(folders(tmp_path)) > 1) == several


@pytest.mark.parametrize("stop", [1, 3, 6, 9, 15])
@pytest.mark.parametrize("method", ["exchange", "pdhg"])
def test_a_plan_goes_on_with_the_same_bits(tmp_path, monkeypatch, method, stop):
    """Round after round from numbered folders, with polishing inside of them and side questions between."""
    monkeypatch.setattr(polishing, "_CLOSED", 1e9)
    monkeypatch.setattr(polishing, "_LEAST", 200)
    checks = []

    def press(progress):
        checks.append(progress)
        if len(checks) == stop:
            raise KeyboardInterrupt

    plan = world(years=2) if method == "pdhg" else plan_folders.PLANS["capacity"]()
    whole = plan.solve(1e-9, method)
    plan.solve(1e-9, method, on_progress=press, checkpoint=tmp_path)
    assert len(checks) <= stop + 2  # certificates of the point it ended with, and of a plain start
    again = plan.solve(1e-9, method, checkpoint=tmp_path)
    assert again.activity.to_numpy().tobytes() == whole.activity.to_numpy().tobytes()
    assert again.prices.to_numpy().tobytes() == whole.prices.to_numpy().tobytes()
    assert (again.lower_bound, again.upper_bound) == (whole.lower_bound, whole.upper_bound)
    assert again.info.iterations == whole.info.iterations
    assert all(place.isdigit() for place in folders(tmp_path))
