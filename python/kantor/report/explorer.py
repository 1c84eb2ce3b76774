"""The products section: every product's figures and flows as data for the page's search, table and picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.labels import show
from ..planning.flows import Groups, grouped
from .facts import Facts
from .numbers import counted
from .page import paragraph, section

# How many suppliers and users of a product are drawn one by one, fewer where there are many products.
_FEW, _MANY = 8, 12
# A flow of less than this share of all that go the same way is added to the rest: it could not be seen.
_HAIR = 1e-3
_SHELL = (
    "<div id='explorer' hidden><div class='find'><label for='search'>Search products"
    "<input id='search' type='search' autocomplete='off' spellcheck='false' aria-controls='products-table'></label>"
    "<span class='pager'><button type='button' id='before'>Back</button> "
    "<button type='button' id='after'>Next</button></span><span id='found' class='soft' role='status'></span></div>"
    "<div class='scroll' tabindex='0' role='group' aria-label='Products'><table id='products-table'>"
    "<caption><span>CAPTION</span></caption><thead><tr></tr></thead><tbody></tbody></table></div>"
    "<div id='picked' class='picked' aria-live='off' hidden></div></div>"
    "<noscript><p>Search and flows of single products need JavaScript; the tables of the plan folder hold the same."
    "</p></noscript>"
)


def explorer(facts: Facts) -> str:
    """The frame that the page's script fills from :func:`explorer_data`."""
    if not facts.made:
        return ""
    groups = _groups(facts)
    what = "A click on a product shows what goes into it and where it goes; the picture can be walked through. "
    what += "A rent is the worth of the scarce labour, capital or other limit that its makers use."
    if not groups.alone:
        what = (
            f"{counted(len(facts.result.prices), 'product')} are shown as {len(groups.labels):,} groups; their figures "
            f"are sums, prices averages by value. {what}"
        )
    if facts.missing:
        what = f"Flows are left out: {facts.missing}."
    caption = (
        "Click a heading to sort. Prices and contents are relative to the basket of the targets, whose average is 1."
    )
    return section("Products", paragraph(what), _SHELL.replace("CAPTION", caption))


def explorer_data(facts: Facts) -> dict[str, Any] | None:
    """Names, columns and flows of all products; None where there is no plan."""
    if not facts.made:
        return None
    result, groups = facts.result, _groups(facts)
    names, codes = _names(facts, groups)
    unit: Any = result.unit
    data: dict[str, Any] = {"names": names, "codes": codes if codes != names else None}
    if isinstance(unit, str):
        data["unit"], data["worth"] = unit, unit
    else:
        data["worth"] = ""
        if groups.alone:
            codes_of, kinds = pd.factorize(unit.astype(str))
            data["unit"], data["units"] = codes_of.tolist(), list(kinds)
        else:
            data["unit"] = ""
    columns = _columns(facts, groups)
    data["columns"] = columns
    keys = [column["key"] for column in columns]
    # Stocks of capital are made in every year: what people consume comes first where there are any.
    several = "year" in result.prices.index.names
    data["order"] = "consumption" if several and "consumption" in keys else "output" if "output" in keys else "target"
    return data | {"flows": facts.flows is not None} | _flows(facts, groups)


def _groups(facts: Facts) -> Groups:
    if facts.flows is not None:
        return facts.flows.groups
    prices, targets = facts.result.prices.to_numpy(float), facts.result.targets.to_numpy(float)
    return grouped(facts.result.prices.index, prices * np.abs(targets))


def _names(facts: Facts, groups: Groups) -> tuple[list[str], list[str]]:
    """Names and codes."""
    if groups.alone:
        return [facts.words(label) for label in groups.labels], [facts.code(label) for label in groups.labels]
    names = [show(label) for label in groups.labels]
    return names, names


def _columns(facts: Facts, groups: Groups) -> list[dict[str, Any]]:
    result = facts.result
    output = None if facts.flows is None else facts.flows.chain.output
    target, got = result.targets.to_numpy(float), result.consumption.to_numpy(float)
    total = _summed(groups)
    amounts = [("target", "target", target), ("consumption", "consumption", got)]
    if output is not None:
        amounts.insert(0, ("output", "gross output", output))
    columns: list[dict[str, Any]] = []
    if groups.alone or isinstance(result.unit, str):
        columns += [_column(key, title, "amount", total(values)) for key, title, values in amounts]
    asked = total(np.where(target > 0, target, 0.0))
    met = total(np.where(target > 0, got, 0.0))
    share = np.divide(met, asked, out=np.full(len(asked), np.nan), where=asked > 0)
    columns.append(_column("share", "share of target", "share", share))
    weights = np.maximum(output if output is not None else np.abs(target), 0.0)
    if (result.prices > 0).any() and (target > 0).any():
        relative = result.normalised_prices().to_numpy(float)
        columns.append(_column("price", "price", "ratio", _mean(groups, relative, weights)))
        basket = np.maximum(target, 0.0)
        for name in facts.contents.columns:
            content = facts.contents[name].to_numpy(float)
            worth = float(np.nansum(content * basket))
            if worth > 0:
                found = _mean(groups, content * (basket.sum() / worth), weights)
                columns.append(_column(f"content {name}", f"{name} content", "ratio", found))
    return columns


def _column(key: str, title: str, kind: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"key": key, "title": title, "kind": kind, "values": _rounded(values, 7)}


def _flows(facts: Facts, groups: Groups) -> dict[str, Any]:
    n = len(groups.labels)
    empty = {"start": [0] * (n + 1), "who": [], "worth": [], "rest": [0] * n}
    flows = facts.flows
    if flows is None:
        return {"inputs": empty, "users": empty, "rents": empty, "limits": [], "uses": {}}
    most = _FEW if n > KEPT_ALL else _MANY
    return {
        "inputs": _largest(sp.csr_array(flows.inputs.T), most),
        "users": _largest(flows.inputs, most),
        "rents": _largest(sp.csr_array(np.column_stack([np.zeros(n), *flows.rents.values()])[:, 1:]), most),
        "limits": list(flows.rents),
        "uses": {name: _rounded(worth, 4, zero=0) for name, worth in flows.uses.items() if worth.any()},
        "first": int(np.argmax(flows.uses.get("consumption", flows.output))) if n else None,
    }


# Up to this many products show more of their flows: the file stays below five megabytes either way.
KEPT_ALL = 3_000


def _largest(flows: sp.csr_array, most: int) -> dict[str, Any]:
    """Of every row the largest entries (columns and worth), and the sum of the others."""
    flows.sum_duplicates()
    count = flows.shape[0]
    row = np.repeat(np.arange(count), np.diff(flows.indptr))
    size = np.abs(flows.data)
    order = np.lexsort((-size, row))
    total = np.bincount(row, size, count)
    # Within a row the entries now fall; the first ones that can be seen stay.
    rank = np.arange(len(order)) - flows.indptr[row]
    kept = order[(rank < most) & (size[order] > _HAIR * total[row])]
    rest = np.bincount(row, flows.data, count) - np.bincount(row[kept], flows.data[kept], count)
    rest[np.abs(rest) <= 1e-6 * total] = 0.0
    return {
        "start": [0, *np.cumsum(np.bincount(row[kept], minlength=count)).tolist()],
        "who": flows.indices[kept].tolist(),
        "worth": _rounded(flows.data[kept], 4),
        "rest": _rounded(rest, 4, zero=0),
    }


def _summed(groups: Groups) -> Any:
    return (lambda values: values) if groups.alone else (lambda values: groups.summing @ values)


def _mean(groups: Groups, values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if groups.alone:
        return values
    known = np.isfinite(values)
    summing = groups.summing
    weight = summing @ (weights * known)
    total = summing @ (weights * np.where(known, values, 0.0))
    return np.divide(total, weight, out=np.full(len(weight), np.nan), where=weight > 0)


def _rounded(values: np.ndarray[Any, Any], digits: int, zero: Any = 0) -> list[float | int | None]:
    """Numbers with so many significant digits, whole ones as integers; None for what is missing or infinite.

    >>> _rounded(np.array([1.23456789, 0.0, np.nan, 2000.0]), 4)
    [1.235, 0, None, 2000]
    """
    found: list[float | int | None] = []
    for value in np.asarray(values, float).tolist():
        if not np.isfinite(value):
            found.append(None)
            continue
        number = float(f"{value:.{digits - 1}e}")
        found.append((zero if not number else int(number)) if number.is_integer() and abs(number) < 1e15 else number)
    return found
