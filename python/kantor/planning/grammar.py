"""The grammar of scenario files: their tables as strict models, and errors that say where and what instead."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pydantic

from ..errors import ProblemError, suggest

Number = pydantic.FiniteFloat
KINDS = ("max-scale", "harmony", "log", "power", "minimise-use")


class _Table(pydantic.BaseModel):
    """A table of the file: unknown keys are errors, values are not converted from other types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class EconomyTable(_Table):
    """[economy]: what is planned; ``year``, ``assumption`` and ``options`` go to load_economy.

    ``options`` is for a source that is one square table: table, demand, output, factors, intensities (files relative to
    this one), name, unit. ``expand_to`` products by kantor.data.generators.expand with ``seed``, ``cover``, ``kmax``.
    """

    source: str
    year: int | None = None
    technology: str | None = None
    assumption: str | None = None
    options: dict[str, str] = {}
    expand_to: int | None = pydantic.Field(default=None, gt=0)
    seed: int = pydantic.Field(default=1, ge=0)
    cover: float = pydantic.Field(default=0.9, gt=0, le=1)
    kmax: int = pydantic.Field(default=2, ge=1)


class TargetsTable(_Table):
    """[targets]: what is wanted: a demand category, "total", or a CSV file."""

    final_demand: str = "total"


class ObjectiveTable(_Table):
    """[objective]: what the plan is for."""

    kind: str = "max-scale"
    weights: str | Number | dict[str, Number] | None = None
    indicator: str | list[str] | dict[str, Number] | None = None
    sigma: Number | None = None
    epsilon: Number | None = None


class LimitTable(_Table):
    """[limits.NAME]: at_most and at_least, numbers or text as kantor.planning.limits reads it."""

    indicator: str | None = None
    at_most: float | str | None = None
    at_least: float | str | None = None
    unit: str | None = None


class TechniqueTable(_Table):
    """[[technique]]: another way to make a product; see Economy.with_technique."""

    product: str
    name: str
    inputs: dict[str, Number] = {}
    intensities: dict[str, Number] = {}
    capacity: float | None = pydantic.Field(default=None, ge=0)
    like: str | None = None


class HorizonTable(_Table):
    """[horizon]: this version plans one year."""

    years: int = pydantic.Field(default=1, ge=1)


class SolveTable(_Table):
    """[solve]: arguments of Plan.solve; the command line overrides them."""

    tolerance: float = pydantic.Field(default=1e-6, gt=0, lt=1)
    method: str = "auto"
    backend: str = "auto"
    time_limit_s: float | None = pydantic.Field(default=None, gt=0)
    iteration_limit: int | None = pydantic.Field(default=None, ge=0)


class Document(_Table):
    """The whole file."""

    name: str | None = None
    description: str | None = None
    economy: EconomyTable
    targets: TargetsTable = TargetsTable()
    objective: ObjectiveTable = ObjectiveTable()
    limits: dict[str, LimitTable | float | str] = {}
    capacities: dict[str, float | str] = {}
    technique: list[TechniqueTable] = []
    horizon: HorizonTable = HorizonTable()
    solve: SolveTable = SolveTable()


def parse_document(text: str, path: Path) -> Document:
    """The checked document in ``text``; ``path`` is for messages. Raises ProblemError for whatever it may not hold."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProblemError(f"{path}: {error}") from error
    try:
        document = Document.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ProblemError(_explain(path, error)) from None
    if document.horizon.years > 1:
        raise ProblemError(
            f"{path}: [horizon] years = {document.horizon.years} is not supported in this version, which plans one "
            "year at a time; leave [horizon] out"
        )
    kind = document.objective.kind
    if kind in ("lexicographic", "weighted-sum"):
        raise ProblemError(
            f"{path}: [objective] kind = {kind!r} is not supported in this version; use one of {', '.join(KINDS)}"
        )
    if kind not in KINDS:
        raise ProblemError(f"{path}: [objective] kind = {kind!r} is unknown{suggest(kind, KINDS)}")
    _check_parameters(path, document.objective)
    return document


# Which parameters of [objective] belong to which kinds; one that would be ignored is an error.
_PARAMETERS = {
    "max-scale": ("weights",),
    "harmony": ("weights",),
    "log": ("weights", "epsilon"),
    "power": ("weights", "sigma"),
    "minimise-use": ("indicator",),
}
_REQUIRED = {"power": ("sigma",), "minimise-use": ("indicator",)}


def _check_parameters(path: Path, table: ObjectiveTable) -> None:
    allowed = _PARAMETERS[table.kind]
    for key in ("weights", "indicator", "sigma", "epsilon"):
        given = getattr(table, key) is not None
        if given and key not in allowed:
            raise ProblemError(
                f"{path}: [objective] {key} does not apply to kind = {table.kind!r}, which takes {', '.join(allowed)}"
            )
        if not given and key in _REQUIRED.get(table.kind, ()):
            raise ProblemError(f"{path}: [objective] kind = {table.kind!r} needs {key}")


def _explain(path: Path, error: pydantic.ValidationError) -> str:
    """The first error in words: file, table, key, what was got, what was expected."""
    every = error.errors(include_url=False)
    # A misspelt key also makes a missing one: the misspelling is the cause.
    first = next((item for item in every if item["type"] == "extra_forbidden"), every[0])
    # pydantic adds the tried type of a union to the place; those are no keys of the file
    place = [str(part) for part in first["loc"] if str(part) not in _UNION_TAGS]
    if first["type"] == "extra_forbidden":
        table, key = place[:-1], place[-1]
        return f"{path}{_shown_table(table)}: unknown key {key!r}{suggest(key, _keys(table))}"
    if first["type"] == "missing":
        return f"{path}{_shown_table(place[:-1])}: {place[-1]!r} is missing"
    expected = first["msg"].removeprefix("Input should be ")
    if first["type"] in ("model_type", "model_attributes_type"):
        expected = "a table, or a number or text for at_most"
    return f"{path}{_shown_table(place[:-1])}: {place[-1]} = {first['input']!r}, expected {expected}"


_UNION_TAGS = {
    "LimitTable",
    "float",
    "str",
    "constrained-float",
    "dict[str,constrained-float]",
    "list[str]",
    "function-wrap",
}


def _shown_table(parts: list[str]) -> str:
    names = [part for part in parts if not part.isdigit()]
    return f", [{'.'.join(names)}]" if names else ""


def _keys(table: list[str]) -> list[str]:
    """The keys a table of the file may have."""
    models: dict[str, type[_Table]] = {
        "economy": EconomyTable,
        "targets": TargetsTable,
        "objective": ObjectiveTable,
        "limits": LimitTable,
        "technique": TechniqueTable,
        "horizon": HorizonTable,
        "solve": SolveTable,
    }
    model = models[table[0]] if table else Document
    return list(model.model_fields)
