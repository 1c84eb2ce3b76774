"""Names of rows and columns as the file formats of linear programs allow them: legal, unique, as close as possible."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import ProblemError
from ..solvers.problem import LinearProgram

LONGEST = 255
# Words that mean something in an LP file, where a name stands.
_RESERVED = frozenset(
    (*("max", "maximise", "maximize", "maximum", "min", "minimise", "minimize", "minimum", "st", "s.t.", "st."),
     *("subject", "such", "that", "to", "bounds", "bound", "bin", "binary", "binaries", "general", "generals", "gen"),
     *("int", "integer", "integers", "semi", "semis", "sos", "free", "inf", "infinity", "end", "obj"))
)  # fmt: skip
# Words at which a reader of MPS files may begin another section, or a set of sides and bounds.
_MPS_RESERVED = frozenset(
    (*("NAME", "ROWS", "COLUMNS", "RHS", "RANGES", "BOUNDS", "BND", "RNG", "ENDATA", "OBJSENSE", "OBJNAME", "MARKER"),
     *("NEGATIVE", "SOS", "SETS", "QUADOBJ", "QMATRIX", "QSECTION", "QCMATRIX", "INDICATORS", "CSECTION", "MAX", "MIN"))
)  # fmt: skip


@dataclass(frozen=True)
class ModelNames:
    """Names of the objective, rows and columns of a model in a file, and the labels they stand for."""

    objective: str
    rows: list[str]
    columns: list[str]
    row_labels: list[str]
    column_labels: list[str]

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        """(kind, name in the file, label) of every name that differs from its label."""
        pairs = [("row", *pair) for pair in zip(self.rows, self.row_labels, strict=True)]
        pairs += [("column", *pair) for pair in zip(self.columns, self.column_labels, strict=True)]
        return [(kind, name, label) for kind, name, label in pairs if name != label]


def model_names(
    lp: LinearProgram, rows: Iterable[str] | None, columns: Iterable[str] | None, legal: Callable[[str], str]
) -> ModelNames:
    """Names for a program from labels of its rows and columns, by default R1, R2, ... and C1, C2, ...

    ``legal`` makes one label a legal name; names that coincide then get numbers.
    """
    labels = []
    for given, letter, what, count in ((rows, "R", "rows", lp.shape[0]), (columns, "C", "columns", lp.shape[1])):
        own = [f"{letter}{k + 1}" for k in range(count)] if given is None else [str(label) for label in given]
        if len(own) != count:
            raise ProblemError(f"{what}: {len(own)} labels for {count} {what}")
        labels.append(own)
    taken = _unique(["objective", *labels[0]], legal)
    return ModelNames(taken[0], taken[1:], _unique(labels[1], legal), labels[0], labels[1])


def _unique(labels: list[str], legal: Callable[[str], str]) -> list[str]:
    """Legal names, the later of two that coincide with a number behind it."""
    wanted = [legal(label) for label in labels]
    taken = {name for name, label in zip(wanted, labels, strict=True) if name == label}  # unchanged names come first
    used: set[str] = set()
    last: dict[str, int] = {}
    out = []
    for name, label in zip(wanted, labels, strict=True):
        number = 1 if name == label and name not in used else last.get(name, 1)
        tried = name if number == 1 else _numbered(name, number)
        while tried in used or (tried in taken and tried != label):
            number += 1
            tried = _numbered(name, number)
        used.add(tried)
        last[name] = max(number, last.get(name, 1))
        out.append(tried)
    return out


def _numbered(name: str, number: int) -> str:
    return f"{name[: LONGEST - 12]}_{number}"


def mps_name(label: str) -> str:
    """A name for a free MPS file: no blanks, no signs that begin a comment; all else stays.

    >>> mps_name("USA / basic metals")
    'USA_/_basic_metals'
    """
    name = re.sub(r"[\s\x00-\x1f\x7f]+", "_", label.strip()) or "_"
    special = name[0] in "*$" or name.upper().strip("'\"") in _MPS_RESERVED
    return ("_" + name if special else name)[:LONGEST]


def lp_name(label: str) -> str:
    """A name for an LP file: letters, digits, underscore and point; not like a number or a word of the format.

    >>> lp_name("USA / basic metals"), lp_name("1111A0"), lp_name("e12")
    ('USA_basic_metals', '_1111A0', '_e12')
    """
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", label.strip()) or "_"
    if name[0].isdigit() or name[0] == "." or re.match(r"[eE]\d", name) or name.casefold() in _RESERVED:
        name = "_" + name
    return name[:LONGEST]
