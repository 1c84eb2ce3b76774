"""read_mps: linear programs from MPS files, through HiGHS' reader."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .exact import SMALL_MATRIX_VALUE, import_highspy
from .problem import LinearProgram

_SUFFIXES = (".mps", ".mps.gz")
# How versions of HiGHS say that entries were too small to be taken in.
_DROPPED = ("packed vector contains", "at/below tolerance")


def read_mps(path: str | Path, *, relax_integers: bool = False) -> LinearProgram:
    """Read an MPS file, fixed or free format, plain or gzipped (``.mps``, ``.mps.gz``).

    The objective's constant becomes ``offset``, ``OBJSENSE MAX`` becomes ``maximise`` (the stored c is the one
    minimised), bounds at or beyond 1e20 are infinite, and N rows after the first are ignored, as the format has it.
    Nothing is dropped in silence: entries of magnitude <= 1e-12, which HiGHS' reader leaves out, come with a warning.

    Parameters
    ----------
    path : str or Path
        The file.
    relax_integers : bool
        Read integer columns as continuous ones, with a warning, instead of refusing the file.

    Raises
    ------
    ProblemError
        If the file is missing, is not an MPS file, names undefined or repeated rows and columns, or has integer,
        semi-continuous or quadratic parts. The message names the file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> text = "NAME tiny\\nROWS\\n N cost\\n G need\\nCOLUMNS\\n x cost 2 need 1\\nRHS\\n RHS need 3\\nENDATA\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "tiny.mps"
    ...     _ = file.write_text(text)
    ...     lp = read_mps(file)
    >>> lp.shape, lp.c.tolist(), lp.row_lower.tolist()
    ((1, 1), [2.0], [3.0])
    """
    path = Path(path)
    if not path.name.lower().endswith(_SUFFIXES):
        raise ProblemError(f"{path}: expected a file ending in {' or '.join(_SUFFIXES)}")
    if not path.is_file():
        raise ProblemError(f"{path}: no such file")
    highspy = import_highspy()
    model = _read(highspy, path)
    lp = model.getLp()
    _integers(highspy, lp, path, relax_integers)
    if model.getModel().hessian_.dim_ > 0:
        raise ProblemError(f"{path}: has a quadratic objective; read_mps reads linear programs")
    sign = -1.0 if lp.sense_ == highspy.ObjSense.kMaximize else 1.0
    return LinearProgram(
        c=sign * np.asarray(lp.col_cost_, dtype=np.float64),
        K=_matrix(highspy, lp),
        row_lower=np.asarray(lp.row_lower_, dtype=np.float64),
        row_upper=np.asarray(lp.row_upper_, dtype=np.float64),
        lower=np.asarray(lp.col_lower_, dtype=np.float64),
        upper=np.asarray(lp.col_upper_, dtype=np.float64),
        offset=sign * float(lp.offset_),
        maximise=sign < 0,
        name=lp.model_name_ or path.name.split(".")[0],
    )


def _read(highspy: Any, path: Path) -> Any:
    """HiGHS with the model loaded; what its reader said decides between a warning and an error."""
    model, said = highspy.Highs(), []
    model.setOptionValue("log_to_console", False)
    model.setOptionValue("small_matrix_value", SMALL_MATRIX_VALUE)
    model.setCallback(lambda kind, message, *rest: said.append(message.strip()), None)
    model.startCallback(highspy.cb.HighsCallbackType.kCallbackLogging)
    status = model.readModel(str(path))
    complaints = [
        m.removeprefix("WARNING:").removeprefix("ERROR:").strip() for m in said if m[:5] in ("WARNI", "ERROR")
    ]
    if status == highspy.HighsStatus.kError:
        raise ProblemError(f"{path}: is not a readable MPS file{': ' + '; '.join(complaints) if complaints else ''}")
    dropped = [m for m in complaints if any(words in m for words in _DROPPED)]
    ignored = [m for m in complaints if m not in dropped and ("ignored" in m or "same name" in m)]
    if ignored:
        raise ProblemError(f"{path}: {'; '.join(ignored[:3])}")
    for message in dropped:
        warnings.warn(f"{path}: {message}", stacklevel=3)
    return model


def _integers(highspy: Any, lp: Any, path: Path, relax: bool) -> None:
    kinds = list(lp.integrality_)
    columns = [j for j, kind in enumerate(kinds) if kind != highspy.HighsVarType.kContinuous]
    if not columns:
        return
    names = list(lp.col_names_)
    shown = ", ".join(names[j] if names else str(j) for j in columns[:5]) + (", ..." if len(columns) > 5 else "")
    whole = all(kinds[j] == highspy.HighsVarType.kInteger for j in columns)
    if not whole:
        raise ProblemError(f"{path}: has semi-continuous columns ({shown}); read_mps reads linear programs")
    if not relax:
        raise ProblemError(
            f"{path}: {len(columns)} integer columns ({shown}); relax_integers=True reads them as continuous"
        )
    warnings.warn(f"{path}: {len(columns)} integer columns ({shown}) are read as continuous", stacklevel=3)


def _matrix(highspy: Any, lp: Any) -> Any:
    stored = lp.a_matrix_
    shape = (lp.num_row_, lp.num_col_)
    parts = np.asarray(stored.value_, dtype=np.float64), np.asarray(stored.index_), np.asarray(stored.start_)
    if stored.format_ == highspy.MatrixFormat.kColwise:
        return sp.csc_array(parts, shape=shape).tocsr()
    return sp.csr_array(parts, shape=shape)
