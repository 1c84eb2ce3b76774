"""One product of a divided matrix: what a rank holds, what it fetches from others, what it adds up for them.

A rank's entries fall into three parts: *own*, rows and columns its own; *halo*, own rows, others' columns, whose values
it fetches; and *others'* rows, whose sums it sends to their owners. Values travel while the own part is multiplied.
With whole rows there are no sums to send.
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
            self._ready[width] = _buffers(self.world, self.sends, self.counts, width)
        return self._ready[width]


def _buffers(
    world: World, to_send: Indices, to_receive: Indices, width: int
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Buffers and persistent requests for so many rows to and from every rank."""
    send, receive = np.empty((int(to_send.sum()), width)), np.empty((int(to_receive.sum()), width))
    requests = []
    for counts, buffer, make in ((to_receive, receive, world.comm.Recv_init), (to_send, send, world.comm.Send_init)):
        for rank, (start, count) in enumerate(zip(_starts(counts), counts, strict=True)):
            if count:
                requests.append(make(buffer[start : start + count], rank, _TAG))
    return send, receive, requests


class Sums:
    """The reverse of an exchange: a rank's sums for others' rows go to their owners."""

    def __init__(self, world: World, layout: Layout, theirs: Indices) -> None:
        # As if the owners fetched: they are asked for room, so the lists of both sides are those of an Exchange.
        self.plan = Exchange(world, layout, theirs)
        self._ready: dict[int, tuple[np.ndarray, np.ndarray, list[Any]]] = {}

    def buffers(self, width: int) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """(to send, to receive, requests): what an exchange fetches is sent here, and the other way round."""
        if width not in self._ready:
            self._ready[width] = _buffers(self.plan.world, self.plan.counts, self.plan.sends, width)
        return self._ready[width]


class Product:
    """M x for the entries that this rank holds, in CSR over *positions* of rows and columns.

    held : (all rows, all columns) entries of this rank, both indices being positions
    """

    def __init__(
        self, local: Backend, world: World, held: sp.csr_array, rows: Layout, columns: Layout, values: str = "float64",
        whole_rows: bool = False,
    ) -> None:  # fmt: skip
        """``whole_rows``: ``held`` is (own rows, all columns) instead, and no other rank holds entries of them."""
        self.local, self.world = local, world
        low, high = (int(o) for o in columns.offsets[world.rank : world.rank + 2])
        first, last = (int(o) for o in rows.offsets[world.rank : world.rank + 2])
        theirs = np.zeros(0, dtype=np.int64)
        mine = held
        if not whole_rows:
            filled = np.diff(held.indptr) > 0
            filled[first:last] = False
            theirs = np.flatnonzero(filled)
            mine = sp.csr_array(held[first:last])
        inside = (mine.indices >= low) & (mine.indices < high)
        others = None if whole_rows else sp.csr_array(held[theirs])
        wanted = mine.indices[~inside]
        if others is not None:
            wanted = np.concatenate([wanted, others.indices[(others.indices < low) | (others.indices >= high)]])
        wanted = np.unique(wanted)
        self.exchange = Exchange(world, columns, wanted)
        own = _part(mine, inside, mine.indices[inside] - low, high - low)
        halo = _part(mine, ~inside, np.searchsorted(wanted, mine.indices[~inside]), wanted.size)
        self.sums = None if whole_rows else Sums(world, rows, theirs)
        if self.sums is not None and self.sums.plan.picked.size:
            # Sums that arrive are one more kind of fetched value: each is added to its row, in the order of the ranks.
            at = self.sums.plan.picked
            placed = sp.csr_array((np.ones(at.size), (at, np.arange(at.size))), shape=(last - first, at.size))
            halo = sp.csr_array(sp.hstack([halo, placed], format="csr"))
        self.fetched, self.has_halo = wanted.size, bool(halo.nnz)
        prepare = lambda part: local.prepare(part, transpose=False, values=values)  # noqa: E731
        self.own, self.halo = prepare(own), prepare(halo)
        self.others_own = self.others_halo = None
        if others is not None and others.nnz:
            inside = (others.indices >= low) & (others.indices < high)
            self.others_own = prepare(_part(others, inside, others.indices[inside] - low, high - low))
            away = np.searchsorted(wanted, others.indices[~inside])
            self.others_halo = prepare(_part(others, ~inside, away, wanted.size))
        self._pick = None
        if not isinstance(local, HostBackend):
            # The contract has no gather; a product with ones picks the same values, exactly, where they are.
            picked = self.exchange.picked
            ones = sp.csr_array(
                (np.ones(picked.size), picked, np.arange(picked.size + 1)), shape=(picked.size, high - low)
            )
            self._pick = local.prepare(ones, transpose=False)

    def few_products(self) -> None:
        """As Backend.few_products."""
        for op in (self.own, self.halo, self.others_own, self.others_halo):
            if op is not None:
                self.local.few_products(op)

    def times(self, x: Array, out: Array) -> None:
        """out <- M x. Collective."""
        local, flat = self.local, len(x.shape) == 1
        width = 1 if flat else int(x.shape[1])
        send, receive, requests = self.exchange.buffers(width)
        if send.size:
            self._gather(x, send)
        start(requests)
        local.matvec(self.own, x, out)
        wait(requests)
        put = lambda array: local.from_host(array[:, 0] if flat else array)  # noqa: E731
        if self.sums is not None:
            partial, arrived, requests = self.sums.buffers(width)
            if self.others_own is not None:
                partial[...] = self._for_others(x, put(receive), partial.shape[0]).reshape(partial.shape)
            start(requests)
            wait(requests)
            receive = np.concatenate([receive, arrived]) if arrived.size else receive
        if self.has_halo:
            added = local.zeros(out.shape)
            local.matvec(self.halo, put(receive), added)
            local.axpby(1.0, added, 1.0, out)

    def _for_others(self, x: Array, fetched: Array, count: int) -> np.ndarray:
        """Sums for others' rows."""
        assert self.others_own is not None
        assert self.others_halo is not None
        local, shape = self.local, (count, *x.shape[1:])
        total, added = local.zeros(shape), local.zeros(shape)
        local.matvec(self.others_own, x, total)
        local.matvec(self.others_halo, fetched, added)
        local.axpby(1.0, added, 1.0, total)
        return local.to_host(total)

    def _gather(self, x: Array, send: np.ndarray) -> None:
        if self._pick is None:
            np.take(x if len(x.shape) == 2 else x[:, None], self.exchange.picked, axis=0, out=send)
            return
        picked = self.local.zeros(send.shape if len(x.shape) == 2 else send.shape[0])
        self.local.matvec(self._pick, x, picked)
        send[...] = self.local.to_host(picked).reshape(send.shape)


def start(requests: list[Any]) -> None:
    """Let persistent messages go."""
    for request in requests:
        request.Start()


def wait(requests: list[Any]) -> None:
    """Until all of them are done."""
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
