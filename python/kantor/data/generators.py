"""Exactly lumpable disaggregation: a sector table split into N products whose aggregate solution is known.

With P the sectors x products matrix that adds up the products of a sector, the expanded table satisfies

    P A = At P,   P y = Y,   D = Dt P,                                                                            (*)

At the (thinned) sector coefficients, Y the sector demand, Dt the sector intensities. Hence P x = (I - At)^-1 Y for the
solution of (I - A) x = y, and the same holds for every plan whose objective and limits see x through P x only. No open
table with 10^5 or more products exists, so this is how plans of that size are tested against an exact answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import OptionError, ProblemError
from .economy import Economy, Expansion
from .jitter import jittered
from .labels import aligned
from .matrix import column_sums

# Spread of the products of one sector: standard deviation of the logarithm of their weights.
WEIGHT_SIGMA = 1.7
# A sector counts with at least this output, so that an idle one still gets its products: a million dollars, and in
# other units the same share of the total as in the table of the United States.
SMALLEST_OUTPUT = {"USD": 1e6, "million USD": 1.0}
SMALLEST_SHARE = 3.5e-8
# Demand categories times products beyond this many are not stored; only the whole final demand then is.
MOST_DEMANDS = 25_000_000


def thin(eco: Economy, cover: float = 1.0) -> Economy:
    """The sector economy an expansion is exact for: no negative entries, and in each column only the largest inputs.

    In every column the largest entries that together cover at least the share ``cover`` of its sum are kept.
    Negative coefficients and demands become 0. ``notes`` says what changed. Only for square tables.

    >>> import numpy as np
    >>> eco = Economy.from_iot(Z=[[6.0, 1.0], [3.0, 2.0]], Y=[3.0, 5.0])
    >>> thin(eco, cover=0.6).A.toarray().tolist()
    [[0.6, 0.0], [0.0, 0.2]]
    """
    _require_square(eco, "thin")
    if not 0.0 < cover <= 1.0:
        raise OptionError(f"cover: {cover!r}, expected a share in (0, 1]")
    A = eco.input_coefficients.copy()
    negative = int((A.data < 0).sum())
    A.data = np.maximum(A.data, 0.0)
    A.eliminate_zeros()
    kept = _largest_inputs(A, cover) if cover < 1.0 else A
    notes = list(eco.notes)
    if negative:
        notes.append(f"{negative} negative coefficients were set to 0")
    if kept.nnz < A.nnz:
        notes.append(
            f"thinned to the largest inputs that cover {cover:g} of each column: {kept.nnz:,} of {A.nnz:,} kept"
        )
    demand, below = _own_demand(eco)
    if below:
        notes.append(f"{below} negative final demands were set to 0")
    technologies = {} if eco.technology is None else {eco.technology: kept}
    return eco.replace(input_coefficients=kept, technologies=technologies, final_demand=demand, notes=notes)


def _largest_inputs(A: sp.csr_array, cover: float) -> sp.csr_array:
    """In each column the largest entries, from the top, until they reach ``cover`` times the column's sum."""
    columns = sp.csc_array(A)
    order = np.lexsort((-columns.data, np.repeat(np.arange(A.shape[1]), np.diff(columns.indptr))))
    sizes = columns.data[order]
    before = np.cumsum(sizes) - sizes
    starts = np.repeat(before[np.minimum(columns.indptr[:-1], max(sizes.size - 1, 0))], np.diff(columns.indptr))
    wanted = np.repeat(cover * column_sums(A), np.diff(columns.indptr))
    # An entry is needed if those above it do not cover the share yet.
    keep = np.zeros(sizes.size, dtype=bool)
    keep[order] = before - starts < wanted
    columns.data = np.where(keep, columns.data, 0.0)
    result = sp.csr_array(columns)
    result.eliminate_zeros()
    return result


def _own_demand(eco: Economy) -> tuple[pd.DataFrame, int]:
    """Final demand of the technology in use with negative entries at 0, and how many there were."""
    own = [eco.demand_technology.get(c) in (None, eco.technology) for c in eco.final_demand.columns]
    demand = eco.final_demand.loc[:, own]
    return demand.clip(lower=0.0), int((demand.to_numpy() < 0).sum())


def expand(
    eco: Economy,
    products: int,
    seed: int = 1,
    cover: float = 0.9,
    kmax: int = 2,
    sigma_units: float = 0.0,
    jitter: float = 0.0,
) -> Economy:
    """Split a square economy into about ``products`` products, exactly lumpable to ``thin(eco, cover)``.

    Parameters
    ----------
    eco : square economy without finite capacities
    products : N; sector s gets max(1, round(N sqrt(q_s) / sum sqrt(q))) products, q its gross output, so the number
        that comes out differs a little from N; it must be at least the number of sectors
    seed : same arguments and seed, same economy
    cover : share of each column's inputs that is kept before splitting, see ``thin``
    kmax : every product buys each input from 1 to ``kmax`` suppliers of that sector, drawn by their share of output
    sigma_units : standard deviation of the logarithm of each product's unit; 0 keeps values. ``lump`` undoes it
    jitter : standard deviation of the logarithm by which products of one sector differ in each input and resource;
        above 0 the sectors are exact in the base year only (kantor.data.jitter)

    Labels are (sector, number); ``expansion`` holds the sector and share of every product. Observed activity and final
    demand are spread by the shares. With more than 25 million demand entries only the whole final demand is kept.

    Raises ProblemError if the economy is not square or has finite capacities (a bound on single products is not
    lumpable), OptionError for impossible arguments.

    >>> eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], labels=["grain", "iron"])
    >>> fine = expand(eco, products=50, cover=1.0)
    >>> fine.n_goods, lump(fine, fine.x).round(9).to_dict()
    (50, {'grain': 50.0, 'iron': 100.0})
    """
    _require_square(eco, "expand")
    if eco.capacities is not None and np.isfinite(eco.capacities).any():
        raise ProblemError(
            f"expand: {int(np.isfinite(eco.capacities).sum())} techniques of {eco.name!r} have finite capacities; "
            "bounds on single products are not lumpable. Limit sectors instead, or expand without capacities"
        )
    _check_options(eco, products, seed, kmax, sigma_units, jitter)
    coarse = thin(eco, cover)
    generator = np.random.default_rng(seed)
    sizes = sector_sizes(coarse.activity.to_numpy(), products, coarse.unit)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    parent = np.repeat(np.arange(coarse.n_goods, dtype=np.int32), sizes)
    share = generator.lognormal(0.0, WEIGHT_SIGMA, parent.size)
    share /= np.bincount(parent, weights=share)[parent]
    A = _split_inputs(coarse.input_coefficients, sizes, starts, share, kmax, generator)
    S = coarse.intensities.to_numpy()[:, parent]
    if jitter > 0:
        A, S = jittered(A, S, parent, share, jitter, generator)
    scale = None
    if sigma_units > 0:
        scale = generator.lognormal(0.0, sigma_units, parent.size)
        A = sp.csr_array(sp.dia_array((scale[None, :], 0), shape=A.shape) @ A)
        A.data /= scale[A.indices]
    expansion = Expansion(parent, share, scale, coarse.products, seed, cover, kmax, sigma_units, jitter)
    return _label(coarse, A, S, expansion, sizes)


def _check_options(eco: Economy, products: int, seed: int, kmax: int, sigma_units: float, jitter: float) -> None:
    if not isinstance(products, int | np.integer) or isinstance(products, bool) or products < eco.n_goods:
        raise OptionError(f"products: {products!r}, expected a whole number of at least {eco.n_goods} (the sectors)")
    if products > np.iinfo(np.int32).max:
        raise OptionError(
            f"products: {products!r} exceeds {np.iinfo(np.int32).max}, the most an index of 32 bits counts"
        )
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise OptionError(f"seed: {seed!r}, expected a whole number >= 0")
    if not isinstance(kmax, int | np.integer) or kmax < 1:
        raise OptionError(f"kmax: {kmax!r}, expected a whole number >= 1")
    if not (np.isfinite(sigma_units) and sigma_units >= 0):
        raise OptionError(f"sigma_units: {sigma_units!r}, expected a number >= 0")
    if not (np.isfinite(jitter) and 0 <= jitter <= 3):
        raise OptionError(f"jitter: {jitter!r}, expected a number from 0 to 3")
    if eco.expansion is not None:
        raise ProblemError(f"expand: {eco.name!r} is expanded already")


def _require_square(eco: Economy, what: str) -> None:
    if not eco.is_square:
        raise ProblemError(
            f"{what}: {eco.name!r} is not square ({eco.n_goods} products, {eco.n_techniques} techniques, or joint "
            "products); for a supply-use table load it with assumption='industry-technology'"
        )


def sector_sizes(output: np.ndarray, products: int, unit: object = "") -> np.ndarray:
    """Number of products of each sector (n,): max(1, round(N sqrt(q_s) / sum sqrt(q)))."""
    total = output[output > 0].sum()
    if total == 0:
        raise ProblemError("expand: no sector has positive output, so there is nothing to divide the products by")
    least = SMALLEST_OUTPUT.get(unit, SMALLEST_SHARE * total) if isinstance(unit, str) else SMALLEST_SHARE * total
    root = np.sqrt(np.maximum(output, least))
    return np.maximum(1, np.rint(products * root / root.sum())).astype(np.int64)


def _split_inputs(
    sectors: sp.csr_array,
    sizes: np.ndarray,
    starts: np.ndarray,
    share: np.ndarray,
    kmax: int,
    generator: np.random.Generator,
) -> sp.csr_array:
    """The product coefficients A (N, N): each product draws, for each input of its sector, 1..kmax suppliers.

    Built column sector by column sector into arrays of their final size (an upper bound, one entry a draw), so the peak
    is one copy of the result in CSC beside its CSR.
    """
    columns = sp.csc_array(sectors)
    cumulative = _cumulative_shares(share, starts)
    draws_at_most = int((np.diff(columns.indptr) * sizes).sum()) * kmax
    index_type = np.int32 if draws_at_most <= np.iinfo(np.int32).max else np.int64
    capacity = draws_at_most if kmax == 1 else int(0.5 * (1 + 1 / kmax) * draws_at_most * 1.02) + 1024 * kmax
    rows, values = np.empty(capacity, dtype=np.int32), np.empty(capacity)
    counts = np.empty(int(sizes.sum()), dtype=np.int64)
    used = 0
    for s in range(len(sizes)):
        inputs = slice(columns.indptr[s], columns.indptr[s + 1])
        found, coefficients = _draw(
            columns.indices[inputs], columns.data[inputs], int(sizes[s]), starts, cumulative, kmax, generator
        )
        keep = coefficients != 0.0
        counts[starts[s] : starts[s + 1]] = keep.sum(axis=1)
        entries = int(np.count_nonzero(keep))
        if used + entries > rows.size:
            extra = max(entries, rows.size // 10)
            rows, values = (np.concatenate([array[:used], np.empty(extra, array.dtype)]) for array in (rows, values))
        rows[used : used + entries] = found[keep]
        values[used : used + entries] = coefficients[keep]
        used += entries
    pointers: np.ndarray = np.zeros(counts.size + 1, dtype=index_type)
    np.cumsum(counts, out=pointers[1:])
    by_column: Any = sp.csc_array((values[:used], rows[:used], pointers), shape=(counts.size, counts.size))
    del rows, values
    result = by_column.tocsr()
    # Converted from sorted columns without repeated rows: sorted by construction, no need to look again.
    result.has_canonical_format = True
    return sp.csr_array(result)


def _cumulative_shares(share: np.ndarray, starts: np.ndarray) -> list[np.ndarray]:
    """Cumulated shares of the products of each sector, the last exactly 1."""
    cumulative = []
    for s in range(len(starts) - 1):
        rising = np.cumsum(share[starts[s] : starts[s + 1]])
        rising /= rising[-1]
        cumulative.append(rising)
    return cumulative


def _draw(
    inputs: np.ndarray,
    amounts: np.ndarray,
    users: int,
    starts: np.ndarray,
    cumulative: list[np.ndarray],
    kmax: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Suppliers and coefficients (users, inputs * kmax) of the products of one sector; unused places hold 0.

    For every user and input: c ~ U{1..kmax} suppliers, each product of the input's sector with probability equal to its
    share, and shares U(0.05, 1.05) divided by their sum. Repeated suppliers are added up.
    """
    found = np.empty((users, inputs.size, kmax), dtype=np.int32)
    for k, sector in enumerate(inputs):
        draws = np.searchsorted(cumulative[sector], generator.random((users, kmax)), side="right")
        # A draw can equal 1 - 2^-53 times a last share that rounding made smaller: stay inside the sector.
        np.minimum(draws, cumulative[sector].size - 1, out=draws)
        found[:, k, :] = draws + starts[sector]
    if kmax == 1:
        return found[:, :, 0], np.broadcast_to(amounts, (users, inputs.size))
    weights = generator.uniform(0.05, 1.05, found.shape)
    number = generator.integers(1, kmax, size=found.shape[:2], endpoint=True)
    weights[np.arange(kmax) >= number[:, :, None]] = 0.0
    _add_up_repeated(found, weights)
    weights *= (amounts / weights.sum(axis=2))[:, :, None]
    return found.reshape(users, -1), weights.reshape(users, -1)


def _add_up_repeated(found: np.ndarray, weights: np.ndarray) -> None:
    """Sort the suppliers of every user and input, and move the weight of a repeated one to its last occurrence."""
    kmax = found.shape[2]
    if kmax == 2:
        first, second = found[:, :, 0], found[:, :, 1]
        swap = first > second
        first[swap], second[swap] = second[swap], first[swap].copy()
        weights[swap] = weights[swap][:, ::-1]
    else:
        order = np.argsort(found, axis=2, kind="stable")
        found[:] = np.take_along_axis(found, order, axis=2)
        weights[:] = np.take_along_axis(weights, order, axis=2)
    for k in range(kmax - 1):
        same = found[:, :, k] == found[:, :, k + 1]
        weights[:, :, k + 1] += np.where(same, weights[:, :, k], 0.0)
        weights[:, :, k][same] = 0.0


def _label(coarse: Economy, A: sp.csr_array, S: np.ndarray, expansion: Expansion, sizes: np.ndarray) -> Economy:
    """The expanded economy: labels, demand, intensities and activity of the sectors spread over their products."""
    parent, share, scale = expansion.parent, expansion.share, expansion.unit_scale
    per_value = np.ones(1) if scale is None else scale
    products = _product_labels(coarse.products, parent, sizes)
    demand = coarse.final_demand
    notes = [
        *coarse.notes,
        *(
            [f"products of a sector differ by {expansion.jitter:g}: exact in the base year only"]
            if expansion.jitter
            else []
        ),
        f"split into {parent.size:,} products (seed {expansion.seed}, up to {expansion.kmax} suppliers an input)",
    ]
    totals = dict(coarse.total_categories)
    if demand.shape[1] * parent.size > MOST_DEMANDS:
        demand = pd.DataFrame({"total": coarse.demand("total")})
        totals = {}
        notes.append(f"of {coarse.final_demand.shape[1]} demand categories only their total was kept")
    own = coarse.technology
    names = coarse.product_names
    if names is not None:  # every product is called what its sector is called; its number is in the label
        names = pd.Series(names.to_numpy(object)[parent], products, name=names.name, dtype=object)
    return Economy(
        name=f"{coarse.name} x {parent.size}",
        year=coarse.year,
        products=products,
        techniques=products,
        output_coefficients=sp.eye_array(parent.size, format="csr"),
        input_coefficients=A,
        intensities=pd.DataFrame(S / per_value, coarse.indicators, products),
        final_demand=pd.DataFrame(demand.to_numpy()[parent] * (share * per_value)[:, None], products, demand.columns),
        activity=pd.Series(coarse.activity.to_numpy()[parent] * share * per_value, products),
        unit=coarse.unit if isinstance(coarse.unit, str) else pd.Series(coarse.unit.to_numpy()[parent], products),
        indicator_units=coarse.indicator_units,
        aliases=coarse.aliases,
        technology=own,
        demand_technology=coarse.demand_technology,
        total_categories={k: v for k, v in totals.items() if k == own},
        product_names=names,
        expansion=expansion,
        licence=coarse.licence,
        sources=coarse.sources,
        notes=notes,
    )


def _product_labels(sectors: pd.Index, parent: np.ndarray, sizes: np.ndarray) -> pd.MultiIndex:
    """(sector, number) labels from integer codes, without a Python object for each product."""
    number = np.arange(parent.size, dtype=np.int64) - np.repeat(np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    count: Any = pd.RangeIndex(int(sizes.max()))
    if isinstance(sectors, pd.MultiIndex):
        levels: list[Any] = list(sectors.levels)
        codes = [np.asarray(level)[parent] for level in sectors.codes]
    else:
        levels = [sectors]
        codes = [parent]
    names = [name if name is not None else "sector" for name in sectors.names]
    return pd.MultiIndex(
        levels=[*levels, count], codes=[*codes, number], names=[*names, "product"], verify_integrity=False
    )


def lump(eco: Economy, values: Any, *, prices: bool = False) -> pd.Series:
    """A vector over the products of an expanded economy as one over its sectors.

    Quantities (activity, consumption) are added up, in the sector's unit of value. ``prices=True`` averages prices with
    the products' shares of output instead.
    """
    expansion = _expansion_of(eco)
    vector = aligned(values, eco.products, "values")
    scale = np.ones(1) if expansion.unit_scale is None else expansion.unit_scale
    weights = vector * scale * expansion.share if prices else vector / scale
    sums = np.bincount(expansion.parent, weights=weights, minlength=len(expansion.sectors))
    return pd.Series(sums, expansion.sectors)


def spread(eco: Economy, values: Any) -> pd.Series:
    """A vector of quantities over the sectors as one over the products of the expanded economy, by their shares."""
    expansion = _expansion_of(eco)
    vector = aligned(values, expansion.sectors, "values")
    scale = np.ones(1) if expansion.unit_scale is None else expansion.unit_scale
    return pd.Series(vector[expansion.parent] * expansion.share * scale, eco.products)


def _expansion_of(eco: Economy) -> Expansion:
    if eco.expansion is None:
        raise ProblemError(f"{eco.name!r} was not expanded: its products belong to no sectors")
    return eco.expansion
