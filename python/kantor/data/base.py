"""The base plan: what the technology of the base year does to deliver given targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from ..errors import ProblemError
from .labels import show

if TYPE_CHECKING:
    from ..solvers.productive import RadiusBounds
    from .economy import Economy

# Below this relative size a negative activity is rounding of the solve, not a sign that the technology cannot deliver.
ROUNDING = 1e-9


def base_plan(eco: Economy, targets: Any) -> pd.Series:
    """Activity (m,) of the base-year technology that delivers ``targets`` (n,), anything :meth:`Economy.demand` takes.

    * An economy with a ``reference_use``: the observed activity as it stands.
    * Square table, or a square one with added techniques: (I - A) x = y over the techniques that carry the labels of
      the products; added techniques stand still. The solution may be negative where the table or the targets are (a
      net import); it is returned as it is.
    * As many techniques as products (joint production): (B - A) x = y by sparse factorisation, if x >= 0.
    * Otherwise the observed activity, scaled so that it delivers at least the targets: the smallest t with
      t (B - A) x_observed >= y.

    Raises ProblemError if the observed activity does not deliver some product that is wanted.
    """
    if eco.reference_use is not None:
        return eco.activity.copy()
    y = eco.demand(targets)
    own = own_techniques(eco)
    if own is not None:
        return _leontief(eco, own, y.to_numpy())
    if eco.n_goods == eco.n_techniques:
        x = solve_joint(eco, y.to_numpy())
        if x is not None:
            return pd.Series(x, eco.techniques, name="activity")
    return pd.Series(eco.activity.to_numpy() * _scale(eco, y), eco.techniques, name="activity")


def own_techniques(eco: Economy) -> np.ndarray | None:
    """Column of the technique that carries each product's label and makes one unit of it alone; None if one lacks."""
    if eco.is_square:
        return np.arange(eco.n_goods)
    if eco.techniques.nlevels != eco.products.nlevels or eco.n_techniques < eco.n_goods:
        return None
    at = eco.techniques.get_indexer(eco.products)
    if (at < 0).any():
        return None
    output = sp.csr_array(eco.output_coefficients[:, at] - sp.eye_array(eco.n_goods))
    return at if output.count_nonzero() == 0 else None


def only_inputs(eco: Economy) -> sp.csr_array | None:
    """(n, n) inputs per unit of each product, where every product has one technique and each makes one product.

    None where there is a choice, a by-product or a product that nothing makes. Products are in order, whatever the
    order and the labels of the techniques.
    """
    output = sp.csr_array(eco.output_coefficients)
    output.eliminate_zeros()
    once = np.ones(eco.n_goods)
    if output.shape != (once.size, once.size) or (np.diff(output.indptr) != 1).any():
        return None
    if (np.bincount(output.indices, minlength=once.size) != 1).any() or output.data.min(initial=1.0) <= 0.0:
        return None
    return sp.csr_array(sp.csr_array(eco.input_coefficients)[:, output.indices] @ sp.diags_array(1.0 / output.data))


def productivity(eco: Economy, tolerance: float = 1e-6) -> RadiusBounds:
    """Bounds on the spectral radius of the table of each product's own technique, with a proof; labels of the economy.

    Raises NotProductive (kantor.solvers.fault) that names the sectors at fault, by how much their inputs from one
    another must fall, and which of them tell most; ProblemError if some product has no technique of its own.

    >>> from kantor import Economy
    >>> eco = Economy.from_iot(A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], labels=["wheat", "cloth"])
    >>> bounds = eco.check_productive()
    >>> round(bounds.lower, 4), round(bounds.upper, 4)
    (0.6, 0.6)
    """
    from ..solvers.productive import check_productive

    own = own_techniques(eco)
    if own is None:
        raise ProblemError(
            f"check_productive: {eco.name!r} has products without a technique that carries their label and makes one "
            "unit of them alone; check_economy(...) looks at joint production"
        )
    square = eco.input_coefficients if eco.is_square else sp.csr_array(eco.input_coefficients[:, own])
    return check_productive(square, labels=eco.products, tolerance=tolerance)


def _leontief(eco: Economy, own: np.ndarray, y: np.ndarray) -> pd.Series:
    from ..solvers.leontief import solve_leontief
    from ..solvers.solution import Status, uninterrupted
    from .regions import divide_by_region

    divide_by_region(eco)
    square = eco.input_coefficients if eco.is_square else sp.csr_array(eco.input_coefficients[:, own])
    solution = uninterrupted(solve_leontief(square, y, tolerance=1e-12, error_bound=False))
    if solution.status is not Status.OPTIMAL:
        raise ProblemError(
            f"base plan: the Leontief system of {eco.name!r} was not solved ({solution.status.value}); "
            "check_economy(...) tells whether the economy is productive"
        )
    x = np.zeros(eco.n_techniques)
    x[own] = np.asarray(solution.x)
    return pd.Series(x, eco.techniques, name="activity")


def solve_joint(eco: Economy, y: np.ndarray) -> np.ndarray | None:
    """The activity with (B - A) x = y, or None if there is no such one or it is negative somewhere."""
    try:
        x = splu(sp.csc_array(eco.net_output)).solve(y)
    except RuntimeError:  # the matrix is exactly singular
        return None
    if not np.isfinite(x).all() or x.min() < -ROUNDING * np.abs(x).max():
        return None
    return np.maximum(x, 0.0)


def _scale(eco: Economy, y: pd.Series) -> float:
    """The smallest t >= 0 with t (B - A) x_observed >= y."""
    net = eco.net_output @ eco.activity.to_numpy()
    wanted = y.to_numpy()
    short = (wanted > 0) & (net <= 0)
    if short.any():
        i = int(np.flatnonzero(short)[0])
        raise ProblemError(
            f"base plan: the observed activity of {eco.name!r} delivers {float(net[i])!r} of "
            f"{show(eco.products[i])!r}, of which {float(wanted[i])!r} are wanted ({int(short.sum())} such products); "
            "there is no base to be relative to, give limits as absolute numbers"
        )
    t = max((wanted[wanted > 0] / net[wanted > 0]).max(initial=0.0), 0.0)
    # Products taken in from outside (y < 0) or used up (net < 0) must not be short at this scale either.
    if (t * net < wanted - ROUNDING * (np.abs(wanted) + t * np.abs(net))).any():
        i = int(np.argmax(wanted - t * net))
        raise ProblemError(
            f"base plan: the observed activity of {eco.name!r}, scaled by {t:.6g}, uses more of "
            f"{show(eco.products[i])!r} than is there ({t * net[i]:.6g} net against {wanted[i]:.6g})"
        )
    return float(t)
