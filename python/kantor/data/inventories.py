"""Life-cycle inventories as techniques: every process a technique in physical units, several for one product.

A process j makes ``production_j`` of its reference product and takes amounts of other products. Its technique is the
process per unit of product: every amount is divided by ``|production_j|``, which stays in the notes where it is not 1.
A process with negative production takes its product in (a treatment): it makes one unit of "treatment of X", which
those who hand in X use. A negative amount of a product is a by-product, made beside the reference product. What no
process of the inventory makes comes from outside: an indicator of its own, with its unit, so that it can be limited
or minimised.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import OptionError, suggest
from .economy import Economy
from .inventory_tables import KEY, WARMING, exchanges_of, processes_of, refuse_rows
from .labels import show_some
from .sparse_table import SparseTable
from .tables import TableReader

ORIGIN = (
    "premise_inventories, the additional inventories of the Python package premise 2.5.2 (Potsdam Institute for "
    "Climate "
    "Impact Research, Paul Scherrer Institute), BSD-3-Clause."
)
LINKS = ("product", "activity")
BYPRODUCTS = ("make", "drop")
GHG = "GHG"
# A technique that keeps less than this of a unit of its own product only passes it on (a market): linked by product it
# would be a circle that delivers nothing.
_LEAST_GAIN = 1e-9


def premise(
    folder: Path,
    link: str = "product",
    products: str | Iterable[str] | None = None,
    files: str | Iterable[str] | None = None,
    byproducts: str = "make",
) -> Economy:
    """The processes of premise's additional inventories: 4,125 techniques for 1,088 products and treatments.

    ``link``: "product": an input can come from any technique that makes the product in that unit, which is what makes a
    choice; also inputs that the inventory buys from its background, if a technique makes them. "activity": from the one
    process the inventory names; every process then has a product of its own.

    ``products``: only these (a list, or a text with ; between them) and whatever is needed to make them. ``files``:
    only processes of these workbooks of the source ("lci-steel.xlsx; lci-hydrogen-*"); what others make comes from
    outside.

    An inventory counts carbon that a product holds as taken up where it is made (fuels from captured CO2) and as
    emitted where it burns: a plan that makes such a fuel and leaves it over would be paid for it. Leave such files
    out, or count uses that include the burning.
    """
    reader = TableReader(folder)
    activities = reader.parquet("activities.parquet").rename(columns={"reference product": "product"})
    exchanges = reader.parquet("exchanges.parquet")
    if files is not None:
        activities = activities[_of_files(activities["file"].astype(str), _listed(files))]
    eco = from_inventory(
        activities,
        exchanges,
        link=link,
        products=products,
        byproducts=byproducts,
        name="premise_inventories",
        licence=ORIGIN,
    )
    return eco.replace(sources=reader.sources)


def from_inventory(
    activities: pd.DataFrame,
    exchanges: pd.DataFrame,
    *,
    link: str = "product",
    products: str | Iterable[str] | None = None,
    byproducts: str = "make",
    name: str = "inventory",
    licence: str = "",
) -> Economy:
    """An economy from the processes of a life-cycle inventory.

    Parameters
    ----------
    activities : one row a process: ``activity`` (its number), ``name``, ``product``, ``location``, ``unit``,
        ``production`` (missing: 1). Of processes with one name, product and location the first counts.
    exchanges : one row an exchange: ``activity`` (the process), ``type`` (technosphere, biosphere, or production, which
        is passed over), ``name``,
        ``product``, ``location`` (of the process that delivers), ``unit``, ``amount``
    link, products : see :func:`premise`
    byproducts : "make" them beside the reference product, where they may be left over; or "drop" them, which claims
        less: every technique then makes one product, and plans are solved faster

    Indicators: what comes from outside, each in its unit; emissions and resources that cause warming; "GHG", their sum
    in kg CO2e over 100 years (biogenic CO2 counts nothing, inputs from outside carry nothing). Raises ProblemError for
    missing columns, NaN amounts, other types or units, a production of zero, unknown products (with the nearest one).

    >>> processes = pd.DataFrame({"activity": [0, 1], "name": ["press", "forge"], "product": ["sheet", "steel"],
    ...                           "location": "GLO", "unit": "kilogram", "production": [2.0, 1.0]})
    >>> flows = pd.DataFrame({"activity": [0, 1], "type": "technosphere", "name": ["forge", "market"],
    ...                       "product": ["steel", "coal"], "location": "GLO", "unit": "kilogram",
    ...                       "amount": [3.0, 0.5]})
    >>> eco = from_inventory(processes, flows)
    >>> eco.A.toarray().tolist(), eco.indicator("coal").to_dict()
    ([[0.0, 0.0], [1.5, 0.0]], {'press, GLO': 0.0, 'forge, GLO': 0.5})
    """
    if link not in LINKS:
        raise OptionError(f"link: {link!r} is unknown" + suggest(link, LINKS))
    if byproducts not in BYPRODUCTS:
        raise OptionError(f"byproducts: {byproducts!r} is unknown" + suggest(byproducts, BYPRODUCTS))
    own = processes_of(activities)
    flows = exchanges_of(exchanges, own)
    own = own.assign(capture=_captures(flows, len(own)))
    goods = _goods(own, link)
    technosphere = _linked(flows[flows["type"] == "technosphere"], own, goods, link)
    inside, outside = technosphere[technosphere["good"] >= 0], technosphere[technosphere["good"] < 0]
    n, m = len(goods), len(own)
    made = sp.csr_array((np.ones(m), (own["good"].to_numpy(), np.arange(m))), shape=(n, m))
    amounts = _matrix(inside["good"], inside["column"], inside["use"], (n, m))
    (indicators, uses), units = _indicators(outside, flows[flows["type"] == "biosphere"], m)
    able = np.ones(m, bool)
    if link == "product":
        able = ~own["capture"].to_numpy()
        amounts, uses = _hosted(amounts, uses, own)
    gain = np.asarray((made - amounts).multiply(made).sum(axis=0)).ravel()
    able &= gain > _LEAST_GAIN
    keep, wanted = _closure(goods, sp.csr_array(made * able), sp.csr_array(amounts > 0), products)
    labels = pd.Index(_technique_labels(own)[keep], name="technique")
    products_made = pd.Index(goods["label"].to_numpy(object)[wanted], name="product")
    kept = sp.csr_array(amounts[wanted][:, keep])
    there = (np.diff(sp.csr_array(uses[:, keep]).indptr) > 0) | (indicators == GHG)
    names = pd.Index(indicators[there], dtype=object)
    return Economy(
        name=name,
        products=products_made,
        techniques=labels,
        output_coefficients=sp.csr_array(made[wanted][:, keep] - (byproducts == "make") * kept.minimum(0.0)),
        input_coefficients=sp.csr_array(kept.maximum(0.0)),
        intensities=SparseTable(names, labels, sp.csr_array(uses[there][:, keep])),
        final_demand=pd.DataFrame(index=products_made),
        activity=pd.Series(0.0, labels),
        unit=pd.Series(goods["unit"].to_numpy(object)[wanted], products_made, name="unit"),
        indicator_units=pd.Series(units[there], names, dtype=object),
        aliases={"greenhouse gases": GHG} if GHG in names else {},
        licence=licence,
        notes=_notes(own, kept, outside, keep, gain, link, byproducts),
    )


def _goods(own: pd.DataFrame, link: str) -> pd.DataFrame:
    """What the processes make, one row a good, with label and unit; sets ``own["good"]``."""
    names = _technique_labels(own)
    alone = own["capture"].to_numpy() | (link == "activity")
    code, first = _codes(own.assign(alone=np.where(alone, names, "")), ["product", "unit", "treats", "alone"])
    own["good"] = code
    goods = own.iloc[first].reset_index(drop=True)
    shared = np.where(goods["treats"], "treatment of " + goods["product"], goods["product"])
    label = np.where(alone[first], names[first], shared).astype(object)
    again = pd.Series(label).duplicated()
    label = np.where(again, [f"{name} [{unit}]" for name, unit in zip(label, goods["unit"], strict=True)], label)
    return goods.assign(label=label, alone=alone[first])


def _codes(table: pd.DataFrame, by: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the groups of rows that agree in these columns, and the first row of each."""
    code = table.groupby(by, sort=False, dropna=False).ngroup().to_numpy()
    return code, np.unique(code, return_index=True)[1]


def _linked(flows: pd.DataFrame, own: pd.DataFrame, goods: pd.DataFrame, link: str) -> pd.DataFrame:
    """Inputs with the good they are of (-1: from outside) and how much is used of it; a treatment is used by what is
    handed in, a negative amount."""
    process = _lookup(own, KEY)
    at = np.array([process.get(key, -1) for key in flows[KEY].itertuples(index=False, name=None)], dtype=np.int64)
    made_in = own["unit"].to_numpy(object)[at]
    refuse_rows(flows, (at >= 0) & (flows["unit"].to_numpy(object) != made_in), "unit",
                 "but the process that delivers it counts in another; convert the amount")  # fmt: skip
    good = np.where(at >= 0, own["good"].to_numpy()[at], -1)
    if link == "product":
        made = _lookup(goods[~goods["alone"]], ["product", "unit", "treats"])
        keys = zip(flows["product"], flows["unit"], flows["amount"] < 0, strict=True)
        by_product = np.array([made.get(key, -1) for key in keys], dtype=np.int64)
        # a market that buys its own product from the background brings it in from outside
        by_product = np.where(by_product == own["good"].to_numpy()[flows["column"]], -1, by_product)
        good = np.where(at >= 0, good, by_product)
    treated = np.where(good >= 0, goods["treats"].to_numpy()[good], False)
    return flows.assign(good=good, use=np.where(treated, -flows["amount"], flows["amount"]))


def _lookup(table: pd.DataFrame, by: list[str]) -> dict[tuple[object, ...], int]:
    return dict(zip(table[by].itertuples(index=False, name=None), table.index, strict=True))


def _listed(given: str | Iterable[str]) -> list[str]:
    return [part.strip() for part in given.split(";")] if isinstance(given, str) else list(given)


def _of_files(names: pd.Series, patterns: list[str]) -> pd.Series:
    """Which processes come from one of the files; a pattern that fits none is an error."""
    kept = pd.Series(False, names.index)
    known = names.unique()
    for pattern in patterns:
        fits = fnmatch.filter(known, pattern)
        if not fits:
            raise OptionError(f"files: {pattern!r} fits no file of the inventory" + suggest(pattern, known))
        kept |= names.isin(fits)
    return kept


def _captures(flows: pd.DataFrame, m: int) -> np.ndarray:
    """Processes that take up what warms: they belong to the plant that emits it, not to whoever wants their product."""
    taken = flows[(flows["type"] == "biosphere") & flows["name"].isin(WARMING) & (flows["amount"] < 0)]
    out = np.zeros(m, bool)
    out[taken["column"].to_numpy(np.int64)] = True
    return out


def _hosted(amounts: sp.csr_array, uses: sp.csr_array, own: pd.DataFrame) -> tuple[sp.csr_array, sp.csr_array]:
    """Processes that take up what warms become part of the processes that use them, with all they need.

    Left free, one would run by itself, and be paid for it by an objective of least warming. With D = [amounts; uses], C
    their columns and E = D[goods they make, :], D becomes D + D[:, C] (I - E[:, C])^-1 E without the rows E.
    """
    C = np.flatnonzero(own["capture"].to_numpy())
    if C.size == 0:
        return amounts, uses
    G = own["good"].to_numpy()[C]
    E = sp.csr_array(amounts[G])
    inverse = np.linalg.inv(np.eye(C.size) - E[:, C].toarray())
    # C has a few dozen members, so this is small
    levels = sp.csr_array(inverse) @ E
    added = [sp.csr_array(table + sp.csr_array(table[:, C]) @ levels) for table in (amounts, uses)]
    rest = np.ones(amounts.shape[0])
    rest[G] = 0.0
    merged = sp.csr_array(sp.diags_array(rest) @ added[0])
    merged.eliminate_zeros()
    return merged, added[1]


def _closure(
    goods: pd.DataFrame, made: sp.csr_array, used: sp.csr_array, products: str | Iterable[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which techniques and goods are kept: all, or those on the way to the products asked for."""
    n = made.shape[0]
    if products is None:
        keep = np.asarray(made.sum(axis=0)).ravel() > 0
        return keep, np.asarray((made + used)[:, keep].sum(axis=1)).ravel() > 0
    names = _listed(products)
    known = {label: k for k, label in enumerate(goods["label"])}
    for asked in names:
        if asked not in known or not made[[known[asked]]].sum() > 0:
            able = [label for label, k in known.items() if made[[k]].sum() > 0]
            raise OptionError(f"products: {asked!r} is made by no process" + suggest(asked, able))
    wanted = np.zeros(n, bool)
    wanted[[known[asked] for asked in names]] = True
    while True:
        keep = made.T @ wanted.astype(float) > 0
        more = wanted | (used @ keep.astype(float) > 0)
        if (more == wanted).all():
            break
        wanted = more
    return keep, wanted


def _indicators(
    outside: pd.DataFrame, biosphere: pd.DataFrame, m: int
) -> tuple[tuple[np.ndarray, sp.csr_array], np.ndarray]:
    """Labels, uses (indicators x techniques) and units: warming emissions, their sum, and what comes from outside."""
    warming = biosphere[biosphere["name"].isin(WARMING)]
    parts = [
        warming.assign(label=GHG, shown="kg CO2e", use=warming["amount"] * warming["name"].map(WARMING)),
        warming.assign(label=warming["name"], shown=warming["unit"], use=warming["amount"]),
        outside.assign(
            # what is handed in for treatment is counted by itself, as more than nothing
            label=np.where(outside["amount"] < 0, "treatment of " + outside["product"].astype(str), outside["product"]),
            shown=outside["unit"],
            use=outside["amount"].abs(),
        ),
    ]
    every = pd.concat([part[["label", "shown", "use", "column"]] for part in parts], ignore_index=True)
    code, first = _codes(every, ["label", "shown"])
    labels = every["label"].to_numpy(object)[first]
    units = every["shown"].to_numpy(object)[first]
    again = pd.Series(labels).duplicated().to_numpy()
    labels = np.array([f"{k} [{u}]" if twice else k for k, u, twice in zip(labels, units, again, strict=True)], object)
    table = _matrix(pd.Series(code), every["column"], every["use"], (len(labels), m))
    return (labels, table), units


def _technique_labels(own: pd.DataFrame) -> np.ndarray:
    """Name and location; with the product between them where that is not enough."""
    short = own["name"].astype(str) + ", " + own["location"].astype(str)
    long = own["name"].astype(str) + " (" + own["product"].astype(str) + "), " + own["location"].astype(str)
    return np.where(short.duplicated(keep=False), long, short).astype(object)


def _matrix(rows: pd.Series, columns: pd.Series, values: pd.Series, shape: tuple[int, int]) -> sp.csr_array:
    place = (rows.to_numpy(np.int64), columns.to_numpy(np.int64))
    return sp.csr_array(sp.coo_array((values.to_numpy(np.float64), place), shape=shape))


def _notes(
    own: pd.DataFrame,
    kept_amounts: sp.csr_array,
    outside: pd.DataFrame,
    keep: np.ndarray,
    gain: np.ndarray,
    link: str,
    byproducts: str,
) -> list[str]:
    kept = own[keep]
    scaled = kept[(kept["production"] != 1.0)]
    # per unit of product: the inventory's own amounts are these times the factor
    factors = ", ".join(f"{n!r} {p:g}" for n, p in zip(scaled["name"], scaled["production"], strict=True))
    bought = outside[keep[outside["column"].to_numpy()]]
    notes = [
        f"{len(bought):,} inputs come from outside and are {bought['product'].nunique():,} indicators; they carry no "
        "emissions",
        f"{int((kept_amounts.data < 0).sum())} by-products are "
        + (
            "made beside the reference product and may be left over"
            if byproducts == "make"
            else "dropped, as was asked for"
        ),
        f"inputs are linked by {link}",
    ]
    hosted = own["name"][own["capture"]] if link == "product" else own["name"].iloc[:0]
    if len(hosted):
        notes.append(
            f"{len(hosted)} processes that take up what warms are part of the processes that use them, or left out: "
            + show_some(hosted, 3)
        )
    idle = np.flatnonzero(gain <= _LEAST_GAIN)
    if idle.size:
        notes.append(
            f"{idle.size} processes use as much of their product as they make (markets) and are left out: "
            + show_some(own["name"].iloc[idle], 3)
        )
    if len(scaled):
        notes.append(f"{len(scaled)} processes are stated per unit of product; their production amounts were {factors}")
    treats = kept[kept["treats"]]
    if len(treats):
        notes.append(
            f"{len(treats)} processes take their product in and make its treatment: {show_some(treats['product'], 3)}"
        )
    return notes
