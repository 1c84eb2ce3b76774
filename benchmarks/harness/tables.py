"""Leontief systems of the suite: national and world tables, generated ones of a given spectral radius."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from kantor.data.datasets import load_economy
from kantor.data.generators import expand, thin

from .check_leontief import majorant
from .files import Arrays, put_matrix

Forms = dict[str, Arrays]


def system(A: Any, d: Any, transpose: bool = False, **more: Any) -> Forms:
    """An instance with the majorant that the check of errors needs."""
    A = sp.csr_array(A)
    A.sum_duplicates()
    arrays: Arrays = {"d": np.asarray(d, dtype=np.float64), "transpose": np.array(transpose)} | more
    put_matrix(arrays, "A", A)
    arrays["w"] = majorant(sp.csr_array(abs(A.T if transpose else A)))
    return {"leontief": arrays}


def united_states(products: int, demands: int = 1) -> Forms:
    """The table of 2012 split into products; the sum over the products of a sector is known from the sectors alone."""
    base = load_economy("us_useeio_2012_411", technology="domestic")
    eco = expand(base, products=products, seed=1, kmax=1)
    assert eco.expansion is not None
    parent = eco.expansion.parent
    d = eco.demand("total").to_numpy()
    if demands > 1:
        random = np.random.default_rng(2)
        spread = random.lognormal(0.0, 1.0, (base.n_goods, demands))
        return system(eco.A, d[:, None] * spread[parent])
    sectors = thin(base, cover=0.9)
    own = sectors.demand("total").to_numpy()
    sector_x = np.linalg.solve(np.eye(own.size) - sectors.A.toarray(), own)
    return system(eco.A, d, parent=parent, sector_x=sector_x)


def wiod(values: bool = False) -> Forms:
    """WIOD 2011: gross output for final demand, or the employment values of all products."""
    eco = load_economy("wiod2013", year=2011)
    A = eco.A.maximum(0.0)
    if values:
        return system(A, eco.intensities.loc["employment"].to_numpy(), transpose=True)
    return system(A, np.maximum(eco.demand("total").to_numpy(), 0.0))


def radius(A: Any, steps: int = 300) -> float:
    """The spectral radius of A >= 0 by power iteration on A + I / 4, which has no cycle."""
    x = np.ones(A.shape[0])
    rate = 1.0
    for _ in range(steps):
        following = A @ x + 0.25 * x
        rate = float(np.linalg.norm(following) / np.linalg.norm(x))
        x = following / np.linalg.norm(following)
    return rate - 0.25


def _scaled(A: Any, rho: float) -> Any:
    return (rho / radius(A)) * A


def _inputs(goods: int, random: np.random.Generator, mean: float = 12.0) -> sp.csc_array:
    """One matrix of input coefficients with heavy-tailed rows and columns, column sums Beta(4, 4)."""
    degree = np.minimum(random.pareto(1.2, goods) + 1.0, 2000.0)
    draws = np.maximum(1, np.round(mean * degree / degree.mean())).astype(np.int64)
    weights = np.minimum(random.pareto(1.1, goods) + 1.0, max(0.02 * goods, 2.0))
    user = np.repeat(np.arange(goods), draws)
    supplier = random.choice(goods, size=user.size, p=weights / weights.sum())
    kept = supplier != user
    size = random.lognormal(0.0, 1.2, user.size)[kept]
    A = sp.csc_array((size, (supplier[kept], user[kept])), shape=(goods, goods))
    A.sum_duplicates()
    sums = np.asarray(A.sum(axis=0)).ravel()
    share = random.beta(4.0, 4.0, goods) / np.where(sums > 0, sums, 1.0)
    return sp.csc_array(A @ sp.diags_array(share))


def power_law(n: int, rho: float, seed: int = 1) -> Forms:
    """Heavy-tailed suppliers and users (docs/benchmarks.md), about 18 inputs a good."""
    random = np.random.default_rng(seed)
    A = _scaled(_inputs(n, random, 22.0), rho)
    return system(A, random.lognormal(0.0, 1.5, n) * (random.random(n) < 0.4))


def regions(n_regions: int, sectors: int, rho: float, trade: float = 2.0, own: float = 0.9, seed: int = 1) -> Forms:
    """A multi-regional table: a share ``own`` of the entries inside a region present, ``trade`` imports a column from
    each of the other regions on average.
    """
    random = np.random.default_rng(seed)
    n = n_regions * sectors
    blocks = [
        sp.random_array((sectors, sectors), density=min(1.0, own * 120.0 / sectors), rng=random)
        for _ in range(n_regions)
    ]
    home = sp.block_diag(blocks, format="csr")
    abroad = sp.random_array((n, n), density=min(1.0, trade * n_regions / n), rng=random, format="csr")
    A = sp.csr_array(home + 0.1 * abroad)
    A.data = A.data * random.lognormal(0.0, 1.0, A.nnz)
    return system(_scaled(A, rho), random.lognormal(0.0, 1.5, n))


def dense_regions(n: int, rho: float = 0.6, density: float = 0.5, seed: int = 1) -> Forms:
    """A world table as they are published: half of all entries present, most of them small."""
    random = np.random.default_rng(seed)
    rows = []
    for start in range(0, n, 1000):
        shape = (min(1000, n - start), n)
        block = random.lognormal(-2.0, 2.0, shape) * (random.random(shape) < density)
        rows.append(sp.csr_array(block))
    A = sp.vstack(rows, format="csr")
    return system(_scaled(A, rho), random.lognormal(0.0, 1.5, n))


def tiers(n: int, rho: float, levels: int = 20, seed: int = 1) -> Forms:
    """Supply chains in tiers: 14 inputs a good from the three tiers below it, one from anywhere, closing cycles."""
    random = np.random.default_rng(seed)
    width = n // levels
    user = np.repeat(np.arange(n), 15)
    tier = user // width
    below = np.maximum(tier - random.integers(1, 4, user.size), 0)
    supplier = np.minimum(below * width + random.integers(0, width, user.size), n - 1)
    anywhere = np.arange(user.size) % 15 == 0
    supplier[anywhere] = random.integers(0, n, int(anywhere.sum()))
    size = random.lognormal(0.0, 1.0, user.size)
    A = sp.csr_array((size, (supplier, user)), shape=(n, n))
    return system(_scaled(A, rho), random.lognormal(0.0, 1.5, n) * (random.random(n) < 0.4))


FAMILIES: dict[str, Callable[[int, float], Forms]] = {
    "power law": power_law,
    "regions": lambda n, rho: regions(n // 120, 120, rho),
    "tiers": tiers,
}
