"""Clusters of blocks, and which warp runs when.

A turn is one warp running some instructions; which warp, and how many, is drawn
at random, and for some while some warps are slower than others. A warp that
waits gets no turn before what it waits for may have changed. If all wait and no
copy is in flight, they wait for ever.
"""
import numpy as np

from . import arithmetic, instructions, matrix, wgmma  # noqa: F401, they fill the table of opcodes
from .copies import advance_bulk_copies, advance_thread_copies
from .memory import GlobalMemory, SharedMemory
from .operands import build_all
from .parse import Kernel, PtxError
from .races import WORD
from .values import LANES
from .warp import Warp

MOST_TURNS = 20_000  # of a cluster; the kernels' take up to some thousand


class Block:
    def __init__(self, cluster: "Cluster", number: int, rank: int):
        self.cluster, self.number, self.rank = cluster, number, rank
        self.named: dict[int, list] = {}  # who waits at which named barrier
        self.products: dict[int, list] = {}  # what each four warps multiplied by
        count = cluster.machine.kernel.threads // LANES
        self.warps = [Warp(self, index, rank * count + index) for index in range(count)]

    def wait_at(self, warp: Warp, number: int, threads: int) -> None:
        """bar.sync of `threads` threads at barrier `number`."""
        waiting = self.named.setdefault(number, [])
        waiting.append((warp, threads))
        if any(count != threads for _, count in waiting):
            raise PtxError(f"barrier {number} is waited at for {[count for _, count in waiting]} threads")
        if len(waiting) * LANES < threads:
            warp.waits = f"barrier {number}, where {len(waiting)} warps of {threads} threads are"
            warp.turn_ends = True
            return
        clocks = np.max([each.release() for each, _ in waiting], axis=0)
        for each, _ in waiting:
            each.acquire(clocks)
            each.waits = None
        del self.named[number]

    def end_if_done(self) -> None:
        """With a block ends its shared memory, which others must have read."""
        if len(self.cluster.blocks) == 1 or any(warp.groups for warp in self.warps):
            return
        shared, last = self.cluster.shared, self.warps[-1]
        words = np.arange(self.rank * shared.pitch, (self.rank + 1) * shared.pitch, WORD) // WORD
        clock = np.max([warp.clock for warp in self.warps], axis=0)
        shared.races.note_write(words[~shared.races.opaque[words]], clock, last.number, clock[last.number])


class Cluster:
    """The blocks of a cluster; each block is one where the kernel has none."""

    def __init__(self, machine: "Machine", first: int):
        self.machine = machine
        random, kernel = machine.random, machine.kernel
        # Dynamic shared memory begins at a multiple of its alignment.
        base = 1024 + 128 * int(random.integers(8))
        count = kernel.threads // LANES * kernel.cluster
        self.shared = SharedMemory(kernel.cluster, machine.shared_bytes, base, count)
        self.bulk_copies: list = []
        self.clock, self.complete = self.shared.races.new_clock(), None
        self.blocks = [Block(self, first + rank, rank) for rank in range(kernel.cluster)]
        self.warps = [warp for block in self.blocks for warp in block.warps]

    def end_barrier(self) -> None:
        """Ends barrier.cluster if all arrived who have not ended."""
        live = [warp for warp in self.warps if warp.groups]
        if live and all(warp.at_cluster_barrier for warp in live):
            self.complete = self.clock.copy()
            for warp in live:
                warp.at_cluster_barrier = False
                if warp.waits:
                    warp.acquire(self.complete)
                    warp.waits = None

    def run(self) -> None:
        random = self.machine.random
        rate = random.choice((0.05, 0.3, 0.9))  # how fast copies are
        turns, speeds = 0, None
        while live := [warp for warp in self.warps if warp.groups]:
            ready = [warp for warp in live if warp.can_run()]
            if turns % 64 == 0:
                speeds = random.random(len(self.warps)) ** 3
            turns += 1
            if turns > MOST_TURNS:
                raise PtxError(f"{live[0]} runs for ever, at line {live[0].code[live[0].groups[0].pc].line}")
            if ready:
                chances = random.random(len(ready)) * speeds[[warp.number for warp in ready]]
                ready[np.argmax(chances)].turn(int(4 ** random.integers(1, 5)))
            elif not self.copies_in_flight():
                raise PtxError("all wait for ever:\n" + "\n".join(
                    f"    {warp} at line {warp.code[warp.groups[0].pc].line}: "
                    f"{warp.waits or warp.looks_at}" for warp in live))
            if not ready or random.random() < 0.3:
                self.advance_copies(rate)
        if self.copies_in_flight():
            raise PtxError("the block ends, and copies are in flight")
        counts = [warp.register_count for warp in self.warps]
        if any(counts) and (0 in counts or sum(counts) * LANES > 65536 * len(self.blocks)):
            raise PtxError(f"setmaxnreg leaves warps with {counts} registers a thread")

    def copies_in_flight(self) -> bool:
        return bool(self.bulk_copies) or any(warp.copies for warp in self.warps)

    def advance_copies(self, rate: float) -> None:
        random = self.machine.random
        self.bulk_copies = advance_bulk_copies(self.bulk_copies, random, rate)
        for warp in self.warps:
            if warp.copies:
                warp.copies = advance_thread_copies(warp.copies, random, rate)


class Machine:
    """One launch of a kernel."""

    def __init__(self, kernel: Kernel, memory: GlobalMemory, arguments: list[int],
                 shared_bytes: int, random: np.random.Generator, overlaps: bool = False):
        """`overlaps`: the kernel before on the stream may still run."""
        build_all(kernel)
        self.kernel, self.memory, self.random = kernel, memory, random
        self.shared_bytes, self.overlaps = shared_bytes, overlaps
        self.arguments = dict(zip(kernel.parameters, arguments, strict=True))
        self.version = 0  # counts phases of mbarriers

    def run(self, blocks: int) -> None:
        """Runs all blocks, cluster after cluster in any order."""
        with np.errstate(all="ignore"):
            for first in self.random.permutation(blocks // self.kernel.cluster):
                Cluster(self, int(first) * self.kernel.cluster).run()
