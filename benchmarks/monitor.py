"""The monitor on 100,000 series: seconds a period, false alarms, power on planted changes, memory.

python benchmarks/monitor.py [--series N] [--json FILE]

Series are steady at their own level with their own normal noise (1 to 10 % of the level); after 60 periods changes are
planted. A false alarm is an alert that opens while nothing was planted; power is the share of series with a planted
change for which an alert of that kind opened within the periods stated.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness.keep import keep

import kantor as kt

WARM, WATCHED = 60, 20
PLANTED = [("outlier", s, 3) for s in (4, 5, 6, 8)] + [("step", s, 4) for s in (4, 5, 6, 8)]
PLANTED += [("slope", s, 10) for s in (0.3, 0.5, 1.0)]


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="results file to keep the figures in, beside others")
    given = parser.parse_args()
    n = given.series
    rng = np.random.default_rng(20261127)
    names = np.array([f"series {i}" for i in range(n)], dtype=object)
    level = rng.uniform(20.0, 100.0, n)
    noise = level * rng.uniform(0.01, 0.1, n)
    monitor = kt.Monitor(names, level * rng.uniform(1.0, 1.5, n))
    seconds, alarms = [], 0
    peak = 0
    for period in range(WARM + WATCHED):
        reports = pd.DataFrame({"series": names, "value": level + noise * rng.standard_normal(n)})
        began = time.perf_counter()
        step = monitor.step(period, reports)
        seconds.append(time.perf_counter() - began)
        if period == 5:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        alarms += int((step.alerts["event"] == "opened").sum()) if period >= WARM else 0
    later = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {
        "series": n,
        "seconds_a_period": {"median": float(np.median(seconds[2:])), "worst": max(seconds[2:])},
        "false_alarms_per_million_reports": 1e6 * alarms / (n * WATCHED),
        "power": power(monitor, level, noise, rng),
        "peak_memory_mb": {"after 6 periods": peak / 1024, "after 80": later / 1024},
    }
    print(json.dumps(facts, indent=1))
    if given.json is not None:
        keep(given.json, "living", f"monitor {n}", facts)


def power(monitor: kt.Monitor, level: np.ndarray, noise: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Shares found, on the first 20,000 series."""
    found: dict[str, float] = {}
    n = len(level)
    few = min(n, 20_000)
    for kind, size, within in PLANTED:
        mon = copy.deepcopy(monitor)
        mon.alerts.kind[:] = -1
        hit = np.zeros(n, bool)
        for k in range(within):
            planted = {"outlier": size * (k == 0), "step": -size, "slope": -size * (k + 1)}[kind]
            values = level + noise * (rng.standard_normal(n) + planted * (np.arange(n) < few))
            mon.step(100 + k, pd.DataFrame({"series": mon.series, "value": values}))
            kinds = {"outlier": [0], "step": [1, 3], "slope": [1, 2, 3]}[kind]
            hit |= np.isin(mon.alerts.kind, kinds)
        found[f"{kind} of {size:g} sd within {within}"] = float(hit[:few].mean())
    return found


if __name__ == "__main__":
    main()
