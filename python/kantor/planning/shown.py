"""How a plan's result shows itself: as a data frame, in a notebook, as figures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, cast

import pandas as pd

from ..errors import OptionError, suggest

if TYPE_CHECKING:
    from .plots import Figures
    from .result import PlanResult

_ROWS = 8


class Shown:
    """What :class:`kantor.planning.result.PlanResult` has for people who look at it."""

    @property
    def plot(self) -> Figures:
        """Figures of the plan with matplotlib: :class:`kantor.planning.plots.Figures`."""
        from .plots import Figures

        return Figures(cast("PlanResult", self))

    def to_frame(self, table: str = "products") -> pd.DataFrame:
        """One of the plan's tables with its labels in the index.

        table : "products" (target, consumption, share of the target, price, unit, name), "activity" (by technique),
            "limits" (use, bounds and rents) or "bottlenecks"

        >>> import kantor as kt
        >>> result = kt.Plan(kt.load_economy("eu_2006"), limits={"labour": "90%"}).solve()
        >>> result.to_frame().share.round(6).unique().tolist()
        [0.9]
        """
        from .export import tables_of

        result = cast("PlanResult", self)
        if table == "limits":
            return result.use.copy()
        if table == "bottlenecks":
            return result.bottlenecks()
        if table not in ("products", "activity"):
            raise OptionError(f"table: {table!r} is none{suggest(table, ('products', 'activity', 'limits'))}")
        index = result.prices.index if table == "products" else result.activity.index
        found = tables_of(result)[table].iloc[:, index.nlevels :].set_axis(index)
        if table == "products":
            target = result.targets.where(result.targets > 0)
            found.insert(2, "share", (result.consumption / target).to_numpy())
        return found

    def _repr_html_(self) -> str:
        """The summary, what binds and the largest targets, for a notebook."""
        result = cast("PlanResult", self)
        lines = "<br>".join(escape(line.strip()) for line in result.summary())
        binding = result.bottlenecks().head(_ROWS)
        parts = [f"<p>{lines}</p>"]
        if len(binding):
            parts.append(
                binding[["use", "bound", "rent", "one_more_percent", "unit"]].to_html(float_format="{:.5g}".format)
            )
        products = self.to_frame()
        largest = products.reindex(products["target"].abs().sort_values(ascending=False, kind="stable").index)
        parts.append(largest.head(_ROWS).to_html(float_format="{:.5g}".format))
        if len(products) > _ROWS:
            parts.append(f"<p>The {_ROWS} largest targets of {len(products):,} products.</p>")
        return f"<div>{''.join(parts)}</div>"
