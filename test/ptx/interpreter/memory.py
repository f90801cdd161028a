"""Global and shared memory, and who may touch what.

Global memory is buffers with gaps between them; an access outside of a buffer,
not aligned to its size, a write to what the kernel only reads, or a second one
to the same place is an error.
The shared memory of a cluster's blocks begins as bytes 0xff, which are NaN as
numbers.
"""
import numpy as np

from .parse import PtxError
from .races import WORD, Races
from .values import LANES


def _refuse(bad: np.ndarray, addresses: np.ndarray, lanes: np.ndarray, why: str) -> None:
    """Raises for the first bad one of `addresses`, those of `lanes`."""
    if bad.any():
        first = np.argmax(bad)
        raise PtxError(f"lane {np.nonzero(lanes)[0][first]}: address {int(addresses[first]):#x} {why}")


def _bytes(first: np.ndarray, size: int) -> np.ndarray:
    """The indices of `size` bytes from each of `first` on."""
    return first[:, None] + np.arange(size)


class GlobalMemory:
    # Where buffers begin: addresses take all of 64 bits' arithmetic.
    BASE = 0x7F32_0000_0000
    GAP = 4096

    def __init__(self):
        self.names, self.data = [], np.zeros(0, np.uint8)
        self.written = np.zeros(0, bool)  # bytes that the kernel wrote
        self.starts, self.ends = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.writable, self.dependent = np.zeros(0, bool), np.zeros(0, bool)

    def add(self, name: str, content: np.ndarray, alignment: int, writable: bool = False,
            dependent: bool = False) -> int:
        """A buffer's address, a multiple of `alignment` and of no greater power
        of two. The kernel before on the stream writes or reads what is
        `dependent`: a kernel that overlaps it must wait before it does."""
        raw = np.ascontiguousarray(content).view(np.uint8).reshape(-1)
        start = -(-(len(self.data) + self.GAP) // (2 * alignment)) * 2 * alignment + alignment
        grown = np.full(start + len(raw) + self.GAP, 0xFF, np.uint8)
        grown[:len(self.data)] = self.data
        grown[start:start + len(raw)] = raw
        self.data, self.written = grown, np.zeros(len(grown), bool)
        self.names.append(name)
        self.starts = np.append(self.starts, start)
        self.ends = np.append(self.ends, start + len(raw))
        self.writable = np.append(self.writable, writable)
        self.dependent = np.append(self.dependent, dependent)
        return self.BASE + start

    def content(self, name: str, dtype) -> np.ndarray:
        which = self.names.index(name)
        return self.data[self.starts[which]:self.ends[which]].view(dtype)

    def places(self, warp, addresses: np.ndarray, size, alignment: int, lanes: np.ndarray,
               writes: bool = False) -> np.ndarray:
        """Where in `data` the accesses of `lanes` are, if they may be."""
        _refuse(addresses % alignment != 0, addresses, lanes, f"is not aligned to {alignment} bytes")
        at = addresses.astype(np.int64) - self.BASE
        which = np.searchsorted(self.starts, at, side="right") - 1
        outside = (which < 0) | (at + size > self.ends[which])
        if outside.any():
            first = np.argmax(outside)
            near = self.names[max(which[first], 0)]
            beyond = at[first] - self.starts[max(which[first], 0)]
            _refuse(outside, addresses, lanes,
                    f"is in no buffer: byte {beyond} of '{near}', which has "
                    f"{self.content(near, np.uint8).size}")
        if writes:
            _refuse(~self.writable[which], addresses, lanes, "is not for the kernel to write")
        if warp.machine.overlaps and not warp.waited_for_grid:
            _refuse(self.dependent[which], addresses, lanes, "is accessed before griddepcontrol.wait")
        return at

    def load(self, warp, addresses: np.ndarray, size: int, lanes: np.ndarray) -> np.ndarray:
        """[active lanes, size] bytes."""
        return self.data[_bytes(self.places(warp, addresses, size, size, lanes), size)]

    def store(self, warp, addresses: np.ndarray, raw: np.ndarray, lanes: np.ndarray) -> None:
        size = raw.shape[1]
        at = self.places(warp, addresses, size, size, lanes, writes=True)
        # Results: whoever writes one twice has not divided the work.
        _, first = np.unique(at, return_index=True)
        again = np.ones(len(at), bool)
        again[first] = False
        _refuse(again | self.written[_bytes(at, size)].any(axis=1), addresses, lanes, "is written twice")
        self.written[_bytes(at, size)] = True
        self.data[_bytes(at, size)] = raw


class SharedMemory:
    """That of a cluster. Addresses from WINDOW on are in the cluster's window,
    those of block r from (r + 1) * WINDOW on; smaller ones are the block's own."""
    WINDOW = 1 << 24

    def __init__(self, blocks: int, size: int, base: int, warps: int):
        self.size, self.base = size, base
        # Blocks lie one after another, from whole words on.
        self.pitch = -(-size // 16) * 16
        self.data = np.full(blocks * self.pitch, 0xFF, np.uint8)
        self.races = Races(warps, len(self.data))
        self.barriers = {}  # mbarriers by place

    def places(self, warp, addresses: np.ndarray, size: int, alignment: int,
               lanes: np.ndarray) -> np.ndarray:
        """Where in `data` the accesses are, if they may be."""
        addresses = addresses.astype(np.int64)
        _refuse(addresses % alignment != 0, addresses, lanes, f"is not aligned to {alignment} bytes")
        window, inside = addresses // self.WINDOW, addresses % self.WINDOW - self.base
        block = np.where(window == 0, warp.block.rank, window - 1)
        outside = (inside < 0) | (inside + size > self.size) | (block >= len(warp.cluster.blocks))
        _refuse(outside, addresses, lanes, f"is outside of the {self.size} bytes of shared memory "
                f"from {self.base:#x} on")
        return block * self.pitch + inside

    @staticmethod
    def words(at: np.ndarray, size: int) -> np.ndarray:
        """The words that races count, of `size` bytes from each place on."""
        return (at[:, None] // WORD + np.arange(-(-size // WORD))).reshape(-1)

    def load(self, warp, addresses: np.ndarray, size: int, lanes: np.ndarray) -> np.ndarray:
        """[active lanes, size] bytes."""
        at = self.places(warp, addresses, size, size, lanes)
        self.races.note_read(self.words(at, size), warp.clock, warp.number, warp.clock[warp.number])
        return self.data[_bytes(at, size)]

    def store(self, warp, addresses: np.ndarray, raw: np.ndarray, lanes: np.ndarray) -> None:
        size = raw.shape[1]
        at = self.places(warp, addresses, size, size, lanes)
        self.races.note_write(self.words(at, size), warp.clock, warp.number, warp.clock[warp.number])
        self.data[_bytes(at, size)] = raw

    def barrier(self, warp, address: int):
        """The mbarrier at `address`, which the warp knows to be ready."""
        at = int(self.places(warp, np.array([address]), 8, 8, np.ones(LANES, bool))[0])
        barrier = self.barriers.get(at)
        if barrier is None or barrier.made_in > warp.clock[barrier.maker]:
            raise PtxError(f"no mbarrier at {address:#x} is known to be ready")
        return barrier
