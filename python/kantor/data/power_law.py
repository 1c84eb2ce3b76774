"""Härdin's power-law planning family: industries that attach to industries, and the instances published in 2021-2023.

T. Härdin, "Planning complexity for model economies" (haerdin.se, 24 February 2021), generator version 2:

    minimise o 1'x   subject to   (I - T) x >= 1,   G x >= 1,   x >= 0

with T the inputs of v industries, G some baskets and o equal balance rows (``nonzeros`` counts them as the published
files do). With the seed 1 the instances are those published, draw by draw: the random numbers are those of glibc's
``rand``. At the published right-hand sides no basket binds, so the optimum is o 1'(I - T)^-1 1, one Leontief solve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import OptionError
from .economy import Economy

if TYPE_CHECKING:
    from ..solvers.problem import FloatArray

UNIT = 1_000_000  # sizes are whole numbers of millionths
STRUCTURES = ("interconnected", "price")
_BLOCK_BITS = 10  # rows are sorted in up to 2^10 blocks
_MOST = 2**24  # industries: row and column take 24 bits each


def power_law(
    industries: int,
    structure: Literal["interconnected", "price"] = "interconnected",
    *,
    inputs: int = 160,
    baskets: int = 10,
    basket_size: int = 160,
    balances: int = 10,
    hawkins_simon: float = 0.5,
    seed: int = 1,
) -> Economy:
    """An economy of the power-law family; with the defaults the published instance of this size.

    Parameters
    ----------
    industries : v >= 1, one product each
    structure : "interconnected" (any industry may buy from any other) or "price" (preferential attachment: every
        input is older than its user, so there are no circular flows)
    inputs : q, draws of an input per industry
    baskets, basket_size : w baskets of r draws each; indicators "basket 1", ..., per unit of output
    balances : o, how many equal balance rows add up the whole output; the indicator "output" counts it o times
    hawkins_simon : the largest input is floor(floor(10^6 / q) hawkins_simon) millionths
    seed : of the random number generator; 1 is the published one

    Returns an Economy: final demand 1 of every product; the programme of the family is
    ``Plan(economy, objective=MinimiseUse("output"), limits={f"basket {k}": Limit(at_least=1.0) ...})``.

    Raises OptionError for arguments out of range, and where 32-bit indices cannot count the entries.

    >>> economy = power_law(100)
    >>> nonzeros(economy)
    6930
    """
    _check(industries, structure, inputs, baskets, basket_size, balances, hawkins_simon, seed)
    from . import power_law_kernels as kernels

    largest = int((UNIT // inputs) * hawkins_simon)
    state = kernels.seeded(np.uint32(seed))
    draw = kernels.draw_interconnected if structure == "interconnected" else kernels.draw_price
    cells = np.empty(industries * inputs + 1, np.uint64)  # one place more: a draw that is dropped is written, too
    A = _by_rows(kernels, cells[: draw(state, industries, inputs, largest, cells)], industries)
    columns, sizes = kernels.draw_baskets(state, baskets, basket_size, industries, UNIT)
    use = np.zeros((1 + baskets, industries))
    use[0] = balances
    for k in range(baskets):
        np.maximum.at(use[1 + k], columns[k], sizes[k] / UNIT)
    return _economy(A, use, structure, seed, balances)


def nonzeros(economy: Economy) -> int:
    """Entries of the programme as published: technology with its diagonal, baskets, and the balance rows."""
    use = economy.intensities.to_numpy()
    v, balances = economy.n_goods, int(use[0, 0])
    return int(economy.A.nnz + v + np.count_nonzero(use[1:]) + balances * (v + 1))


def _check(v: int, structure: str, q: int, w: int, r: int, o: int, hawkins_simon: float, seed: int) -> None:
    if structure not in STRUCTURES:
        raise OptionError(f"structure: {structure!r}, expected one of {', '.join(STRUCTURES)}")
    whole = {"industries": (v, 1), "inputs": (q, 1), "baskets": (w, 0), "basket_size": (r, 1), "balances": (o, 1)}
    for name, (value, least) in {**whole, "seed": (seed, 1)}.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value < 2**31:
            raise OptionError(f"{name}: {value!r}, expected a whole number from {least} to 2^31 - 1")
    if not (np.isfinite(hawkins_simon) and 1 <= int((UNIT // q) * hawkins_simon) < 2**16):
        raise OptionError(
            f"hawkins_simon: {hawkins_simon!r} with {q} inputs leaves sizes up to "
            f"floor(floor(10^6 / inputs) hawkins_simon) millionths, expected between 1 and 65535"
        )
    if v > _MOST or v * q >= 2**31:
        raise OptionError(f"industries: {v} with {q} inputs, expected at most 2^24 and fewer than 2^31 entries")


def _by_rows(kernels: Any, cells: np.ndarray, v: int) -> sp.csr_array:
    """CSR of the packed cells, sorted, of repeated ones the smallest."""
    shift = max(0, (v - 1).bit_length() - _BLOCK_BITS)
    blocks = ((v - 1) >> shift) + 1
    sorted_cells = np.empty_like(cells)
    begin = kernels.partition(cells, shift, blocks, sorted_cells)
    del cells
    counts: np.ndarray = np.zeros(v + 1, np.int64)
    kernels.sort_blocks(sorted_cells, begin, shift, counts)
    indptr = np.cumsum(counts)
    indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1])
    target = indptr[np.minimum(np.arange(blocks + 1) << shift, v)]
    kernels.unpack(sorted_cells, begin, target, float(UNIT), indices, data)
    result = sp.csr_array((data, indices, indptr.astype(np.int32)), shape=(v, v))
    result.has_canonical_format = True  # by construction
    return result


def _economy(A: sp.csr_array, use: FloatArray, structure: str, seed: int, balances: int) -> Economy:
    v = A.shape[0]
    products = pd.RangeIndex(v, name="industry")
    names = ["output", *(f"basket {k + 1}" for k in range(use.shape[0] - 1))]
    return Economy(
        name=f"power law, {structure}, {v:,} industries",
        products=products,
        techniques=products,
        output_coefficients=sp.eye_array(v, format="csr"),
        input_coefficients=A,
        intensities=pd.DataFrame(use, names, products),
        final_demand=pd.DataFrame({"one of each": np.ones(v)}, products),
        activity=pd.Series(np.zeros(v), products),
        unit="unit",
        indicator_units=pd.Series("unit", index=names, dtype=object),
        notes=[
            f"T. Härdin, Planning complexity for model economies, 2021: structure {structure}, seed {seed}",
            f"the indicator 'output' counts every unit {balances} times: the family has {balances} balance rows",
        ],
    )
