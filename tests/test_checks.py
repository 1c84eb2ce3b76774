"""The balance report: identities, productivity, signs, magnitudes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from kantor.data.checks import check_economy
from kantor.data.datasets import load_economy
from kantor.data.economy import Economy

SECTORS = ["grain", "iron"]


def test_a_balanced_table() -> None:
    eco = Economy.from_iot(
        Z=[[20.0, 5.0], [10.0, 40.0]],
        Y=[25.0, 50.0],
        F=pd.DataFrame([[20.0, 55.0]], ["value added"], SECTORS),
        labels=SECTORS,
        unit="USD",
    )
    report = check_economy(eco)
    assert report.ok
    assert report.balanced
    assert report.productive
    assert report.row_error == 0.0
    assert report.column_error == pytest.approx(0.0, abs=1e-15)
    assert report.radius is not None
    rho = np.abs(np.linalg.eigvals(eco.A.toarray())).max()
    assert report.radius[0] <= rho * (1 + 1e-9)
    assert rho <= report.radius[1] * (1 + 1e-9)
    text = str(report)
    assert "result       balanced, productive" in text
    assert "2 products x 2 techniques, square, unit USD" in text


def test_rows_that_do_not_add_up_are_named() -> None:
    eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], x=[50.0, 110.0], labels=SECTORS)
    report = check_economy(eco)
    assert not report.balanced
    assert not report.ok
    assert report.worst_rows[0] == ("iron", pytest.approx(10.0))
    assert report.row_error == pytest.approx(10 / 160)
    assert "NOT BALANCED" in report.lines()[-1]
    assert check_economy(eco, row_tolerance=0.1).balanced


def test_columns_that_do_not_add_up_are_named() -> None:
    factors = pd.DataFrame([[20.0, 45.0]], ["value_added"], SECTORS)
    eco = Economy.from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], F=factors, labels=SECTORS)
    report = check_economy(eco)
    assert report.column_error == pytest.approx(10 / 150)
    assert report.worst_columns[0][0] == "iron"


def test_a_non_productive_economy_names_its_sectors() -> None:
    eco = Economy.from_iot(
        A=[[0.2, 0.0, 0.1], [0.0, 0.6, 0.7], [0.0, 0.5, 0.6]], x=[1.0, 1.0, 1.0], labels=["a", "iron", "coal"]
    )
    report = check_economy(eco)
    assert report.productive is False
    assert not report.ok
    assert "iron" in report.reason
    assert "coal" in report.reason
    assert report.large_columns == [("coal", pytest.approx(1.4)), ("iron", pytest.approx(1.1))]
    assert "NOT PRODUCTIVE" in str(report)


def test_joint_production() -> None:
    eco = Economy.from_arrays(np.array([[5.0, 0.0], [0.0, 10.0]]), np.array([[6.0, 3.0], [1.0, 12.0]]))
    report = check_economy(eco)
    assert report.productive
    assert report.radius is None
    # Observed activity makes nothing of the second product on balance; another activity may or may not.
    starving = Economy.from_arrays(
        [[0.5, 0.2, 0.0], [0.6, 0.9, 0.4]], [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], products=["bread", "coal"]
    )
    assert check_economy(starving).productive is True  # 2 coal made, 1.9 used
    starving = starving.replace(activity=pd.Series([3.0, 1.0, 1.0], starving.techniques))
    report = check_economy(starving)
    assert report.productive is None
    assert "uses more of coal than it makes" in report.reason


def test_negatives_idle_and_free_techniques_and_small_entries() -> None:
    eco = Economy.from_iot(
        Z=[[1e-11, -5.0, 0.0], [10.0, 40.0, 0.0], [0.0, 0.0, 0.0]],
        Y=pd.DataFrame({"people": [25.0, 60.0, 0.0], "stocks": [-1.0, 0.0, 0.0]}, ["grain", "scrap", "idle"]),
        x=[20.0, 110.0, 0.0],
        F=[[1.0, -2.0, 0.0]],
    )
    report = check_economy(eco)
    assert report.n_negative_inputs == 1
    assert report.negative_inputs == [("grain", "scrap", pytest.approx(-5 / 110))]
    assert (report.n_negative_demands, report.n_negative_intensities) == (1, 1)
    assert report.without_output == ["idle"]
    assert report.free == ["idle"]
    assert report.below_cut_off == 1
    assert report.coefficient_spread > 11
    json.dumps(report.to_dict())


def test_coefficients_alone_can_be_checked() -> None:
    report = check_economy(Economy.from_iot(A=[[0.5, 0.1], [0.1, 0.5]]))
    assert report.row_error is None
    assert report.ok
    assert "rows         not checked" in str(report)


def test_packaged_example_reads_well() -> None:
    lines = check_economy(load_economy("us_2012")).lines()
    assert lines[0].startswith("table        us_2012: 23 products x 23 techniques, square, unit million USD")
    assert "rows         off by 0 % of output" in lines[2]
    assert lines[-1] == "result       balanced, productive"


def test_a_sector_without_output_but_with_inputs_is_reported() -> None:
    A = [[0.1, 0.2, 0.0], [0.2, 0.1, 0.0], [0.0, 0.0, 0.0]]
    eco = Economy.from_iot(A=A, Y=[1.0, 1.0, 0.0], x=[2.0, -1.0, 0.0], labels=["grain", "scrap", "none"])
    found = check_economy(eco)
    assert found.without_output == ["scrap", "none"]
    assert found.idle_with_inputs == ["scrap"]
    assert "1 of these have inputs all the same" in str(found)
