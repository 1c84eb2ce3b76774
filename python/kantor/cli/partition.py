"""``kantor partition``: what dividing a table among ranks will cost, before anything is solved."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import OptionError
from .console import print_json, print_table, say
from .plan import Json
from .progress import steps
from .tables import Table, Year


def partition(
    table: Table,
    ranks: Annotated[list[int] | None, typer.Option(help="Numbers of ranks; repeat for several [2, 4, 16].")] = None,
    year: Year = None,
    as_json: Json = False,
) -> None:
    """Divide a table by region, by METIS and into pieces of rows; the numbers that one product with A moves.

    "rows": every rank holds whole rows and fetches values. "parts": rows more than half full are added up from every
    rank's part. "shorter": values or sums for each pair of ranks, whichever are fewer. "grid": blocks on a
    two-dimensional grid. Solves use what moves least of those no more than
    1.3 times as uneven as "rows": "used". A number is 8 bytes for each right-hand side; solves with A
    and A', linear programmes say, move about twice as many in an iteration.
    """
    import scipy.sparse as sp

    from ..backends.partition import SCHEMES, fewest, ways
    from ..data.regions import region_of_goods

    asked = ranks or [2, 4, 16]
    for size in asked:
        if size < 1:
            raise OptionError(f"--ranks {size}: expected at least 1")
    with steps(quiet=as_json) as step:
        step.begin(f"reading {table}")
        from ..data.datasets import load_economy

        economy = load_economy(table, **({} if year is None else {"year": year}))
        A = sp.csr_array(economy.input_coefficients)
        groups = region_of_goods(economy) if A.shape[0] == A.shape[1] else None
        goods = min(A.shape)
        if max(asked) > goods:
            raise OptionError(f"--ranks {max(asked)}: more than {economy.name} has goods, {goods:,}")
        found: list[dict[str, Any]] = []
        for size in asked:
            step.begin(f"dividing among {size} ranks")
            for way, schemes, why in ways(A, size, groups):
                if schemes is None:
                    say(f"kantor: {way}: {why}", quiet=size != asked[0])
                    continue
                least = fewest(schemes)
                moved = {held.scheme: held.moved for held in schemes}
                found.append({"way": way, "ranks": size, "moved": moved, "used": least.scheme,
                              "most_on_a_rank": least.most, "balance": least.balance})  # fmt: skip
    if as_json:
        print_json({"economy": economy.name, "entries": int(A.nnz), "goods": int(A.shape[0]), "partitions": found})
        return
    lines = [
        (line["way"], f"{line['ranks']}", *(f"{line['moved'][scheme]:,}" for scheme in SCHEMES), line["used"],
         f"{line['most_on_a_rank']:,}", f"{line['balance']:.2f}")
        for line in found
    ]  # fmt: skip
    head = ("divided", "ranks", *SCHEMES, "used", "most on a rank", "balance")
    print_table(f"{economy.name}: {A.shape[0]:,} goods, {A.nnz:,} entries", head, lines)
