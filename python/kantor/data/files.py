"""Economies from a path: a folder with ``economy.toml`` (or ``economy.json``) and its tables, one square table, or one
of the forms of :mod:`kantor.data.forms` (text, workbook, CSV files).

The description says what is what::

    kind = "iot"                    # iot, mrio, sut, techniques; "economy" is what save_economy writes
    name = "EU 2006"
    year = 2006
    unit = "million euro"           # of products and activity
    licence = "..."
    assumption = "joint"            # sut only: joint, industry-technology, product-technology
    technology = "domestic"         # the one to use, if [technologies] lists several

    [tables]                        # CSV, CSV.GZ, TSV, Parquet; matrices also NPZ (scipy.sparse.save_npz)
    Z = "flows.csv"                 # iot, mrio: Z or A, Y, x, F or S;  sut: U, V, Y, F, q, x;
    Y = "final_demand.csv"          # techniques: input, output, intensities, demand, activity, capacities
    F = "factors.csv"               # resources x sectors
    products = "products.csv"       # optional: first column labels (needed for NPZ), columns "name" and "unit" if any
    techniques = "techniques.csv"   # optional: first column labels

    [technologies]                  # alternative coefficient tables of a square economy
    total = "A.csv"
    domestic = "A_d.csv"

    [total_categories]              # technology = the category that is its whole final demand
    [demand_technology]             # category = technology it belongs to
    [aliases]                       # labour = "JOBS"
    [indicator_units]               # JOBS = "jobs"

In a table the first column (of a ``mrio`` the first two) holds row labels and the first row (of a ``mrio`` Z, A, Y, F
and S the first two) column labels.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import OptionError, ProblemError, suggest
from .economy import Economy
from .forms import is_form, read_economy
from .labels import as_index
from .tables import FORMATS, TableReader

DESCRIPTIONS = ("economy.toml", "economy.json")
TABLES = {
    "iot": {"Z", "A", "Y", "x", "F", "S"},
    "mrio": {"Z", "A", "Y", "x", "F", "S"},
    "sut": {"U", "V", "Y", "F", "q", "x"},
    "techniques": {"input", "output", "intensities", "demand", "activity", "capacities"},
}
WORDS = {"kind", "name", "year", "unit", "licence", "assumption", "technology", "notes"}
SECTIONS = {"tables", "technologies", "total_categories", "demand_technology", "aliases", "indicator_units"}
VECTORS = {"x", "q", "activity", "capacities"}


def load_path(path: Path, **options: Any) -> Economy:
    """An economy from a folder (see the module's text) or from one file.

    For a folder ``options`` may hold ``technology`` and ``assumption``. For one square table: ``table`` = "A" or "Z"
    (required), and paths or tables ``demand``, ``output``, ``factors`` (totals) or ``intensities``, ``name``, ``unit``.
    """
    path = Path(path).expanduser()
    if is_form(path):
        for option in options:
            raise OptionError(f"{path}: option {option!r} does not apply; the file says all there is")
        return read_economy(path)
    if path.is_dir():
        return _folder(path, options)
    if path.is_file() and path.name in DESCRIPTIONS:
        return _folder(path.parent, options, path.name)
    if path.is_file():
        return _single_table(path, options)
    raise ProblemError(f"{path}: no such file or folder")


def read_description(folder: Path, name: str | None = None) -> tuple[dict[str, Any], TableReader]:
    """The description of an economy folder and the reader that recorded it."""
    reader = TableReader(folder)
    found = [d for d in DESCRIPTIONS if (folder / d).is_file()] if name is None else [name]
    if not found:
        raise ProblemError(f"{folder}: holds no {' or '.join(DESCRIPTIONS)} that says what its tables are")
    try:
        content = reader.bytes(found[0]).decode("utf-8")
        described = tomllib.loads(content) if found[0].endswith(".toml") else json.loads(content)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ProblemError(f"{folder / found[0]}: {error}") from error
    if not isinstance(described, dict) or "kind" not in described:
        raise ProblemError(f"{folder / found[0]}: lacks the key 'kind'; known kinds: {', '.join([*TABLES, 'economy'])}")
    return described, reader


def _folder(folder: Path, options: dict[str, Any], name: str | None = None) -> Economy:
    described, reader = read_description(folder, name)
    if described["kind"] == "economy":
        from .saved import load_saved

        return with_chosen_technology(load_saved(described, reader), options)
    _check_keys(described, folder)
    for option in options:
        if option not in ("technology", "assumption"):
            raise OptionError(f"{folder}: unknown option {option!r}" + suggest(option, ["technology", "assumption"]))
    if "assumption" in options:
        if described["kind"] != "sut":
            raise OptionError(f"assumption: {folder} is of kind {described['kind']!r}, only a sut takes one")
        described = {**described, "assumption": options["assumption"]}
    eco = _build(described, reader)
    return with_chosen_technology(eco, {k: v for k, v in options.items() if k == "technology"})


def with_chosen_technology(eco: Economy, options: dict[str, Any]) -> Economy:
    """The economy with the technology an option names; other options are refused."""
    for option in options:
        if option != "technology":
            raise OptionError(f"{eco.name}: unknown option {option!r}; known: technology")
    return eco.with_technology(options["technology"]) if "technology" in options else eco


def _check_keys(described: dict[str, Any], folder: Path) -> None:
    kind = described["kind"]
    if kind not in TABLES:
        raise ProblemError(f"{folder}: kind {kind!r} is unknown" + suggest(kind, [*TABLES, "economy"]))
    for key, value in described.items():
        if key not in WORDS | SECTIONS:
            raise ProblemError(f"{folder}: unknown key {key!r}" + suggest(key, sorted(WORDS | SECTIONS)))
        if key in SECTIONS and not isinstance(value, dict):
            raise ProblemError(f"{folder}: [{key}] is {value!r}, expected a table of names")
    year = described.get("year")
    if year is not None and (isinstance(year, bool) or not isinstance(year, int)):
        raise ProblemError(f"{folder}: year = {year!r}, expected a whole number")
    known = TABLES[kind] | {"products", "techniques"}
    for key in described.get("tables", {}):
        if key not in known:
            raise ProblemError(
                f"{folder}: [tables] has the unknown entry {key!r} for kind {kind!r}" + suggest(key, sorted(known))
            )
    if described.get("technologies") and kind not in ("iot", "mrio"):
        raise ProblemError(f"{folder}: [technologies] is for kinds iot and mrio, not {kind!r}")


def _build(described: dict[str, Any], reader: TableReader) -> Economy:
    kind, folder = described["kind"], reader.folder
    tables = dict(described.get("tables", {}))
    levels = 2 if kind == "mrio" else 1
    products, names, units = _labels(reader, tables.pop("products", None), levels)
    techniques = _labels(reader, tables.pop("techniques", None), levels)[0]
    technologies = described.get("technologies", {})
    chosen = described.get("technology")
    if technologies:
        if chosen not in technologies:
            raise ProblemError(
                f"{folder}: technology {chosen!r} is not in [technologies]" + suggest(chosen, technologies)
            )
        if {"A", "Z"} & set(tables):
            raise ProblemError(f"{folder}: give the coefficients in [tables] or in [technologies], not in both")
        tables["A"] = technologies[chosen]
    parts = {key: _table(reader, name, key, levels) for key, name in tables.items()}
    about: dict[str, Any] = {
        "name": str(described.get("name", folder.name)),
        "year": described.get("year"),
        "unit": str(described.get("unit", "")) if units is None else units,
        "licence": str(described.get("licence", "")),
        "aliases": dict(described.get("aliases", {})),
        "product_names": names,
        "notes": [str(note) for note in described.get("notes", [])],
    }
    eco = _call_reader(described, parts, products, techniques, about)
    changes: dict[str, Any] = {}
    if described.get("indicator_units"):
        given = eco.by_indicator(described["indicator_units"])
        changes["indicator_units"] = pd.Series([str(given.get(k, "")) for k in eco.indicators], eco.indicators)
    if technologies:
        changes["technologies"] = {
            key: _table(reader, name, f"technology {key!r}", levels)
            for key, name in technologies.items()
            if key != chosen
        }
        changes["technology"] = chosen
    for key in ("total_categories", "demand_technology"):
        changes[key] = dict(described.get(key, {}))
    _check_categories(eco, changes, folder)
    return eco.replace(**changes, sources=reader.sources)


def _call_reader(
    described: dict[str, Any], parts: dict[str, Any], products: Any, techniques: Any, about: dict[str, Any]
) -> Economy:
    """The reader of the kind; a table the kind needs and the description lacks is named."""
    kind = described["kind"]
    required = {"iot": (), "mrio": (), "sut": ("U", "V"), "techniques": ("input",)}[kind]
    for key in required:
        if key not in parts:
            raise ProblemError(f"{about['name']}: [tables] lacks {key!r}, which kind {kind!r} needs")
    if kind == "sut":
        extra = {"assumption": described.get("assumption", "joint"), "products": products, "industries": techniques}
        return Economy.from_sut(parts.pop("U"), parts.pop("V"), **parts, **extra, **about)
    if kind == "techniques":
        return Economy.from_arrays(
            parts.pop("input"), parts.pop("output", None), **parts, products=products, techniques=techniques, **about
        )
    if kind == "mrio" and products is None:
        return Economy.from_mrio(**parts, **about)
    return Economy.from_iot(**parts, labels=products, **about)


def _check_categories(eco: Economy, changes: dict[str, Any], folder: Path) -> None:
    """Names in [total_categories] and [demand_technology] must exist."""
    categories = list(eco.final_demand.columns)
    tables = [*changes.get("technologies", {}), changes.get("technology")]
    for technology, category in changes["total_categories"].items():
        if category not in categories or technology not in tables:
            raise ProblemError(
                f"{folder}: [total_categories] {technology} = {category!r}: no such technology or category"
            )
    for category, technology in changes["demand_technology"].items():
        if category not in categories or technology not in tables:
            raise ProblemError(
                f"{folder}: [demand_technology] {category} = {technology!r}: no such category or technology"
            )


def _labels(
    reader: TableReader, name: str | None, levels: int
) -> tuple[pd.Index | None, pd.Series | None, pd.Series | None]:
    """Labels, readable names and units from a label file; None for what is not there."""
    if name is None:
        return None, None, None
    table = reader.text(name)
    if table.shape[0] == 0 or table.shape[1] < levels:
        raise ProblemError(f"{reader.folder / name}: {table.shape[0]} rows and {table.shape[1]} columns, no labels")
    table = table.set_index(list(table.columns[:levels]))
    as_index(table.index, f"{reader.folder / name}, labels")
    return table.index, table.get("name"), table.get("unit")


def _table(reader: TableReader, name: Any, key: str, levels: int) -> Any:
    """One table of a description: a labelled frame, a matrix without labels, or a vector."""
    if not isinstance(name, str):
        raise ProblemError(f"{reader.folder}: {key} is {name!r}, expected the name of a file")
    if name.lower().endswith(".npz"):
        return reader.matrix(name)
    rows = 1 if key in ("F", "S", "intensities") else levels
    header = 1 if key in VECTORS else levels
    frame = reader.frame(name, levels=rows, header=header)
    if key in VECTORS:
        if frame.shape[1] != 1:
            raise ProblemError(f"{reader.folder / name}: {frame.shape[1]} columns of numbers, expected one for {key!r}")
        return frame.iloc[:, 0]
    return frame


def _single_table(path: Path, options: dict[str, Any]) -> Economy:
    known = ("table", "demand", "output", "factors", "intensities", "name", "unit")
    for option in options:
        if option not in known:
            raise OptionError(f"{path}: unknown option {option!r}" + suggest(option, known))
    kind = options.get("table")
    if kind not in ("A", "Z"):
        raise OptionError(
            f"{path}: one table alone does not say what it is"
            + (f", and table is {kind!r}" if kind is not None else "")
            + "; say A (coefficients) or Z (flows): --table A on the command line, "
            'options = { table = "A" } under [economy] in a scenario, table="A" in Python'
        )
    if not path.name.lower().endswith(FORMATS):
        raise ProblemError(f"{path}: unknown kind of file; known: {', '.join(FORMATS)}")
    reader = TableReader(path.parent)
    parts: dict[str, Any] = {kind: _table(reader, path.name, kind, 1)}
    for option, letter in (("demand", "Y"), ("output", "x"), ("factors", "F"), ("intensities", "S")):
        value = options.get(option)
        if isinstance(value, str | Path):
            other = TableReader(Path(value).parent)
            parts[letter] = _table(other, Path(value).name, letter, 1)
            reader.sources += other.sources
        elif value is not None:
            parts[letter] = value
    eco = Economy.from_iot(**parts, name=options.get("name", path.stem), unit=options.get("unit", ""))
    return eco.replace(sources=reader.sources)
