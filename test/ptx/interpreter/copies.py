"""Asynchronous copies to shared memory, and the mbarriers that count them.

A copy is checked when it begins, and done at some later time that is drawn at
random, lane by lane or piece by piece: what does not wait for it finds what was
there before. One that is never waited for is still in flight at the end.
"""
import numpy as np

from .parse import PtxError
from .values import LANES

PIECE = 16  # bytes: what a copy's size and addresses are multiples of


class Mbarrier:
    """Counts arrivals, and bytes of bulk copies, until a phase is complete."""

    def __init__(self, warp, number: int, count: int):
        self.machine, self.number, self.count = warp.machine, number, count
        self.maker, self.made_in = warp.number, warp.clock[warp.number]
        self.pending, self.bytes, self.phase = count, 0, 0
        # What those who arrived have done: of this phase, and of complete ones.
        races = warp.cluster.shared.races
        self.agent, self.arrived, self.complete = races.bulk(number), races.new_clock(), races.new_clock()

    def arrive(self, times: int, clock: np.ndarray) -> None:
        self.pending -= times
        if self.pending < 0:
            raise PtxError(f"mbarrier {self.number}: {-self.pending} more arrivals than its {self.count}")
        np.maximum(self.arrived, clock, out=self.arrived)
        self.end_phase()

    def count_bytes(self, change: int) -> None:
        """More bytes are expected, or fewer, as they have come."""
        self.bytes += change
        self.end_phase()

    def end_phase(self) -> None:
        if self.pending == 0 and self.bytes == 0:
            self.pending, self.phase = self.count, self.phase + 1
            self.arrived[self.agent] = self.phase
            self.complete = self.arrived.copy()
            self.machine.version += 1

    def __str__(self):
        return (f"mbarrier {self.number} in phase {self.phase}: {self.pending} of {self.count} "
                f"arrivals and {self.bytes} bytes to come")


class ThreadCopies:
    """One cp.async of a warp: 16 bytes a lane, the last of them 0."""

    def __init__(self, warp, lanes: np.ndarray, to: np.ndarray, source: np.ndarray, filled: np.ndarray):
        shared = warp.cluster.shared
        self.memory, self.shared, self.lanes = warp.machine.memory, shared, lanes.copy()
        self.group = warp.copy_groups  # groups that its lanes committed before
        self.to, self.source, self.filled = (np.zeros(LANES, np.int64) for _ in range(3))
        self.to[lanes] = shared.places(warp, to, PIECE, PIECE, lanes)
        self.filled[lanes] = filled
        reads = lanes.copy()
        reads[lanes] = filled > 0
        self.source[reads] = self.memory.places(warp, source[filled > 0], filled[filled > 0], PIECE, reads)
        shared.races.note_write(shared.words(self.to[lanes], PIECE), warp.clock,
                                shared.races.copying(warp.number), warp.copy_epoch)

    def finish(self, lanes: np.ndarray) -> None:
        raw = self.memory.data[self.source[lanes][:, None] + np.arange(PIECE)]
        raw[np.arange(PIECE) >= self.filled[lanes][:, None]] = 0
        self.shared.data[self.to[lanes][:, None] + np.arange(PIECE)] = raw
        self.lanes = self.lanes & ~lanes


class Arrivals:
    """One cp.async.mbarrier.arrive.noinc: each lane's, when its copies before are
    done. It lets know of these, and of nothing else that the lane has done."""

    def __init__(self, warp, lanes: np.ndarray, barriers: list):
        self.lanes, self.barriers = lanes.copy(), barriers
        self.clock = warp.cluster.shared.races.new_clock()
        self.clock[warp.cluster.shared.races.copying(warp.number)] = warp.copy_epoch

    def finish(self, lanes: np.ndarray) -> None:
        self.lanes = self.lanes & ~lanes
        for lane in np.nonzero(lanes)[0]:
            self.barriers[lane].arrive(1, self.clock)


class BulkCopy:
    """One cp.async.bulk of one thread."""

    def __init__(self, warp, to: int, source: int, size: int, barrier: Mbarrier):
        if size <= 0 or size % PIECE:
            raise PtxError(f"a bulk copy of {size} bytes")
        one = np.arange(LANES) == 0
        shared = warp.cluster.shared
        self.memory, self.shared, self.barrier, self.left = warp.machine.memory, shared, barrier, size
        at = shared.places(warp, np.array([to]), size, PIECE, one)
        self.to = int(at[0])
        self.source = int(self.memory.places(warp, np.array([source]), size, PIECE, one)[0])
        shared.races.note_write(shared.words(at, size), warp.clock, barrier.agent, barrier.phase + 1)

    def advance(self, size: int) -> None:
        """The next `size` bytes, counted from the end."""
        self.left -= size
        self.shared.data[self.to + self.left:self.to + self.left + size] = \
            self.memory.data[self.source + self.left:self.source + self.left + size]
        self.barrier.count_bytes(-size)


def advance_thread_copies(copies: list, random: np.random.Generator, rate: float) -> list:
    """Lets some lanes' copies be done; those that are not yet."""
    before = np.zeros(LANES, bool)  # lanes with copies in flight
    for each in copies:
        done = each.lanes & (random.random(LANES) < rate)
        if isinstance(each, Arrivals):
            done &= ~before
        if done.any():
            each.finish(done)
        before |= each.lanes
    return [each for each in copies if each.lanes.any()]


def advance_bulk_copies(copies: list, random: np.random.Generator, rate: float) -> list:
    for each in copies:
        if random.random() < rate:
            each.advance(PIECE * int(random.integers(1, each.left // PIECE + 1)))
    return [each for each in copies if each.left]
