"""A shock on wiod2013: one region's industry at half its output. Least loss, certified, beside proportional rationing.

python benchmarks/shock.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from harness.keep import keep

import kantor as kt

FALLS: list[tuple[str, str]] = [
    ("DEU", "Basic Metals and Fabricated Metal"),
    ("USA", "Electricity, Gas and Water Supply"),
    ("CHN", "Electrical and Optical Equipment"),
]
SPARE = 0.02


def main() -> None:
    """Run, print one JSON object, and keep it if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="results file to keep the figures in, beside others")
    given = parser.parse_args()
    eco = kt.load_economy("wiod2013", year=2011)
    runs: list[dict[str, Any]] = []
    for label in FALLS:
        began = time.perf_counter()
        found = kt.shock(eco, {label: 0.5}, spare=SPARE)
        losses = found.losses.loc[1]
        runs.append({
            "lost": f"half of {label[1]} in {label[0]}", "spare": SPARE, "seconds": time.perf_counter() - began,
            "method": found.periods[0].info.method, **{str(k): float(v) for k, v in losses.items()},
        })  # fmt: skip
    print(json.dumps(runs, indent=1))
    if given.json is not None:
        keep(given.json, "living", "shock wiod2013", {"runs": runs})


if __name__ == "__main__":
    main()
