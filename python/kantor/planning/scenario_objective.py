"""What a scenario says its plan is for, and its limits, as the objects of kantor.planning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..data.economy import Economy
from .combined import Held, LeastChange, Lexicographic, Restated, WeightedSum
from .grammar_objective import ObjectiveTable
from .limits import Limit
from .objectives import (
    Harmony,
    LogUtility,
    Maximise,
    MaxScale,
    MinimiseUse,
    NewHarmony,
    Objective,
    PowerUtility,
)
from .scenario_model import shares_of, written_limits, years_as_numbers
from .written_out import write_out

if TYPE_CHECKING:
    from .scenario import Scenario


def objective_of(scenario: Scenario, economy: Economy, table: ObjectiveTable | None = None) -> Objective:
    """The objective of a scenario on its economy of one year, or the one that ``table`` describes."""
    table = scenario.document.objective if table is None else table
    kind, indicator = table.kind, table.indicator
    if kind == "lexicographic":
        members = [objective_of(scenario, economy, member) for member in table.objectives or ()]
        return Lexicographic(members) if table.slack is None else Lexicographic(members, table.slack)
    if kind == "weighted-sum":
        members = [objective_of(scenario, economy, member) for member in table.objectives or ()]
        weights = [1.0 if member.weight is None else float(member.weight) for member in table.objectives or ()]
        return WeightedSum(members, weights)
    if kind in ("minimise-use", "maximise-use"):
        assert indicator is not None  # the grammar asks for it
        return MinimiseUse(indicator) if kind == "minimise-use" else Maximise(indicator)
    if kind == "least-change":
        assert isinstance(indicator, str | list)
        return LeastChange(indicator)
    weights_: Any = scenario.weights(economy, table)
    if kind == "max-scale":
        return MaxScale(weights=weights_, each=table.each, shares=shares_of(scenario))
    if kind == "power":
        assert table.sigma is not None
        return PowerUtility(sigma=table.sigma, weights=weights_)
    if kind == "log":
        return LogUtility(weights=weights_, epsilon=table.epsilon or 0.0)
    if kind == "new-harmony":
        return NewHarmony(weights=weights_) if table.kappa is None else NewHarmony(weights=weights_, kappa=table.kappa)
    return Harmony(weights=weights_)


def limits_of(scenario: Scenario, economy: Economy) -> dict[str, Limit]:
    """The limits of a scenario, bounds by year with numbers as keys."""
    return {
        name: Limit(**limit.model_dump(exclude={"per"}) | years_as_numbers(limit))
        for name, limit in written_limits(scenario, economy).items()
    }


def written_of(scenario: Scenario, number: int = 1, held: Sequence[Held] = ()) -> Restated:
    """The plan of a scenario written out; of an order of priority objective ``number``, held to those before it."""
    single = scenario.single
    objective = objective_of(scenario, single)
    if isinstance(objective, Lexicographic):
        objective = objective.objectives[number - 1]
    limits = limits_of(scenario, single)
    return write_out(single, scenario.targets(single), objective, limits, scenario.horizon(single), held)
