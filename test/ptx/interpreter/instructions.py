"""Opcodes that move data, wait, or let others know."""
from itertools import product

import numpy as np

from .copies import Arrivals, BulkCopy, Mbarrier, ThreadCopies
from .operands import address, elements, opcode, source, spread, target, whole
from .parse import PtxError, Register
from .races import MOST_BARRIERS
from .values import ALL, LANE, LANES, TYPES

# Loads and stores.

GLOBAL_LOADS = ("global", "global.nc", "global.nc.L1::no_allocate")


def _memory(warp, space: str):
    return warp.machine.memory if space.startswith("global") else warp.cluster.shared


def _load(space: str, count: int, dtype: np.dtype):
    def build(operands):
        to = elements(operands[0])
        where, size = address(operands[1]), count * dtype.itemsize
        if len(to) != count or any(each.bits < 8 * dtype.itemsize for each in to):
            raise PtxError(f"not registers for {count} of {dtype}")

        def execute(warp, lanes):
            raw = _memory(warp, space).load(warp, where(warp)[lanes], size, lanes).view(dtype)
            for i, register in enumerate(to):
                # What a wider register has more is 0, or of s32 the sign.
                warp.write(register, spread(raw[:, i].astype(f"uint{register.bits}"), lanes), lanes)
        return execute
    return build


def _store(space: str, count: int, dtype: np.dtype):
    def build(operands):
        where = address(operands[0])
        # The low bits of a wider register may be stored.
        values = [whole(each) if isinstance(each, Register) else source(each, dtype)
                  for each in elements(operands[1])]
        if len(values) != count:
            raise PtxError(f"{len(values)} registers, not {count}")

        def execute(warp, lanes):
            raw = np.stack([each(warp)[lanes].astype(dtype) for each in values], axis=1)
            _memory(warp, space).store(warp, where(warp)[lanes], raw.view(np.uint8), lanes)
        return execute
    return build


for _count, _kind in product((1, 2, 4), ("b16", "b32", "u32", "s32", "b64")):
    _suffix = (f".v{_count}." if _count > 1 else ".") + _kind
    for _space in (*GLOBAL_LOADS, "shared", "shared::cluster"):
        opcode(f"ld.{_space}{_suffix}")(_load(_space, _count, TYPES[_kind]))
    for _space in ("global", "shared"):
        opcode(f"st.{_space}{_suffix}")(_store(_space, _count, TYPES[_kind]))


@opcode("ld.param.b64")
def _parameter(operands):
    to, name = target(operands[0], TYPES["b64"]), operands[1].base.name

    def execute(warp, lanes):
        warp.write(to, np.full(LANES, warp.machine.arguments[name], np.uint64), lanes)
    return execute


@opcode("mapa.shared::cluster.u64")
def _address_in_cluster(operands):
    to, where, block = target(operands[0], TYPES["u64"]), source(operands[1], TYPES["u64"]), \
        source(operands[2], TYPES["u32"])

    def execute(warp, lanes):
        window = (block(warp).astype(np.uint64) + np.uint64(1)) * np.uint64(warp.cluster.shared.WINDOW)
        warp.write(to, window + where(warp), lanes)
    return execute


# Barriers of threads.


@opcode("bar.sync", together=True)
def _bar_sync(operands):
    number = operands[0].value
    threads = operands[1].value if len(operands) > 1 else None
    return lambda warp, lanes: warp.block.wait_at(
        warp, number, threads or warp.machine.kernel.threads)


@opcode("barrier.cluster.arrive", together=True)
def _cluster_arrive(operands):
    def execute(warp, lanes):
        if warp.at_cluster_barrier:
            raise PtxError("it arrives twice")
        np.maximum(warp.cluster.clock, warp.release(), out=warp.cluster.clock)
        warp.at_cluster_barrier = True
        warp.cluster.end_barrier()
    return execute


@opcode("barrier.cluster.wait", together=True)
def _cluster_wait(operands):
    def execute(warp, lanes):
        if warp.at_cluster_barrier:
            warp.waits, warp.turn_ends = "the cluster's barrier", True
        else:
            warp.acquire(warp.cluster.complete)
    return execute


@opcode("elect.sync", together=True)
def _elect(operands):
    leader, elected = operands[0].elements
    if operands[1].value != -1:
        raise PtxError("a part of the warp elects")

    def execute(warp, lanes):
        if lanes is not ALL:
            raise PtxError("lanes are missing that are named in the mask")
        lane = int(warp.machine.random.integers(LANES))  # any may be
        if leader:
            warp.write(leader, np.full(LANES, lane, np.uint32), lanes)
        warp.write(elected, LANE == lane, lanes)
    return execute


@opcode("shfl.sync.idx.b32", together=True)
def _shuffle(operands):
    to, value, lane, clamp, members = operands
    if (lane.value, clamp.value, members.value) != (0, 31, -1):
        raise PtxError("only lane 0 gives, to all")
    value = source(value, TYPES["b32"])

    def execute(warp, lanes):
        if lanes is not ALL:
            raise PtxError("lanes are missing that are named in the mask")
        warp.write(to, np.full(LANES, value(warp)[0], np.uint32), lanes)
    return execute


@opcode("setmaxnreg.inc.sync.aligned.u32", "setmaxnreg.dec.sync.aligned.u32", together=True)
def _set_registers(operands):
    count = operands[0].value
    if count % 8 or not 24 <= count <= 256:
        raise PtxError(f"{count} registers")

    def execute(warp, lanes):
        warp.register_count = count
    return execute


# The grid before, and fences.


@opcode("griddepcontrol.wait")
def _grid_wait(operands):
    def execute(warp, lanes):
        warp.waited_for_grid = True
    return execute


# Others may start; whoever sees an mbarrier has passed a barrier since.
@opcode("griddepcontrol.launch_dependents", "fence.mbarrier_init.release.cluster")
def _nothing(operands):
    return lambda warp, lanes: None


@opcode("fence.proxy.async.shared::cta")
def _async_fence(operands):
    def execute(warp, lanes):
        warp.async_clock = warp.clock.copy()
    return execute


# mbarriers. The state that an arrival returns is not modelled: phases are waited
# for by their parity, and to read the register is an error.


def _by_barrier(warp, addresses: np.ndarray, lanes: np.ndarray):
    """The mbarriers that lanes name, each with how many lanes do."""
    for where, count in zip(*np.unique(addresses[lanes], return_counts=True)):
        yield warp.cluster.shared.barrier(warp, int(where)), int(count)


@opcode("mbarrier.init.shared.b64")
def _init(operands):
    where, count = address(operands[0]), source(operands[1], TYPES["u32"])

    def execute(warp, lanes):
        shared = warp.cluster.shared
        at = shared.places(warp, where(warp)[lanes], 8, 8, lanes)
        if len(at) != 1 or at[0] in shared.barriers or len(shared.barriers) == MOST_BARRIERS:
            raise PtxError("mbarriers are made one by one, once")
        shared.races.note_write(shared.words(at, 8), warp.clock, warp.number, warp.clock[warp.number])
        shared.races.opaque[shared.words(at, 8)] = True
        shared.barriers[int(at[0])] = Mbarrier(warp, len(shared.barriers), int(count(warp)[lanes][0]))
    return execute


@opcode("mbarrier.arrive.shared.b64")
def _arrive(operands):
    where = address(operands[1])

    def execute(warp, lanes):
        clock = warp.release()
        for barrier, count in _by_barrier(warp, where(warp), lanes):
            barrier.arrive(count, clock)
        warp.turn_ends = True
    return execute


@opcode("mbarrier.arrive.expect_tx.shared.b64")
def _expect(operands):
    where = address(operands[1])
    size = source(operands[2], TYPES["u32"])

    def execute(warp, lanes):
        clock, sizes = warp.release(), size(warp)
        for lane in np.nonzero(lanes)[0]:
            barrier = warp.cluster.shared.barrier(warp, int(where(warp)[lane]))
            barrier.count_bytes(int(sizes[lane]))
            barrier.arrive(1, clock)
    return execute


@opcode("mbarrier.try_wait.parity.shared.b64")
def _try_wait(operands):
    done, where = target(operands[0], TYPES["pred"]), address(operands[1])
    parity = source(operands[2], TYPES["u32"])

    def execute(warp, lanes):
        complete, rests = np.zeros(LANES, bool), True
        places, parities = where(warp), parity(warp)
        for place, odd in {(int(places[lane]), int(parities[lane])) for lane in np.nonzero(lanes)[0]}:
            barrier = warp.cluster.shared.barrier(warp, place)
            if barrier.phase % 2 == odd % 2:
                warp.looks_at = barrier
                continue
            rests = False
            # It may give up early.
            if warp.machine.random.random() < 0.9:
                complete |= (places == place) & (parities == odd)
                warp.acquire(barrier.complete)
        if rests:
            warp.group.rests_in_version = warp.machine.version
        warp.turn_ends = not complete[lanes].all()
        warp.write(done, complete, lanes)
    return execute


# Copies.


@opcode("cp.async.cg.shared.global")
def _copy(operands):
    to, where = address(operands[0]), address(operands[1])
    if operands[2].value != 16:
        raise PtxError("not 16 bytes")
    filled = source(operands[3] if len(operands) > 3 else operands[2], TYPES["u32"])

    def execute(warp, lanes):
        warp.copies.append(ThreadCopies(warp, lanes, to(warp)[lanes], where(warp)[lanes],
                                        filled(warp)[lanes].astype(np.int64)))
    return execute


@opcode("cp.async.commit_group", together=True)
def _commit(operands):
    def execute(warp, lanes):
        warp.group_epochs.append(warp.copy_epoch)
        warp.copy_epoch += 1
        warp.copy_groups += 1
    return execute


@opcode("cp.async.wait_group", together=True)
def _wait_group(operands):
    most = operands[0].value

    def execute(warp, lanes):
        last = warp.copy_groups - most  # groups before this one are waited for
        for each in warp.copies:
            if isinstance(each, ThreadCopies) and each.group < last:
                each.finish(each.lanes)
        warp.copies = [each for each in warp.copies if each.lanes.any()]
        if last > 0:
            warp.clock[warp.cluster.shared.races.copying(warp.number)] = warp.group_epochs[last - 1]
    return execute


@opcode("cp.async.mbarrier.arrive.noinc.shared.b64")
def _arrive_after_copies(operands):
    where = address(operands[0])

    def execute(warp, lanes):
        places = where(warp)
        warp.copies.append(Arrivals(warp, lanes, [
            warp.cluster.shared.barrier(warp, int(places[lane])) if lanes[lane] else None
            for lane in range(LANES)]))
        warp.copy_epoch += 1
    return execute


@opcode("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes")
def _bulk_copy(operands):
    to, where, barriers = address(operands[0]), address(operands[1]), address(operands[3])
    size = source(operands[2], TYPES["u32"])

    def execute(warp, lanes):
        for lane in np.nonzero(lanes)[0]:
            barrier = warp.cluster.shared.barrier(warp, int(barriers(warp)[lane]))
            warp.cluster.bulk_copies.append(BulkCopy(
                warp, int(to(warp)[lane]), int(where(warp)[lane]), int(size(warp)[lane]), barrier))
    return execute
