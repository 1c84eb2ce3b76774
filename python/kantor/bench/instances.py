"""Constraint matrices to time kernels on: a national table in products, a random economy with choice of technique."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError


def lumpable(products: int, seed: int = 1) -> tuple[str, sp.csr_array]:
    """(name, [I - A; R]) of the largest national table at hand, split into ``products`` products.

    The United States of 2012 in 411 sectors if the data set is there, else the packaged 23 sectors.
    """
    from ..data.datasets import load_economy
    from ..data.generators import expand

    try:
        base = load_economy("us_useeio_2012_411", technology="domestic")
    except ProblemError:
        base = load_economy("us_2012")
    eco = expand(base, products=products, seed=seed, kmax=1)
    limited = sp.csr_array(eco.intensity_matrix[:2])
    return f"{base.name}, in products", sp.csr_array(sp.vstack([eco.net_output, limited], format="csr"))


def technique_choice(goods: int, techniques: int = 3, inputs: float = 12.0, seed: int = 1) -> tuple[str, sp.csr_array]:
    """(name, [I ... I] - [A^1 ... A^k]) with power-law popularity of suppliers and numbers of inputs.

    In-degrees min(Pareto(1.2), 2000) scaled to the mean ``inputs``; popularity min(Pareto(1.1), 0.02 n); sizes
    lognormal(0, 1.2); column sums Beta(4, 4). Kernel times do not depend on the values.
    """
    random = np.random.default_rng(seed)
    popularity = np.cumsum(np.minimum(random.pareto(1.1, goods) + 1.0, 0.02 * goods))
    blocks = []
    for _ in range(techniques):
        degree = np.minimum(random.pareto(1.2, goods) + 1.0, 2000.0)
        draws = np.maximum(1, np.round(inputs * degree / degree.mean())).astype(np.int64)
        column = np.repeat(np.arange(goods, dtype=np.int32), draws)
        supplier = np.searchsorted(popularity, random.random(column.size) * popularity[-1]).astype(np.int32)
        kept = supplier != column
        size = random.lognormal(0.0, 1.2, column.size)[kept]
        A = sp.csc_array((size, (supplier[kept], column[kept])), shape=(goods, goods))
        A.sum_duplicates()
        sums = np.maximum(np.asarray(A.sum(axis=0)).ravel(), 1e-300)
        A.data *= np.repeat(random.beta(4.0, 4.0, goods) / sums, np.diff(A.indptr))
        blocks.append(sp.eye_array(goods, format="csc") - A)
    return f"{techniques} techniques a good", sp.csr_array(sp.hstack(blocks, format="csr"))
