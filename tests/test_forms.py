"""Economies written by people: the text form, workbooks and CSV folders; what is wrong in them is named by its
place."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kantor as kt
from kantor.data.forms.build import build
from kantor.data.forms.collect import collect
from kantor.data.forms.template import EXAMPLE
from kantor.data.forms.text import parse
from kantor.data.forms.text_writer import written
from kantor.errors import OptionError, ProblemError

openpyxl = pytest.importorskip("openpyxl", reason="workbooks need openpyxl (pip install 'kantor[io]')")

VILLAGE = """\
# iron from coal
economy "A village"
year 2026
factor labour [hours], also work
emission CO2 [kg]
good iron [t] "pig iron"
technique mining: 1 labour -> 4 coal [t]
technique deep mining: 0.9 labour
    + 0.1 iron -> 4 coal, capacity 3
technique smelting: 2 coal + 1 labour -> 5 iron + 3 CO2, capacity 40, activity 7.5
target 10 iron + 3 coal
target abroad: 2 iron
limit work <= 100 [hours]
limit CO2 >= 1
limit CO2 <= 1e3
"""


def same(one: kt.Economy, other: kt.Economy) -> None:
    """Every field of two economies, number by number."""
    assert (one.name, one.year, one.licence, one.aliases) == (other.name, other.year, other.licence, other.aliases)
    assert one.limits == other.limits
    assert one.notes == other.notes
    assert one.products.equals(other.products)
    assert one.techniques.equals(other.techniques)
    if one.products.nlevels > 1:
        assert [*one.products.names, *one.techniques.names] == [*other.products.names, *other.techniques.names]
    assert (one.reference_use is None) == (other.reference_use is None)
    if one.reference_use is not None:
        assert one.reference_use.tolist() == other.reference_use.tolist()
    for name in ("input_coefficients", "output_coefficients"):
        difference = getattr(one, name) != getattr(other, name)
        assert difference.nnz == 0
    for name in ("intensities", "final_demand", "activity", "capacities", "indicator_units"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.index.tolist() == theirs.index.tolist()
        assert mine.to_numpy().tolist() == theirs.to_numpy().tolist()
    assert one.final_demand.columns.tolist() == other.final_demand.columns.tolist()
    assert isinstance(one.unit, str) == isinstance(other.unit, str)
    assert list(np.ravel(one.unit)) == list(np.ravel(other.unit))
    assert (one.product_names is None) == (other.product_names is None)
    if one.product_names is not None:
        assert one.product_names.tolist() == other.product_names.tolist()


# ---- what a text says ------------------------------------------------------------------------------------------------
def test_text_says_what_the_economy_is() -> None:
    eco = build(parse(VILLAGE, "village.txt"))
    assert eco.products.tolist() == ["iron", "coal"]
    assert eco.output_coefficients.toarray().tolist() == [[0, 0, 5], [4, 4, 0]]
    assert eco.input_coefficients.toarray().tolist() == [[0, 0.1, 0], [0, 0, 2]]
    assert eco.intensities.to_numpy().tolist() == [[1, 0.9, 1], [0, 0, 3]]
    assert eco.demand("total").tolist() == [12, 3]
    assert eco.demand("abroad").tolist() == [2, 0]
    assert eco.limits == {"labour": (-np.inf, 100.0), "CO2": (1.0, 1000.0)}
    assert eco.capacities.tolist() == [np.inf, 3, 40]
    assert eco.activity.tolist() == [0, 0, 7.5]
    assert (eco.unit, eco.indicator_units.tolist(), eco.year) == ("t", ["hours", "kg"], 2026)
    assert eco.indicator("work").tolist() == [1, 0.9, 1]


def test_names_of_several_levels_and_names_in_quotes() -> None:
    text = 'technique north / mine: -> 1 north / "coal (hard)"\ntarget 1 north / "coal (hard)"\n'
    eco = build(parse(text, "w"))
    assert eco.products.tolist() == [("north", "coal (hard)")]
    same(eco, build(parse(written(collect(eco)), "w")))


WRONG = {
    "tehcnique x: 1 labour -> 1 iron": (1, "did you mean 'technique'"),
    "technique x 1 labour -> 1 iron": (13, "colon"),
    "technique x: 2 coall -> 1 iron": (14, "did you mean 'coal'"),
    "technique x: 1 coal [kg] -> 1 iron": (14, "in 'kg' here and in 't' at village.txt, line 7, column 31"),
    "good coal [kg]": (None, "in 't' here and in 'kg' at village.txt, line 16, column 6"),
    "technique x: 2 coal ->": (23, "'x' makes: a technique without output"),
    "technique x: 2 coal -> 0 iron": (1, "makes nothing"),
    "technique x: 2 coal -> 3 CO2": (1, "makes nothing"),
    "technique smelting: 2 coal -> 1 iron": (1, "first at village.txt, line 10"),
    "technique x: 2,5 coal -> 1 iron": (14, "write 2.5"),
    "technique x: 2 coal + 1 coal -> 1 iron": (23, "add the amounts up"),
    "technique x: 2 coal 3 labour -> 1 iron": (21, "expected + or ->"),
    "technique x: 2 coal -> -1 iron": (1, "makes nothing"),
    "technique x: 3 CO2 -> 1 iron": (14, "was declared as an emission at village.txt, line 5"),
    "technique x: 2 coal -> 1 iron, capacty 3": (32, "did you mean 'capacity'"),
    "technique x: 2 coal -> 1 iron, capacity -3": (41, "capacity -3.0 of 'x', expected a number >= 0"),
    "technique x: 2 coal -> 1 iron, activity -3": (41, "activity -3.0 of 'x', expected a number >= 0"),
    "factor water, base -2": (20, "base -2.0 of 'water', expected a number >= 0"),
    "technique x: 2 coal (hard) -> 1 iron": (21, "quotation marks"),
    'technique "x: 1 coal -> 1 iron': (11, "not closed"),
    "technique x: 1e400 coal -> 1 iron": (14, "too large"),
    "target 3 labour": (8, "limit it instead"),
    "target 3 irn": (8, "did you mean 'iron'"),
    "good slag\ntarget 2 slag": (None, "no technique makes 'slag'"),
    "target 3 iron": (8, "first at village.txt, line 11"),
    "limit coal <= 3": (7, "capacities"),
    "limit labor <= 3": (7, "did you mean 'labour'"),
    "limit labour <= nan": (17, "finite"),
    "limit labour <= 4": (7, "twice"),
    "limit labour >= 101": (7, "at least 101.0 and at most 100.0"),
    "factor coal": (None, "a factor here and a good"),
    "economy b": (1, "a name already"),
    "year 2026.5": (1, "whole number"),
    "year 2027": (1, "'year' is given twice"),
    "factor land, base 1, base 2": (27, "one base only"),
    "limit work <= 100 [days]": (7, "in 'days' here and in 'hours'"),
    "good iron [t]": (6, "declared twice"),
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_in_a_text_is_named_by_line_and_column(line: str) -> None:
    text = VILLAGE.replace('good iron [t] "pig iron"', "good iron") if line == "factor coal" else VILLAGE
    text = text.replace("good iron\n", "good iron\ngood coal\n") if line == "factor coal" else text
    column, words = WRONG[line]
    with pytest.raises(ProblemError) as caught:
        build(parse(text + line, "village.txt"))
    assert words in str(caught.value)
    if column is not None:
        assert f"village.txt, line {16 + line.count(chr(10))}, column {column}:" in str(caught.value)


def test_a_text_that_begins_with_a_blank_or_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="line 1, column 1: the line begins with a blank"):
        parse("  technique x: -> 1 a", "w")
    (tmp_path / "w.txt").write_bytes(b"technique \xff: -> 1 a")
    with pytest.raises(ProblemError, match="UTF-8"):
        kt.read_economy(tmp_path / "w.txt")
    (tmp_path / "e.txt").write_text("# nothing\n")
    with pytest.raises(ProblemError, match="no technique"):
        kt.read_economy(tmp_path / "e.txt")


# ---- round trips -----------------------------------------------------------------------------------------------------
NAMES = st.text("abcäZ_9 .'%&/-+>\"\\#:,[]()", min_size=1, max_size=6).filter(
    lambda text: text.strip() and text == " ".join(text.split()) and " / " not in f" {text} "
)
AMOUNTS = st.floats(1e-12, 1e12)


@st.composite
def economies(draw: st.DrawFn) -> kt.Economy:
    names = draw(st.lists(NAMES, min_size=5, max_size=9, unique=True))
    goods, factors = names[:3], names[3:5]
    ways = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    m = len(ways)
    cells = st.one_of(st.just(0.0), AMOUNTS)
    table = lambda rows: np.array(draw(st.lists(cells, min_size=rows * m, max_size=rows * m))).reshape(rows, m)  # noqa: E731
    made = table(3)
    made[draw(st.integers(0, 2)), :] += 1.0
    asked = np.where((made > 0).any(axis=1), 2.5, 0.0)
    return kt.Economy.from_arrays(
        table(3), made, intensities=table(2), demand=pd.DataFrame({draw(NAMES): asked}, index=goods), products=goods,
        techniques=ways, indicators=factors, activity=draw(st.lists(AMOUNTS, min_size=m, max_size=m)),
        capacities=[draw(AMOUNTS), *[np.inf] * (m - 1)], name=draw(NAMES), year=draw(st.sampled_from([None, 2026])),
        unit=draw(st.sampled_from(["", "t", "million euro"])), aliases={}, limits={factors[0]: (1.5, np.inf)},
        notes=["said \"so\"\nand \\ so"] if draw(st.booleans()) else [],
    )  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(economies())
def test_text_gives_the_same_economy_back(eco: kt.Economy) -> None:
    back = build(parse(written(collect(eco)), "economy.txt"))
    same(eco.replace(notes=[]), back.replace(notes=[]))
    assert back.notes[: len(eco.notes)] == eco.notes
    same(back, build(parse(written(collect(back)), "economy.txt")))  # what build() notes is not noted again


@pytest.mark.parametrize("name", ["village.txt", "village.xlsx", "village"])
def test_files_give_the_same_economy_back(tmp_path: Path, name: str) -> None:
    eco = build(parse(VILLAGE, "village.txt"))
    place = kt.write_economy(eco, tmp_path / name)
    back = kt.load_economy(place)
    same(eco, back)
    assert {Path(source.path).suffix for source in back.sources} <= {".txt", ".xlsx", ".csv"}
    with pytest.raises(ProblemError, match="exists already"):
        kt.write_economy(eco, place)
    with pytest.raises(OptionError, match="does not apply"):
        kt.load_economy(place, year=3)


def test_four_goods_as_text(tmp_path: Path) -> None:
    eco = kt.load_economy("four_goods")
    back = kt.read_economy(kt.write_economy(eco, tmp_path / "four.txt"))
    same(eco, back)
    assert back.is_square


def test_what_the_forms_cannot_say_is_refused(tmp_path: Path) -> None:
    eco = build(parse(VILLAGE, "w"))
    with pytest.raises(ProblemError, match="no plain text"):
        collect(eco.replace(techniques=pd.RangeIndex(3), intensities=eco.intensities.set_axis(pd.RangeIndex(3), axis=1),
                            activity=[0, 0, 0], capacities=None))  # fmt: skip
    with pytest.raises(ProblemError, match="expanded"):
        collect(kt.expand(kt.load_economy("eu_2006"), 50))
    slashed = build(parse('technique a: -> 1 "b / c"', "w"))
    with pytest.raises(ProblemError, match="separates levels"):
        kt.write_economy(slashed, tmp_path / "a.xlsx")
    same(slashed, kt.read_economy(kt.write_economy(slashed.replace(name="a"), tmp_path / "a.txt")).replace(name="w"))


@pytest.mark.parametrize("name", ["a.txt", "a.xlsx", "a"])
def test_names_of_levels_are_kept(tmp_path: Path, name: str) -> None:
    text = "levels {}\ntechnique north / mine: -> 1 north / coal\ntarget 1 north / coal\n"
    eco = build(parse(text.format("region / sector"), "a"))
    assert list(eco.products.names) == list(eco.techniques.names) == ["region", "sector"]
    same(eco, kt.read_economy(kt.write_economy(eco, tmp_path / name)))
    with pytest.raises(ProblemError, match="the levels are called region, but 'north / mine' has 2"):
        build(parse(text.format("region"), "a"))


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    eco = build(parse(VILLAGE, "w"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.doc").write_text("years of work")
    with pytest.raises(ProblemError, match="holds more than the tables of an economy"):
        kt.write_economy(eco, tmp_path / "own", overwrite=True)
    assert (tmp_path / "own" / "thesis.doc").read_text() == "years of work"
    kt.write_economy(eco, tmp_path / "mine")
    same(eco, kt.read_economy(kt.write_economy(eco, tmp_path / "mine", overwrite=True)))


def test_commas_in_names_do_not_make_the_separator(tmp_path: Path) -> None:
    name = "heat, natural gas, 10kW, at a house, alone"
    eco = build(parse(f'technique "{name}": -> 2 heat\ntarget 1 heat\n', "a"))
    folder = kt.write_economy(eco, tmp_path / "a")
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace(",", ";").replace(name.replace(",", ";"), name).replace('"', ""))
    assert kt.read_economy(folder).techniques.tolist() == [name]


# ---- workbooks and CSV -----------------------------------------------------------------------------------------------
@pytest.fixture
def book(tmp_path: Path) -> Path:
    return kt.template(tmp_path / "village.xlsx")


CELLS = {
    ("inputs", "C3", "abc"): "sheet inputs, cell C3: text 'abc' where a number is expected",
    ("inputs", "C3", None): "sheet inputs, cell C3: empty",
    ("inputs", "C3", "2.5"): "sheet inputs, cell C3: '2.5' is a number stored as text",
    ("inputs", "C3", "1.234,5"): "sheet inputs, cell C3: '1.234,5' has a decimal comma",
    ("inputs", "C3", True): "sheet inputs, cell C3: True",
    ("inputs", "C3", "#DIV/0!"): "sheet inputs, cell C3: the error #DIV/0!",
    ("inputs", "C3", "=1+1"): "sheet inputs, cell C3: the formula =1+1 without a stored result",
    ("inputs", "C3", "NaN"): "sheet inputs, cell C3: 'NaN'",
    ("inputs", "C3", datetime.date(2026, 1, 2)): "sheet inputs, cell C3: the date 2026-01-02",
    ("inputs", "B3", "caol"): "sheet inputs, cell B3: 'caol' is made by no technique",
    ("inputs", "A3", "mning"): "sheet inputs, cell A3: 'mning' is not on the sheet techniques; did you mean 'mining'",
    ("inputs", "D3", "kg"): "in 'kg' here and in 't' at",
    ("inputs", "H3", 3): "sheet inputs, cell H3: a value in a column without heading",
    ("goods", "A3", "coal"): "sheet goods, cell A3: good 'coal' is declared twice",
    ("goods", "B1", "untis"): "sheet goods, cell B1: unknown heading 'untis'; did you mean 'unit'",
    ("techniques", "A5", "mining"): "sheet techniques, cell A5: technique 'mining' stands here again",
    ("targets", "A2", "slag"): "sheet targets, cell A2: the target 'slag' is no good",
    ("limits", "C2", None): "sheet limits, cell A2: 'labour' has neither at_least nor at_most",
    ("capacities", "B2", -1): "sheet capacities, cell B2: capacity -1.0 of 'smelting', expected a number >= 0",
    ("techniques", "B2", -1): "sheet techniques, cell B2: activity -1.0 of 'mining', expected a number >= 0",
    ("factors", "E2", -1): "sheet factors, cell E2: base -1.0 of 'labour', expected a number >= 0",
    ("factors", "C2", "emision"): "sheet factors, cell C2: kind 'emision'; did you mean 'emission'",
    ("economy", "A2", "nam"): "sheet economy, cell A2: unknown key 'nam'; did you mean 'name'",
}


def test_a_row_of_formulas_that_nobody_computed_is_not_dropped(book: Path) -> None:
    pages = openpyxl.load_workbook(book)
    for column, cell in zip("ABC", ("=A2", "=B2", "=C2*5"), strict=True):
        pages["inputs"][f"{column}{pages['inputs'].max_row + (column == 'A')}"] = cell
    pages.save(book)
    with pytest.raises(ProblemError, match="the formula =A2 without a stored result"):
        kt.read_economy(book)


@pytest.mark.parametrize("change", CELLS, ids=lambda change: f"{change[0]}-{change[1]}-{change[2]}")
def test_a_wrong_cell_is_named(book: Path, change: tuple[str, str, object]) -> None:
    sheet, cell, value = change
    pages = openpyxl.load_workbook(book)
    pages[sheet][cell] = value
    if change == ("techniques", "A5", "mining"):  # the technique that stood there is gone from all sheets
        for name in ("inputs", "outputs", "capacities"):
            for row in pages[name].iter_rows():
                if row[0].value == "baking":
                    row[0].value = "smelting"
    pages.save(book)
    with pytest.raises(ProblemError) as caught:
        kt.read_economy(book)
    assert CELLS[change] in str(caught.value)
    assert str(book) in str(caught.value)


def test_sheets_that_are_merged_empty_missing_or_misnamed(book: Path) -> None:
    def broken(change: object) -> str:
        pages = openpyxl.load_workbook(book)
        change(pages)  # type: ignore[operator]
        other = book.with_name("other.xlsx")
        pages.save(other)
        with pytest.raises(ProblemError) as caught:
            kt.read_economy(other)
        return str(caught.value)

    assert "sheet inputs, cells A2:A3 are merged" in broken(lambda pages: pages["inputs"].merge_cells("A2:A3"))
    assert "unknown sheet 'input'; did you mean 'inputs'" in broken(lambda p: setattr(p["inputs"], "title", "input"))
    assert "no sheet 'outputs'" in broken(lambda pages: pages.remove(pages["outputs"]))
    assert "sheet inputs: empty" in broken(lambda pages: pages["inputs"].delete_rows(1, 99))
    assert "sheet goods: empty, it has no rows" in broken(lambda pages: pages["goods"].delete_rows(2, 99))
    assert "not a readable workbook" in _message(book.with_name("no.xlsx"), b"PK not a workbook")


def _message(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ProblemError) as caught:
        kt.read_economy(path)
    return str(caught.value)


def test_csv_names_file_and_cell_and_takes_semicolons(tmp_path: Path) -> None:
    folder = kt.template(tmp_path / "village")
    expected = kt.read_economy(folder)
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace(",", ";"))
    same(expected, kt.read_economy(folder))
    inputs = folder / "inputs.csv"
    inputs.write_text(inputs.read_text().replace("baking;coal;0.5", "baking;coal;0,5"))
    with pytest.raises(ProblemError, match=r"inputs.csv, cell C6: '0,5' has a decimal comma"):
        kt.read_economy(folder)
    (folder / "limit.csv").write_text("factor;at_most\n")
    with pytest.raises(ProblemError, match=r"unknown sheet 'limit'; did you mean 'limits'"):
        kt.read_economy(folder)


def test_template_says_the_same_in_every_form_and_empty_ones_hold_headings(tmp_path: Path) -> None:
    eco = build(parse(EXAMPLE, "example"))
    for name in ("a.txt", "a.xlsx", "a"):
        same(eco, kt.read_economy(kt.template(tmp_path / name)))
        empty = kt.template(tmp_path / f"empty{name}", empty=True)
        with pytest.raises(ProblemError, match=r"no technique|no rows"):
            kt.read_economy(empty)
    with pytest.raises(ProblemError, match="exists already"):
        kt.template(tmp_path / "a")
    with pytest.raises(ProblemError, match=r"\.txt or \.xlsx"):
        kt.template(tmp_path / "a.ods")


# ---- limits of the economy -------------------------------------------------------------------------------------------
def test_a_plan_keeps_the_limits_of_its_economy_unless_it_has_its_own() -> None:
    eco = build(parse(VILLAGE, "w"))
    own = kt.Plan(eco)
    assert {limit.name: (limit.lower, limit.upper) for limit in own.limits} == eco.limits
    other = kt.Plan(eco, limits={"hours of work": kt.Limit(indicator="work", at_most=50)})
    assert {limit.name: limit.upper for limit in other.limits} == {"CO2": 1000.0, "hours of work": 50.0}
    assert kt.Plan(eco.replace(limits={})).limits == []
    with pytest.raises(ProblemError, match="speaks of 'work', but the economy has a limit of its own on 'CO2'"):
        kt.Plan(eco, limits={"CO2": kt.Limit(indicator="work", at_most=50)})
    given = {"CO2": kt.Limit(indicator="work", at_most=50), "carbon": kt.Limit(indicator="CO2", at_most=500)}
    assert {limit.name: limit.upper for limit in kt.Plan(eco, limits=given).limits} == {"CO2": 50.0, "carbon": 500.0}


def test_limits_of_an_economy_are_checked_and_stored(tmp_path: Path) -> None:
    from kantor.data.saved import save_economy

    eco = build(parse(VILLAGE, "w"))
    same(eco, kt.load_economy(save_economy(eco, tmp_path / "saved")).replace(sources=[]))
    with pytest.raises(ProblemError, match="least <= most"):
        eco.replace(limits={"labour": (2.0, 1.0)})
    with pytest.raises(ProblemError, match="did you mean 'labour'"):
        eco.replace(limits={"labuor": (0.0, 1.0)})
    with pytest.raises(ProblemError, match="pair of numbers"):
        eco.replace(limits={"labour": 3.0})
    with pytest.raises(ProblemError, match=r"activity of 'mining' is -1\.0, and these forms know none below zero"):
        collect(eco.replace(activity=-1.0 * (eco.techniques == "mining")))
    with pytest.raises(ProblemError, match="no base below zero"):
        collect(eco.replace(reference_use=pd.Series(-1.0, eco.indicators)))


def test_the_example_of_recycling_closes_its_cycle() -> None:
    result = kt.Plan(kt.read_economy(Path(__file__).parents[1] / "examples" / "recycling.txt")).solve(1e-9)
    # of a tonne of cans 0.78 t of scrap come back, which make 0.78 / 1.05 t of aluminium
    old = 0.78 / 1.05
    emitted = (1.0 - old) * (1.6 + 15 * 0.4) + old * (0.1 + 0.75 * 0.4) + 0.5 * 0.4
    assert result.objective == pytest.approx(400.0 / (100.0 * emitted), rel=1e-8)
    assert result.activity["secondary smelting"] == pytest.approx(100.0 * result.objective * old, rel=1e-6)
    assert result.activity["serving, cans thrown away"] == pytest.approx(0.0, abs=1e-6)
    assert result.prices["scrap"] > 0.0


def test_an_economy_written_by_people_is_a_scenario_by_itself(tmp_path: Path) -> None:
    from kantor.planning.scenario import build as plan_of
    from kantor.planning.scenario import load_scenario

    eco = kt.read_economy(kt.template(tmp_path / "village.txt"))
    expected = kt.Plan(eco).solve().objective
    for name in ("village.txt", "village.xlsx", "village"):
        if name == "village.xlsx":
            pytest.importorskip("openpyxl")
        plan = plan_of(load_scenario((tmp_path / name) if name == "village.txt" else kt.template(tmp_path / name)))
        result = plan.solve()
        assert result.objective == pytest.approx(expected, rel=1e-9)
        assert plan.name == "village"
        assert kt.verify_plan(result.save(tmp_path / f"plan of {name}")).ok
    (tmp_path / "village.txt").write_text("technique a: -> 1 b\n")
    with pytest.raises(ProblemError, match="add a target to its file"):
        plan_of(load_scenario(tmp_path / "village.txt"))
    (tmp_path / "tables").mkdir()
    with pytest.raises(ProblemError, match=r"no economy in CSV files.*source = 'tables'"):
        load_scenario(tmp_path / "tables")


def test_a_text_is_planned_verified_and_compared_over_years(tmp_path: Path) -> None:
    from kantor.planning.scenario import build as plan_of
    from kantor.planning.scenario import load_scenario

    (tmp_path / "village.txt").write_text(VILLAGE.replace("limit CO2 >= 1\n", ""))
    file = tmp_path / "plan.toml"
    for more in ("", "[horizon]\nyears = 2\n", "[limits]\nlabour = 80\n"):
        file.write_text(f'[economy]\nsource = "village.txt"\n{more}')
        result = plan_of(load_scenario(file)).solve()
        assert result.certified
        folder = result.save(tmp_path / "plan")
        found = kt.verify_plan(folder)
        assert found.ok, found.reasons
    # a folder whose limits are not those of the text does not hold
    (tmp_path / "village.txt").write_text(VILLAGE.replace("limit CO2 >= 1\n", "").replace("1e3", "2e3"))
    assert not kt.verify_plan(folder).ok
