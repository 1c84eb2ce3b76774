"""Names that a file format or a reader would take for something else."""

from __future__ import annotations

from pathlib import Path

import pytest

import kantor as kt
from kantor.data.model_names import mps_name
from kantor.errors import ProblemError

VILLAGE = (
    "factor labour{also}\nfactor land\ntechnique farm: 1 labour + 100 land -> 2 corn\n{targets}limit labour <= 10\n"
)


def written(folder: Path, also: str = "", targets: str = "target 3 corn\n") -> Path:
    path = folder / "village.txt"
    path.write_text(VILLAGE.format(also=also, targets=targets))
    return path


@pytest.mark.parametrize("alias", ["land", "Land", "corn"])
def test_an_alias_is_not_the_name_of_something_else(tmp_path: Path, alias: str) -> None:
    assert len(kt.read_economy(written(tmp_path)).indicators) == 2
    with pytest.raises(ProblemError, match="is the name of something else"):
        kt.read_economy(written(tmp_path, f", also {alias}"))


@pytest.mark.parametrize(
    "given", [{"labour": (0, 5), "LABOUR": (0, 2)}, {"labour": ("0", "5")}, {"labour": (True, 5)}, None]
)
def test_limits_of_an_economy_are_one_pair_of_numbers_each(given: object) -> None:
    arrays = {"input": [[0.0]], "intensities": [[1.0]], "products": ["corn"], "indicators": ["labour"]}
    assert kt.Economy.from_arrays(**arrays).replace(limits={"Labour": (0, 5)}).limits == {"labour": (0.0, 5.0)}
    with pytest.raises(ProblemError, match=r"limits|both mean"):
        kt.Economy.from_arrays(**arrays).replace(limits=given)


def test_one_indicator_in_two_spellings_is_not_weighted_twice() -> None:
    eco = kt.Economy.from_arrays(input=[[0.0]], intensities=[[1.0]], products=["corn"], indicators=["labour"])
    with pytest.raises(ProblemError, match="'labour' and 'Labour' both mean 'labour'"):
        eco.with_indicator("effort", {"labour": 1.0, "Labour": 2.0})


def test_total_is_no_category_beside_others(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="'total' is the sum of all categories"):
        kt.read_economy(written(tmp_path, targets="target 3 corn\ntarget total: 1 corn\n"))


@pytest.mark.parametrize("number", ["1__0", "1_0_"])
def test_a_number_with_odd_underscores_is_named(tmp_path: Path, number: str) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("1 labour", f"{number} labour"))
    with pytest.raises(ProblemError, match="line 3"):
        kt.read_economy(path)


@pytest.mark.parametrize("word", ["NAME", "OBJSENSE", "RHS", "'MARKER'", "bounds"])
def test_words_of_the_format_are_not_names(word: str) -> None:
    assert mps_name(word) == "_" + word
    assert mps_name(word + "s of iron") == (word + "s of iron").replace(" ", "_")


def test_an_economy_that_uses_more_than_it_makes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.txt"
    words = "factor labour\ntechnique a: {} y + 1 labour -> 1 x\ntechnique b: 2 x + 1 labour -> 1 y\ntarget 1 x\n"
    path.write_text(words.format(0.4) + "limit labour <= 10\n")
    assert kt.Plan(kt.read_economy(path), targets="total").solve().certified
    path.write_text(words.format(2) + "limit labour <= 10\n")
    with pytest.raises(ProblemError, match=r"not productive: .*'x', 'y'"):
        kt.Plan(kt.read_economy(path), targets="total")


def test_an_export_replaces_nothing_but_exports(tmp_path: Path) -> None:
    result = kt.Plan(kt.read_economy(written(tmp_path)), targets="total").solve()
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.csv").write_text("a,b\n")
    for target in (own, tmp_path / "village.txt"):
        with pytest.raises(ProblemError):
            result.export(target, overwrite=True)
    assert (own / "mine.csv").read_text() == "a,b\n"
    assert (tmp_path / "village.txt").is_file()
    result.export(tmp_path / "tables")
    result.export(tmp_path / "tables", overwrite=True)


def test_rows_longer_than_their_headings_and_files_in_capitals_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "village"
    kt.template(folder)
    limits = folder / "limits.csv"
    whole = kt.read_economy(folder).limits
    assert whole
    limits.rename(folder / "Limits.CSV")
    (folder / "techniques.csv").rename(folder / "Techniques.CSV")
    (folder / "outputs.csv").rename(folder / "Outputs.csv")
    assert kt.read_economy(folder).limits == kt.load_economy(folder).limits == whole
    text = (folder / "Limits.CSV").read_text().rstrip("\n")
    (folder / "Limits.CSV").write_text(text + ",5\n")
    with pytest.raises(ProblemError, match="a value in a column without heading"):
        kt.read_economy(folder)
