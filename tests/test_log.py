"""Books anyone can check: the chain of plans, tampering found and named, plans that do not follow from a parent."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kantor as kt
from kantor.errors import ProblemError
from kantor.feedback.books import Books, change_csv, read_change_csv, save_with_books
from kantor.feedback.indicators import gini, plan_indicators
from kantor.planning.record import digest, read_record, sha256_of, written

# Single-byte changes tried; the whole claim is 1,000.
CHANGES = int(os.environ.get("KANTOR_TAMPERINGS", "60"))


def ten_plans(folder: Path) -> kt.Log:
    eco = kt.Economy.from_iot(A=[[0.1, 0.5], [0.2, 0.1]], Y=[4.0, 3.0], S=[[1.0, 2.0]], labels=["coal", "iron"],
                              indicators=["labour"])  # fmt: skip
    log = kt.Log(folder)
    planner = kt.Replanner(kt.Plan(eco, limits={"labour": 20.0}))
    log.append(planner.last)
    for k in range(9):
        change = kt.Change.of(
            target={"coal": f"+{k + 1}%"}, coefficient={("iron", "coal"): 0.2 + 0.01 * k}, reason=f"period {k}"
        )
        done = planner.replan(change)
        log.append(done.result, change=change, replan=done.how)
    return log


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> kt.Log:
    return ten_plans(tmp_path_factory.mktemp("books") / "log")


def test_even_a_blank_in_the_last_plan_is_found(honest: kt.Log, tmp_path: Path) -> None:
    file = copied(honest, tmp_path / "log") / "0009" / "plan.json"
    file.write_bytes(file.read_bytes().replace(b"\n", b" ", 1))
    found = kt.verify_log(tmp_path / "log", certificates=False)
    assert found.reasons == ["0009/plan.json: was changed, its bytes are not those that kantor writes"]


def copied(log: kt.Log, to: Path) -> Path:
    shutil.copytree(log.folder, to)
    return to


def test_an_honest_log_holds_and_has_a_head(honest: kt.Log) -> None:
    found = kt.verify_log(honest.folder)
    assert found.ok, str(found)
    assert len(found.plans) == 10
    assert found.notes == []
    assert found.head == sha256_of(honest.folder / "0009" / "plan.json")
    assert kt.verify_log(honest.folder, head=found.head, certificates=False).ok


def test_a_changed_byte_anywhere_is_found_and_its_file_named(honest: kt.Log, tmp_path: Path) -> None:
    folder = copied(honest, tmp_path / "log")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rng = np.random.default_rng(20261127)
    for _ in range(CHANGES):
        file = files[int(rng.integers(len(files)))]
        content = file.read_bytes()
        at = int(rng.integers(len(content)))
        other = (content[at] + int(rng.integers(1, 256))) % 256
        file.write_bytes(content[:at] + bytes([other]) + content[at + 1 :])
        found = kt.verify_log(folder, certificates=False)
        name = str(file.relative_to(folder))
        assert not found.ok, f"{name}, byte {at}: {content[at]} -> {other} was not found"
        assert any(reason.startswith(f"{name}:") for reason in found.reasons), (name, at, found.reasons)
        file.write_bytes(content)
    assert kt.verify_log(folder, certificates=False).ok


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: shutil.rmtree(f / "0004"), "0005/plan.json: its parent (0004) is not in the log"),
        (lambda f: (f / "0003" / "note.txt").write_text("x"), "0003/note.txt: is not listed"),
        (lambda f: (f / "0003" / "prices.parquet").unlink(), "0003/prices.parquet: is missing"),
        (lambda f: (f / "readme").mkdir(), "readme: is no plan folder"),
        (lambda f: shutil.copytree(f / "0009", f / "0010"), "a log has one line"),
        (lambda f: [shutil.rmtree(path) for path in f.iterdir()], "the log is empty"),
    ],
)
def test_what_is_missing_or_too_much_is_named(honest: kt.Log, tmp_path: Path, spoil: Any, message: str) -> None:
    folder = copied(honest, tmp_path / "log")
    spoil(folder)
    found = kt.verify_log(folder, certificates=False)
    assert not found.ok
    assert any(message in reason for reason in found.reasons), found.reasons


def test_a_cut_end_is_found_by_the_head_that_someone_kept(honest: kt.Log, tmp_path: Path) -> None:
    folder = copied(honest, tmp_path / "log")
    head = kt.verify_log(folder, certificates=False).head
    shutil.rmtree(folder / "0009")
    assert kt.verify_log(folder, certificates=False).ok  # consistent in itself
    assert "cut off" in str(kt.verify_log(folder, head=head, certificates=False))


def resealed(path: Path, spoil: Any) -> None:
    """Change plan.json and make its hashes good again, as a forger with time would."""
    record = read_record(path)
    spoil(record)
    record["tables"] = {name: sha256_of(path / name) for name in record["tables"]}
    record["digest"] = digest(record)
    (path / "plan.json").write_bytes(written(record))


def test_resealed_lies_are_found_by_recomputing(honest: kt.Log, tmp_path: Path) -> None:
    folder = copied(honest, tmp_path / "log")
    last = folder / "0009"

    def flatter(record: dict[str, Any]) -> None:
        record["books"]["indicators"]["fulfilment"]["gini"] = 0.123

    resealed(last, flatter)
    found = kt.verify_log(folder)
    assert found.reasons == ["0009: the indicators are not those of the tables"]


def test_a_plan_must_follow_from_its_parent_and_the_entered_change(honest: kt.Log, tmp_path: Path) -> None:
    folder = copied(honest, tmp_path / "log")
    last = folder / "0009"
    table = read_change_csv(last / "change.csv").table
    table.loc[0, "value"] = "+1%"  # the books say less was asked than the plan was made for
    (last / "change.csv").write_bytes(change_csv(kt.Change(table)))
    resealed(last, lambda record: None)
    found = kt.verify_log(folder)
    assert found.reasons == ["0009: targets differ from the parent's by more than the change entered"]


def test_ballots_and_privacy_are_entered(tmp_path: Path, honest: kt.Log) -> None:
    result = kt.Replanner(honest.last()).replan().result
    books = Books.of(parent=honest.last(), ballots={"rule": "median", "participation": 0.7}, privacy={"epsilon": 1.0})
    entry = json.loads((save_with_books(result, tmp_path / "p", books) / "plan.json").read_text())["books"]
    assert entry["privacy"] == {"epsilon": 1.0}
    assert entry["indicators"]["participation"] == 0.7
    assert entry["parent"]["folder"] == "0009"
    with pytest.raises(ProblemError, match="is the parent"):
        save_with_books(result, tmp_path / "p", Books.of(parent=tmp_path / "p"))
    with pytest.raises(ProblemError, match="no plan"):
        Books.of(parent=tmp_path / "nothing")


def test_changes_are_read_back_as_they_were() -> None:
    change = kt.Change.of(target={("north", "coal"): 1.5, "plain": "+5%"}, coefficient={("coal", 3): 0.25})
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "change.csv"
        file.write_bytes(change_csv(change))
        again = read_change_csv(file).table
    assert again.values.tolist() == change.table.astype(object).where(change.table.notna(), None).values.tolist()


def test_gini_and_groups() -> None:
    rng = np.random.default_rng(1)
    v, w = rng.random(40), rng.random(40)
    slow = np.abs(v[:, None] - v).ravel() @ np.outer(w, w).ravel() / (2 * w.sum() * (w @ v))
    assert gini(v, w) == pytest.approx(slow)
    assert np.isnan(gini(np.zeros(3), np.ones(3)))
    eco = kt.Economy.from_mrio(
        A=np.diag([0.1, 0.2, 0.1, 0.2]), Y=[[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0]],
        S=[[1.0, 1.0, 1.0, 1.0]], indicators=["labour"],
        regions=["north", "south"], sectors=["a", "b"], demand_categories=["use"],
    )  # fmt: skip
    found = plan_indicators(kt.Plan(eco, limits={"labour": "80%"}).solve())
    assert found["fulfilment"]["groups"] == pytest.approx({"north": 0.8, "south": 0.8})
    assert found["fulfilment"]["gini"] == pytest.approx(0.0, abs=1e-12)
    assert found["headroom"]["labour"] == pytest.approx(0.0, abs=1e-9)
    assert found["steadiness"] is None
