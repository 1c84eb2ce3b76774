"""One product of a divided matrix: what a rank holds, what it fetches from others, what it adds up for them.

A rank's entries fall into three parts: *own*, rows and columns its own; *halo*, own rows, others' columns, whose values
it fetches; and *others'* rows, whose sums it sends to their owners. Values travel while the own part is multiplied.
With whole rows there are no sums to send.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .gpu_mpi import address_of, sends_from_device
from .host import HostBackend
from .partition import Indices, Layout
from .protocol import Array, Backend
from .world import World

_TAG = 11
_PIECE = 1 << 16  # entries moved at once


class Exchange:
    """Who sends whom how many values, so that every rank gets those at ``wanted`` positions: ascending and not its own.

    Made together by all ranks. ``picked``: what others want of this rank, as local indices, by rank.
    """

    def __init__(self, world: World, layout: Layout, wanted: Indices) -> None:
        from mpi4py import MPI

        counts = np.bincount(layout.owner(wanted), minlength=world.size).astype(np.int64)
        to_send = np.empty_like(counts)
        world.comm.Alltoall(counts, to_send)
        asked = np.empty(int(to_send.sum()), dtype=np.int64)
        world.comm.Alltoallv(
            [np.ascontiguousarray(wanted, dtype=np.int64), (counts, _starts(counts)), MPI.INT64_T],
            [asked, (to_send, _starts(to_send)), MPI.INT64_T],
        )
        self.picked = asked - layout.offsets[world.rank]
        self.counts, self.sends = counts, to_send


class Mail:
    """Buffers and persistent non-blocking messages for vectors (rows, *more); made alike by all ranks.

    outbox : values that others want; inbox: first those that this rank wants, then the sums that come for its rows
    partial : sums for others' rows; values, sums: the messages
    device : whether the buffers lie where the local backend's arrays do. If not, and those are no NumPy arrays, what
        travels is copied: ``staged``.
    """

    def __init__(self, product: Product, more: tuple[int, ...]) -> None:
        local, comm = product.local, product.world.comm
        there, back = product.exchange, product.back
        self.device = product.direct
        make = local.zeros if self.device else np.zeros
        arrived = 0 if back is None else back.picked.size
        self.outbox = make((there.picked.size, *more))
        self.inbox = make((product.fetched + arrived, *more))
        self.partial = None if back is None else make((int(back.counts.sum()), *more))
        self.added = local.zeros((product.rows, *more))
        width = int(np.prod(more, dtype=np.int64))
        post = lambda how, array, counts, first=0: _messages(how, array, counts, width, first)  # noqa: E731
        self.values = post(comm.Recv_init, self.inbox, there.counts) + post(comm.Send_init, self.outbox, there.sends)
        self.sums: list[Any] = []
        if back is not None:
            self.sums = post(comm.Recv_init, self.inbox, back.sends, product.fetched)
            self.sums += post(comm.Send_init, self.partial, back.counts)


def _messages(how: Any, array: Any, counts: Indices, width: int, first: int) -> list[Any]:
    """Persistent messages of so many rows from or to every rank, one after another in a buffer from row ``first``."""
    from mpi4py import MPI

    found, place = [], address_of(array) if counts.any() else 0
    for rank, (start_row, count) in enumerate(zip(first + _starts(counts), counts, strict=True)):
        if count:
            numbers = int(count) * width
            memory = MPI.buffer.fromaddress(place + int(start_row) * width * 8, numbers * 8)
            found.append(how([memory, numbers, MPI.DOUBLE], rank, _TAG))
    return found


class Product:
    """M x for the entries that this rank holds, in CSR over *positions* of rows and columns.

    held : (all rows, all columns) entries of this rank, both indices being positions
    """

    def __init__(
        self, local: Backend, world: World, held: sp.csr_array, rows: Layout, columns: Layout, values: str = "float64",
        whole_rows: bool = False, at: Indices | None = None, consume: bool = False,
    ) -> None:  # fmt: skip
        """``whole_rows``: ``held`` is (own rows, all columns) instead, and no other rank holds entries of them.

        ``at``: ``held`` is (at.size, all columns) instead, its rows being those at these ascending positions.
        ``consume``: with whole rows, ``held`` may be overwritten, which saves a copy of it.
        """
        self.local, self.world = local, world
        low, high = (int(o) for o in columns.offsets[world.rank : world.rank + 2])
        first, last = (int(o) for o in rows.offsets[world.rank : world.rank + 2])
        if not consume and not held.has_sorted_indices:
            held = held.sorted_indices()  # a copy: parts share its memory, and are sorted where they lie
        mine, others, theirs = held, None, np.zeros(0, dtype=np.int64)
        if not whole_rows:
            if at is None:
                at = np.flatnonzero(np.diff(held.indptr))
                held = sp.csr_array(held[at])
            owned = (at >= first) & (at < last)
            if not owned.all():  # else there is nothing to select, and nothing to copy
                others, theirs, held = sp.csr_array(held[~owned]), at[~owned].astype(np.int64), held[owned]
            mine = _placed(sp.csr_array(held), at[owned] - first, last - first)
        inside = (mine.indices >= low) & (mine.indices < high)
        wanted = mine.indices[~inside]
        if others is not None:
            wanted = np.concatenate([wanted, others.indices[(others.indices < low) | (others.indices >= high)]])
        wanted = np.unique(wanted)
        self.exchange = Exchange(world, columns, wanted)
        own, halo = _split(mine, inside, low, high, wanted, consume and whole_rows)
        # Sums go the other way round: as if their owners were asked for room.
        self.back = None if whole_rows else Exchange(world, rows, theirs)
        if self.back is not None and self.back.picked.size:
            # Sums that arrive are one more kind of fetched value: each is added to its row, in the order of the ranks.
            at = self.back.picked
            placed = sp.csr_array((np.ones(at.size), (at, np.arange(at.size))), shape=(last - first, at.size))
            halo = sp.csr_array(sp.hstack([halo, placed], format="csr"))
        self.fetched, self.rows, self.has_halo = wanted.size, last - first, bool(halo.nnz)
        prepare = lambda part: local.prepare(part, transpose=False, values=values)  # noqa: E731
        self.own, self.halo = prepare(own), prepare(halo)
        self.others_own = self.others_halo = None
        if others is not None and others.nnz:
            inside = (others.indices >= low) & (others.indices < high)
            self.others_own = prepare(_part(others, inside, others.indices[inside] - low, high - low))
            away = np.searchsorted(wanted, others.indices[~inside])
            self.others_halo = prepare(_part(others, ~inside, away, halo.shape[1]))
        self._mail: dict[tuple[int, ...], Mail] = {}
        self.direct = sends_from_device(local)
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

    def mail(self, more: tuple[int, ...]) -> Mail:
        """Buffers and messages for vectors (rows, *more), made at their first use."""
        if more not in self._mail:
            self._mail[more] = Mail(self, more)
        return self._mail[more]

    def times(self, x: Array, out: Array) -> None:
        """out <- M x. Collective."""
        local, mail = self.local, self.mail(tuple(x.shape[1:]))
        self._gather(x, mail)
        start(mail.values)
        local.matvec(self.own, x, out)
        wait(mail.values)
        if self.back is not None:
            self._for_others(x, mail)
            start(mail.sums)
            wait(mail.sums)
        if self.has_halo:
            local.matvec(self.halo, self._arrived(mail), mail.added)
            local.axpby(1.0, mail.added, 1.0, out)

    def _arrived(self, mail: Mail) -> Array:
        return mail.inbox if mail.device or self._pick is None else self.local.from_host(mail.inbox)

    def _gather(self, x: Array, mail: Mail) -> None:
        """What others want, into the outbox."""
        if not self.exchange.picked.size:
            return
        if self._pick is None:
            np.take(x, self.exchange.picked, axis=0, out=mail.outbox)
            return
        picked = mail.outbox if mail.device else self.local.zeros(mail.outbox.shape)
        self.local.matvec(self._pick, x, picked)
        self._deliver(picked, mail.outbox, mail)

    def _for_others(self, x: Array, mail: Mail) -> None:
        """Sums for others' rows, into ``partial``."""
        if self.others_own is None or self.others_halo is None:
            return
        local, in_place = self.local, mail.device or self._pick is None
        assert mail.partial is not None
        total = mail.partial if in_place else local.zeros(mail.partial.shape)
        added = local.zeros(mail.partial.shape)
        local.matvec(self.others_own, x, total)
        local.matvec(self.others_halo, self._arrived(mail), added)
        local.axpby(1.0, added, 1.0, total)
        self._deliver(total, mail.partial, mail)

    def _deliver(self, computed: Array, buffer: Any, mail: Mail) -> None:
        """Make what the backend computed ready to be sent from ``buffer``."""
        if mail.device:
            self.local.synchronise()
        elif self._pick is not None:
            buffer[...] = self.local.to_host(computed)


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


def _placed(matrix: sp.csr_array, at: Indices, rows: int) -> sp.csr_array:
    """The same rows at these places among so many, the others empty."""
    counts = np.zeros(rows, dtype=np.int64)
    counts[at] = np.diff(matrix.indptr)
    reached = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_array((matrix.data, matrix.indices, reached), shape=(rows, matrix.shape[1]))


def _split(
    matrix: sp.csr_array, inside: Indices, low: int, high: int, wanted: Indices, consume: bool
) -> tuple[sp.csr_array, sp.csr_array]:
    """(entries of columns low .. high - 1, entries of the columns ``wanted``), sorted within rows.

    Most entries are inside: what is counted and searched is the rest. ``consume``: the matrix's own memory is used.
    """
    away = np.flatnonzero(~inside)
    of_row = np.bincount(np.searchsorted(matrix.indptr, away, side="right") - 1, minlength=matrix.shape[0])
    halo = _csr(matrix.data[away], np.searchsorted(wanted, matrix.indices[away]), of_row, wanted.size)
    counts = np.diff(matrix.indptr) - of_row
    if consume:
        return _csr(*_compacted(matrix, inside, low), counts, high - low), halo
    columns = matrix.indices[inside] if away.size else matrix.indices
    shifted = np.subtract(columns, low, dtype=np.int32, casting="unsafe")
    return _csr(matrix.data[inside] if away.size else matrix.data, shifted, counts, high - low), halo


def _compacted(matrix: sp.csr_array, inside: Indices, low: int) -> tuple[Indices, Indices]:
    """(values, columns - low) of the entries inside, moved to the front of the matrix's own arrays piece by piece:
    memory that is new costs more time than the copying."""
    data, indices, place = matrix.data, matrix.indices, 0
    for first in range(0, data.size, _PIECE):
        keep = inside[first : first + _PIECE]
        values, columns = data[first : first + _PIECE][keep], indices[first : first + _PIECE][keep]
        data[place : place + values.size] = values
        np.subtract(columns, low, out=indices[place : place + values.size], casting="unsafe")
        place += values.size
    return data[:place], indices[:place]


def _part(matrix: sp.csr_array, keep: Indices, indices: Indices, columns: int) -> sp.csr_array:
    """The kept entries with new column indices, sorted within rows."""
    reached = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
    return _csr(matrix.data[keep], indices, np.diff(reached[matrix.indptr]), columns)


def _csr(data: Indices, indices: Indices, counts: Indices, columns: int) -> sp.csr_array:
    """From the number of entries of every row; columns int32, sorted within rows."""
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    # SciPy gives both index arrays one type: wide row pointers would make the columns wide too.
    narrow = starts.astype(np.int32) if starts[-1] < 2**31 else starts
    made = sp.csr_array((data, indices.astype(np.int32, copy=False), narrow), shape=(counts.size, columns))
    made.sort_indices()
    return made
