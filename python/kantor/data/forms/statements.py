"""What an economy written by people says, statement by statement, each with the place where it stands.

The forms (text, workbook, CSV) turn into these and back; :mod:`kantor.data.forms.build` makes an economy of them and
checks everything that more than one statement has a part in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# A name of one level is a text, one of several levels a tuple: ("USA", "steel").
Label = str | tuple[str, ...]


@dataclass(frozen=True)
class Term:
    """An amount of a good or factor; ``unit`` is None where none is written."""

    label: Label
    amount: float
    unit: str | None
    place: str


@dataclass(frozen=True)
class Named:
    """A declared good or factor. ``emission``: its amounts stand beside outputs; ``also``: other names of a factor;
    ``base``: the use that percentages refer to."""

    label: Label
    unit: str | None
    place: str
    title: str | None = None
    emission: bool = False
    also: tuple[str, ...] = ()
    base: float | None = None


@dataclass
class Technique:
    """A technique: what one unit of its activity uses and makes."""

    label: Label
    place: str
    inputs: list[Term] = field(default_factory=list)
    outputs: list[Term] = field(default_factory=list)
    capacity: float | None = None
    activity: float | None = None


@dataclass(frozen=True)
class Bound:
    """``side`` is "at most" or "at least"; the term's amount is the bound on the use of its label."""

    side: str
    term: Term


@dataclass
class Statements:
    """All of a document; ``where`` is its name for messages about the whole."""

    where: str
    name: str | None = None
    year: int | None = None
    licence: str = ""
    notes: list[str] = field(default_factory=list)
    goods: list[Named] = field(default_factory=list)
    factors: list[Named] = field(default_factory=list)
    techniques: list[Technique] = field(default_factory=list)
    targets: list[tuple[Label, Term]] = field(default_factory=list)  # (category, amount)
    limits: list[Bound] = field(default_factory=list)
    levels: tuple[str, ...] | None = None  # names of the levels of goods and techniques


# The category of targets that name none.
TARGET = "target"
