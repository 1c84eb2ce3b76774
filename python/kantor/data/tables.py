"""Tables from disk: CSV, Parquet, NPZ. Every file read is recorded with its SHA-256; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .economy import Source
from .labels import as_index, out_of_reach, show, unusable, within_reach

# Numbers as they are written, to the last bit: the default from pandas 3.1 on.
EXACT = {"float_precision": "round_trip"} if [int(k) for k in pd.__version__.split(".")[:2]] < [3, 1] else {}
FORMATS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".npz")


class MissingFile(ProblemError):
    """A table file that is not where its description says."""


class TableReader:
    """Reads files of one folder and remembers them in ``sources``.

    Every method raises ProblemError naming the file for a missing, truncated or otherwise unreadable one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.sources: list[Source] = []

    def path(self, name: str) -> Path:
        """The full path of a file of the folder."""
        path = self.folder / name
        if not path.is_file():
            beside = sorted(p.name for p in self.folder.glob("*") if p.is_file()) if self.folder.is_dir() else []
            raise MissingFile(
                f"{path}: no such file" + (f"; the folder holds {', '.join(beside[:12])}" if beside else "")
            )
        return path

    def bytes(self, name: str) -> bytes:
        """The content of a file, recorded."""
        path = self.path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProblemError(f"{path}: cannot be read ({error.strerror or error})") from error
        source = Source(str(path.resolve()), hashlib.sha256(content).hexdigest())
        if source not in self.sources:
            self.sources.append(source)
        return content

    def text(self, name: str, index: str | None = None) -> pd.DataFrame:
        """A small table of labels and words (CSV), all columns as text; ``index`` names the column of labels."""
        frame = self._csv(name, dtype=str)
        if index is None:
            return frame
        if index not in frame.columns:
            raise ProblemError(f"{self.folder / name}: no column {index!r}; found {', '.join(map(str, frame.columns))}")
        frame = frame.set_index(index)
        as_index(frame.index, f"{self.folder / name}, column {index!r}")
        return frame

    def frame(self, name: str, levels: int = 1, header: int = 1) -> pd.DataFrame:
        """A labelled table of numbers; the first ``levels`` columns are row labels, ``header`` rows column labels.

        Raises ProblemError naming row and column of a cell that is empty, no number, NaN or infinite.
        """
        lower = name.lower()
        if lower.endswith(".parquet"):
            table = self._labelled_parquet(name, levels)
        elif lower.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
            table = self._labelled_csv(name, levels, header)
        else:
            raise ProblemError(f"{self.folder / name}: unknown kind of table; known: {', '.join(FORMATS)}")
        where = str(self.folder / name)
        if table.shape[0] == 0 or table.shape[1] == 0:
            raise ProblemError(f"{where}: empty table, {table.shape[0]} rows and {table.shape[1]} columns")
        as_index(table.index, f"{where}, rows")
        as_index(table.columns, f"{where}, columns")
        return _as_numbers(table, where)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """All arrays of an NPZ file."""
        content = io.BytesIO(self.bytes(name))
        try:
            with np.load(content, allow_pickle=False) as stored:
                if isinstance(stored, np.ndarray):
                    return {"arr_0": stored}
                return {key: stored[key] for key in stored.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise ProblemError(f"{self.folder / name}: not a readable NPZ file ({error})") from error

    def matrix(self, name: str) -> Any:
        """A matrix without labels: a sparse one as scipy.sparse.save_npz writes it, or a single 2-D array."""
        arrays = self.arrays(name)
        where = self.folder / name
        if "shape" in arrays and "data" in arrays:
            return sparse_matrix(arrays, where)
        if len(arrays) == 1:
            array = next(iter(arrays.values()))
            if array.ndim == 2:
                return array
        raise ProblemError(
            f"{where}: holds {', '.join(arrays)}; expected one matrix as scipy.sparse.save_npz writes it"
        )

    def _csv(self, name: str, **options: Any) -> pd.DataFrame:
        separator = "\t" if ".tsv" in name.lower() else ","
        packed = "gzip" if name.lower().endswith(".gz") else None
        content = io.BytesIO(self.bytes(name))
        try:
            with warnings.catch_warnings():
                # Cells beyond the header would be cut off, or the first column taken away as an index.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                # No text stands for "missing": "NA" is a country, and an empty cell must be seen, not filled.
                return pd.read_csv(  # type: ignore[call-overload]
                    content,
                    sep=separator,
                    compression=packed,
                    keep_default_na=False,
                    index_col=False,
                    **EXACT,
                    low_memory=False,
                    **options,
                )
        except pd.errors.ParserWarning as error:
            raise ProblemError(f"{self.folder / name}: a row has more cells than the first row has columns") from error
        except pd.errors.EmptyDataError as error:
            raise ProblemError(f"{self.folder / name}: empty table, the file holds nothing") from error
        except (ValueError, OSError, EOFError, UnicodeDecodeError, pd.errors.ParserError) as error:
            raise ProblemError(f"{self.folder / name}: not a readable table ({error})") from error

    def _labelled_csv(self, name: str, levels: int, header: int) -> pd.DataFrame:
        if header > 1:
            return self._many_headers(name, levels, header)
        written = self._csv(name, nrows=1, header=None, dtype=str).iloc[0].tolist()
        as_index(written[levels:], f"{self.folder / name}, columns")  # before pandas renames the second of two
        first = list(self._csv(name, nrows=0).columns)
        if len(first) <= levels:
            raise ProblemError(
                f"{self.folder / name}: {len(first)} column(s), expected {levels} of labels and at least one more"
            )
        # Codes such as 111200 are labels, not numbers.
        table = self._csv(name, dtype=dict.fromkeys(first[:levels], str))
        table = table.set_index(first[:levels])
        if levels == 1 and (str(first[0]).startswith("Unnamed:") or first[0] == ""):
            table.index.name = None
        return table

    def _many_headers(self, name: str, levels: int, header: int) -> pd.DataFrame:
        """A table with several rows of column labels, all as text; a row with the names of the levels may follow."""
        cells = self._csv(name, dtype=str, header=None).to_numpy(dtype=object)
        if cells.shape[0] <= header or cells.shape[1] <= levels:
            size = f"{cells.shape[0]} rows and {cells.shape[1]} columns"
            raise ProblemError(
                f"{self.folder / name}: {size}, too few for {header} rows and {levels} columns of labels"
            )
        start = header + (1 if (cells[header, levels:] == "").all() else 0)
        names = cells[header, :levels].tolist() if start > header else [None] * levels
        return pd.DataFrame(
            cells[start:, levels:],
            index=pd.MultiIndex.from_arrays(list(cells[start:, :levels].T), names=names)
            if levels > 1
            else pd.Index(cells[start:, 0], name=names[0]),
            columns=pd.MultiIndex.from_arrays(
                list(cells[:header, levels:]), names=[c or None for c in cells[:header, 0]]
            ),
        )

    def parquet(self, name: str) -> pd.DataFrame:
        """A Parquet table as it is stored."""
        content = io.BytesIO(self.bytes(name))
        try:
            return pd.read_parquet(content)
        except (ValueError, OSError, KeyError) as error:  # pyarrow's errors derive from these
            raise ProblemError(f"{self.folder / name}: not a readable Parquet file ({error})") from error

    def _labelled_parquet(self, name: str, levels: int) -> pd.DataFrame:
        table = self.parquet(name)
        if isinstance(table.index, pd.RangeIndex) and table.shape[1] > levels:
            words = [c for c in table.columns[:levels] if not pd.api.types.is_numeric_dtype(table[c])]
            if len(words) == levels:  # written without its index: the labels are the first columns
                table = table.set_index(list(table.columns[:levels]))
        return table


def _as_numbers(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table as float64, or ProblemError naming the first cell that is no finite number."""
    plain = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) for kind in table.dtypes]
    for j in np.flatnonzero(~np.array(plain)).tolist():
        column: Any = table.iloc[:, j]
        words = pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)
        # Dates and truth values would count as numbers of nanoseconds, or as 0 and 1.
        odd = column.map(lambda cell: isinstance(cell, bool | np.bool_)) if words else np.ones(len(column), bool)
        bad = np.flatnonzero(odd | pd.to_numeric(column, errors="coerce").isna()).tolist()
        if not bad:
            continue
        cell = column.iloc[bad[0]]
        got = "empty" if cell is None or cell == "" else repr(cell.item() if isinstance(cell, np.generic) else cell)
        raise ProblemError(
            f"{where}: row {show(table.index[bad[0]])!r}, column {show(table.columns[j])!r} is {got}, expected a number"
        )
    if not all(plain):
        table = table.astype(object)
    values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    if not within_reach(values):
        bad_cells = np.argwhere(out_of_reach(values))
        row, column_number = (int(k) for k in bad_cells[0])
        raise ProblemError(
            f"{where}: row {show(table.index[row])!r}, column {show(table.columns[column_number])!r} is "
            + unusable(float(values[row, column_number]), len(bad_cells))
        )
    return pd.DataFrame(values, index=table.index, columns=table.columns)


def sparse_matrix(arrays: dict[str, np.ndarray], where: Path) -> sp.csr_array:
    """A matrix from the arrays of scipy.sparse.save_npz; its index arrays are checked before use."""
    kind = arrays.get("format", np.array("csr")).item()
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    try:
        rows, columns = (int(k) for k in arrays["shape"])
        data = arrays["data"].astype(np.float64, copy=False)
        if kind == "coo":
            return sp.csr_array(sp.coo_array((data, (arrays["row"], arrays["col"])), shape=(rows, columns)))
        indices, indptr = (_as_index_type(arrays[key]) for key in ("indices", "indptr"))
        if kind not in ("csr", "csc"):
            raise ProblemError(f"{where}: sparse format {kind!r}, expected csr, csc or coo")
        along = columns if kind == "csr" else rows
        if indices.size and (indices.min() < 0 or indices.max() >= along):
            raise ProblemError(f"{where}: an index is outside 0..{along - 1}")
        make = sp.csr_array if kind == "csr" else sp.csc_array
        matrix = make((data, indices, indptr), shape=(rows, columns))
        matrix.check_format(full_check=True)
        return sp.csr_array(matrix)
    except (KeyError, ValueError) as error:
        raise ProblemError(f"{where}: not a sound sparse matrix ({error})") from error


def _as_index_type(array: np.ndarray) -> np.ndarray:
    """Index arrays as int32, or int64 where they do not fit: files hold any integer type."""
    wide = array.size and int(array.max()) > np.iinfo(np.int32).max
    return array.astype(np.int64 if wide else np.int32, copy=False)
