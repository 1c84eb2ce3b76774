"""Statements as a workbook or a folder of CSV files; :mod:`kantor.data.forms.sheets` reads the same statements back."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from ...atomic import new_folder
from ...errors import ProblemError
from ..workbook import Rows, write_workbook
from .sheets import COLUMNS, SEPARATOR
from .statements import TARGET, Label, Named, Statements, Term
from .text_writer import number


def write_sheets(said: Statements, path: Path, help_text: list[str] | None = None) -> Path:
    """Write a workbook (``.xlsx``) or a folder of CSV files; an existing file or folder is replaced."""
    tables = {name: [_headings(name), *rows] for name, rows in rows_of(said).items()}
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        write_workbook(tables, path, help_text)
    else:
        with new_folder(path) as partial:
            for name, rows in tables.items():
                (partial / f"{name}.csv").write_bytes(csv_bytes(rows))
            if help_text:
                (partial / "README.txt").write_text("\n".join(help_text) + "\n", encoding="utf-8")
    return path


def csv_bytes(rows: Rows) -> bytes:
    """Rows as CSV in UTF-8; numbers with all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[number(cell) if isinstance(cell, float) else cell for cell in row] for row in rows])
    return text.getvalue().encode("utf-8")


def rows_of(said: Statements) -> dict[str, Rows]:
    """The rows of every sheet, without headings."""
    about: Rows = [["name", said.name]] if said.name else []
    about += [["year", float(said.year)]] if said.year is not None else []
    about += [["licence", said.licence]] if said.licence else []
    about += [["levels", _name(said.levels)]] if said.levels is not None else []
    about += [["note", note] for note in said.notes]
    limits: dict[Label, list[Any]] = {}
    for bound in said.limits:
        row = limits.setdefault(bound.term.label, [_name(bound.term.label), None, None, bound.term.unit])
        row[1 if bound.side == "at least" else 2] = bound.term.amount
    return {
        "economy": about,
        "goods": [[_name(n.label), n.unit, n.title] for n in said.goods],
        "factors": [
            [_name(n.label), n.unit, "emission" if n.emission else "factor", _others(n), n.base] for n in said.factors
        ],
        "techniques": [[_name(t.label), t.activity] for t in said.techniques],
        "inputs": [[_name(t.label), *_flow(term)] for t in said.techniques for term in t.inputs],
        "outputs": [[_name(t.label), *_flow(term)] for t in said.techniques for term in t.outputs],
        "capacities": [[_name(t.label), t.capacity] for t in said.techniques if t.capacity is not None],
        "targets": [[*_flow(term), None if category == TARGET else _name(category)] for category, term in said.targets],
        "limits": list(limits.values()),
    }


def _flow(term: Term) -> list[Any]:
    return [_name(term.label), term.amount, term.unit]


def _others(named: Named) -> str | None:
    for also in named.also:
        if ";" in also:
            raise ProblemError(f"{also!r}: ';' separates other names in a sheet; rename it or write a text (.txt)")
    return "; ".join(named.also) or None


def _headings(name: str) -> list[Any]:
    return [heading for heading in COLUMNS[name] if heading is not None]


def _name(label: Label) -> str:
    parts = label if isinstance(label, tuple) else (label,)
    for part in parts:
        if SEPARATOR in f" {part} ":
            raise ProblemError(
                f"{part!r}: {SEPARATOR!r} separates levels of names in a sheet; rename it or write a text (.txt)"
            )
    return SEPARATOR.join(parts)
