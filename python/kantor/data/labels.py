"""Labels of products, techniques and indicators: check them, show them, find the right one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..errors import ProblemError, suggest
from ..extremes import extremes

T = TypeVar("T")

# Products of larger numbers overflow; no table in any unit comes near.
LARGEST = 1e100


def show(label: object) -> str:
    """One label as text; a label of several levels is joined with " / ", without levels that are empty.

    >>> show(("Sweden", "Mining"))
    'Sweden / Mining'
    """
    return " / ".join(str(part) for part in label if part != "") if isinstance(label, tuple) else str(label)


def show_some(labels: Iterable[object], limit: int = 5) -> str:
    """The first labels as text, and how many more there are."""
    every = list(labels)
    text = ", ".join(repr(show(label)) for label in every[:limit])
    return text + (f" and {len(every) - limit} more" if len(every) > limit else "")


def fold(name: object) -> str:
    """The form in which names are compared: lower case, blanks and dashes as underscores.

    >>> fold("Value added")
    'value_added'
    """
    return show(name).strip().casefold().replace(" ", "_").replace("-", "_")


def as_index(labels: Any, what: str) -> pd.Index:
    """Labels as an Index with no missing and no repeated one; lists of tuples become a MultiIndex."""
    if isinstance(labels, pd.Index):
        index = labels
    else:
        every = list(labels)
        several = bool(every) and all(isinstance(label, tuple) for label in every)
        index = pd.MultiIndex.from_tuples(every) if several else pd.Index(every)
    if isinstance(index, pd.MultiIndex):
        missing = np.zeros(len(index), dtype=bool)
        for codes in index.codes:
            missing |= np.asarray(codes) < 0
    else:
        missing = np.asarray(index.isna())
    if missing.any():
        raise ProblemError(f"{what}: label number {int(np.flatnonzero(missing)[0])} is missing (empty or NaN)")
    if not index.is_unique:
        again = index[index.duplicated()]
        raise ProblemError(f"{what}: label {show(again[0])!r} occurs more than once ({len(again)} repeated labels)")
    return index


def positions(wanted: pd.Index, index: pd.Index, what: str, of: str) -> np.ndarray:
    """Positions in ``index`` of the ``wanted`` labels; both must hold the same labels, in any order.

    Raises ProblemError that names the first label without a partner, how many there are, and the nearest known one.
    """
    if wanted is index or wanted.equals(index):
        return np.arange(len(index))
    if wanted.nlevels != index.nlevels:
        raise ProblemError(
            f"{what}: labels have {wanted.nlevels} level(s), those of the {of} have {index.nlevels}; "
            f"got {show(wanted[0])!r}, expected labels like {show(index[0])!r}"
            if len(wanted)
            else f"{what}: no labels, expected {len(index)}"
        )
    at = index.get_indexer(wanted)
    if (at < 0).any():
        as_index(wanted, what)
        unknown = wanted[at < 0]
        raise ProblemError(
            f"{what}: {len(unknown)} of {len(wanted)} labels are not in the {of}, first {show(unknown[0])!r}"
            + suggest(show(unknown[0]), [show(label) for label in index[:2000]])
        )
    if len(wanted) != len(index) or len(np.unique(at)) != len(index):
        as_index(wanted, what)
        lacking = index[~index.isin(wanted)]
        raise ProblemError(
            f"{what}: {len(lacking)} of the {len(index)} labels of the {of} have no entry, first {show(lacking[0])!r}; "
            "give every label a value (reindex with fill_value=0 if that is meant)"
        )
    return at


def position(label: Any, index: pd.Index) -> int | None:
    """Position of one full label in an index without repeated labels, or None if it is not there."""
    if label not in index:
        return None
    at: Any = index.get_loc(label)
    # In a MultiIndex the value of one level alone finds a slice: that names several products, not one.
    return int(at) if isinstance(at, int | np.integer) else None


def aligned(values: Any, index: pd.Index, what: str, of: str = "economy") -> np.ndarray:
    """Values as a finite float64 vector in the order of ``index``.

    ``values``: a Series or mapping that holds exactly these labels (in any order), or an array of the right length.
    """
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise ProblemError(f"{what}: got a table with {values.shape[1]} columns, expected one column")
        values = values.iloc[:, 0]
    if isinstance(values, Mapping):
        values = pd.Series(list(values.values()), index=as_index(list(values.keys()), what), dtype=object)
    if isinstance(values, pd.Series):
        at = positions(values.index, index, what, of)
        vector = np.empty(len(index))
        vector[at] = numbers(values.to_numpy(), what)
    else:
        vector = numbers(values, what)
        if vector.shape != (len(index),):
            raise ProblemError(f"{what}: shape {vector.shape}, expected ({len(index)},), one value for each label")
        vector = vector.copy()
    require_finite(vector, index, what)
    return vector


def numbers(values: Any, what: str) -> np.ndarray:
    """Values as float64; ProblemError instead of NumPy's own error where one is no number."""
    if hasattr(values, "toarray"):
        values = values.toarray().ravel()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        said = re.sub(r"\bnp\.\w+\((.*?)\)", r"\1", str(error))  # NumPy shows its own types by name
        raise ProblemError(f"{what}: {said}; expected numbers") from error


def require_finite(vector: np.ndarray, index: pd.Index, what: str) -> None:
    """Raise ProblemError naming the label of the first entry that is NaN, infinite or beyond LARGEST."""
    bad = np.flatnonzero(out_of_reach(vector))
    if bad.size:
        i = int(bad[0])
        raise ProblemError(f"{what}: {show(index[i])!r} is " + unusable(float(vector[i]), bad.size))


def within_reach(values: np.ndarray) -> bool:
    """Whether all numbers are finite and at most LARGEST in size, without a temporary array."""
    least, most = extremes(values, empty=(0.0, 0.0))
    return bool(least >= -LARGEST and most <= LARGEST)


def out_of_reach(values: np.ndarray) -> np.ndarray:
    """True for NaN, infinities and numbers beyond LARGEST."""
    return ~(np.abs(values) <= LARGEST)


def unusable(value: float, count: int = 1) -> str:
    """Words for the first of ``count`` numbers that are out of reach."""
    more = f" ({count} such entries)" if count > 1 else ""
    expected = f"at most {LARGEST:g} in size (choose a larger unit)" if np.isfinite(value) else "a finite number"
    return f"{value!r}, expected {expected}{more}"


def resolve(name: object, known: pd.Index, aliases: Mapping[str, str], what: str) -> Any:
    """The member of ``known`` meant by a user's name: exact, by alias, or without regard to case.

    Raises ProblemError with the nearest known name.
    """
    if name in known:
        return name
    folded = fold(name)
    alias = {fold(key): value for key, value in aliases.items()}.get(folded)
    if alias is not None and alias in known:
        return alias
    same = [label for label in known if fold(label) == folded]
    if not same and ("labor" in folded or "labour" in folded):  # one word in two spellings
        names = {_british(fold(key)): value for key, value in aliases.items() if value in known}
        same = [label for label in known if _british(fold(label)) == _british(folded)]
        same = same or [names[word] for word in [_british(folded)] if word in names]
    if len(same) == 1:
        return same[0]
    if len(same) > 1:
        raise ProblemError(f"{what} {show(name)!r} is ambiguous: {show_some(same)}")
    raise ProblemError(f"unknown {what} {show(name)!r}" + suggest(show(name), [show(k) for k in known] + list(aliases)))


def resolve_keys(given: Mapping[Any, T], known: pd.Index, aliases: Mapping[str, str], what: str) -> dict[Any, T]:
    """``given`` under the names of :func:`resolve`; ProblemError where two of its keys mean the same.

    >>> resolve_keys({"Labour": 2.0}, pd.Index(["labour", "land"]), {}, "indicator")
    {'labour': 2.0}
    """
    out: dict[Any, T] = {}
    said: dict[Any, Any] = {}
    for key, value in given.items():
        name = resolve(key, known, aliases, what)
        if name in out:
            raise ProblemError(f"{what}s {show(said[name])!r} and {show(key)!r} both mean {show(name)!r}; give one")
        out[name], said[name] = value, key
    return out


def _british(folded: str) -> str:
    return folded.replace("labor", "labour")


def read_mapping(values: Any, known: pd.Index, what: str, of: str) -> dict[int, float]:
    """Position in ``known`` -> value, for a mapping or Series that names only some of the labels."""
    if not isinstance(values, Mapping | pd.Series):
        raise ProblemError(f"{what}: got {type(values).__name__}, expected a dict or Series of labels and numbers")
    found: dict[int, float] = {}
    for label, value in values.items():
        at = position(label, known)
        if at is None:
            names = [show(k) for k in known[:2000]]
            raise ProblemError(f"{what}: {show(label)!r} is none of the {of}" + suggest(show(label), names))
        found[at] = float(numbers(value, f"{what}[{show(label)!r}]"))
    return found
