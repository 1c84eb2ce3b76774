"""New data for a plan: what a period brought, as a file or in Python.

A change is a list of entries; each has a *kind*, a *label*, for some kinds a *technique*, and a *value*:

=============== ==================== =============================================================================
kind            label                value
=============== ==================== =============================================================================
``target``      product              what is now wanted of it, in its unit, or ``"+5%"``, ``"-10%"``, ``"95%"``
``capacity``    technique            largest activity, or a percentage of the largest activity so far
``outage``      technique            share of its *planned* activity that is lost, ``"40%"`` or 0.4
``stock``       product              what is on hand and may be used up, >= 0
``output``      technique            what it really ran at in the period gone by; see :mod:`kantor.feedback.apply`
``coefficient`` product, technique   input per unit of activity, or a percentage of the input so far
``use``         indicator, technique use per unit of activity, or a percentage of the use so far
``limit``       name of a limit      its bound, or a percentage of the bound so far
=============== ==================== =============================================================================

As CSV: columns ``kind``, ``label``, ``technique``, ``value``. As TOML: one table for each kind, and for the two kinds
with a technique a table of tables; labels of several levels are written "region / sector"::

    reason = "reports of June"

    [target]
    wheat = "+5%"

    [outage]
    "steel mill" = "50%"

    [coefficient."steel mill"]          # of the technique: product = input per unit
    coal = 0.8

    [files]                             # optional: CSV files with more entries, relative to this file
    entries = "june.csv"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Source
from ..data.labels import show
from ..data.tables import TableReader
from ..errors import ProblemError, suggest

KINDS = ("target", "capacity", "outage", "stock", "output", "coefficient", "use", "limit")
WITH_TECHNIQUE = ("coefficient", "use")
COLUMNS = ["kind", "label", "technique", "value"]
# A percentage of the present value: "95%", or with a sign a change against it, "+5%".
_PERCENT = re.compile(r"\s*([+-]?)\s*(\d+\.?\d*|\.\d+)\s*%\s*")


@dataclass(frozen=True)
class Change:
    """What is new since the last plan.

    Attributes
    ----------
    table : DataFrame with columns kind, label, technique, value (text or number), one row for each entry
    reason : for people, kept in the books
    sources : files it was read from, with their SHA-256

    >>> change = Change.of(target={"wheat": "+5%"}, outage={"mill": 0.5}, reason="reports of June")
    >>> len(change), change.reason
    (2, 'reports of June')
    """

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    reason: str = ""
    sources: tuple[Source, ...] = ()

    @classmethod
    def of(cls, reason: str = "", **kinds: Mapping[Any, Any]) -> Change:
        """A change from mappings: ``target={product: value}``, ``coefficient={(product, technique): value}``, ...

        Raises ProblemError for a kind that does not exist, with the nearest one.
        """
        parts = []
        for kind, entries in kinds.items():
            _check_kind(kind, "change")
            keys = list(entries)
            pairs = kind in WITH_TECHNIQUE
            if pairs and not all(isinstance(key, tuple) and len(key) == 2 for key in keys):
                raise ProblemError(f"change: entries of {kind!r} are named by pairs (label, technique)")
            parts.append(
                pd.DataFrame(
                    {
                        "kind": kind,
                        "label": pd.Series([key[0] if pairs else key for key in keys], dtype=object),
                        "technique": pd.Series([key[1] if pairs else None for key in keys], dtype=object),
                        "value": pd.Series([entries[key] for key in keys], dtype=object),
                    }
                )
            )
        return cls(_joined(parts), reason)

    def __len__(self) -> int:
        return len(self.table)

    def entries(self, kind: str) -> pd.DataFrame:
        """The rows of one kind."""
        return self.table[self.table["kind"] == kind]

    def and_then(self, other: Change) -> Change:
        """Both, the entries of ``other`` after those of this one; the later of two on the same number holds."""
        reason = "; ".join(text for text in (self.reason, other.reason) if text)
        return Change(_joined([self.table, other.table]), reason, (*self.sources, *other.sources))


def read_change(path: str | Path) -> Change:
    """A change from a TOML or CSV file; see the module's page.

    Raises ProblemError that names the file, the entry and the nearest known word.
    """
    file = Path(path)
    reader = TableReader(file.parent)
    if file.suffix.lower() != ".toml":
        return Change(_from_csv(reader, file), "", tuple(reader.sources))
    try:
        written = tomllib.loads(reader.bytes(file.name).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProblemError(f"{file}: {error}") from error
    reason, files, parts = written.pop("reason", ""), written.pop("files", {}), []
    for kind, entries in written.items():
        _check_kind(kind, str(file))
        if not isinstance(entries, dict):
            raise ProblemError(f"{file}: {kind} is {entries!r}, expected a table [{kind}] of labels and values")
        nested = kind in WITH_TECHNIQUE
        if nested and not all(isinstance(inner, dict) for inner in entries.values()):
            raise ProblemError(f'{file}: [{kind}] needs one table for each technique: [{kind}."TECHNIQUE"]')
        flat = (
            {(label, name): v for name, inner in entries.items() for label, v in inner.items()} if nested else entries
        )
        parts.append(Change.of("", **{kind: flat}).table)
    for listed in files.values():
        parts.append(_from_csv(reader, file.parent / listed))
    change = Change(_joined(parts), str(reason), tuple(reader.sources))
    for value in change.table["value"]:
        number_or_percent(value, 1.0, str(file))
    return change


def _from_csv(reader: TableReader, file: Path) -> pd.DataFrame:
    import io

    text = reader.bytes(file.name)
    try:
        table = pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise ProblemError(f"{file}: cannot be read: {error}") from error
    if list(table.columns) not in (COLUMNS, ["kind", "label", "value"]):
        raise ProblemError(f"{file}: columns {list(table.columns)}, expected {COLUMNS}")
    for kind in table["kind"].unique():
        _check_kind(kind, str(file))
    if "technique" not in table:
        table["technique"] = ""
    table = table[COLUMNS].astype(object)
    table["technique"] = table["technique"].where(table["technique"] != "", None)
    return table


def number_or_percent(value: Any, present: float, where: str) -> float:
    """The number that an entry means, given the present one.

    >>> number_or_percent("+5%", 200.0, "target"), number_or_percent("95%", 200.0, "target")
    (210.0, 190.0)
    """
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        if found is not None:
            share = float(found[2]) / 100.0
            return present * (share if not found[1] else 1.0 + share if found[1] == "+" else 1.0 - share)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ProblemError(f"{where}: {value!r} is neither a number nor a percentage") from None
    if isinstance(value, bool) or np.isnan(number):
        raise ProblemError(f"{where}: got {value!r}, expected a number or a percentage")
    return number


def numbers(entries: pd.DataFrame, present: Any, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The numbers that entries mean, given the present ones in their order; plain numbers are read at once."""
    values = entries["value"]
    plain = pd.to_numeric(values, errors="coerce").to_numpy(np.float64).copy()
    for k in np.flatnonzero(np.isnan(plain)).tolist():
        label = show(entries["label"].iloc[k])
        plain[k] = number_or_percent(values.iloc[k], float(present[k]), f"{where} of {label!r}")
    return plain


def find(labels: pd.Series, index: pd.Index, where: str) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Positions of labels: as they are, or as text ("region / sector"); ProblemError with the nearest known one."""
    from ..planning.scenario_labels import find_label

    wanted = labels.tolist()
    at = np.full(len(wanted), -1, np.intp)
    if wanted and (index.nlevels == 1 or all(isinstance(label, tuple) for label in wanted)):
        keys = pd.MultiIndex.from_tuples(wanted) if index.nlevels > 1 else pd.Index(wanted, dtype=object)
        at = np.asarray(index.get_indexer(keys))
    for k in np.flatnonzero(at < 0).tolist():
        if not isinstance(wanted[k], str):
            raise ProblemError(f"{where}: unknown label {show(wanted[k])!r}{suggest(show(wanted[k]), index[:5000])}")
        label = find_label(wanted[k], index, where)
        one = pd.MultiIndex.from_tuples([label]) if index.nlevels > 1 else pd.Index([label])
        at[k] = index.get_indexer(one)[0]
    return at


def _check_kind(kind: str, where: str) -> None:
    if kind not in KINDS:
        raise ProblemError(f"{where}: unknown kind of change {kind!r}{suggest(kind, KINDS)}")


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=COLUMNS, dtype=object)
