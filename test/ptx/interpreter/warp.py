"""A warp: its registers, its lanes, and one instruction after another.

The lanes that are at the same instruction are a group. The group furthest
behind runs, so that groups that parted meet again; an instruction that lanes
run together waits until all of the warp are there.
"""
from typing import Optional

import numpy as np

from .parse import PtxError, Register
from .values import ALL, LANES


class Group:
    """Lanes at one instruction."""

    def __init__(self, pc: int, lanes: np.ndarray):
        self.pc = pc
        self.lanes = ALL if lanes.all() else lanes
        # It looked for a phase of an mbarrier in vain, in that version of the
        # machine, and rests until there is another.
        self.rests_in_version = -1


class Warp:
    def __init__(self, block, index: int, number: int):
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
        # See wgmma.py: products in flight and their sums before, the
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
