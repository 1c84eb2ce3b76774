"""``kantor footprints`` and ``kantor balance-table``: files in, tables and one JSON object out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from villages import frame, kantor, refused


def test_footprints_of_a_packaged_table(tmp_path: Path) -> None:
    result = kantor("footprints", "us_2012", "--by", "ghg", "--csv", tmp_path / "all.csv")
    assert result.exit_code == 0, result.output
    assert "for consumption" in result.stdout
    rows = pd.read_csv(tmp_path / "all.csv")
    assert {"indicator", "D_cba", "D_pba", "D_imp", "D_exp"} <= set(rows.columns)
    facts = json.loads(kantor("footprints", "us_2012", "--by", "ghg", "--json").stdout)
    (region,) = facts["by_region"]["ghg"].values()
    assert region["consumption"] == pytest.approx(rows["D_cba"].sum())
    assert region["production"] == pytest.approx(region["consumption"])
    refused(["footprints", "us_2012", "--by", "gold"], "gold")


def test_balance_table_from_files(tmp_path: Path) -> None:
    table, rows, columns, out = (tmp_path / f"{name}.csv" for name in ("table", "rows", "columns", "out"))
    frame([[1.0, 2.0], [3.0, 4.0]], ["a", "b"], ["x", "y"]).to_csv(table)
    pd.Series({"a": 4.0, "b": 6.0}, name="total").to_csv(rows)
    pd.Series({"y": 5.0, "x": 5.0}, name="total").to_csv(columns)
    result = kantor("balance-table", table, "--rows", rows, "--columns", columns, "-o", out)
    assert result.exit_code == 0, result.output
    balanced = pd.read_csv(out, index_col=0)
    np.testing.assert_allclose(balanced.sum(axis=1), [4.0, 6.0])
    facts = json.loads(kantor("balance-table", table, "--rows", rows, "--columns", columns, "--json").stdout)
    assert facts["status"] == "optimal"
    assert facts["largest_residual"] < 1e-8
    pd.DataFrame({"total": [5.0, 6.0], "error": [1.0, 1.0]}, ["x", "y"]).to_csv(columns)
    eased = ["balance-table", table, "--rows", rows, "--columns", columns]
    assert kantor(*eased, "--cell-error", 0.1).exit_code == 0
    refused(eased, "cell_error")
    pd.Series({"x": 5.0, "y": 6.0}, name="total").to_csv(columns)
    refused(eased, "'a'", "10", "11", out=tmp_path / "never" / "out.csv")
    refused(["balance-table", tmp_path / "missing.csv", "--rows", rows], "missing.csv")
    refused(["balance-table", table, "--rows", rows, "-o", rows], "was read")
