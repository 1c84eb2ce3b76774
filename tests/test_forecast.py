"""Forecasts: exact on what they model, better than naive where there is a pattern, honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from kantor.errors import OptionError, ProblemError
from kantor.feedback.forecast import backtest, forecast


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
