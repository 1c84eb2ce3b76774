"""One product of a divided matrix: what a rank holds, what it fetches from others, what it adds up with them.

A rank owns whole rows. Its entries fall into three parts: *own*, whose columns it owns too; *halo*, whose columns'
values it fetches; and its columns' part of the *full* rows (kantor.backends.partition.split_rows), whose sums all ranks
add up together. Values travel while the own part is multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .host import HostBackend
from .partition import Indices, Layout
from .protocol import Array, Backend
from .world import World

_TAG = 11


class Exchange:
    """Persistent non-blocking messages that fetch the values at ``wanted`` positions, ascending and not this rank's.

    Made together by all ranks. One set of buffers and requests for each number of right-hand sides.
    """

    def __init__(self, world: World, layout: Layout, wanted: Indices) -> None:
        from mpi4py import MPI

        self.world = world
        counts = np.bincount(layout.owner(wanted), minlength=world.size).astype(np.int64)
        to_send = np.empty_like(counts)
        world.comm.Alltoall(counts, to_send)
        asked = np.empty(int(to_send.sum()), dtype=np.int64)
        world.comm.Alltoallv(
            [np.ascontiguousarray(wanted, dtype=np.int64), (counts, _starts(counts)), MPI.INT64_T],
            [asked, (to_send, _starts(to_send)), MPI.INT64_T],
        )
        self.picked = asked - layout.offsets[world.rank]  # local indices of what others want, by rank
        self.counts, self.sends = counts, to_send
        self._ready: dict[int, tuple[np.ndarray, np.ndarray, list[Any]]] = {}

    def buffers(self, width: int) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """(to send, to receive, requests) for ``width`` right-hand sides."""
        if width not in self._ready:
            send, receive = np.empty((int(self.sends.sum()), width)), np.empty((int(self.counts.sum()), width))
            requests = []
            for counts, buffer, make in (
                (self.counts, receive, self.world.comm.Recv_init), (self.sends, send, self.world.comm.Send_init),
            ):  # fmt: skip
                for rank, (start, count) in enumerate(zip(_starts(counts), counts, strict=True)):
                    if count:
                        requests.append(make(buffer[start : start + count], rank, _TAG))
            self._ready[width] = send, receive, requests
        return self._ready[width]

    def free(self) -> None:
        """Give the requests back to MPI."""
        for _, _, requests in self._ready.values():
            for request in requests:
                request.Free()
        self._ready.clear()


class Product:
    """M x for rows of M divided among ranks.

    mine : CSR (owned rows, n) of this rank, column indices being *positions* in ``columns``; full rows are empty here
    full : CSR (full rows, owned columns), this rank's columns' part of the full rows, or None without any
    full_at : (local row, index of the full row) of those full rows that this rank owns
    """

    def __init__(
        self, local: Backend, world: World, mine: sp.csr_array, columns: Layout, values: str = "float64",
        full: sp.csr_array | None = None, full_at: tuple[Indices, Indices] | None = None,
    ) -> None:  # fmt: skip
        self.local, self.world = local, world
        low, high = (int(o) for o in columns.offsets[world.rank : world.rank + 2])
        inside = (mine.indices >= low) & (mine.indices < high)
        wanted = np.unique(mine.indices[~inside])
        own = _part(mine, inside, mine.indices[inside] - low, high - low)
        away = np.searchsorted(wanted, mine.indices[~inside])
        self.exchange = Exchange(world, columns, wanted)
        self.n_full = 0 if full is None else full.shape[0]
        halo = _part(mine, ~inside, away, wanted.size + self.n_full)
        if full_at is not None and full_at[0].size:
            at, which = full_at
            placed = sp.csr_array((np.ones(at.size), (at, wanted.size + which)), shape=halo.shape)
            halo = sp.csr_array(halo + placed)
        self.own = local.prepare(own, transpose=False, values=values)
        self.halo = local.prepare(halo, transpose=False, values=values)
        self.full = None if full is None else local.prepare(full, transpose=False, values=values)
        self.fetched, self.has_halo = wanted.size, bool(halo.nnz)
        self.nnz = own.nnz + halo.nnz + (0 if full is None else full.nnz)
        self._pick = None
        if not isinstance(local, HostBackend):
            # The contract has no gather; a product with ones picks the same values, exactly, where they are.
            picked = self.exchange.picked
            ones = sp.csr_array((np.ones(picked.size), picked, np.arange(picked.size + 1)), shape=(picked.size, high - low))
            self._pick = local.prepare(ones, transpose=False)

    def few_products(self) -> None:
        """As Backend.few_products."""
        for op in (self.own, self.halo, self.full):
            if op is not None:
                self.local.few_products(op)

    def times(self, x: Array, out: Array) -> None:
        """out <- M x. Collective."""
        local, width = self.local, 1 if len(x.shape) == 1 else int(x.shape[1])
        send, receive, requests = self.exchange.buffers(width)
        if send.size:
            self._gather(x, send)
        for request in requests:
            request.Start()
        sums, pending = self._start_full(x, width)
        local.matvec(self.own, x, out)
        _wait(requests)
        if pending is not None:
            pending.Wait()
        if not self.has_halo:
            return
        fetched = receive
        if sums is not None:
            total = sums[0].copy()
            for part in sums[1:]:
                total += part
            fetched = np.concatenate([receive, total])
        values = local.from_host(fetched[:, 0] if len(x.shape) == 1 else fetched)
        added = local.zeros(out.shape)
        local.matvec(self.halo, values, added)
        local.axpby(1.0, added, 1.0, out)

    def _gather(self, x: Array, send: np.ndarray) -> None:
        if self._pick is None:
            np.take(x if len(x.shape) == 2 else x[:, None], self.exchange.picked, axis=0, out=send)
            return
        picked = self.local.zeros(send.shape if len(x.shape) == 2 else send.shape[0])
        self.local.matvec(self._pick, x, picked)
        send[...] = self.local.to_host(picked).reshape(send.shape)

    def _start_full(self, x: Array, width: int) -> tuple[np.ndarray | None, Any]:
        """Begin to exchange the parts of the full rows' sums: (parts of all ranks, request)."""
        if self.full is None:
            return None, None
        shape = self.n_full if len(x.shape) == 1 else (self.n_full, width)
        part = self.local.zeros(shape)
        self.local.matvec(self.full, x, part)
        mine = np.ascontiguousarray(self.local.to_host(part)).reshape(self.n_full, width)
        parts = np.empty((self.world.size, self.n_full, width))
        return parts, self.world.comm.Iallgather(mine, parts)


def _wait(requests: list[Any]) -> None:
    if requests:
        type(requests[0]).Waitall(requests)


def _starts(counts: Indices) -> Indices:
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)


def _part(matrix: sp.csr_array, keep: Indices, indices: Indices, columns: int) -> sp.csr_array:
    """The kept entries with new column indices, sorted within rows."""
    reached = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
    part = sp.csr_array(
        (matrix.data[keep], indices.astype(np.int32), reached[matrix.indptr]), shape=(matrix.shape[0], columns)
    )
    part.sort_indices()
    return part
