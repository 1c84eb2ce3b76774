"""Bad tables are refused with the file, the row and the column; nothing is guessed, clipped or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.data.datasets import load_economy
from kantor.data.economy import Economy
from kantor.errors import KantorError, OptionError, ProblemError

SECTORS = ["grain", "iron"]
GOOD = {"Z": [[20.0, 5.0], [10.0, 40.0]], "Y": [25.0, 50.0], "F": [[1.0, 2.0]], "labels": SECTORS}


def frame(values: Any, rows: list[str] = SECTORS, columns: list[str] = SECTORS) -> pd.DataFrame:
    return pd.DataFrame(values, rows, columns)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Z": [[20.0, np.nan], [10.0, 40.0]]}, "Z: row 'grain', column 'iron' is nan"),
        ({"Z": [[20.0, 5.0], [np.inf, 40.0]]}, "Z: row 'iron', column 'grain' is inf"),
        (
            {"Z": sp.csr_array([[1.0, np.inf], [0.0, -np.inf]])},
            r"row 'grain', column 'iron' is inf.*\(2 such entries\)",
        ),
        ({"Z": [[1.0, 2.0]]}, r"Z: shape \(1, 2\), expected \(2, 2\)"),
        ({"Z": [1.0, 2.0]}, "Z: got 1 dimension"),
        ({"Z": [["a", "b"], ["c", "d"]]}, "Z: could not convert"),
        ({"Z": None}, "give either flows Z or coefficients A"),
        ({"A": np.eye(2) * 0.1}, "not both"),
        (
            {"Z": frame(np.ones((2, 2)), ["grain", "irn"]), "labels": None},
            "1 of 2 labels are not in the table, first 'iron'",
        ),
        ({"Z": frame(np.ones((2, 2)), ["grain", "grain"]), "labels": None}, "label 'grain' occurs more than once"),
        ({"labels": ["grain"], "Y": [1.0]}, r"Z: shape \(2, 2\), expected \(1, 1\)"),
        ({"labels": ["grain", "grain"]}, "occurs more than once"),
        ({"labels": ["grain", None]}, "label number 1 is missing"),
        ({"Y": [25.0, np.nan]}, "column 'final demand': 'iron' is nan|row 'iron'.* is nan"),
        ({"Y": [25.0]}, r"Y: shape \(1, 1\), expected \(2,\)"),
        ({"Y": pd.Series([1.0, 2.0], ["grain", "steel"])}, "1 of 2 labels are not in .*'steel'"),
        ({"Y": pd.DataFrame({"a": [1.0, 2.0]}, ["iron", "steel"])}, "'steel'"),
        ({"x": [50.0, np.inf]}, "x: 'iron' is inf"),
        ({"x": [50.0]}, r"x: shape \(1,\), expected \(2,\)"),
        ({"F": [[1.0, np.nan]]}, "F: row 'resource 1', column 'iron' is nan"),
        ({"F": [[1.0]]}, r"F: shape \(1, 1\), expected \(indicators, 2\)"),
        ({"F": frame([[1.0, 2.0]], ["work"], ["grain", "steel"])}, "'steel'"),
        ({"S": [[1.0, 2.0]]}, "give either totals F or intensities S"),
        ({"aliases": {"labour": "JOBS"}}, "alias 'labour' stands for 'JOBS', which is no indicator"),
        ({"Z": np.zeros((0, 0)), "Y": [], "labels": [], "F": None}, "empty table: 0 products"),
        ({"unit": pd.Series(["t", "t"], ["grain", "steel"])}, "unit: .*'steel'"),
        ({"indicator_units": pd.Series({"work": "h"})}, "indicator_units"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        Economy.from_iot(**{**GOOD, **changes})


def test_the_good_one_is_good() -> None:
    assert Economy.from_iot(**GOOD).n_goods == 2


def test_negative_output_of_a_technique() -> None:
    with pytest.raises(ProblemError, match=r"technique 'b' makes -1\.0 of 'x'"):
        Economy.from_arrays([[0.0, 0.0]], [[1.0, -1.0]], products=["x"], techniques=["a", "b"])
    with pytest.raises(ProblemError, match="output: not given, and the table is not square"):
        Economy.from_arrays([[0.0, 0.0]])


def test_regions_of_another_depth() -> None:
    with pytest.raises(ProblemError, match=r"1 level\(s\) of labels, expected 2"):
        Economy.from_mrio(Z=frame(np.ones((2, 2))), Y=[3.0, 3.0])
    with pytest.raises(ProblemError, match="give both regions and sectors"):
        Economy.from_mrio(Z=np.ones((2, 2)), Y=[3.0, 3.0], regions=["N", "S"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",grain,iron\ngrain,0.1,nan\niron,0.1,0.2\n", "row 'grain', column 'iron' is 'nan', expected a number"),
        (",grain,iron\ngrain,0.1,inf\niron,0.1,0.2\n", "row 'grain', column 'iron' is inf, expected a finite number"),
        (",grain,iron\ngrain,0.1,\niron,0.1,0.2\n", "row 'grain', column 'iron' is empty"),
        (",grain,iron\ngrain,0.1,1.5 t\niron,0.1,0.2\n", "row 'grain', column 'iron' is '1.5 t', expected a number"),
        (",grain,iron\ngrain,0.1,0.1\nsteel,0.1,0.2\n", "'iron'|'steel'"),
        (",grain,iron\ngrain,0.1,0.1\ngrain,0.1,0.2\n", "label 'grain' occurs more than once"),
        (",grain,iron\ngrain,0.1,0.1\n", r"1 of 2 labels are not in the table, first 'iron'|shape"),
        (",grain,iron\n", "empty table"),
        ("", "empty table"),
        ("grain\n", "1 column"),
        (",grain,iron\ngrain,0.1,0.1,0.3,0.3\n,,,,,\n", "A.csv"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "A.csv"
    path.write_text(text)
    with pytest.raises(ProblemError, match=said):
        load_economy(path, table="A")


def test_a_country_called_na_is_a_label(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(",NA,null\nNA,0.1,0.2\nnull,0.3,0.1\n")
    assert load_economy(tmp_path / "A.csv", table="A").products.tolist() == ["NA", "null"]


@pytest.mark.parametrize("name", ["A.parquet", "A.npz", "A.csv.gz"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "nothing"])
def test_damaged_files_are_named(tmp_path: Path, name: str, damage: str) -> None:
    table, path = frame(np.full((2, 2), 0.1)), tmp_path / name
    if name == "A.parquet":
        table.to_parquet(path)
    elif name == "A.npz":
        sp.save_npz(path, sp.csr_array(table.to_numpy()))
    else:
        table.to_csv(path)
    content = path.read_bytes()
    assert load_economy(path, table="A").n_goods == 2
    path.write_bytes({"truncated": content[: len(content) // 2], "garbage": b"\x00\x01" * 400, "nothing": b""}[damage])
    with pytest.raises(ProblemError, match=name.replace(".", r"\.")):
        load_economy(path, table="A")


def test_parquet_with_a_hole(tmp_path: Path) -> None:
    table = frame([[0.1, np.nan], [0.2, 0.3]])
    table.to_parquet(tmp_path / "A.parquet")
    with pytest.raises(ProblemError, match=r"A\.parquet: row 'grain', column 'iron' is nan"):
        load_economy(tmp_path / "A.parquet", table="A")


def test_npz_with_pickled_objects_or_bad_indices(tmp_path: Path) -> None:
    np.savez(tmp_path / "object.npz", A=np.array([[{"a": 1}]], dtype=object))
    with pytest.raises(ProblemError, match=r"object\.npz"):
        load_economy(tmp_path / "object.npz", table="A")
    good = sp.csr_array(np.full((2, 2), 0.1))
    for key, value in (("indices", [0, 1, 0, 7]), ("indptr", [0, 2, 1]), ("indptr", [0, 2, 9])):
        arrays = {"data": good.data, "indices": good.indices, "indptr": good.indptr, "shape": [2, 2], "format": "csr"}
        np.savez(tmp_path / "bad.npz", **{**arrays, key: np.array(value)})
        with pytest.raises(ProblemError, match=r"bad\.npz"):
            load_economy(tmp_path / "bad.npz", table="A")


GOOD_FOLDER = 'kind = "iot"\n[tables]\nZ = "Z.csv"\nY = "Y.csv"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "economy.toml: Invalid value"),
        ("name = 'x'", "lacks the key 'kind'"),
        (GOOD_FOLDER.replace("iot", "ito"), "kind 'ito' is unknown; did you mean 'iot'"),
        (GOOD_FOLDER.replace("[tables]", "untis = 't'\n[tables]"), "unknown key 'untis'; did you mean 'unit'"),
        (GOOD_FOLDER.replace("Y =", "y ="), "unknown entry 'y' for kind 'iot'"),
        (GOOD_FOLDER.replace("Z.csv", "ZZ.csv"), "ZZ.csv: no such file; the folder holds Y.csv, Z.csv, economy.toml"),
        (GOOD_FOLDER.replace('"Z.csv"', "3"), "Z is 3, expected the name of a file"),
        (GOOD_FOLDER.replace("iot", "sut"), "unknown entry 'Z' for kind 'sut'"),
        ('kind = "sut"\n[tables]\nY = "Y.csv"\n', r"\[tables\] lacks 'U'"),
        (GOOD_FOLDER + "[aliases]\nlabour = 'jobs'\n", "alias 'labour' stands for 'jobs'"),
        (GOOD_FOLDER + "[indicator_units]\njobs = 'h'\n", "unknown indicator 'jobs'"),
        (GOOD_FOLDER + "[total_categories]\nall = 'people'\n", "no such technology or category"),
        (GOOD_FOLDER + "[technologies]\na = 'Z.csv'\n", "technology None is not in"),
        ("technology = 'a'\n" + GOOD_FOLDER + "[technologies]\na = 'Z.csv'\n", "not in both"),
        (GOOD_FOLDER.replace("Y.csv", "Z.txt"), "Z.txt: unknown kind of table"),
    ],
)
def test_bad_folders(tmp_path: Path, text: str, said: str) -> None:
    frame([[20.0, 5.0], [10.0, 40.0]]).to_csv(tmp_path / "Z.csv")
    pd.DataFrame({"people": [25.0, 50.0]}, SECTORS).to_csv(tmp_path / "Y.csv")
    (tmp_path / "economy.toml").write_text(GOOD_FOLDER)
    assert load_economy(tmp_path).x.tolist() == [50, 100]
    (tmp_path / "economy.toml").write_text(text)
    with pytest.raises(ProblemError, match=said):
        load_economy(tmp_path)


def test_folders_without_description_and_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"holds no economy\.toml or economy\.json"):
        load_economy(tmp_path)
    frame([[20.0, 5.0], [10.0, 40.0]]).to_csv(tmp_path / "Z.csv")
    pd.DataFrame({"people": [25.0, 50.0]}, SECTORS).to_csv(tmp_path / "Y.csv")
    (tmp_path / "economy.toml").write_text(GOOD_FOLDER)
    with pytest.raises(OptionError, match="only a sut takes one"):
        load_economy(tmp_path, assumption="joint")
    with pytest.raises(OptionError, match="unknown option 'technlogy'; did you mean 'technology'"):
        load_economy(tmp_path, technlogy="a")
    with pytest.raises(KantorError, match="unknown technology 'a'"):
        load_economy(tmp_path, technology="a")
    (tmp_path / "Z.doc").write_text("")
    with pytest.raises(ProblemError, match="unknown kind of file"):
        load_economy(tmp_path / "Z.doc", table="Z")
    (tmp_path / "Z.txt").write_text("")
    with pytest.raises(OptionError, match="option 'table' does not apply; the file says all there is"):
        load_economy(tmp_path / "Z.txt", table="Z")


def test_bad_base_technology_is_reported() -> None:
    eco = Economy.from_iot(A=[[0.6, 0.7], [0.5, 0.6]], x=[1.0, 1.0], labels=SECTORS)
    with pytest.raises(ProblemError, match="productive"):
        eco.base_plan([1.0, 1.0])


@pytest.mark.parametrize("part", ["A", "S", "Y", "x"])
def test_numbers_that_would_overflow_name_their_place(part: str, recwarn: pytest.WarningsRecorder) -> None:
    tables: dict[str, Any] = {
        "A": pd.DataFrame([[0.1, 0.2], [0.3, 0.1]], ["grain", "iron"], ["grain", "iron"]),
        "S": pd.DataFrame([[1.0, 2.0]], ["hours"], ["grain", "iron"]),
        "Y": pd.DataFrame([[1.0], [2.0]], ["grain", "iron"], ["final"]),
        "x": pd.Series([2.0, 3.0], ["grain", "iron"]),
    }
    table = tables[part]
    table.iloc[(1,) if part == "x" else (0, 1) if part in "AS" else (1, 0)] = 1e300
    with pytest.raises(ProblemError, match=r"'iron'.*1e\+300.*larger unit"):
        Economy.from_iot(**tables)
    assert not recwarn.list


def test_labour_in_both_spellings() -> None:
    for own, asked in (("labor", "labour"), ("labour", "labor"), ("Labor hours", "labour hours")):
        eco = Economy.from_iot(A=[[0.1]], Y=[1.0], S=[[2.0]], indicators=[own])
        assert eco.indicator_name(asked) == own
        aliased = Economy.from_iot(A=[[0.1]], Y=[1.0], S=[[2.0]], indicators=["jobs"], aliases={own: "jobs"})
        assert aliased.indicator_name(asked) == "jobs"
    with pytest.raises(ProblemError, match="unknown indicator"):
        Economy.from_iot(A=[[0.1]], Y=[1.0], S=[[2.0]], indicators=["hours"]).indicator_name("labor")


def test_negative_output_is_said_with_its_inputs() -> None:
    eco = Economy.from_iot(Z=[[1.0, 2.0], [3.0, 4.0]], Y=[5.0, 1.0], x=[8.0, -3.0], labels=["grain", "scrap"])
    said = " ".join(eco.notes)
    assert "negative output: 'scrap' -3" in said
    assert "inputs of 1 sectors without positive output dropped, 6 in all: 'scrap'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",grain,grain\ngrain,0.1,0.2\niron,0.1,0.1\n", "columns: label 'grain' occurs more than once"),
        (",grain,iron\ngrain,0.1,0.2,0.3\niron,0.1,0.1,0.2\n", "more cells than the first row"),
        ("grain,iron\ngrain,0.1,0.2\niron,0.1,0.1\n", "more cells than the first row"),
    ],
)
def test_csv_that_pandas_would_bend(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "A.csv").write_text(text)
    with pytest.raises(ProblemError, match=said):
        load_economy(tmp_path / "A.csv", table="A")


@pytest.mark.parametrize("column", [[True, False], [pd.Timestamp("2020"), pd.Timestamp("2021")], [True, 0.5]])
def test_parquet_of_what_is_no_number(tmp_path: Path, column: list[Any]) -> None:
    table = pd.DataFrame({"grain": [0.1, 0.2], "iron": column}, ["grain", "iron"])
    if column == [True, 0.5]:
        table["iron"] = table["iron"].astype(object)
        table = table.assign(iron=["True", "0.5"])
    table.to_parquet(tmp_path / "A.parquet")
    with pytest.raises(ProblemError, match=r"row 'grain', column 'iron' is .*expected a number") as found:
        load_economy(tmp_path / "A.parquet", table="A")
    assert "np." not in str(found.value)


def test_sectors_that_use_more_than_they_make_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="grain"):
        Economy.from_iot(A=[[2.0, 0.1], [0.1, 0.1]], Y=[1.0, 1.0], labels=["grain", "iron"])


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 1, 1]), "shape": np.array([2])},
        {
            "data": np.array(["x"]),
            "indices": np.zeros(1, int),
            "indptr": np.array([0, 1, 1]),
            "shape": np.array([2, 2]),
        },
    ],
)
def test_npz_with_odd_parts(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "A.npz", **arrays)
    with pytest.raises(ProblemError, match=r"A\.npz: not a sound sparse matrix"):
        load_economy(tmp_path / "A.npz", table="A")
