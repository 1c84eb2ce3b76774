"""Targets from what was demanded before, with the uncertainty of the forecast in them: chance margins.

A target above the expected demand by so many deviations that demand exceeds it with a stated probability only makes the
plan suffice for that product with the rest of the probability, whatever the other products do (Charnes and Cooper,
Chance-constrained programming, Management Science 6, 1959). What the margin costs is the difference of two plans.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError
from .forecast import forecast


def expected_targets(
    history: pd.DataFrame,
    ahead: int = 1,
    periods: int = 1,
    method: str = "auto",
    season: int = 1,
    risk: float | None = None,
) -> pd.DataFrame:
    """(products, periods) targets for the periods ``ahead``, ``ahead + 1``, ... after the last of the history.

    Parameters
    ----------
    history : products x past periods, the oldest first, no gaps, >= 0, in the units of the products
    ahead, periods : the first period planned for, counted from the last known one, and how many
    method, season : as in :func:`kantor.analysis.forecast.forecast`
    risk : probability in (0, 1) with which demand of a product may exceed its target; None: the expected demand

    Columns of the answer are numbered from ``ahead``. Raises ProblemError for histories with gaps or negative entries.

    >>> past = pd.DataFrame([[9.0, 11.0, 10.0, 9.0, 11.0, 10.0]], ["bread"])
    >>> plain, careful = expected_targets(past, method="naive"), expected_targets(past, method="naive", risk=0.05)
    >>> float(plain.loc["bread", 1]), round(float(careful.loc["bread", 1]), 2)
    (10.0, 12.44)
    """
    values = history.to_numpy(np.float64)
    if not np.isfinite(values).all():
        label = history.index[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
        raise ProblemError(f"history of {label!r}: has gaps; fill them or leave the product out")
    if (values < 0).any():
        label = history.index[int(np.flatnonzero((values < 0).any(axis=1))[0])]
        raise ProblemError(f"history of {label!r}: is negative; a supply is no demand, state it as a target")
    if ahead < 1 or periods < 1:
        raise OptionError(f"ahead and periods: got {ahead} and {periods}, expected at least 1")
    found = forecast(values, ahead + periods - 1, method, season)
    wanted = np.maximum(found.point, 0.0) if risk is None else found.at_risk(risk)
    return pd.DataFrame(wanted[:, ahead - 1 :], history.index, range(ahead, ahead + periods))
