"""verify_plan: a sound folder passes, and whatever is changed in it makes it fail."""

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

from kantor import Status, verify_plan
from kantor.errors import ProblemError
from kantor.planning.record import TABLES, read_record, sha256_of
from plan_folders import PLANS, reseal, scenario_folder

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


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


def test_an_unfinished_plan_claims_only_what_it_can_prove(tmp_path: Path) -> None:
    """Stopped at once: whatever bounds are stated must hold."""
    result = PLANS["capacity"]().solve(1e-12, method="pdhg", iteration_limit=1)
    assert result.status is Status.ITERATION_LIMIT
    assert verify_plan(result.save(tmp_path / "plan")).ok
    result.lower_bound = 0.99 * result.upper_bound
    assert not verify_plan(result.save(tmp_path / "plan")).ok


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
        if json.loads(changed) == json.loads(text):  # a 17th digit that makes no difference to the number
            continue
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
    for name in (
        "verify",
        "restate",
        "stated",
        "recheck",
        "intervals",
        "record",
        "scenario",
        "grammar",
        "restate_model",
        "scenario_model",
    ):
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


@pytest.mark.parametrize("name", ["techniques", "products", "limits"])
@pytest.mark.parametrize("change", ["labels", "columns"])
def test_labels_and_columns_of_a_vertex_are_those_of_the_plan(tmp_path: Path, name: str, change: str) -> None:
    folder = PLANS["capacity"]().solve(1e-9, vertex=True).save(tmp_path / "plan")
    assert verify_plan(folder).ok
    path = folder / f"vertex_{name}.parquet"
    table = pd.read_parquet(path)
    if change == "labels":
        table.index = pd.Index([f"{label}x" for label in table.index], name=table.index.name)
    else:
        table["other"] = 1.0
    table.to_parquet(path)
    reseal(folder)
    assert not verify_plan(folder).ok
