"""Streams of reports from files that grow: CSV, or Parquet files in a folder, read in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ...errors import ProblemError

_ROWS = 500_000


def read_reports(path: str | Path, *, after: int = 0, rows: int = _ROWS) -> Iterator[tuple[int, pd.DataFrame]]:
    """(period, reports) from a CSV file, a Parquet file, or a folder of Parquet files in the order of their names.

    Columns series, period, value, and if given unit. A period is over when a later one begins: what comes for it
    afterwards belongs to the later batch, where it counts as late. ``after``: rows that were read before
    (:attr:`kantor.Monitor.read`); appending to a file and reading on gives the same as reading once, if what was
    appended begins with a new period. Values are kept as they were written, for the quarantine to judge.

    Raises ProblemError for a file that cannot be read or lacks a column.
    """
    period: int | None = None
    held: list[pd.DataFrame] = []
    for piece in _pieces(Path(path), after, rows):
        when = pd.to_numeric(piece["period"], errors="coerce")
        # An unreadable or earlier period does not begin a new batch.
        latest = when.fillna(-float("inf")).cummax()
        latest = latest.where(latest > -float("inf"))
        if period is not None:
            latest = latest.fillna(period).clip(lower=period)
        latest = latest.bfill()
        if latest.isna().all():
            raise ProblemError(f"{path}: no row of {len(piece):,} has a period that is a number")
        for now, batch in piece.groupby(latest, sort=True):
            if period is not None and int(now) > period:
                yield period, pd.concat(held, ignore_index=True)
                held = []
            period = int(now)
            held.append(batch)
    if period is not None:
        yield period, pd.concat(held, ignore_index=True)


def _pieces(path: Path, skip: int, rows: int) -> Iterator[pd.DataFrame]:
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise ProblemError(f"{path}: holds no Parquet files")
    else:
        files = [path]
    for file in files:
        try:
            for piece in _of_file(file, rows):
                for column in ("series", "period", "value"):
                    if column not in piece:
                        raise ProblemError(f"{file}: column {column!r} is missing; it has {list(piece.columns)}")
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                yield piece.iloc[skip:]
                skip = 0
        except (OSError, ValueError, UnicodeDecodeError) as error:
            if isinstance(error, ProblemError):
                raise
            raise ProblemError(f"{file}: cannot be read: {error}") from error


def _of_file(file: Path, rows: int) -> Iterator[pd.DataFrame]:
    if file.suffix.lower() == ".parquet":
        import pyarrow.parquet as parquet  # type: ignore[import-untyped, unused-ignore]

        for batch in parquet.ParquetFile(file).iter_batches(batch_size=rows):
            yield batch.to_pandas()
        return
    # Series and units are text, values as they are written: a report that is no number is for the quarantine.
    yield from pd.read_csv(file, chunksize=rows, dtype=str, keep_default_na=False)
