"""The grammar of [objective] in scenario files: what a plan is for, alone, in a sum or in an order of priority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydantic

from ..errors import ProblemError, suggest

Number = pydantic.FiniteFloat
UTILITIES = ("harmony", "new-harmony", "log", "power")
KINDS = ("max-scale", *UTILITIES, "minimise-use", "maximise-use", "least-change", "weighted-sum", "lexicographic")


class Table(pydantic.BaseModel):
    """A table of the file: unknown keys are errors, values are not converted from other types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class ObjectiveTable(Table):
    """[objective]: what the plan is for; [[objective.objectives]] are the members of a sum or of an order."""

    kind: str = "max-scale"
    each: str | None = None
    shares: dict[str, Number] | None = None
    weights: str | Number | dict[str, Number] | None = None
    indicator: str | list[str] | dict[str, Number] | None = None
    sigma: Number | None = None
    epsilon: Number | None = None
    kappa: Number | None = None
    slack: Number | None = None
    weight: Number | None = None
    objectives: list[ObjectiveTable] | None = None

    @property
    def members(self) -> list[ObjectiveTable]:
        """Itself, or in an order of priority its objectives, the most important first."""
        return list(self.objectives or ()) if self.kind == "lexicographic" else [self]

    @property
    def is_made(self) -> bool:
        """Whether it is made of others or adds techniques of its own."""
        return self.kind in ("least-change", "weighted-sum", "lexicographic")


# Which parameters belong to which kinds; one that would be ignored is an error.
_PARAMETERS = {
    "max-scale": ("weights", "each", "shares"),
    "harmony": ("weights",),
    "new-harmony": ("weights", "kappa"),
    "log": ("weights", "epsilon"),
    "power": ("weights", "sigma"),
    "minimise-use": ("indicator",),
    "maximise-use": ("indicator",),
    "least-change": ("indicator",),
    "weighted-sum": ("objectives",),
    "lexicographic": ("objectives", "slack"),
}
_REQUIRED = {
    "power": ("sigma",),
    **dict.fromkeys(("minimise-use", "maximise-use", "least-change"), ("indicator",)),
    **dict.fromkeys(("weighted-sum", "lexicographic"), ("objectives",)),
}
_IN_A_SUM = ("max-scale", "minimise-use", "maximise-use", "least-change")


def check_objective(path: Path, table: ObjectiveTable) -> None:
    """ProblemError, with the place in the file, for what an objective may not say."""
    _check(path, table, "[objective]")
    if table.weight is not None:
        raise ProblemError(f"{path}: [objective] weight is for the members of a weighted sum")
    for place, member in _members(table, "objective"):
        _check(path, member, place)
        if member.each is not None:
            raise ProblemError(f"{path}: {place} each does not apply beside other objectives")
        if member.kind == "lexicographic":
            raise ProblemError(f"{path}: {place} an order of priority inside another objective; write one list")


def _check(path: Path, table: ObjectiveTable, place: str) -> None:
    kind = table.kind
    if kind not in KINDS:
        raise ProblemError(f"{path}: {place} kind = {kind!r} is unknown{suggest(kind, KINDS)}")
    allowed = _PARAMETERS[kind]
    for key in ObjectiveTable.model_fields:
        given = getattr(table, key) is not None
        if given and key not in (*allowed, "kind", "weight"):
            raise ProblemError(
                f"{path}: {place} {key} does not apply to kind = {kind!r}, which takes {', '.join(allowed)}"
            )
        if not given and key in _REQUIRED.get(kind, ()):
            raise ProblemError(f"{path}: {place} kind = {kind!r} needs {_SHOWN.get(key, key)}")
    if table.objectives is not None and not table.objectives:
        raise ProblemError(f"{path}: {place} kind = {kind!r} needs {_SHOWN['objectives']}")
    if table.shares is not None and table.each is None:
        raise ProblemError(f"{path}: {place} shares needs each")
    if table.each is not None and table.weights is not None:
        raise ProblemError(f"{path}: {place} weights do not apply with each; shares weigh its parts")
    if table.slack is not None and not 0 < table.slack < 1:
        raise ProblemError(f"{path}: {place} slack = {table.slack!r}, expected a number in (0, 1)")
    if kind == "least-change" and isinstance(table.indicator, dict):
        raise ProblemError(f"{path}: {place} indicator of kind 'least-change' is a name or a list of names")
    for number, member in enumerate(table.objectives or (), 1):
        where = f"{place} objectives, number {number}:"
        if kind == "weighted-sum" and member.kind not in (*_IN_A_SUM, "weighted-sum"):
            raise ProblemError(
                f"{path}: {where} kind = {member.kind!r} cannot stand in a sum, which takes {', '.join(_IN_A_SUM)}"
            )
        if kind != "weighted-sum" and member.weight is not None:
            raise ProblemError(f"{path}: {where} weight is for the members of a weighted sum, not of an order")
        if member.weight is not None and member.weight <= 0:
            raise ProblemError(f"{path}: {where} weight = {member.weight!r}, expected a number > 0")


def _members(table: ObjectiveTable, place: str) -> Iterator[tuple[str, ObjectiveTable]]:
    """Every member of a sum or an order with its place in the file."""
    for number, member in enumerate(table.objectives or (), 1):
        yield f"[[{place}.objectives]] number {number}:", member
        yield from _members(member, f"{place}.objectives")


_SHOWN = {"objectives": "objectives, one table [[objective.objectives]] for each"}
