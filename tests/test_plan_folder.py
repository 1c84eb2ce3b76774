"""Plan folders: what is written, that it is written whole or not at all, and what is read back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kantor import Economy, Harmony, Limit, MinimiseUse, Plan, Status, load_economy, load_plan, verify_plan
from kantor.errors import ProblemError
from kantor.planning import result as result_module
from kantor.planning.folder import check_writable, save_plan
from kantor.planning.record import TABLES, digest, sha256_of
from kantor.planning.result import PlanResult

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def economy(labels: object = ("grain", "iron", "cloth"), **changes: object) -> Economy:
    return Economy.from_iot(
        A=np.array([[0.2, 0.1, 0.0], [0.1, 0.3, 0.2], [0.0, 0.1, 0.1]]),
        Y=[10.0, 20.0, 30.0],
        S=np.array([[1.0, 2.0, 3.0], [0.5, 0.1, 0.25]]),
        labels=labels if isinstance(labels, pd.Index) else list(labels),  # type: ignore[call-overload]
        indicators=["HOURS", "CO2"],
        indicator_units=pd.Series({"HOURS": "h", "CO2": "t"}),
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def result() -> PlanResult:
    limits = {"work": Limit(indicator="HOURS", at_most="90%", at_least=1.0), "CO2": 1e3}
    return Plan(economy(unit="tonnes"), limits=limits, capacities={"iron": 500.0}, name="small").solve(1e-9)


def test_what_is_read_back_is_what_was_saved(result: PlanResult, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "deep" / "plan")
    loaded = load_plan(folder)
    assert loaded.plan is None
    assert loaded.folder == folder
    for name in (
        "activity",
        "consumption",
        "prices",
        "rents",
        "floor_rents",
        "capacity_rents",
        "targets",
        "capacities",
        "base",
    ):
        pd.testing.assert_series_equal(getattr(loaded, name), getattr(result, name), check_exact=True)
    pd.testing.assert_frame_equal(loaded.use, result.use, check_exact=True)
    pd.testing.assert_frame_equal(loaded.bottlenecks(), result.bottlenecks(), check_exact=True)
    for name in (
        "status",
        "objective",
        "lower_bound",
        "upper_bound",
        "gap",
        "objective_kind",
        "objective_unit",
        "sense",
        "unit",
    ):
        assert getattr(loaded, name) == getattr(result, name)
    assert loaded.limits == result.limits
    assert loaded.summary() == result.summary()
    assert {**loaded.to_dict(), "seconds": None} == {**result.to_dict(), "seconds": None}


@pytest.mark.parametrize(
    "labels",
    [
        pd.MultiIndex.from_tuples(
            [("north", "grain"), ("north", "iron"), ("south", "iron")], names=["region", "sector"]
        ),
        pd.Index([111, 212, 313]),
    ],
)
def test_labels_of_several_kinds(labels: pd.Index, tmp_path: Path) -> None:
    saved = Plan(economy(labels), limits={"HOURS": "90%"}).solve()
    loaded = load_plan(saved.save(tmp_path / "plan"))
    assert loaded.activity.index.tolist() == labels.tolist()
    assert list(loaded.activity.index.names) == list(labels.names)


def test_units_and_names_by_product(tmp_path: Path) -> None:
    goods = ["grain", "iron", "cloth"]
    eco = economy(unit=pd.Series(["t", "kg", "m"], goods), product_names=pd.Series(["Grain", "Iron", "Cloth"], goods))
    loaded = load_plan(Plan(eco, limits={"HOURS": "90%"}).solve().save(tmp_path / "plan"))
    assert isinstance(loaded.unit, pd.Series)
    assert loaded.unit.tolist() == ["t", "kg", "m"]
    assert loaded.names is not None
    assert loaded.names["iron"] == "Iron"


def test_a_plan_that_does_not_exist_is_saved_too(tmp_path: Path) -> None:
    failed = Plan(economy(), None, MinimiseUse("HOURS"), limits={"HOURS": "50%"}).solve()
    assert failed.status is Status.PRIMAL_INFEASIBLE
    loaded = load_plan(failed.save(tmp_path / "plan"))
    assert loaded.status is Status.PRIMAL_INFEASIBLE
    assert loaded.gap == np.inf


def test_the_record_lists_hashes_of_everything(result: PlanResult, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "plan")
    record = json.loads((folder / "plan.json").read_text())
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {"plan.json", *record["tables"]}
    assert set(TABLES) <= set(record["tables"])
    for name, expected in record["tables"].items():
        assert sha256_of(folder / name) == expected
    assert record["digest"] == digest(record)
    assert record["status"] == "optimal"
    assert record["certificate"]["objective"] == result.objective


def test_the_same_plan_gives_the_same_tables(result: PlanResult, tmp_path: Path) -> None:
    first, second = result.save(tmp_path / "a"), result.save(tmp_path / "b")
    for name in TABLES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_old_plan_is_replaced_and_nothing_is_left_over(result: PlanResult, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "plan")
    (folder / "report.html").write_text("<html>")
    Plan(economy(), None, Harmony(), limits={"HOURS": "90%"}, name="new").solve(1e-4).save(folder)
    assert load_plan(folder).name == "new"
    assert not (folder / "report.html").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["plan"]


@pytest.mark.parametrize("other", ["notes.txt", "plan.json.bak"])
def test_a_folder_with_other_things_is_never_touched(result: PlanResult, tmp_path: Path, other: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / other).write_text("mine")
    for attempt in (lambda: result.save(folder), lambda: check_writable(folder)):
        with pytest.raises(ProblemError, match=other):
            attempt()
    assert (folder / other).read_text() == "mine"
    saved = result.save(tmp_path / "plan")
    (saved / other).write_text("mine")
    with pytest.raises(ProblemError, match=other):
        result.save(saved)
    assert (saved / other).read_text() == "mine"
    assert load_plan(saved).name == "small"


def test_a_file_in_the_way(result: PlanResult, tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("file")
    with pytest.raises(ProblemError, match="is a file"):
        check_writable(tmp_path / "plan")
    with pytest.raises(ProblemError, match=r"cannot be written|is a file"):
        result.save(tmp_path / "plan" / "below")
    with pytest.raises(ProblemError, match=r"cannot write below|is a file"):
        check_writable(tmp_path / "plan" / "below")


def test_check_writable_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "plan")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").is_dir() or os.name != "posix", reason="needs /proc, where nobody can write")
def test_an_unwritable_place_is_known_before_solving(result: PlanResult) -> None:
    with pytest.raises(ProblemError, match="cannot write below /proc"):
        check_writable("/proc/plan")
    with pytest.raises(ProblemError, match="cannot be written"):
        result.save("/proc/plan")


def test_a_failure_while_writing_keeps_the_old_plan(
    result: PlanResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = result.save(tmp_path / "plan")
    before = (folder / "plan.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(ProblemError, match="No space left"):
        result.save(folder)
    assert (folder / "plan.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["plan"]


@pytest.mark.parametrize("name", ["plan.json", *TABLES])
def test_damaged_files_are_named(result: PlanResult, tmp_path: Path, name: str) -> None:
    folder = result.save(tmp_path / "plan")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ProblemError, match=name):
        load_plan(folder)
    (folder / name).unlink()
    with pytest.raises(ProblemError, match=name):
        load_plan(folder)


def test_folders_that_are_no_plans(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="no plan folder"):
        load_plan(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(ProblemError, match="not a plan"):
        load_plan(tmp_path)
    (tmp_path / "plan.json").write_text('{"format": "kantor plan", "version": 99}')
    with pytest.raises(ProblemError, match="version 99"):
        load_plan(tmp_path)


def test_a_loaded_plan_cannot_be_saved_elsewhere(result: PlanResult, tmp_path: Path) -> None:
    loaded = load_plan(result.save(tmp_path / "plan"))
    with pytest.raises(ProblemError, match="copy that folder"):
        save_plan(loaded, tmp_path / "other")


def test_a_file_called_plan_json_does_not_make_a_folder_ours(tmp_path: Path, result: PlanResult) -> None:
    folder = tmp_path / "mine"
    (folder / "input").mkdir(parents=True)
    (folder / "plan.json").write_text('{"my": "own"}')
    (folder / "input" / "mine.csv").write_text("x")
    for attempt in (lambda: result.save(folder), lambda: check_writable(folder)):
        with pytest.raises(ProblemError, match="no record of a kantor plan"):
            attempt()
    assert (folder / "input" / "mine.csv").read_text() == "x"


def test_a_users_file_among_the_inputs_is_kept(tmp_path: Path, result: PlanResult) -> None:
    folder = result.save(tmp_path / "plan")
    (folder / "input").mkdir(exist_ok=True)
    (folder / "input" / "mine.csv").write_text("x")
    with pytest.raises(ProblemError, match=r"mine\.csv"):
        result.save(folder)
    assert (folder / "input" / "mine.csv").read_text() == "x"


def test_a_plan_never_replaces_the_folder_it_reads(tmp_path: Path) -> None:
    first = Plan(load_economy("eu_2006"), targets="total", limits={"labour": "100%"}).solve()
    folder = first.save(tmp_path / "plan")
    held = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = Plan(load_economy(folder / "input"), targets="total", limits={"labour": "102%"}).solve()
    with pytest.raises(ProblemError, match="which this plan reads"):
        again.save(folder)
    assert held == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_link_stays_a_link(result: PlanResult, tmp_path: Path) -> None:
    """The folder a symbolic link points to is written, new or old; links in a circle are named."""
    link, place = tmp_path / "latest", tmp_path / "disk" / "plan"
    link.symlink_to(place)
    for _ in range(2):
        check_writable(link)
        result.save(link)
        assert link.is_symlink()
        assert load_plan(place).name == "small"
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for attempt in (lambda: check_writable(tmp_path / "circle"), lambda: result.save(tmp_path / "circle")):
        with pytest.raises(ProblemError, match="circle"):
            attempt()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "disk", "latest"]


def test_a_number_that_does_not_apply_is_null(tmp_path: Path) -> None:
    """An eliminated problem has no residuals, a plan that exists no surplus of demand."""
    eliminated = Plan(economy(), limits={"HOURS": "90%"}).solve()
    certificate = json.loads((eliminated.save(tmp_path / "plan") / "plan.json").read_text())["certificate"]
    assert certificate["primal_residual"] is None
    assert certificate["surplus"] is None
    assert np.isnan(load_plan(tmp_path / "plan").info.primal_residual)


def test_a_plan_proved_while_it_was_stopped_is_optimal() -> None:
    """What stopped the solver does not matter once both bounds are within the tolerance."""
    from kantor.planning.labelled import label_solution
    from kantor.solvers.dispatch import solve_program

    plan = Plan(economy(), limits={"HOURS": "90%"})
    solution = solve_program(plan.compile())
    solution.status, solution.certified = Status.INTERRUPTED, False
    stopped = label_solution(plan, solution, {"tolerance": 1e-6})
    assert stopped.status is Status.OPTIMAL
    assert stopped.certified


def test_what_uses_nothing_up_has_parts_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding dust of the solve, in what its column says is zero, is no price."""
    honest = result_module.values
    monkeypatch.setattr(result_module, "values", lambda *args, **options: honest(*args, **options) - 1e-28)
    free = Economy.from_iot(
        A=np.array([[0.0, 0.5], [0.0, 0.0]]), Y=[1.0, 4.0], S=np.array([[0.0, 2.0]]), labels=["free", "made"],
        indicators=["hours"],
    )  # fmt: skip
    plan = Plan(free, limits={"hours": 6.0}).solve(1e-9)
    assert plan.price_parts().loc["free", "hours"] == 0.0
    assert verify_plan(plan.save(tmp_path / "plan")).ok


def test_price_parts_are_kept(result: PlanResult, tmp_path: Path) -> None:
    loaded = load_plan(result.save(tmp_path / "plan"))
    pd.testing.assert_frame_equal(loaded.price_parts(), result.price_parts())
    nothing = Plan(economy()).solve()
    with pytest.raises(ProblemError, match="holds none"):
        load_plan(nothing.save(tmp_path / "none")).price_parts()


def test_a_report_that_cannot_be_added_leaves_no_plan(result: PlanResult, tmp_path: Path) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ProblemError, match="No space left"):
        save_plan(result, tmp_path / "plan", full)
    assert list(tmp_path.iterdir()) == []
