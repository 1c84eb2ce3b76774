"""What every rank of mpirun runs for PETSc: the same shards, the same system (I - A) x = d, to the same residual.

python petsc_child.py FOLDER TOLERANCE KSP PC; needs petsc4py and NumPy, nothing of kantor. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import petsc4py

petsc4py.init([])
from petsc4py import PETSc  # noqa: E402 - after init


def main() -> None:
    """Read this rank's shards, assemble, solve, measure the residual apart from PETSc's own."""
    folder, tolerance, solver, preconditioner = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
    comm = PETSc.COMM_WORLD
    rank, size = comm.getRank(), comm.getSize()
    head = json.loads((folder / "shards.json").read_text())
    shards, n = head["shards"], head["n"]
    mine = shards[rank * len(shards) // size : (rank + 1) * len(shards) // size]
    first = sum(shard["rows"] for shard in shards[: rank * len(shards) // size])
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    own = sum(shard["rows"] for shard in mine)
    matrix = PETSc.Mat().create(comm)
    matrix.setSizes(((own, n), (own, n)))
    matrix.setType(PETSc.Mat.Type.AIJ)
    pieces = [np.load(folder / shard["file"]) for shard in mine]
    counts = np.concatenate([np.diff(piece["indptr"]) for piece in pieces])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(PETSc.IntType)
    indices = np.concatenate([piece["indices"] for piece in pieces]).astype(PETSc.IntType, copy=False)
    data = -np.concatenate([piece["data"] for piece in pieces])
    d = np.concatenate([piece["demand"] for piece in pieces])
    comm.barrier()
    began = time.perf_counter()
    rows = np.repeat(np.arange(own), counts)
    inside = (indices >= first) & (indices < first + own)
    at_home = np.bincount(rows[inside], minlength=own)
    matrix.setPreallocationNNZ(((at_home + 1).astype(PETSc.IntType), (counts - at_home).astype(PETSc.IntType)))
    matrix.setOption(PETSc.Mat.Option.NEW_NONZERO_ALLOCATION_ERR, False)
    each = np.arange(own + 1, dtype=PETSc.IntType)
    matrix.setValuesCSR(indptr, indices, data, addv=PETSc.InsertMode.ADD_VALUES)
    matrix.setValuesCSR(each, each[:own] + first, np.ones(own), addv=PETSc.InsertMode.ADD_VALUES)
    matrix.assemble()
    right, x = matrix.createVecLeft(), matrix.createVecRight()
    right.setArray(d)
    comm.barrier()
    prepared = time.perf_counter()
    ksp = PETSc.KSP().create(comm)
    ksp.setOperators(matrix)
    ksp.setType(solver)
    ksp.getPC().setType(preconditioner)
    ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED if solver != "gmres" else PETSc.KSP.NormType.PRECONDITIONED)
    ksp.setTolerances(rtol=tolerance, atol=0.0, max_it=10_000)
    ksp.setUp()
    ksp.solve(right, x)
    comm.barrier()
    solved = time.perf_counter()
    residual = matrix.createVecLeft()
    matrix.mult(x, residual)
    residual.aypx(-1.0, right)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {
        "seconds": solved - prepared, "prepare": prepared - began, "iterations": ksp.getIterationNumber(),
        "reason": ksp.getConvergedReason(), "residual": residual.norm() / right.norm(), "sum": x.sum(),
        "ranks": size, "peak_bytes": peak - base, "rank": rank, "first": first,
        "version": ".".join(map(str, PETSc.Sys.getVersion())),
    }  # fmt: skip
    if rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
