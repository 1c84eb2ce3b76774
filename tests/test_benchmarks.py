"""The harness of the benchmark suites: every way a peer can end is an outcome on record; the checks are independent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from typer.testing import CliRunner

from kantor.cli import app
from kantor.solvers.lp import solve_lp
from kantor.solvers.mps import read_mps
from kantor.solvers.problem import LinearProgram
from kantor.solvers.verify import verify_lp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from harness import check_leontief, check_lp, check_plan, families, judge_lp, summary  # noqa: E402
from harness.files import write_arrays  # noqa: E402
from harness.launch import Limits, launch  # noqa: E402
from harness.store import Results  # noqa: E402
from harness.suite import Case, Solver, Suite  # noqa: E402


@pytest.fixture(scope="module")
def small():
    """min 2 x + 3 y: x + y >= 2, 3 x + 2 y <= 5; optimum 5 at (1, 1)."""
    K = sp.csr_array(np.array([[1.0, 1.0], [3.0, 2.0]]))
    return LinearProgram([2.0, 3.0], K, row_lower=[2.0, -np.inf], row_upper=[np.inf, 5.0])


@pytest.fixture(scope="module")
def file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "small.npz"
    write_arrays(path, families.lp_arrays(small))
    return path


def run(file, how, seconds=0.5, memory=4000.0):
    limits = Limits(seconds, repeats=1, memory_mb=memory)
    return launch(sys.executable, "broken:solve", {"how": how}, file, 1e-6, limits)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [("hang", "killed", "time"), ("segfault", "crash", "exit -11"), ("raise", "error", "ArithmeticError: no pivot")],
)
def test_a_failing_peer_is_an_outcome(file, how, status, said):
    outcome, answer = run(file, how)
    assert outcome["status"] == status
    assert said in outcome["said"]
    assert answer is None


def test_too_much_memory_is_an_outcome(file):
    outcome, _ = run(file, "eat", seconds=60.0, memory=600.0)
    assert outcome["status"] == "killed"
    assert "memory" in outcome["said"]


def test_compilation_is_not_held_against_the_limit(file):
    outcome, answer = run(file, "late", seconds=0.2)
    assert outcome["status"] == "optimal"
    assert outcome["phases"]["compile"] > 4.0 > outcome["seconds"][0]
    assert answer is not None


def test_a_missing_package_is_an_outcome(file):
    pytest.importorskip("highspy")
    outcome, answer = launch(sys.executable, "no_such_peer:solve", {}, file, 1e-6, Limits(5.0))
    assert outcome["status"] == "missing"
    assert "no_such_peer" in outcome["said"]
    assert answer is None


def judge(case, forms, solver, outcome, answer, tolerance):
    return judge_lp.judge(forms["lp"], case.known, outcome["status"], answer, tolerance)


def test_a_suite_judges_and_resumes(small, tmp_path):
    solvers = [
        Solver("kantor", "kantor_solvers:lp", "kantor", "lp"),
        Solver("highs", "highs:solve", "highspy", "lp", {"solver": "simplex"}),
        Solver("liar", "broken:solve", "liar", "lp", {"how": "lie"}),
        Solver("small ones only", "broken:solve", "liar", "lp", {"how": "hang"}, largest=1, why="too large"),
    ]
    case = Case("small", "tests", 2, lambda: {"lp": families.lp_arrays(small)}, {"optimum": 5.0})
    suite = Suite("lp", [case], solvers, [1e-6], Limits(20.0, repeats=1), judge, {"*": sys.executable}, tmp_path)
    told: list[str] = []
    suite.run(Results(tmp_path / "results.json", "lp"), told.append)
    runs = {entry["solver"]: entry for entry in json.loads((tmp_path / "results.json").read_text())["runs"]}
    assert runs["kantor"]["verified"]
    assert runs["kantor"]["objective_error"] < 1e-5
    assert runs["highs"]["verified"]
    assert runs["highs"]["objective_error"] < 1e-9
    assert runs["kantor"]["instance"] == runs["highs"]["instance"]
    assert runs["liar"]["status"] == "optimal"
    assert not runs["liar"]["verified_10x"]
    assert summary.is_false(runs["liar"])
    assert runs["small ones only"]["status"] == "not run"
    before = len(told)
    suite.run(Results(tmp_path / "results.json", "lp"), told.append)
    assert len(told) == before


def test_the_plain_residuals_are_those_of_verify_lp():
    from kantor.data.datasets import data_folder
    from kantor.errors import ProblemError

    try:
        folder = data_folder("netlib")
    except ProblemError as error:
        pytest.skip(str(error))
    for name in ("boeing1", "recipe", "forplan"):  # ranges, fixed and free columns
        lp = read_mps(folder / f"{name}.mps.gz")
        solution = solve_lp(lp, 1e-3, iteration_limit=3000)
        arrays = families.lp_arrays(lp)
        x, y, moved = check_lp.tidy(arrays, {"x": solution.x, "y": solution.y})
        assert moved == 0.0
        plain, ours = check_lp.residuals(arrays, x, y), verify_lp(lp, solution)
        assert plain["primal"] == pytest.approx(ours.primal_residual, rel=1e-9, abs=1e-15)
        assert plain["dual"] == pytest.approx(ours.dual_residual, rel=1e-9, abs=1e-15)
        assert plain["gap"] == pytest.approx(ours.gap, rel=1e-9, abs=1e-15)


def test_a_ray_proves_as_far_as_it_goes():
    lp = LinearProgram([0.0], sp.csr_array([[1.0], [1.0]]), row_lower=[2.0, -np.inf], row_upper=[np.inf, 1.0])
    arrays = families.lp_arrays(lp)
    assert check_lp.ray_radius(arrays, np.array([1.0, -1.0])) > 1e100
    assert check_lp.ray_radius(arrays, np.array([0.0, 0.0])) == 0.0
    assert check_lp.ray_radius(arrays, np.array([1.0, -0.999])) == pytest.approx(1001.0)
    assert check_lp.ray_radius(arrays, np.array([1.0, 1.0])) == 2.0  # a sign that its row cannot have counts as zero
    assert check_lp.ray_radius(arrays, np.array([-1.0, 1.0])) == 0.0


def test_the_bound_of_the_error_holds():
    random = np.random.default_rng(3)
    A = 0.6 * random.random((30, 30)) / 15.0
    d = random.random(30)
    exact = np.linalg.solve(np.eye(30) - A, d)
    arrays = {"d": d, "transpose": np.array(False), "w": check_leontief.majorant(sp.csr_array(A))}
    from harness.files import put_matrix

    put_matrix(arrays, "A", sp.csr_array(A))
    wrong = exact + 1e-6 * random.standard_normal(30)
    found = check_leontief.judge(arrays, {"x": wrong})
    assert np.abs(wrong - exact).max() / np.abs(wrong).max() <= found["error_at_most"] < 1e-4


@pytest.mark.parametrize("bounded", [0.0, 0.3])
def test_plans_are_recomputed(bounded):
    from kantor.solvers.dispatch import solve_program

    program = families.least_labour(60, resources=2, bounded=bounded)
    found = solve_program(program, 1e-6)
    assert found.status.value == "optimal"
    arrays = families.plan_arrays(program)
    names = ("activity", "prices", "rents", "floor_rents", "scale")
    answer = {name: np.asarray(getattr(found, name)) for name in names}
    check = check_plan.judge(arrays, answer)
    assert max(check["violation"], check["price_violation"]) < 1e-11
    assert check["gap"] <= found.gap + 1e-11
    for name in ("activity", "prices"):
        spoilt = answer | {name: answer[name] * np.where(np.arange(answer[name].size) % 7 == 0, 1.001, 0.999)}
        worse = check_plan.judge(arrays, spoilt)
        assert max(worse["violation"], worse["price_violation"], worse["gap"] - found.gap) > 1e-9


def test_shifted_geometric_mean_counts_the_unsolved_at_the_limit():
    runs = [{"verified": True, "median_s": 0.0, "limit_s": 30.0}, {"verified": False, "limit_s": 30.0}]
    assert summary.sgm(summary._time(entry, "verified") for entry in runs) == pytest.approx(10.0)


def test_suites_need_the_checkout(monkeypatch, tmp_path):
    from kantor.bench import checkout

    monkeypatch.setattr(checkout, "__file__", str(tmp_path / "site-packages" / "kantor" / "bench" / "checkout.py"))
    result = CliRunner().invoke(app, ["bench", "lp"])
    assert result.exit_code == 2
    assert "source tree" in result.stderr
    assert "pip install -e" in result.stderr


def test_options_of_the_other_kind_are_refused():
    for arguments in (["lp", "--rows", "5000"], ["kernels", "--peers"]):
        result = CliRunner().invoke(app, ["bench", *arguments])
        assert result.exit_code == 2, result.output


def test_the_page_shows_the_stored_results():
    import render

    assert render.main(check=True) == 0
