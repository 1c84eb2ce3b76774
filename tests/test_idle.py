"""Reduced costs: a technique runs once the named input falls below what the table says, and not above."""

from __future__ import annotations

import numpy as np
import pytest

from kantor import Economy, MinimiseUse, Plan


def plan(coal: float) -> Plan:
    eco = Economy.from_arrays(
        input=np.array([[0.0, 0.0, 0.0], [0.0, coal, 0.0]]), output=np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        intensities=np.array([[4.0, 1.0, 2.0]]), products=["power", "coal"], techniques=["hydro", "steam", "mine"],
        indicators=["labour"],
    )  # fmt: skip
    return Plan(eco, [10.0, 1.0], MinimiseUse("labour"), limits={"labour": 1e6})


def test_what_would_make_it_worth_running() -> None:
    table = plan(coal=3.0).solve(1e-9).idle_techniques()
    assert table.index.tolist() == ["steam"]
    row = table.loc["steam"]
    assert row["loss"] == pytest.approx(3.0 * 2.0 + 1.0 - 4.0, rel=1e-6)
    assert (row["largest"], row["coefficient"]) == ("coal", 3.0)
    assert row["words"] == "worth running once coal falls from 3 to 1.5 per unit"
    assert row["must_fall_to"] == pytest.approx(1.5, rel=1e-6)
    assert plan(row["must_fall_to"] * 0.99).solve(1e-9).activity["steam"] == pytest.approx(10.0, rel=1e-6)
    assert plan(row["must_fall_to"] * 1.01).solve(1e-9).activity["steam"] == pytest.approx(0.0, abs=1e-6)
