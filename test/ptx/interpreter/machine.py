"""Clusters of blocks, their warps and lanes, and who runs when.

The lanes of a warp that are at the same instruction are a group; the group
furthest behind runs, so that groups that parted meet again. An instruction that
lanes run together waits until all of the warp are there.

A turn is one warp running some instructions; which warp, and how many, is drawn
at random, and for some while some warps are slower than others. A warp that
waits gets no turn before what it waits for may have changed. If all wait and no
copy is in flight, they wait for ever.
"""
from typing import Optional

import numpy as np

from .copies import advance_bulk_copies, advance_thread_copies
from .memory import GlobalMemory, SharedMemory
from .instructions import build_all
from .parse import Kernel, PtxError, Register
from .races import WORD
from .values import ALL, LANES

MOST_TURNS = 20_000  # of a cluster; the kernels' take up to some thousand


class Group:
    """Lanes of a warp at one instruction."""

    def __init__(self, pc: int, lanes: np.ndarray):
        self.pc = pc
        self.lanes = ALL if lanes.all() else lanes
        # It looked for a phase of an mbarrier in vain, in that version of the
        # machine, and rests until there is another.
        self.rests_in_version = -1


class Warp:
    def __init__(self, block: "Block", index: int, number: int):
        self.block, self.cluster = block, block.cluster
        self.machine = block.cluster.machine
        self.index, self.number = index, number  # in the block, in the cluster
        self.groups = [Group(0, ALL)]
        self.group = self.groups[0]  # the one that runs
        kernel = self.machine.kernel
        self.code = kernel.instructions
        # Registers. Those without a value were not written by any lane,
        # those in `unwritten` not by some.
        self.values: list[Optional[np.ndarray]] = [None] * kernel.registers
        for register in kernel.undefined:
            garbage = self.machine.random.integers(0, 1 << 32, LANES, np.uint64) << np.uint64(register.bits // 2)
            self.values[register.index] = garbage.astype(f"uint{register.bits}")
        self.unwritten: dict[int, np.ndarray] = {}
        self.active = ALL  # the lanes of the instruction that runs
        # See races.py.
        races = self.cluster.shared.races
        self.clock = races.new_clock()
        self.clock[number] = 1
        self.async_clock = self.clock.copy()  # at the last fence.proxy.async
        # cp.async: what is in flight, and how it is waited for.
        self.copies, self.copy_epoch, self.copy_groups = [], 1, 0
        self.group_epochs: list[int] = []
        # wgmma (matrix.py): products in flight and their sums before, the
        # registers that they use, and all as they were at the last wgmma.fence.
        self.products, self.product_groups, self.products_begun = [], 0, 0
        self.sums: dict[tuple, np.ndarray] = {}
        self.locked: dict[int, str] = {}
        self.fenced: list = [None] * kernel.registers
        self.register_count = 0  # as setmaxnreg says
        self.waited_for_grid = False
        # What the warp waits for until someone ends it, and which mbarrier it
        # looked at last.
        self.waits: Optional[str] = None
        self.looks_at = None
        self.at_cluster_barrier = False
        self.turn_ends = False

    def __str__(self):
        return f"warp {self.index} of block {self.block.number}"

    # Registers.

    def read(self, register: Register) -> np.ndarray:
        value = self.values[register.index]
        if value is None:
            raise PtxError(f"{register.name} is {self.locked.get(register.index, 'read before it is written')}")
        if register.index in self.unwritten and (self.unwritten[register.index] & self.active).any():
            raise PtxError(f"{register.name} is read in lanes that did not write it")
        return value

    def write(self, register: Register, value: np.ndarray, lanes: np.ndarray) -> None:
        index = register.index
        if index in self.locked:
            raise PtxError(f"{register.name} is {self.locked[index]}")
        if lanes is ALL:
            self.unwritten.pop(index, None)
        else:
            old = self.values[index]
            if old is None:
                self.unwritten[index] = ~lanes
                old = np.zeros_like(value)
            elif index in self.unwritten:
                self.unwritten[index] = self.unwritten[index] & ~lanes
            value = np.where(lanes, value, old.view(value.dtype))
        self.values[index] = value

    # Time.

    def release(self) -> np.ndarray:
        """The clock that others get, who learn what this warp has done so far."""
        clock = self.clock.copy()
        self.clock[self.number] += 1
        return clock

    def acquire(self, clock: np.ndarray) -> None:
        own = self.clock[self.number]
        np.maximum(self.clock, clock, out=self.clock)
        self.clock[self.number] = own

    def can_run(self) -> bool:
        return self.waits is None and any(
            group.rests_in_version != self.machine.version for group in self.groups)

    def turn(self, most: int) -> None:
        """Runs up to `most` instructions."""
        self.turn_ends = False
        while most and self.groups and not self.turn_ends:
            most -= 1
            self.step()

    def step(self) -> None:
        group = self.groups[0]
        if len(self.groups) > 1 and not self.may_run(group):
            group = next((each for each in self.groups if self.may_run(each)), None)
            if group is None:
                self.turn_ends = True
                if not self.can_run():
                    return
                lines = ", ".join(str(self.code[each.pc].line) for each in self.groups)
                raise PtxError(f"{self}: its lanes are at lines {lines}, and some wait there for all")
        instruction = self.code[group.pc]
        try:
            self.run(group, instruction)
        except PtxError as error:
            raise PtxError(f"line {instruction.line}: {instruction.text}\n    {self}: {error}") from None

    def may_run(self, group: Group) -> bool:
        """For one of several groups."""
        return not self.code[group.pc].together and group.rests_in_version != self.machine.version

    def run(self, group: Group, instruction) -> None:
        self.group, self.active = group, group.lanes
        lanes = group.lanes
        if instruction.guard:
            lanes = lanes & (self.read(instruction.guard) ^ instruction.negated)
            lanes = ALL if lanes.all() else lanes
            self.active = lanes
            if instruction.together and lanes.any() and (lanes != group.lanes).any():
                raise PtxError("only some lanes run what all must")
        group.pc += 1
        if instruction.execute is None:
            self.jump(group, instruction, lanes)
        elif lanes is ALL or lanes.any():
            instruction.execute(self, lanes)
        if len(self.groups) > 1:
            self.regroup()

    def jump(self, group: Group, instruction, lanes: np.ndarray) -> None:
        """A branch, or the end, of `lanes` of the group."""
        self.groups.remove(group)
        if lanes is not group.lanes and (group.lanes & ~lanes).any():
            self.groups.append(Group(group.pc, group.lanes & ~lanes))
        if instruction.opcode == "ret":
            if not self.groups:
                self.end()
        elif lanes.any():
            to = self.machine.kernel.labels[instruction.operands[0].name]
            self.groups.append(Group(to, lanes))

    def regroup(self) -> None:
        self.groups.sort(key=lambda group: group.pc)
        for first, second in zip(self.groups, self.groups[1:]):
            if first.pc == second.pc:
                both = Group(first.pc, first.lanes | second.lanes)
                self.groups = [both] + [each for each in self.groups if each.pc != first.pc]
                return self.regroup()

    def end(self) -> None:
        if self.products:
            raise PtxError("it ends, and products of wgmma are in flight")
        self.block.end_if_done()
        self.cluster.end_barrier()


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
        if any(warp.groups for warp in self.warps):
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
