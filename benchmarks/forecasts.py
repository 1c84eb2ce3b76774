"""Forecasts against naive ones: real yearly series and generated seasonal demand. python benchmarks/forecasts.py"""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd

from kantor.analysis.forecast import backtest
from kantor.data.datasets import search_folders


def seasonal_demand(products: int, periods: int = 60, seed: int = 1) -> np.ndarray:
    """Monthly demand: own level, drift, seasons of up to 40 % and noise of 5 to 15 %."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(3.0, 1.0, products)
    drift = rng.normal(0.002, 0.004, products)
    phase, depth = rng.uniform(0, 2 * np.pi, products), rng.uniform(0.1, 0.4, products)
    t = np.arange(periods)
    season = 1.0 + depth[:, None] * np.sin(2 * np.pi * t / 12 + phase[:, None])
    noise = 1.0 + rng.uniform(0.05, 0.15, products)[:, None] * rng.standard_normal((products, periods))
    return level[:, None] * np.exp(drift[:, None] * t) * season * np.maximum(noise, 0.05)


def real_series() -> dict[str, np.ndarray]:
    """Yearly series of the public tables that are here."""
    found: dict[str, pd.DataFrame] = {}
    for folder in search_folders():
        stocks = folder / "us_bea_fixed_assets" / "net_stock_current_cost_1947_2017.parquet"
        if stocks.is_file():
            table = pd.read_parquet(stocks)
            found["capital stocks, United States"] = table.pivot_table("stock_musd", "industry", "year", "sum")
        for country, name in (("usa", "United States"), ("aus", "Australia")):
            accounts = folder / "wiod2016_usa_aus_niot_sea" / f"{country}sea.parquet"
            if accounts.is_file():
                table = pd.read_parquet(accounts)
                found[f"output by volume, {name}"] = table.pivot_table("GO_QI", "code", "year")
                table["inputs"] = table["II"] / table["GO"]
                found[f"inputs per output, {name}"] = table.pivot_table("inputs", "code", "year")
    values = {name: table.to_numpy(np.float64) for name, table in found.items()}
    return {name: y[np.isfinite(y).all(axis=1) & (y > 0).all(axis=1)] for name, y in values.items()}


def main() -> None:
    """Run and print one JSON object."""
    facts: dict[str, object] = {}
    began = time.perf_counter()
    table = backtest(seasonal_demand(100_000), horizon=3, season=12, origins=2)
    facts["generated, 100,000 products"] = {"seconds": time.perf_counter() - began, **table.round(3).to_dict("index")}
    for name, series in real_series().items():
        table = backtest(
            series, horizon=2, origins=min(8, series.shape[1] - 8), methods=["naive", "trend", "auto", "ets"]
        )
        facts[f"{name}, {len(series)} series of {series.shape[1]} years"] = table.round(3).to_dict("index")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
