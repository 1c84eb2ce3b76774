"""Investment projects: which to fund from a budget, by rules of participatory budgeting from pabutools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...errors import OptionError, ProblemError, need, suggest

RULES = ("equal-shares", "greedy", "phragmen")


@dataclass(frozen=True)
class Funded:
    """What was chosen and why.

    projects : the funded ones in the order of the rule
    cost, budget : what they take of what there is
    audit : by project: cost, supporters, funded, ``paid_each`` by a supporter on average (cost / supporters), ``rank``
    represented : share of voters with at least one funded project
    """

    rule: str
    projects: list[str]
    cost: float
    budget: float
    audit: pd.DataFrame
    represented: float


def fund(costs: pd.Series, approvals: pd.DataFrame, budget: float, rule: str = "equal-shares") -> Funded:
    """Choose projects by approval ballots (voters x projects, true where approved).

    * ``equal-shares``: every voter has the same share of the budget and pays for what is approved, the cheapest per
      supporter first; what is then left goes to ``greedy``. Proportional: groups get their share.
    * ``greedy``: the most approved by cost first, as most cities do; a majority can take all.
    * ``phragmen``: voters earn at the same speed and buy as soon as the supporters of a project can pay.

    Sources: Peters, Pierczynski and Skowron, Proportional participatory budgeting with additive utilities (NeurIPS
    2021); computed by the package pabutools.
    Raises ProblemError for projects without cost or ballots, MissingPackage without pabutools.

    >>> costs = pd.Series({"tram": 6.0, "clinic": 4.0, "school": 4.0})
    >>> votes = pd.DataFrame({"tram": [1, 1, 1, 0, 0], "clinic": [0, 0, 0, 1, 1], "school": [1, 1, 1, 0, 0]})
    >>> fund(costs, votes, 10.0, "greedy").projects, fund(costs, votes, 10.0).projects
    (['school', 'tram'], ['school', 'clinic'])
    """
    if rule not in RULES:
        raise OptionError(f"rule: {rule!r} is unknown{suggest(rule, RULES)}")
    _check(costs, approvals, budget)
    election = need("pabutools.election", "ballots over projects", "feedback")
    rules = need("pabutools.rules", "ballots over projects", "feedback")
    # Amounts as exact fractions: the rules compare who can just pay.
    exact = need("pabutools.fractions", "ballots over projects", "feedback").str_as_frac
    projects = {str(name): election.Project(str(name), exact(repr(float(cost)))) for name, cost in costs.items()}
    instance = election.Instance(projects.values(), budget_limit=exact(repr(float(budget))))
    marked = approvals.to_numpy(bool)
    names = [str(name) for name in approvals.columns]
    profile = election.ApprovalProfile(
        [election.ApprovalBallot([projects[names[j]] for j in row.nonzero()[0].tolist()]) for row in marked],
        instance=instance,
    )
    options: dict[str, Any] = {"sat_class": election.Cardinality_Sat}
    if rule == "greedy":
        chosen = rules.greedy_utilitarian_welfare(instance, profile, sat_class=election.Cost_Sat)
    elif rule == "phragmen":
        chosen = rules.sequential_phragmen(instance, profile)
    else:
        chosen = rules.method_of_equal_shares(instance, profile, **options)
        chosen = rules.greedy_utilitarian_welfare(
            instance, profile, sat_class=election.Cost_Sat, initial_budget_allocation=chosen
        )
    picked = [project.name for project in chosen]
    listed = [str(name) for name in costs.index]
    supporters = pd.Series(marked.sum(axis=0), names).reindex(listed)
    audit = pd.DataFrame({"cost": costs.to_numpy(float), "supporters": supporters.to_numpy()}, listed)
    audit["funded"] = audit.index.isin(picked)
    audit["paid_each"] = audit["cost"] / audit["supporters"].where(audit["supporters"] > 0)
    audit["rank"] = [picked.index(name) + 1 if name in picked else 0 for name in audit.index]
    served = marked[:, [names.index(name) for name in picked]].any(axis=1).mean() if picked else 0.0
    return Funded(rule, picked, float(costs[audit["funded"].to_numpy()].sum()), float(budget), audit, float(served))


def _check(costs: pd.Series, approvals: pd.DataFrame, budget: float) -> None:
    if not budget > 0:
        raise ProblemError(f"budget: got {budget!r}, expected a number > 0")
    if not (costs > 0).all():
        raise ProblemError(f"costs: {costs.index[int((costs > 0).to_numpy().argmin())]!r} has no cost > 0")
    if not len(approvals):
        raise ProblemError("approvals: there are no ballots")
    unknown = [name for name in approvals.columns if name not in costs.index]
    if unknown:
        raise ProblemError(f"approvals: {unknown[0]!r} is no project{suggest(str(unknown[0]), costs.index)}")
    absent = [name for name in costs.index if name not in approvals.columns]
    if absent:
        raise ProblemError(f"approvals: project {absent[0]!r} has no column")
