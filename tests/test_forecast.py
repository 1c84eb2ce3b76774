"""Forecasts: exact on what they model, better than naive where there is a pattern, honest intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

import kantor as kt
from kantor.analysis.forecast import backtest, forecast
from kantor.cli import app
from kantor.data.saved import save_economy
from kantor.errors import OptionError, ProblemError
from kantor.planning.scenario import build, load_scenario


def seasonal(n: int, periods: int = 60, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(periods)
    season = 1.0 + rng.uniform(0.2, 0.4, n)[:, None] * np.sin(2 * np.pi * t / 12 + rng.uniform(0, 6, n)[:, None])
    return 50.0 * np.exp(0.003 * t) * season * (1.0 + 0.08 * rng.standard_normal((n, periods)))


def test_naive_methods_repeat() -> None:
    y = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert forecast(y, 3, "naive").point.tolist() == [[6.0, 6.0, 6.0]]
    assert forecast(y, 4, "seasonal-naive", season=3).point.tolist() == [[4.0, 5.0, 6.0, 4.0]]


def test_a_pure_season_is_found_exactly() -> None:
    y = np.tile([2.0, 4.0, 6.0, 8.0], 5)[None, :]
    assert forecast(y, 6, "seasonal", season=4).point[0] == pytest.approx([2.0, 4.0, 6.0, 8.0, 2.0, 4.0], rel=1e-9)


def test_seasonal_demand_is_forecast_better_than_by_the_last_year() -> None:
    table = backtest(seasonal(400), horizon=3, season=12, origins=3)
    assert table.loc["seasonal", "mase"] < 0.95
    assert table.loc["seasonal", "relative"] < 0.9
    assert table.loc["naive", "mase"] > 1.0
    assert table.loc["auto", "relative"] < 0.95
    assert table.loc["seasonal-naive", "relative"] == pytest.approx(1.0)
    assert 0.8 < table.loc["seasonal", "covered"] < 0.97


def test_auto_stays_with_naive_where_nothing_is_to_be_seen() -> None:
    walks = 100.0 + np.cumsum(np.random.default_rng(1).standard_normal((200, 30)), axis=1)
    table = backtest(walks, horizon=2, origins=3)
    assert table.loc["auto", "relative"] < 1.03
    assert table.loc["trend", "relative"] > table.loc["auto", "relative"]


def test_demand_at_risk_is_the_quantile_of_the_interval() -> None:
    found = forecast(seasonal(5), 2, "seasonal", season=12, coverage=0.8)
    assert found.at_risk(0.1) == pytest.approx(found.upper)
    deviation = (found.upper - found.point) / norm.ppf(0.9)
    assert found.at_risk(0.02) == pytest.approx(found.point + norm.ppf(0.98) * deviation)
    with pytest.raises(OptionError, match="share"):
        found.at_risk(0.0)


def test_ets_of_statsforecast_has_the_same_form() -> None:
    pytest.importorskip("statsforecast")
    y = seasonal(3)
    found = forecast(y, 4, "ets", season=12)
    assert found.point.shape == (3, 4)
    assert (found.lower < found.point).all()
    assert found.point == pytest.approx(forecast(y, 4, "seasonal", season=12).point, rel=0.25)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(OptionError, match="did you mean 'trend'"):
        forecast(np.ones((1, 5)), 1, "tren")
    with pytest.raises(ProblemError, match="3 periods, expected at least 8"):
        forecast(np.ones((1, 3)), 1, "seasonal", season=4)
    with pytest.raises(ProblemError, match="finite"):
        forecast(np.array([[1.0, np.nan, 2.0]]), 1)
    with pytest.raises(ProblemError, match="too few"):
        backtest(np.ones((1, 8)), 2, origins=5)


def test_series_that_stand_still_or_are_zero_stay_so() -> None:
    y = np.vstack([np.zeros(24), np.full(24, 7.0)])
    assert forecast(y, 3, "seasonal", season=6).point == pytest.approx(np.array([[0.0] * 3, [7.0] * 3]))


def history_file(folder: Path) -> tuple[str, pd.DataFrame]:
    """Past demand of two of three products of the village's table, with noise."""
    rng = np.random.default_rng(4)
    past = pd.DataFrame(
        np.array([[30.0], [10.0]]) * (1.0 + 0.1 * rng.standard_normal((2, 24))),
        pd.Index(["wheat", "cloth"], name="product"), [str(k) for k in range(24)],
    )  # fmt: skip
    past.to_csv(folder / "past.csv")
    return "past.csv", past


SCENARIO = """
[economy]
source = "village"

[targets.forecast]
history = "past.csv"
method = "naive"
{more}
"""


def village(folder: Path, more: str) -> Path:
    eco = kt.Economy.from_iot(
        A=[[0.5, 0.1], [0.2, 0.4]], Y=[30.0, 10.0], labels=["wheat", "cloth"], S=[[1.0, 2.0]], indicators=["hours"]
    )
    save_economy(eco, folder / "village", overwrite=True)
    path = folder / f"plan{len(more)}.toml"
    path.write_text(SCENARIO.format(more=more))
    return path


def test_the_margin_of_a_forecast_reaches_the_plan(tmp_path: Path) -> None:
    _, past = history_file(tmp_path)
    plain, careful = (build(load_scenario(village(tmp_path, more))) for more in ("", "risk = 0.05"))
    assert plain.targets.tolist() == pytest.approx(past.iloc[:, -1].tolist())
    found = forecast(past.to_numpy(), 1, "naive")
    assert careful.targets.to_numpy() == pytest.approx(found.at_risk(0.05)[:, 0])
    assert (careful.targets > 1.1 * plain.targets).all()
    limits = {"hours": 160.0}
    scale = [kt.Plan(p.economy, p.targets, limits=limits).solve().objective for p in (plain, careful)]
    assert scale[1] < 0.9 * scale[0]  # what certainty costs


def test_over_years_each_year_has_its_own_margin(tmp_path: Path) -> None:
    history_file(tmp_path)
    plan = build(load_scenario(village(tmp_path, "risk = 0.05\n\n[horizon]\nyears = 3")))
    wheat = plan.targets[[label for label in plan.targets.index if label[-1] == "wheat"]].to_numpy()
    assert len(wheat) == 3
    assert wheat[0] < wheat[1] < wheat[2]  # the further ahead, the less is known


def test_a_plan_folder_with_a_forecast_verifies(tmp_path: Path) -> None:
    history_file(tmp_path)
    path = village(tmp_path, "risk = 0.1\n\n[limits]\nhours = 160.0")
    run = CliRunner().invoke(app, ["plan", str(path), "-o", str(tmp_path / "p")])
    assert run.exit_code == 0, run.output
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "p")]).exit_code == 0
    past = tmp_path / "past.csv"
    past.write_text(past.read_text().replace("3", "4"))
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "p")]).exit_code != 0


def test_the_command_writes_targets_that_a_scenario_reads(tmp_path: Path) -> None:
    history_file(tmp_path)
    out = tmp_path / "targets.csv"
    run = CliRunner().invoke(app, ["forecast", str(tmp_path / "past.csv"), "--risk", "0.05", "-o", str(out), "--json"])
    assert run.exit_code == 0, run.output
    said = json.loads(run.output)
    assert {row["method"] for row in said["backtest"]} == {"naive", "trend", "auto"}
    table = pd.read_csv(out)
    assert list(table.columns) == ["product", "amount"]
    assert dict(zip(table["product"], table["amount"], strict=True)) == pytest.approx(said["targets"])


@pytest.mark.parametrize(("values", "why"), [([1.0, np.nan, 2.0, 3.0], "gaps"), ([1.0, 2.0, -1.0, 3.0], "negative")])
def test_histories_that_are_no_demand_are_refused(values: list[float], why: str) -> None:
    with pytest.raises(ProblemError, match=f"'bread'.*{why}"):
        kt.expected_targets(pd.DataFrame([values], ["bread"]), method="naive")
