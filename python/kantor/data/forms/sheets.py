"""Workbooks and folders of CSV files as statements.

=========== ==================================================================================================
sheet       columns (those in parentheses may be left out)
=========== ==================================================================================================
economy     key, value: name, year, licence, levels, note                                    (the sheet may lack)
goods       good (unit, name)
factors     factor (unit, kind: factor or emission, also: other names with ; between them, base)
techniques  technique (activity)
inputs      technique, input, amount (unit): goods and factors used per unit of activity
outputs     technique, output, amount (unit): goods made, emissions
capacities  technique, capacity
targets     good, amount (unit, category)
limits      factor, at_least, at_most (unit); one of the two may be empty
=========== ==================================================================================================

goods, techniques and outputs are needed. Any sheet may have a column "note", which is not read. Sheets whose names
begin with an underscore, and one called "read me", are left alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import ProblemError, suggest
from ..economy import Source
from ..labels import show
from .cells import Sheet, sheets_of_folder, sheets_of_workbook
from .statements import TARGET, Bound, Label, Named, Statements, Technique, Term

# Sheet -> its columns; those after None may be left out.
COLUMNS: dict[str, tuple[str | None, ...]] = {
    "economy": ("key", "value", None),
    "goods": ("good", None, "unit", "name"),
    "factors": ("factor", None, "unit", "kind", "also", "base"),
    "techniques": ("technique", None, "activity"),
    "inputs": ("technique", "input", "amount", None, "unit"),
    "outputs": ("technique", "output", "amount", None, "unit"),
    "capacities": ("technique", "capacity", None),
    "targets": ("good", "amount", None, "unit", "category"),
    "limits": ("factor", "at_least", "at_most", None, "unit"),
}
NEEDED = ("goods", "techniques", "outputs")
_KEYS = ("name", "year", "licence", "levels", "note")
SEPARATOR = " / "


def read_sheets(path: Path) -> tuple[Statements, list[Source]]:
    """The statements of a workbook or a folder of CSV files, and the hashes of what was read."""
    sheets, sources = sheets_of_folder(path) if path.is_dir() else sheets_of_workbook(path)
    tables: dict[str, _Table] = {}
    for sheet in sheets:
        name = sheet.name.strip().casefold()
        if name in tables:
            raise ProblemError(f"{sheet.where}: a second sheet {name!r}; keep one")
        if name in COLUMNS:
            tables[name] = _Table(sheet, name)
        elif not path.is_dir() or difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8):
            raise ProblemError(
                f"{sheet.where}: unknown sheet {sheet.name!r}{suggest(name, COLUMNS)}; one that is not to be read "
                "gets a "
                "name that begins with _"
            )
    for name in NEEDED:
        if name not in tables:
            raise ProblemError(f"{path}: there is no sheet {name!r}; kantor template writes all of them")
        if not tables[name].rows:
            raise ProblemError(f"{tables[name].sheet.where}: empty, it has no rows below its headings")
    kept = [
        source for source in sources if not path.is_dir() or source.path.rsplit("/", 1)[-1][:-4].casefold() in tables
    ]
    return _Reader(str(path), tables).read(), kept


class _Table:
    """A sheet with headings: ``rows`` are the numbers of rows that hold anything, ``at`` the columns by heading."""

    def __init__(self, sheet: Sheet, name: str) -> None:
        self.sheet = sheet
        if not sheet.rows or all(cell in (None, "") for cell in sheet.rows[0]):
            raise ProblemError(f"{sheet.where}: empty, expected headings in its first row: {', '.join(_known(name))}")
        self.at: dict[str, int] = {}
        for column in range(max(len(row) for row in sheet.rows)):
            if not sheet.filled(0, column):
                self._no_values_below(column)
                continue
            heading = sheet.text(0, column, "a heading").casefold()
            if heading in self.at:
                raise ProblemError(f"{sheet.place(0, column)}: heading {heading!r} stands twice")
            if heading not in (*_known(name), "note"):
                raise ProblemError(
                    f"{sheet.place(0, column)}: unknown heading {heading!r}{suggest(heading, _known(name))}"
                )
            self.at[heading] = column
        for needed in COLUMNS[name][: COLUMNS[name].index(None)]:
            if needed not in self.at:
                found = ", ".join(self.at)
                raise ProblemError(f"{sheet.where}: the heading {needed!r} is missing in row 1; found {found}")
        self.rows = [
            row for row in range(1, len(sheet.rows)) if any(sheet.filled(row, c) for c in range(len(sheet.rows[row])))
        ]

    def _no_values_below(self, column: int) -> None:
        for row in range(1, len(self.sheet.rows)):
            if self.sheet.filled(row, column):
                raise ProblemError(f"{self.sheet.place(row, column)}: a value in a column without heading")

    def filled(self, row: int, heading: str) -> bool:
        """Whether the cell holds a value (or a formula)."""
        return heading in self.at and self.sheet.filled(row, self.at[heading])

    def text(self, row: int, heading: str, what: str) -> str:
        return self.sheet.text(row, self.at[heading], what)

    def number(self, row: int, heading: str, what: str) -> float:
        return self.sheet.number(row, self.at[heading], what)

    def amount(self, row: int, heading: str, of: str) -> float:
        """A number that is not negative, of the good, factor or technique named in the column ``of``."""
        value = self.number(row, heading, f"a number for the {heading}")
        if value < 0:
            name = show(self.label(row, of))
            raise ProblemError(f"{self.place(row, heading)}: {heading} {value!r} of {name!r}, expected a number >= 0")
        return value

    def place(self, row: int, heading: str) -> str:
        return self.sheet.place(row, self.at[heading])

    def optional(self, row: int, heading: str) -> str | None:
        return self.text(row, heading, heading) if self.filled(row, heading) else None

    def label(self, row: int, heading: str) -> Label:
        parts = tuple(part.strip() for part in self.text(row, heading, f"the name of a {heading}").split(SEPARATOR))
        return parts[0] if len(parts) == 1 else parts


def _known(name: str) -> list[str]:
    return [heading for heading in COLUMNS[name] if heading is not None]


class _Reader:
    def __init__(self, where: str, tables: dict[str, _Table]) -> None:
        self.said, self.tables = Statements(where), tables
        self.techniques: dict[Label, Technique] = {}

    def read(self) -> Statements:
        for name, row_of in self._readers().items():
            table = self.tables.get(name)
            for row in table.rows if table is not None else ():
                row_of(table, row)
        return self.said

    def _readers(self) -> dict[str, Callable[[Any, int], None]]:
        return {
            "economy": self._about,
            "goods": self._good,
            "factors": self._factor,
            "techniques": self._technique,
            "inputs": lambda t, row: self._flow(t, row, "input"),
            "outputs": lambda t, row: self._flow(t, row, "output"),
            "capacities": self._capacity,
            "targets": self._target,
            "limits": self._limit,
        }

    def _about(self, t: _Table, row: int) -> None:
        key = t.text(row, "key", "a key").casefold()
        if key not in _KEYS:
            raise ProblemError(f"{t.place(row, 'key')}: unknown key {key!r}{suggest(key, _KEYS)}")
        if key != "note" and getattr(self.said, key) not in (None, ""):
            raise ProblemError(f"{t.place(row, 'key')}: {key!r} is given twice, first as {getattr(self.said, key)!r}")
        if key == "year":
            year = t.number(row, "value", "a year")
            if year != int(year):
                raise ProblemError(f"{t.place(row, 'value')}: the year is {year!r}, expected a whole number")
            self.said.year = int(year)
        elif key == "levels":
            names = t.label(row, "value")
            self.said.levels = names if isinstance(names, tuple) else (names,)
        elif key == "note":
            self.said.notes.append(t.text(row, "value", "a note"))
        else:
            setattr(self.said, key, t.text(row, "value", f"the {key}"))

    def _good(self, t: _Table, row: int) -> None:
        label, place = t.label(row, "good"), t.place(row, "good")
        self.said.goods.append(Named(label, t.optional(row, "unit"), place, t.optional(row, "name")))

    def _factor(self, t: _Table, row: int) -> None:
        kind = (t.optional(row, "kind") or "factor").casefold()
        if kind not in ("factor", "emission"):
            raise ProblemError(f"{t.place(row, 'kind')}: kind {kind!r}{suggest(kind, ('factor', 'emission'))}")
        also = tuple(part.strip() for part in (t.optional(row, "also") or "").split(";") if part.strip())
        base = t.amount(row, "base", "factor") if t.filled(row, "base") else None
        label, place = t.text(row, "factor", "the name of a factor"), t.place(row, "factor")
        self.said.factors.append(Named(label, t.optional(row, "unit"), place, None, kind == "emission", also, base))

    def _technique(self, t: _Table, row: int) -> None:
        one = Technique(t.label(row, "technique"), t.place(row, "technique"))
        one.activity = t.amount(row, "activity", "technique") if t.filled(row, "activity") else None
        self.techniques.setdefault(one.label, one)  # a second one of the same name is found by build()
        self.said.techniques.append(one)

    def _known_technique(self, t: _Table, row: int) -> Technique:
        label = t.label(row, "technique")
        if label not in self.techniques:
            names = [show(k) for k in self.techniques]
            raise ProblemError(
                f"{t.place(row, 'technique')}: {show(label)!r} is not on the sheet techniques"
                + suggest(show(label), names)
            )
        return self.techniques[label]

    def _flow(self, t: _Table, row: int, side: str) -> None:
        technique = self._known_technique(t, row)
        amount = t.number(row, "amount", "an amount")
        term = Term(t.label(row, side), amount, t.optional(row, "unit"), t.place(row, side))
        (technique.inputs if side == "input" else technique.outputs).append(term)

    def _capacity(self, t: _Table, row: int) -> None:
        technique = self._known_technique(t, row)
        if technique.capacity is not None:
            raise ProblemError(f"{t.place(row, 'technique')}: {show(technique.label)!r} has a capacity already")
        technique.capacity = t.amount(row, "capacity", "technique")

    def _target(self, t: _Table, row: int) -> None:
        category = t.label(row, "category") if t.filled(row, "category") else TARGET
        amount = t.number(row, "amount", "an amount")
        self.said.targets.append(
            (category, Term(t.label(row, "good"), amount, t.optional(row, "unit"), t.place(row, "good")))
        )

    def _limit(self, t: _Table, row: int) -> None:
        label, unit = t.text(row, "factor", "the name of a factor"), t.optional(row, "unit")
        given = [(side, heading) for side, heading in _SIDES if t.filled(row, heading)]
        if not given:
            raise ProblemError(f"{t.place(row, 'factor')}: {label!r} has neither at_least nor at_most; fill in one")
        for side, heading in given:
            amount = t.number(row, heading, "a limit")
            self.said.limits.append(Bound(side, Term(label, amount, unit, t.place(row, heading))))


_SIDES = (("at least", "at_least"), ("at most", "at_most"))
