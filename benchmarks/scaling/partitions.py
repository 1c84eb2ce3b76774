"""What dividing real and generated economies moves: python benchmarks/scaling/partitions.py [-o FILE]

Numbers of one product with A (kantor.backends.partition.compare) for 4, 16 and 64 ranks, by region where there
are some, by METIS and in contiguous pieces; decision 0011 and the model of docs/scaling.md read the result.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import kantor as kt
from kantor.backends.partition import ways
from kantor.bench.machine import describe
from kantor.data.regional import regional_rows

RANKS = (4, 16, 64)


def economies() -> Iterator[tuple[str, Any, Any]]:
    """(name, A in CSR, groups or None)."""
    world = kt.load_economy("wiod2013")
    yield "wiod2013", world.input_coefficients, world.products.get_level_values("region").factorize()[0]
    sectors = kt.load_economy("us_useeio_2012_411")
    yield "expanded US, 10,000 products", kt.expand(sectors, 10_000, seed=1).input_coefficients, None
    yield "power law, 5,000 industries", kt.power_law(5_000).input_coefficients, None
    for name, trade in (("regional, 5 % trade", 0.05), ("without regions", None)):
        rows = [regional_rows(r, 64, 400, trade=trade)[0] for r in range(64)]
        yield f"{name}, 64 x 400 goods", sp.vstack(rows), np.repeat(np.arange(64), 400)


def main() -> None:
    """Compute and print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    found = []
    for name, A, groups in economies():
        A = sp.csr_array(A)
        print(f"{name}: {A.shape[0]:,} goods, {A.nnz:,} entries")
        for size in RANKS:
            for way, schemes, why in ways(A, size, groups):
                if schemes is None:
                    print(f"  {way}: {why}")
                    continue
                for held in schemes:
                    facts = {"scheme": held.scheme, "values": held.values, "sums": held.sums, "most": held.most}
                    facts |= {"economy": name, "goods": A.shape[0], "entries": int(A.nnz)}
                    found.append({**facts, "ranks": size, "way": way, "balance": held.balance})
                words = "  ".join(f"{held.scheme} {held.moved:9,} ({held.balance:.2f})" for held in schemes)
                print(f"  {size:3} {way:10} {words}", flush=True)
    if options.output is not None:
        options.output.write_text(json.dumps({"machine": describe(), "partitions": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
