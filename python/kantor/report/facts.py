"""What the sections of a report draw from, and words they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from ..data.labels import show
from .numbers import amount
from .page import Markup

if TYPE_CHECKING:
    from ..planning.result import PlanResult

TOP = 10
# Classes of the columns of a list with bars: label, bar, two numbers.
BARS = ("label", "barcell", "num", "num")
# Ratios closer than this are said in one sentence instead of drawn.
SAME = 1e-6


@dataclass(frozen=True)
class Facts:
    """A result, and what of plan.json is known (inputs, scenario, software)."""

    result: PlanResult
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """Whether there is a plan: a point within every balance and limit."""
        return math.isfinite(self.result.objective)

    def name(self, label: Any) -> Markup:
        """Words for the label of a product or technique: its name with the code in small print, or the code."""
        code = show(label)
        names = self.result.names
        words = code if names is None else str(names.get(label, code))
        return Markup(escape(code) if words == code else f"{escape(words)} <small>{escape(code)}</small>")

    def in_unit(self) -> str:
        """Words for the unit of all products, if they share one."""
        unit = self.result.unit
        return f", in {unit}" if isinstance(unit, str) and unit else ""

    def amount(self, value: float) -> str:
        """An amount of a product in a list whose caption names the unit."""
        unit = self.result.unit
        return amount(value, unit if isinstance(unit, str) else "")
