"""verify_plan: a sound folder passes, and whatever is changed in it makes it fail; the arithmetic of the bounds."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from kantor import Economy, Harmony, Limit, LogUtility, MaxScale, MinimiseUse, Plan, PowerUtility, Status, verify_plan
from kantor.errors import ProblemError
from kantor.planning import intervals, recheck
from kantor.planning.objectives import Objective
from kantor.planning.recheck import Multipliers, Problem, Utility, check_activity, check_multipliers, proves_infeasible
from kantor.planning.record import TABLES, digest, read_record, sha256_of
from kantor.planning.scenario import build, load_scenario

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

GOODS = ["grain", "iron", "cloth"]


def economy(**changes: object) -> Economy:
    given: dict[str, object] = {
        "A": np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        "Y": [10.0, 20.0, 30.0],
        "S": np.array([[1.0, 2.0, 3.0], [0.5, 0.1, 0.25]]),
        "labels": GOODS,
        "indicators": ["HOURS", "CO2"],
        "indicator_units": pd.Series({"HOURS": "h", "CO2": "t"}),
    }
    return Economy.from_iot(**(given | changes))  # type: ignore[arg-type]


def two_ways() -> Economy:
    return Economy.from_arrays(
        input=np.zeros((1, 2)),
        output=np.ones((1, 2)),
        intensities=np.array([[2.0, 3.0], [3.0, 2.0]]),
        products=["good"],
        techniques=["A", "B"],
        indicators=["labour", "CO2"],
    )


PLANS: dict[str, Callable[[], Plan]] = {
    "scale": lambda: Plan(economy(), limits={"HOURS": "90%", "CO2": "95%"}, objective=MaxScale(weights={"iron": 0.5})),
    "capacity": lambda: Plan(economy(), limits={"HOURS": "120%"}, capacities={"iron": 30.0}),
    "floor": lambda: Plan(two_ways(), [2.0], MinimiseUse("labour"), limits={"CO2": Limit(at_least=7.0)}),
    "use": lambda: Plan(two_ways(), [2.0], MinimiseUse({"labour": 2.0, "CO2": 0.1}), limits={"CO2": 5.0}),
    "negative": lambda: Plan(economy(), [10.0, -4.0, 30.0], limits={"HOURS": "90%"}),
    "harmony": lambda: Plan(economy(), objective=Harmony(weights={"iron": 2.0}), limits={"HOURS": "90%", "CO2": "-3%"}),
    "harmony with supply": lambda: Plan(economy(), [10.0, -4.0, 30.0], Harmony(), limits={"HOURS": 100.0}),
    "log": lambda: Plan(economy(), objective=LogUtility(epsilon=0.1), limits={"HOURS": "90%"}),
    "power": lambda: Plan(economy(), objective=PowerUtility(sigma=2.0), limits={"HOURS": "90%"}),
    "infeasible": lambda: Plan(two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": 5.0}),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The plan folder of each kind of plan, solved once; tests copy it before they change it."""
    made: dict[str, Path] = {}
    root = tmp_path_factory.mktemp("plans")

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = PLANS[kind]().solve(1e-7).save(root / kind)
        return made[kind]

    return folder


@pytest.mark.parametrize("kind", list(PLANS))
def test_a_sound_folder_passes(saved: Callable[[str], Path], kind: str) -> None:
    found = verify_plan(saved(kind))
    assert found.ok, str(found)
    assert bool(found)
    assert found.reasons == []
    assert "the certificate holds" in str(found)
    record = read_record(saved(kind))
    if record["status"] == Status.OPTIMAL.value:
        assert found.violation == 0.0
        assert found.gap <= 1e-7
        assert found.lower_bound <= record["certificate"]["objective"] + 1e-9 * abs(found.lower_bound)
    json.dumps(found.to_dict(), allow_nan=False)


FULL = """
[economy]
source = "small"
[objective]
kind = "harmony"
weights = "weights.csv"
[limits]
HOURS = "-5%"
[limits.air]
indicator = 'CO2'
at_most = '20 t'
[capacities]
iron = 1e4
[[technique]]
product = 'iron'
name = 'scrap'
inputs = {grain = 0.3}
intensities = {HOURS = 1.5}
capacity = 3.0
"""


def test_an_unfinished_plan_claims_only_what_it_can_prove(tmp_path: Path) -> None:
    """Stopped at once: whatever bounds are stated must hold; an unbounded plan has nothing to verify."""
    result = PLANS["capacity"]().solve(1e-12, method="pdhg", iteration_limit=1)
    assert result.status is Status.ITERATION_LIMIT
    assert verify_plan(result.save(tmp_path / "plan")).ok
    result.lower_bound = 0.99 * result.upper_bound
    assert not verify_plan(result.save(tmp_path / "plan")).ok
    unlimited = Plan(economy()).solve()
    assert unlimited.status is Status.DUAL_INFEASIBLE
    assert not verify_plan(unlimited.save(tmp_path / "plan")).ok


def scenario_folder(tmp_path: Path, text: str = "") -> Path:
    from kantor.data.saved import save_economy

    save_economy(economy(), tmp_path / "small")
    (tmp_path / "weights.csv").write_text("product,weight\niron,3\n")
    (tmp_path / "scenario.toml").write_text(text or FULL)
    plan = build(load_scenario(tmp_path / "scenario.toml"))
    return plan.solve(1e-6).save(tmp_path / "plan")


def test_a_plan_from_a_scenario_is_checked_against_its_raw_files(tmp_path: Path) -> None:
    folder = scenario_folder(tmp_path)
    assert not (folder / "input").exists()
    assert verify_plan(folder).ok, str(verify_plan(folder))
    names = {Path(entry["path"]).name for entry in read_record(folder)["inputs"]}
    assert {"economy.json", "A.npz", "weights.csv"} <= names


def test_an_expanded_plan_is_rebuilt(tmp_path: Path) -> None:
    text = '[economy]\nsource = "small"\nexpand_to = 300\nseed = 5\n[limits]\nHOURS = "90%"\n'
    folder = scenario_folder(tmp_path, text)
    found = verify_plan(folder)
    assert found.ok, str(found)
    assert found.lower_bound == pytest.approx(0.9, rel=1e-6)
    record = read_record(folder)
    record["scenario"]["text"] = text.replace("seed = 5", "seed = 6")
    reseal(folder, record)
    assert not verify_plan(folder).ok


def test_the_raw_files_may_move_with_the_scenario_but_not_change(tmp_path: Path) -> None:
    folder = scenario_folder(tmp_path)
    (tmp_path / "weights.csv").write_text("product,weight\niron,3.0000001\n")
    found = verify_plan(folder)
    assert any("weights.csv" in reason for reason in found.reasons)
    (tmp_path / "weights.csv").unlink()
    assert any("weights.csv" in reason for reason in verify_plan(folder).reasons)


# ---- tampering: with the hashes left alone, and with the hashes made good again ------------------------------
def reseal(folder: Path, record: dict[str, object] | None = None) -> None:
    """Make all hashes of a changed folder right again, as someone who wants to cheat would."""
    record = read_record(folder) if record is None else record
    record["tables"] = {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*"))
                        if p.is_file() and p.name != "plan.json"}  # fmt: skip
    record["digest"] = digest(record)
    (folder / "plan.json").write_text(json.dumps(record))


@pytest.mark.parametrize("kind", ["scale", "use", "harmony"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("activity", "activity"),
        ("activity", "capacity"),
        ("activity", "capacity_rent"),
        ("consumption", "target"),
        ("consumption", "consumption"),
        ("prices", "price"),
        ("rents", "rent"),
        ("rents", "at_most"),
        ("use", "use"),
    ],
)
def test_one_flipped_digit_is_found(
    saved: Callable[[str], Path], tmp_path: Path, kind: str, table: str, column: str
) -> None:
    """The last digit of one number in one table: the hash tells."""
    folder = Path(shutil.copytree(saved(kind), tmp_path / "plan"))
    frame = pd.read_parquet(folder / f"{table}.parquet")
    before = frame[column].iloc[0]
    frame.loc[frame.index[0], column] = np.nextafter(before if np.isfinite(before) else 1e300, np.inf)
    frame.to_parquet(folder / f"{table}.parquet")
    found = verify_plan(folder)
    assert not found.ok
    assert any(f"{table}.parquet was changed" in reason for reason in found.reasons)


def test_any_changed_digit_of_plan_json_is_found(saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("scale"), tmp_path / "plan"))
    text = (folder / "plan.json").read_text()
    digits = [i for i, character in enumerate(text) if character.isdigit()]
    for i in np.random.default_rng(9).choice(digits, 25, replace=False):
        changed = text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :]
        (folder / "plan.json").write_text(changed)
        try:
            found = verify_plan(folder)
        except ProblemError:  # the version of the format
            continue
        assert not found.ok, text[i - 40 : i + 20]


@pytest.mark.parametrize(
    ("kind", "table", "column", "factor"),
    [
        ("scale", "activity", "activity", 1 - 1e-6),
        ("scale", "activity", "activity", 1 + 1e-6),
        ("use", "activity", "activity", 1 - 1e-6),
        ("harmony", "activity", "activity", 1 - 1e-6),
        ("harmony", "activity", "activity", 1 + 1e-6),
        ("scale", "consumption", "consumption", 1 + 1e-6),
        ("use", "consumption", "consumption", 1 + 1e-6),
        ("harmony", "consumption", "consumption", 1 + 1e-6),
        ("scale", "prices", "price", 1 + 1e-5),
        ("use", "prices", "price", 1 + 1e-5),
        ("harmony", "prices", "price", 1 + 1e-5),
        ("scale", "rents", "rent", 1 - 1e-5),
        ("use", "rents", "rent", 1 - 1e-5),
        ("harmony", "rents", "rent", 1 - 1e-5),
        ("floor", "rents", "floor_rent", 1 + 1e-5),
        ("capacity", "activity", "capacity_rent", 1 - 1e-5),
        ("scale", "rents", "at_most", 1 + 1e-6),
        ("scale", "rents", "base", 1 + 1e-6),
        ("capacity", "activity", "capacity", 1 - 1e-6),
        ("scale", "use", "use", 1 + 1e-6),
        ("scale", "consumption", "weight", 1 - 1e-6),
        ("negative", "consumption", "target", 1 + 1e-6),
        ("infeasible", "rents", "rent", 1.2),
        ("infeasible", "prices", "price", 0.9),
    ],
)
def test_forged_numbers_are_found_without_hashes(
    saved: Callable[[str], Path], tmp_path: Path, kind: str, table: str, column: str, factor: float
) -> None:
    """With all hashes recomputed, the plan itself must give the forger away."""
    folder = Path(shutil.copytree(saved(kind), tmp_path / "plan"))
    frame = pd.read_parquet(folder / f"{table}.parquet")
    frame[column] = frame[column] * factor
    frame.to_parquet(folder / f"{table}.parquet")
    reseal(folder)
    found = verify_plan(folder)
    assert not found.ok, f"{table}.{column} times {factor} was accepted"


@pytest.mark.parametrize("key", ["objective", "lower_bound", "upper_bound", "gap"])
@pytest.mark.parametrize("kind", ["scale", "use", "harmony"])
def test_a_forged_certificate_is_found(saved: Callable[[str], Path], tmp_path: Path, kind: str, key: str) -> None:
    """A better objective, a tighter bound, a smaller gap than can be proved."""
    folder = Path(shutil.copytree(saved(kind), tmp_path / "plan"))
    record = read_record(folder)
    certificate = record["certificate"]
    step = 1e-7 * max(1.0, abs(certificate["objective"]))
    steps = {"objective": step, "lower_bound": step, "upper_bound": -step, "gap": -0.5 * certificate["gap"] - 1e-12}
    certificate[key] += steps[key]
    if key.endswith("bound"):  # a careful forger
        low, high = certificate["lower_bound"], certificate["upper_bound"]
        certificate["gap"] = (high - low) / max(abs(low), abs(high), 1.0 if kind == "harmony" else 0.0)
    (folder / "plan.json").write_text(json.dumps(record))
    assert any("digest" in reason for reason in verify_plan(folder).reasons)
    reseal(folder, record)
    found = verify_plan(folder)
    assert any(reason.startswith(key.replace("_", " ")) for reason in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("objective", "kind"), "log"),
        (("options", "tolerance"), 1e-30),
        (("status",), "primal infeasible"),
    ],
)
def test_other_forged_words(saved: Callable[[str], Path], tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    folder = Path(shutil.copytree(saved("harmony"), tmp_path / "plan"))
    record = read_record(folder)
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    reseal(folder, record)
    assert not verify_plan(folder).ok


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("iron = 1e4", "iron = 2e4"),
        ("'20 t'", "'21 t'"),
        ("-5%", "-4%"),
        ('"harmony"', '"log"'),
        ("weights.csv", "other.csv"),
        ("capacity = 3.0", "capacity = 4.0"),
        ("grain = 0.3", "grain = 0.25"),
        ("[economy]", "[targets]\nfinal_demand = 'wanted.csv'\n[economy]"),
    ],
)
def test_a_scenario_that_says_something_else(tmp_path: Path, old: str, new: str) -> None:
    folder = scenario_folder(tmp_path)
    (tmp_path / "other.csv").write_text("product,weight\niron,2\n")
    (tmp_path / "wanted.csv").write_text("product,amount\niron,2\n")
    record = read_record(folder)
    assert old in record["scenario"]["text"]
    record["scenario"]["text"] = record["scenario"]["text"].replace(old, new)
    for name in ("other.csv", "wanted.csv"):
        if name in new:
            record["inputs"].append({"path": name, "sha256": sha256_of(tmp_path / name)})
    reseal(folder, record)
    assert not verify_plan(folder).ok


def test_a_slack_limit_cannot_be_moved(saved: Callable[[str], Path], tmp_path: Path) -> None:
    """The plan and its bounds stay right, but the limit is not the one that was asked for."""
    folder = Path(shutil.copytree(saved("scale"), tmp_path / "plan"))
    frame = pd.read_parquet(folder / "rents.parquet")
    slack = frame.index[frame["rent"] <= 1e-12][0]
    frame.loc[slack, "at_most"] *= 1.5
    frame.to_parquet(folder / "rents.parquet")
    reseal(folder)
    assert any(f"limit '{slack}'" in reason for reason in verify_plan(folder).reasons)


def test_a_changed_input_table(saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("scale"), tmp_path / "plan"))
    matrix = sp.load_npz(folder / "input" / "A.npz")
    matrix.data[0] *= 1.001
    sp.save_npz(folder / "input" / "A.npz", matrix)
    assert any("A.npz was changed" in reason for reason in verify_plan(folder).reasons)
    reseal(folder)
    assert not verify_plan(folder).ok


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_are_reasons(saved: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(saved("scale"), tmp_path / "plan"))
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert any(name in reason for reason in verify_plan(folder).reasons)
    (folder / name).unlink()
    assert any(name in reason for reason in verify_plan(folder).reasons)


def test_swapped_rows_are_found(saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("scale"), tmp_path / "plan"))
    frame = pd.read_parquet(folder / "prices.parquet")
    frame.iloc[::-1].to_parquet(folder / "prices.parquet")
    reseal(folder)
    assert any("labels" in reason for reason in verify_plan(folder).reasons)


def test_no_plan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="no plan folder"):
        verify_plan(tmp_path)


def test_an_optimal_plan_without_a_certificate_does_not_verify(tmp_path: Path) -> None:
    """An activity that misses its balance by 1e-7 is what solvers call optimal; it is not certified."""
    plan = PLANS["scale"]()
    result = plan.solve(1e-7)
    result.activity.iloc[0] *= 1 - 1e-7
    found = verify_plan(result.save(tmp_path / "plan"))
    assert not found.ok


# ---- independence --------------------------------------------------------------------------------------------
def test_the_verifier_imports_no_solver() -> None:
    import kantor.planning

    folder = Path(next(iter(kantor.planning.__path__)))
    for name in ("verify", "restate", "recheck", "intervals", "record", "scenario", "grammar"):
        tree = ast.parse((folder / f"{name}.py").read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in top]
        assert not any("solvers" in module or module in ("plan", "objectives", "limits") for module in modules), name


def test_verification_runs_without_loading_a_solver(saved: Callable[[str], Path]) -> None:
    program = (
        "import sys, kantor; assert kantor.verify_plan(sys.argv[1]).ok; "
        "print([m for m in sys.modules if m.startswith('kantor.solvers.') or m.startswith('kantor.backends')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(saved("scale"))], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


# ---- the arithmetic of bounds --------------------------------------------------------------------------------
def random_problem(seed: int, kind: str) -> Problem:
    """Six goods, ten techniques, two of them with capacities, three limits, one of them with a floor."""
    g = np.random.default_rng(seed)
    n, m, r = 6, 10, 3
    own = np.r_[np.arange(n), g.integers(0, n, m - n)]
    B = np.zeros((n, m))
    B[own, np.arange(m)] = g.uniform(0.5, 2, m)
    A = g.uniform(0, 1, (n, m)) * (g.random((n, m)) < 0.4)
    A[own, np.arange(m)] = 0
    A *= g.uniform(0.2, 0.6) * B.sum(0) / np.maximum(A.sum(0), 0.1)
    R = g.uniform(0.2, 1, (r, m))
    y = g.uniform(0, 2, n)
    y[0] = 0
    capacity = np.full(m, np.inf)
    capacity[-2:] = g.uniform(0.1, 1, 2)
    upper = 15 * R.sum(1)
    lower = np.array([-np.inf, -np.inf, 0.01 * upper[2]])
    cost = g.uniform(0.5, 1, m) if kind == "use" else np.zeros(m)
    return Problem(
        kind, sp.csr_array(B), sp.csr_array(A), y, sp.csr_array(R), lower, upper, capacity, cost, np.zeros(n)
    )  # type: ignore[arg-type]


def by_highs(p: Problem) -> tuple[float, np.ndarray, Multipliers]:
    """Optimum, activity and multipliers from HiGHS: a stranger to both the solver and the verifier."""
    N, R = (p.output - p.input).toarray(), p.resource_use.toarray()
    n, m = N.shape
    extra = 1 if p.kind == "scale" else 0
    rows = np.block([[-N], [R], [-R[2:]]])
    h = np.r_[np.zeros(n) if extra else -p.targets, p.upper, -p.lower[2:]]
    c = p.cost
    bounds = [(0, None if np.isinf(u) else u) for u in p.capacity]
    if extra:
        rows = np.column_stack([rows, np.r_[p.targets, np.zeros(len(rows) - n)]])
        c, bounds = np.r_[np.zeros(m), -1.0], [*bounds, (0, None)]
    s = linprog(c, rows, h, bounds=bounds, method="highs")
    assert s.status == 0, s.message
    mu = np.maximum(-s.ineqlin.marginals, 0)
    floors = np.r_[0.0, 0.0, mu[n + 3 :]]
    rents = np.maximum(-s.upper.marginals[:m], 0)
    value = float(s.x[-1]) if extra else float(s.fun)
    return value, np.maximum(s.x[:m], 0), Multipliers(mu[:n], mu[n : n + 3], floors, rents)


@pytest.mark.parametrize("kind", ["scale", "use"])
@pytest.mark.parametrize("seed", range(3, 11))
def test_bounds_of_linear_plans(kind: str, seed: int) -> None:
    """Optimal multipliers prove the optimum; any other ones give a valid, weaker bound."""
    p = random_problem(seed, kind)
    optimum, x, exact = by_highs(p)
    primal = check_activity(p, x, p.targets * optimum)
    assert primal.value == pytest.approx(optimum, rel=1e-8)
    assert primal.violation < 1e-8
    found = check_multipliers(p, exact)
    assert found.bound == pytest.approx(optimum, rel=1e-8)
    assert found.violation < 1e-8
    g = np.random.default_rng(seed)
    noise = lambda v: v * g.uniform(0.7, 1.3, v.shape) + 0.01 * (g.random(v.shape) < 0.2)  # noqa: E731
    for _ in range(15):
        other = Multipliers(noise(exact.prices), noise(exact.rents), noise(exact.floor_rents) * np.isfinite(p.lower),
                            noise(exact.capacity_rents) * np.isfinite(p.capacity))  # fmt: skip
        bound = check_multipliers(p, other).bound
        assert bound <= optimum * (1 + 1e-9) if kind == "use" else bound >= optimum * (1 - 1e-9)


def test_negative_multipliers_prove_nothing() -> None:
    p = random_problem(3, "use")
    _, _, m = by_highs(p)
    assert np.isnan(check_multipliers(p, Multipliers(m.prices, -m.rents - 1.0, m.floor_rents, m.capacity_rents)).bound)


UTILITIES = {
    ("harmony", 0.0): lambda u: np.where(u < 1, (u - 1) - (u - 1) ** 2 / 2, np.log(np.maximum(u, 1))),
    ("log", 0.0): lambda u: np.log(u),
    ("log", 0.3): lambda u: np.log(u + 0.3),
    ("power", 0.5): lambda u: 2 * np.sqrt(u),
    ("power", 2.0): lambda u: -1 / u,
}


@pytest.mark.parametrize("key", list(UTILITIES))
def test_conjugates_bound_every_consumption(key: tuple[str, float]) -> None:
    """U°(p) >= U(C) - pC for every C, and nearly equal for the best C on a fine grid."""
    grid = np.concatenate([[1e-12], np.geomspace(1e-4, 1e4, 20001)])
    for weight, target, price in [
        (1.0, 2.0, 0.3),
        (3.0, 0.5, 9.0),
        (2.0, 10.0, 0.05),
        (1.5, 4.0, 0.6),
        (1.0, 1.0, 5.0),
    ]:
        u = Utility(*key, np.array([True]), np.array([weight]), np.array([target]))
        bound = recheck._conjugate(u, np.array([price], np.longdouble))
        best = float((weight * UTILITIES[key](grid / target) - price * grid).max())
        assert float(bound.high) >= best - 1e-12 * max(1.0, abs(best))
        assert float(bound.low) <= best + 1e-5 * max(1.0, abs(best))


def test_guards_cover_rounding() -> None:
    """Products with heavy cancellation stay inside their interval, checked in exact arithmetic."""
    from fractions import Fraction

    g = np.random.default_rng(11)
    dense = g.normal(size=(7, 400)) * 10.0 ** g.integers(-12, 12, (7, 400))
    x = g.normal(size=400) * 10.0 ** g.integers(-12, 12, 400)
    dense[:, 200:] = -dense[:, :200]
    x[200:] = x[:200]
    dense[3] = 0.0
    found = intervals.product(sp.csr_array(dense), x)
    for i in range(7):
        exact = sum(
            (Fraction(a) * Fraction(b) for a, b in zip(dense[i].tolist(), x.tolist(), strict=True)), Fraction(0)
        )
        low, high = (Fraction(*value[i].as_integer_ratio()) for value in (found.low, found.high))
        assert low <= exact <= high
    whole = intervals.inner(dense[0], x)
    exact = sum((Fraction(a) * Fraction(b) for a, b in zip(dense[0].tolist(), x.tolist(), strict=True)), Fraction(0))
    assert Fraction(*whole.low.as_integer_ratio()) <= exact <= Fraction(*whole.high.as_integer_ratio())


def test_products_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(7)
    matrix = sp.random_array((50, 40), density=0.2, rng=g, format="csr")
    x = g.normal(size=40)
    whole = intervals.product(matrix, x)
    monkeypatch.setattr(intervals, "CHUNK", 7)
    parts = intervals.product(matrix, x)
    np.testing.assert_array_equal(whole.low, parts.low)
    np.testing.assert_allclose(whole.low.astype(float), matrix @ x, rtol=1e-12, atol=1e-14)


def test_a_proof_of_infeasibility() -> None:
    """Härdin's two techniques at demand 2.6 and CO2 at most 5: price 2, CO2 rent 1."""
    nothing = np.array([-np.inf])
    p = Problem("use", sp.csr_array(np.ones((1, 2))), sp.csr_array((1, 2)), np.array([2.6]), sp.csr_array([[3.0, 2.0]]),
                nothing, np.array([5.0]), np.full(2, np.inf), np.zeros(2), np.zeros(1))  # fmt: skip
    proof = Multipliers(np.array([2.0]), np.array([1.0]), np.zeros(1), np.zeros(2))
    assert proves_infeasible(p, proof)
    assert not proves_infeasible(p, Multipliers(np.array([1.9]), np.array([1.0]), np.zeros(1), np.zeros(2)))
    enough = Problem(**{**p.__dict__, "targets": np.array([2.5])})
    assert not proves_infeasible(enough, proof)


def test_objectives_of_plan_and_verifier_agree() -> None:
    """The verifier's own reading of every objective gives the plan's value at the same consumption."""
    objectives: list[Objective] = [Harmony(), LogUtility(epsilon=0.2), LogUtility(), PowerUtility(sigma=0.5)]
    for objective in objectives:
        result = Plan(economy(), objective=objective, limits={"HOURS": "90%"}).solve(1e-6)
        parameter = float(objective.to_dict().get("sigma", objective.to_dict().get("epsilon", 0.0)))
        u = Utility(objective.name, parameter, np.ones(3, bool), np.ones(3), result.targets.to_numpy())
        value = recheck._utility_value(u, result.consumption.to_numpy())
        assert float(value.low) == pytest.approx(result.objective, rel=1e-9)
