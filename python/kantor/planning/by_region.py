"""Plans of several ranks, divided by region: goods, techniques, and the rows and columns of the linear program."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..backends.world import active
from ..data.economy import Economy
from ..data.regions import divide_by_region
from ..solvers.program import PlanningProgram


def divide_plan(economy: Economy, program: PlanningProgram) -> None:
    """Let the ranks keep a region's goods, the techniques that make them and their consumption together.

    Nothing happens on one process, or in an economy without regions. Limits, which belong to no region, go with the
    last; so does the column of the scale.
    """
    world, regions = active(), divide_by_region(economy)
    if world is None or regions is None:
        return
    n, m, r = program.shape
    output = sp.csc_array(program.output)
    output.sort_indices()
    filled = np.diff(output.indptr) > 0
    made = np.full(m, n - 1)
    made[filled] = output.indices[output.indptr[:-1][filled]]
    last = regions[-1:]
    extra = {"scale": last, "utility": regions[program.consumed], "use": regions[:0]}[program.kind]
    world.divide_by(regions[made])
    world.divide_by(np.concatenate([regions, np.repeat(last, r)]))
    world.divide_by(np.concatenate([regions[made], extra]))
