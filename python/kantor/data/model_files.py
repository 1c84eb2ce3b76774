"""write_mps, write_lp: linear programs to the files that other solvers read, number by number.

Formats: free MPS (fields separated by blanks; ``.mps``, ``.mps.gz``) and the LP format of CPLEX (``.lp``), as HiGHS
documents and reads both. Numbers carry 17 significant digits, which is every bit of a double. Two-sided rows keep both
sides exactly: a range that would be rounded becomes two rows.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..atomic import new_file
from ..errors import ProblemError
from ..solvers.problem import LinearProgram
from .model_names import ModelNames, lp_name, model_names, mps_name

_LINE = 200  # LP files: readers cut longer lines


def write_mps(
    lp: LinearProgram, path: str | Path, rows: Iterable[str] | None = None, columns: Iterable[str] | None = None
) -> ModelNames:
    """Write a linear program as an MPS file, which :func:`kantor.read_mps` and other solvers read.

    Parameters
    ----------
    lp : LinearProgram
        Without concave terms. ``maximise`` is written as OBJSENSE MAX with the user's coefficients.
    path : str or Path
        ``.mps`` or ``.mps.gz``; an existing file is replaced.
    rows, columns : labels, or None for R1, R2, ... and C1, C2, ...
        Blanks in them become underscores; where a name had to change, ``FILE.names.csv`` beside the file lists both.

    Returns the names used. Raises ProblemError for terms that are not linear, or another ending of the path.

    >>> import tempfile, pathlib
    >>> from kantor.solvers.mps import read_mps
    >>> lp = LinearProgram([2.0], [[1.0]], row_lower=[3.0])
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "tiny.mps"
    >>> write_mps(lp, file, ["need"], ["x"]).changed, read_mps(file).row_lower.tolist()
    ([], [3.0])
    """
    path = _checked(lp, path, (".mps", ".mps.gz"))
    names = model_names(lp, rows, columns, mps_name)
    _write(path, _mps(_split(lp, names), names), names)
    return names


def write_lp(
    lp: LinearProgram, path: str | Path, rows: Iterable[str] | None = None, columns: Iterable[str] | None = None
) -> ModelNames:
    """Write a linear program in the LP format (``.lp``), which people can read; all as :func:`write_mps`.

    Names may hold letters, digits, underscores and points; others become underscores, and ``FILE.names.csv`` lists
    them.
    """
    path = _checked(lp, path, (".lp",))
    names = model_names(lp, rows, columns, lp_name)
    _write(path, _lp(_split(lp, names, ranges=False), names), names)
    return names


def _checked(lp: LinearProgram, path: str | Path, suffixes: tuple[str, ...]) -> Path:
    if lp.terms is not None and lp.terms.kind.any():
        raise ProblemError(
            f"{path}: the objective has terms that are not linear, which these files cannot hold; write the plan with "
            "MaxScale or MinimiseUse"
        )
    target = Path(path).expanduser()
    if not target.name.lower().endswith(suffixes):
        raise ProblemError(f"{target}: expected a name ending in {' or '.join(suffixes)}")
    return target


def _write(path: Path, lines: Iterator[str], names: ModelNames) -> None:
    with new_file(path) as stream:
        # without name and time in the header: the same model, the same bytes
        packed = gzip.GzipFile("", "wb", fileobj=stream, mtime=0) if path.name.lower().endswith(".gz") else None
        out = io.TextIOWrapper(packed or stream, encoding="utf-8", newline="\n")
        out.writelines(f"{line}\n" for line in lines)
        out.flush()
        out.detach()
        if packed is not None:
            packed.close()
    table = path.with_name(path.name + ".names.csv")
    if names.changed:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("kind", "name", "label"), *names.changed])
        with new_file(table) as stream:
            stream.write(text.getvalue().encode("utf-8"))
    elif table.is_file():
        table.unlink()  # of an earlier model of this name; it would lie about this one


class _Rows:
    """Rows as the files have them: kind N, E, L or G, right-hand side, range or None; and the matrix."""

    def __init__(self, lp: LinearProgram, matrix: sp.csr_array) -> None:
        self.lp, self.matrix = lp, matrix
        self.names: list[str] = []
        self.kind: list[str] = []
        self.side: list[float] = []
        self.range: list[float | None] = []
        sign = -1.0 if lp.maximise else 1.0
        self.cost, self.constant = sign * lp.c, sign * lp.offset

    def add(self, name: str, kind: str, side: float, span: float | None = None) -> None:
        self.names.append(name)
        self.kind.append(kind)
        self.side.append(side)
        self.range.append(span)


def _split(lp: LinearProgram, names: ModelNames, ranges: bool = True) -> _Rows:
    """The rows with their sides; a two-sided row that a range cannot hold exactly becomes two."""
    take: list[int] = []
    out = _Rows(lp, lp.K)
    used = set(names.rows) | {names.objective}
    for i, (name, low, high) in enumerate(zip(names.rows, lp.row_lower.tolist(), lp.row_upper.tolist(), strict=True)):
        take.append(i)
        if low == high:
            out.add(name, "E", low)
        elif np.isinf(low) and np.isinf(high):
            out.add(name, "N", 0.0)
        elif np.isinf(low):
            out.add(name, "L", high)
        elif np.isinf(high):
            out.add(name, "G", low)
        elif ranges and high - (high - low) == low:
            out.add(name, "L", high, high - low)
        elif ranges and low + (high - low) == high:
            out.add(name, "G", low, high - low)
        else:
            out.add(name, "L", high)
            take.append(i)
            second, number = f"{name}_low", 2
            while second in used:
                second, number = f"{name}_low{number}", number + 1
            used.add(second)
            out.add(second, "G", low)
    if len(take) > lp.shape[0]:
        out.matrix = sp.csr_array(lp.K[take])
    return out


def _number(value: float) -> str:
    return f"{value:.17g}"


def _mps(model: _Rows, names: ModelNames) -> Iterator[str]:
    lp = model.lp
    yield f"NAME {mps_name(lp.name or 'model')}"
    if lp.maximise:
        yield "OBJSENSE"
        yield "    MAX"
    yield "ROWS"
    yield f" N {names.objective}"
    yield from (f" {kind} {name}" for kind, name in zip(model.kind, model.names, strict=True))
    yield "COLUMNS"
    columns = sp.csc_array(model.matrix)
    for j, name in enumerate(names.columns):
        entries = slice(columns.indptr[j], columns.indptr[j + 1])
        if model.cost[j] or entries.start == entries.stop:  # a column without entries has to be named
            yield f" {name} {names.objective} {_number(model.cost[j])}"
        for i, value in zip(columns.indices[entries].tolist(), columns.data[entries].tolist(), strict=True):
            yield f" {name} {model.names[i]} {_number(value)}"
    yield "RHS"
    if model.constant:
        yield f" RHS {names.objective} {_number(-model.constant)}"
    for name, kind, side in zip(model.names, model.kind, model.side, strict=True):
        if side and kind != "N":
            yield f" RHS {name} {_number(side)}"
    if any(span is not None for span in model.range):
        yield "RANGES"
        for name, span in zip(model.names, model.range, strict=True):
            if span is not None:
                yield f" RANGE {name} {_number(span)}"
    bounds = [line for j, name in enumerate(names.columns) for line in _mps_bounds(name, lp.lower[j], lp.upper[j])]
    yield from (["BOUNDS", *bounds] if bounds else [])
    yield "ENDATA"


def _mps_bounds(name: str, low: float, high: float) -> list[str]:
    if low == high:
        return [f" FX BOUND {name} {_number(low)}"]
    if np.isinf(low) and np.isinf(high):
        return [f" FR BOUND {name}"]
    lines = [f" MI BOUND {name}"] if np.isinf(low) else [f" LO BOUND {name} {_number(low)}"] if low else []
    return lines + ([] if np.isinf(high) else [f" UP BOUND {name} {_number(high)}"])


def _lp(model: _Rows, names: ModelNames) -> Iterator[str]:
    lp = model.lp
    yield f"\\ {' '.join((lp.name or 'model').split())}"
    yield "maximize" if lp.maximise else "minimize"
    cost = np.flatnonzero(model.cost).tolist()
    constant = [f"{'+' if model.constant > 0 else '-'} {_number(abs(model.constant))}"] if model.constant else []
    yield from _folded(f" {names.objective}:", [*_terms(model.cost[cost], cost, names), *constant], names)
    yield "subject to"
    rows = model.matrix
    for i, name in enumerate(model.names):
        entries = slice(rows.indptr[i], rows.indptr[i + 1])
        terms = _terms(rows.data[entries], rows.indices[entries].tolist(), names)
        # a free row has a side beyond every number, which these files read as none
        kind, side = ("G", -1e30) if model.kind[i] == "N" else (model.kind[i], model.side[i])
        sign = {"L": "<=", "G": ">=", "E": "="}[kind]
        yield from _folded(f" {name}:", terms, names, f"{sign} {_number(side)}")
    yield "bounds"
    for name, low, high in zip(names.columns, lp.lower.tolist(), lp.upper.tolist(), strict=True):
        if low == high:
            yield f" {name} = {_number(low)}"
        elif np.isinf(low) and np.isinf(high):
            yield f" {name} free"
        elif low or np.isfinite(high):
            left = "-infinity" if np.isinf(low) else _number(low)
            yield f" {left} <= {name}" + ("" if np.isinf(high) else f" <= {_number(high)}")
    yield "end"


def _terms(values: np.ndarray, at: list[int], names: ModelNames) -> list[str]:
    return [
        f"{'-' if value < 0 else '+'} {_number(abs(value))} {names.columns[j]}"
        for value, j in zip(values.tolist(), at, strict=True)
    ]


def _folded(head: str, terms: list[str], names: ModelNames, tail: str = "") -> Iterator[str]:
    """An expression over as many lines as it takes; one without terms gets the first column, zero times."""
    line = head
    for term in [*(terms or [f"+ 0 {names.columns[0]}"]), *([tail] if tail else [])]:
        if len(line) + len(term) > _LINE and line.strip():
            yield line
            line = "  "
        line += f" {term}"
    yield line
