"""What the sections of a report draw from, and words they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data.labels import show
from ..errors import KantorError
from ..planning.flows import Flows, economy_of
from .numbers import amount
from .page import Markup, shortened

if TYPE_CHECKING:
    from ..data.economy import Economy
    from ..planning.result import PlanResult

TOP = 10
# Classes of the columns of a list with bars: label, bar, two numbers.
BARS = ("label", "barcell", "num", "num")
# Ratios closer than this are said in one sentence instead of drawn.
SAME = 1e-6
# Contents of this many indicators are shown beside prices.
_CONTENTS = 5
# What the accounts and actions of a plan over several years are called.
_ACTIONS = {
    "invest": "investment in",
    "store": "put into store",
    "capital": "capital",
    "stock": "stock",
    "inherit": "what the first year inherits",
    "leave": "what is left after the last year",
}


@dataclass(frozen=True)
class Facts:
    """A result, and what of plan.json is known (inputs, scenario, software)."""

    result: PlanResult
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """Whether there is a plan: a point within every balance and limit."""
        return math.isfinite(self.result.objective)

    @cached_property
    def bottlenecks(self) -> pd.DataFrame:
        """What binds, the most valuable first."""
        return self.result.bottlenecks()

    @cached_property
    def binding(self) -> set[str]:
        """Names of the limits that bind."""
        return {str(name) for kind, name in self.bottlenecks.index if kind != "capacity"}

    @cached_property
    def _economy(self) -> tuple[Economy | None, str]:
        return economy_of(self.result, self.record)

    @property
    def missing(self) -> str:
        """Why nothing is known of the economy's tables; empty where they are."""
        return self._economy[1]

    @cached_property
    def flows(self) -> Flows | None:
        """The flows of the plan, where there is one and its economy is at hand."""
        economy = self._economy[0]
        if economy is None or not self.made:
            return None
        try:
            return Flows(self.result, economy)
        except KantorError:
            return None

    @cached_property
    def contents(self) -> pd.DataFrame:
        """What a unit of every product embodies of labour, energy and all that limits are about; may have no columns.

        Of a plan over several years or regions the indicators are those of the whole.
        """
        flows = self.flows
        if flows is None:
            return pd.DataFrame(index=self.result.prices.index)
        known = {str(name) for name in flows.eco.indicators}
        asked = {flows.eco.aliases.get(word, word): word for word in ("labour", "energy", "ghg")}
        for limit in self.result.limits:
            whole = _whole(limit.indicator, known)
            asked.setdefault(whole, whole)
        names = [name for name in asked if name in known][:_CONTENTS]
        return flows.embodied(names).rename(columns=asked)

    @cached_property
    def _spoken(self) -> dict[Any, str]:
        """Names by what a label says apart from its account, so that techniques find those of their products."""
        names = self.result.names
        if names is None:
            return {}
        return {_inner(label, names.index): str(name) for label, name in zip(names.index, names, strict=True)}

    def words(self, label: Any) -> str:
        """The readable name of a product or technique, or what its label says.

        Labels of plans over several years are (year, action or account, label): the year stands at the end.
        """
        result = self.result
        for index in (result.prices.index, result.activity.index):
            if not isinstance(label, tuple) or index.nlevels != len(label) or index.names[0] != "year":
                continue
            if index.names[1] not in ("account", "action") or label not in index:
                continue
            year, action, *rest = label
            inner = _inner(label, index)
            words = self._spoken.get(inner)
            if words is None:
                words = show(tuple(part for part in rest if part != ""))
                words = f"{words}, {year}" if words else str(year)
            return words if action in ("product", "run") else f"{_ACTIONS.get(action, str(action))}: {words}"
        code = show(label)
        return code if result.names is None else str(result.names.get(label, code))

    def code(self, label: Any) -> str:
        """The label of a product or technique without its year and account."""
        index = self.result.prices.index
        if isinstance(label, tuple) and index.names[0] == "year":
            return show(tuple(label[2:]))
        return show(label)

    def name(self, label: Any) -> Markup:
        """Words for the label of a product or technique: its name with the code in small print, or the code."""
        code, words = self.code(label), self.words(label)
        named = f"<bdi>{escape(shortened(words))}</bdi>"
        same = code == words or code in words
        return Markup(named if same else f"{named} <small><bdi>{escape(shortened(code))}</bdi></small>")

    def in_unit(self) -> str:
        """Words for the unit of all products, if they share one."""
        unit = self.result.unit
        return f", in {unit}" if isinstance(unit, str) and unit else ""

    def amount(self, value: float) -> str:
        """An amount of a product in a list whose caption names the unit."""
        unit = self.result.unit
        return amount(value, unit if isinstance(unit, str) else "")


def _inner(label: Any, index: pd.Index) -> Any:
    """A label without its account or action."""
    if not isinstance(label, tuple):
        return label
    return tuple(part for name, part in zip(index.names, label, strict=True) if name not in ("account", "action"))


def _whole(indicator: str, known: set[str]) -> str:
    """The indicator of the whole plan behind one of a year or region ("ghg 2013", "ghg in Sweden"), if there is one.

    >>> _whole("ghg 2013", {"ghg", "ghg 2013"}), _whole("ghg", {"ghg"})
    ('ghg', 'ghg')
    """
    words = indicator.split(" in ")[0]
    if words not in known or words == indicator:
        head, _, year = indicator.split(" in ")[0].rpartition(" ")
        words = head if year.isdigit() and head in known else words
    return words if words in known else indicator
