"""Time of an iteration on 1 to 1,024 GPUs, predicted: python benchmarks/scaling/model.py [--check FILE] [-o FILE]

Assumptions and formulas: docs/scaling.md. ``--check`` compares the counts of the model with those that `kantor bench
scaling --into FILE` measured, and its times with a bandwidth and a latency fitted to the smallest run.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kantor.backends.partition import grid_shape

RANKS = tuple(2**k for k in range(11))


@dataclass(frozen=True)
class Machine:
    """Bytes a second of a rank's memory, of its network in one direction and of the way to it; seconds a message."""

    name: str
    memory: float
    network: float
    staging: float
    latency: float


# Data sheets: H100 SXM 3.35 TB/s (3.0 TB/s reached by a copy), A100 80 GB 2.04 TB/s (1.8 assumed reached); NDR
# InfiniBand 400 Gb/s, HDR and Slingshot-11 200 Gb/s a port, one port a GPU; PCIe 5.0 x16 63 GB/s, 4.0 x16 31.5 GB/s,
# of which eight tenths are assumed. Latencies: 2 us a message between nodes, and 10 us to start a copy and wait for it.
MACHINES = (
    Machine("H100, NDR InfiniBand, PCIe 5 staging", 3.0e12, 50e9, 50e9, 2e-6),
    Machine("H100 direct: NDR InfiniBand, MPI from the GPU's memory", 3.0e12, 50e9, math.inf, 2e-6),
    Machine("A100, HDR InfiniBand or Slingshot-11, PCIe 4 staging", 1.8e12, 25e9, 25e9, 2e-6),
)
COPY_START = 10e-6


@dataclass(frozen=True)
class Economy:
    """kantor.data.regional's: goods in regions, ``users`` draws a row, a share ``trade`` of them abroad, or None."""

    regions: int
    goods: int
    users: int = 40
    trade: float | None = 0.05

    @property
    def n(self) -> int:
        """Goods."""
        return self.regions * self.goods

    @property
    def entries(self) -> float:
        """Entries, double draws not subtracted."""
        return float(self.n) * self.users


def halo(economy: Economy, ranks: int) -> tuple[float, float]:
    """Expected (values fetched, partners) of a rank in the middle, rows whole."""
    if ranks == 1:
        return 0.0, 0.0
    rows = economy.n / ranks
    draws = rows * economy.users
    if economy.trade is None:
        others = economy.n - rows
        return others * -math.expm1(-draws / economy.n), ranks - 1.0
    own = economy.regions // ranks
    if own < 1:
        raise ValueError(f"{economy.regions} regions for {ranks} ranks")
    far = np.arange(1, max(2, economy.regions // 2 + 1))
    chance = 1.0 / far**2
    by_distance = np.zeros(economy.regions)  # chance to fall into the region so much further on the ring
    for side in (-1, 1):
        np.add.at(by_distance, (side * far) % economy.regions, 0.5 * chance / chance.sum())
    # Draws of ``own`` adjacent regions into every region: sums over windows of the ring.
    reached = np.concatenate([[0.0], np.cumsum(np.tile(by_distance, 2))])
    at = np.arange(economy.regions) + economy.regions + 1
    abroad = draws / own * economy.trade * (reached[at] - reached[at - own])
    abroad[:own] = 0.0  # at home after all
    values = float(np.sum(_distinct(economy.goods, abroad)))
    by_rank = abroad.reshape(ranks, own).sum(axis=1)
    return values, float(np.sum(-np.expm1(-by_rank)))


def _distinct(goods: int, draws: np.ndarray) -> np.ndarray:
    """Expected number of distinct goods among so many draws of goods u^3: tabulated over draws, then interpolated."""
    return np.interp(draws, *_table(goods))


@functools.cache
def _table(goods: int) -> tuple[np.ndarray, np.ndarray]:
    share = _chance_of_user(goods)
    draws = np.concatenate([[0.0], np.geomspace(1e-3, 1e10, 400)])
    # Goods whose chances hardly differ are counted by one of them.
    step = max(1, goods // 4000)
    chances, times = (
        np.append(share[:step], share[step::step]),
        np.append(np.ones(step), np.full(share[step::step].size, step)),
    )
    times *= goods / times.sum()
    return draws, np.array([float(np.sum(-times * np.expm1(-d * chances))) for d in draws])


def _chance_of_user(goods: int) -> np.ndarray:
    """Of goods g the chance that goods u^3 falls into [g, g + 1), u uniform."""
    edges = (np.arange(goods + 1) / goods) ** (1.0 / 3.0)
    return np.diff(edges)


def grid(economy: Economy, ranks: int) -> tuple[float, float]:
    """(numbers received, partners) of a rank for one product on a grid, entries spread evenly."""
    p, q = grid_shape(ranks)
    block = economy.entries / ranks
    values = economy.n / q * -math.expm1(-block * q / economy.n) * (1.0 - 1.0 / p)
    sums = economy.n / ranks * (q - 1) * -math.expm1(-block * p / economy.n)
    return values + sums, float(p - 1 + q - 1)


def seconds(economy: Economy, ranks: int, machine: Machine) -> dict[str, Any]:
    """An iteration of PDHG on K = A: two products, 24 bytes an entry and 120 a good; the better of rows and grid."""
    local = (24.0 * economy.entries + 120.0 * economy.n) / ranks / machine.memory
    best: dict[str, Any] = {}
    for scheme, phases, (numbers, partners) in (
        ("rows", 1, halo(economy, ranks)), ("grid", 2, grid(economy, ranks)),
    ):  # fmt: skip
        moving = 0.0
        if ranks > 1:
            # Out to the host, over the network, and in again; values travel while the own part is multiplied.
            moving = 8.0 * numbers * (2.0 / machine.staging + 1.0 / machine.network)
            moving += machine.latency * partners
            moving += 0.0 if math.isinf(machine.staging) else 2.0 * COPY_START * phases
        total = 2.0 * max(local / 2.0, moving) if scheme == "rows" else local + 2.0 * moving
        if not best or total < best["seconds"]:
            best = {"scheme": scheme, "seconds": total, "local": local, "moving": 2.0 * moving,
                    "numbers": numbers, "partners": partners}  # fmt: skip
    return best


def predict() -> list[dict[str, Any]]:
    """Strong scaling of 10^10 entries and weak scaling of 10^7 and 10^8 entries a rank, with and without regions."""
    found = []
    for machine in MACHINES:
        for trade in (0.05, None):
            for goods, share in ((31_250, "10^7"), (312_500, "10^8")):  # of one of eight regions a rank; entries a rank
                single = None
                for ranks in RANKS:
                    weak = Economy(ranks * 8, goods, 40, trade)
                    one = seconds(weak, ranks, machine)
                    single = single or one["seconds"]
                    found.append({"machine": machine.name, "scaling": f"weak {share}", "trade": trade, "ranks": ranks,
                                  **one, "entries": weak.entries, "efficiency": single / one["seconds"]})  # fmt: skip
            strong = Economy(8192, 30_518, 40, trade)  # 2.5 10^8 goods, 10^10 entries
            alone = (24.0 * strong.entries + 120.0 * strong.n) / machine.memory
            for ranks in RANKS:
                one = seconds(strong, ranks, machine)
                found.append({"machine": machine.name, "scaling": "strong", "trade": trade, "ranks": ranks, **one,
                              "entries": strong.entries, "efficiency": alone / ranks / one["seconds"]})  # fmt: skip
    return found


def check(path: Path) -> list[dict[str, Any]]:
    """Counts and times of measured runs beside the model's."""
    records, found = json.loads(path.read_text()), []
    cases = [(record["ranks"], case) for record in records for case in record["cases"]]
    alone = [case for ranks, case in cases if ranks == 1]
    per_entry = min(case["seconds"]["own_part"] / case["entries_most"] for case in alone)
    for ranks, case in cases:
        economy = Economy(case["regions"], case["goods"] // case["regions"], 40, case["trade"])
        values, partners = halo(economy, ranks)
        # Half of what a rank holds is its own share of all entries; messages as measured.
        product = per_entry * case["entries_most"] + case["seconds"]["messages"]
        found.append({
            "ranks": ranks, "scaling": case["scaling"], "halo": case["halo_most"], "halo_model": values,
            "partners": case["partners_most"], "partners_model": partners,
            "product": case["seconds"]["product"], "product_model": product,
        })  # fmt: skip
    return found


def draw(predicted: list[dict[str, Any]], path: Path) -> None:
    """Efficiency over ranks of the first machine, a line for each scaling, with regions and without."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "kantor"  # the same file from the same numbers
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.0, 4.2))
    for colour, kind in zip(("tab:blue", "tab:green", "tab:red"), ("weak 10^7", "weak 10^8", "strong"), strict=True):
        for trade, style, words in ((0.05, "-", "regions"), (None, ":", "no regions")):
            lines = [line for line in predicted if (line["machine"], line["scaling"], line["trade"]) ==
                     (MACHINES[0].name, kind, trade)]  # fmt: skip
            axes.semilogx([line["ranks"] for line in lines], [line["efficiency"] for line in lines], style,
                          base=2, color=colour, label=f"{kind}, {words}")  # fmt: skip
    axes.set(xlabel="GPUs", ylabel="efficiency (predicted)", title=MACHINES[0].name, ylim=(0.0, 1.05))
    axes.legend(fontsize=8)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Print the tables, write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--figure", type=Path, help="draw the efficiencies (SVG, PNG or PDF; needs matplotlib)")
    options = parser.parse_args()
    result: dict[str, Any] = {"machines": [asdict(machine) for machine in MACHINES], "predicted": predict()}
    for line in result["predicted"]:
        kind = "regions" if line["trade"] is not None else "no structure"
        print(f"{line['machine'][:11]:11} {line['scaling']:9} {kind:12} {line['ranks']:5} ranks  "
              f"{line['entries']:.1e} entries  "
              f"{1e3 * line['seconds']:9.3f} ms  local {1e3 * line['local']:9.3f}  moving {1e3 * line['moving']:9.3f}  "
              f"{line['scheme']:4} {line['numbers']:12,.0f} numbers  efficiency {line['efficiency']:.2f}")  # fmt: skip
    if options.check is not None:
        result["checked"] = check(options.check)
        for line in result["checked"]:
            print(f"{line['scaling']:6} {line['ranks']} ranks  "
                  f"halo {line['halo']:8,} model {line['halo_model']:10,.0f}  "
                  f"partners {line['partners']} model {line['partners_model']:.1f}  product "
                  f"{1e3 * line['product']:.3f} ms model {1e3 * line['product_model']:.3f} ms")  # fmt: skip
    if options.figure is not None:
        draw(result["predicted"], options.figure)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
