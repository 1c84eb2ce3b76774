"""Messages of a plan speak of its labels, and say what negative targets mean."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kantor import Economy, Harmony, MinimiseUse, Plan, Status
from kantor.planning.wording import in_labels
from plan_folders import economy, two_ways


def test_why_names_limits_and_products_with_units() -> None:
    found = Plan(economy(), limits={"HOURS": "90%"}).solve()
    assert "limit 'HOURS' (h) sets the scale" in found.info.why
    impossible = Plan(two_ways(), [2.6], MinimiseUse("labour"), limits={"CO2": 5.0}).solve()
    assert impossible.status is Status.PRIMAL_INFEASIBLE
    names = pd.Series(["Grain", "Iron ore", "Cloth"], ["grain", "iron", "cloth"])
    endless = Plan(economy(product_names=names), objective=Harmony(), limits={}).solve()
    assert endless.status is Status.DUAL_INFEASIBLE
    assert "good 'grain' (Grain) can be made without any limited resource" in endless.info.why


def test_numbers_beyond_the_labels() -> None:
    plan = Plan(economy(), [10.0, -4.0, 30.0], Harmony(), limits={"HOURS": 100.0})
    assert in_labels("technique 3 runs, technique 1 too", plan) == (
        "the supply of 'iron' from outside runs, technique 'iron' too"
    )
    assert in_labels("resource 7, good 99, goods 1", plan) == "resource 7, good 99, goods 1"


def test_negative_targets_are_named_and_explained() -> None:
    """With much scrap coming in, the base plan would run its making backwards, which no plan can."""
    eco = Economy.from_iot(
        A=np.array([[0.2, 0.0], [0.1, 0.0]]),
        Y=[10.0, -4.0],
        S=np.array([[1.0, 1.0]]),
        x=[12.5, 1.0],
        labels=["steel", "scrap"],
        indicators=["HOURS"],
    )
    plan = Plan(eco, limits={"HOURS": "100%"})
    assert "1 negative targets count as supplies from outside" in plan.notes[0]
    assert "'scrap' -4" in plan.notes[0]
    assert "runs 1 techniques backwards ('scrap' -2.75)" in plan.notes[1]
    assert plan.solve().objective < 0.99
    assert len(Plan(eco, limits={"HOURS": 9.75}).notes) == 1
