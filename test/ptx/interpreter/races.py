"""Accesses to shared memory that nothing puts in order.

Each warp is an agent that counts: its epoch grows whenever it lets others know
of what it has done, at a barrier. Its clock holds, of every agent, the epoch up
to which the warp knows it to be done. Each word of shared memory keeps the
agent and epoch of its last write, and the epoch in which each agent read it
last. An access to what an agent did after the epoch in one's clock is a race,
however the warps happened to run this time.

What happens beside a warp has agents of its own, which count steps that end
together: the cp.async copies of a warp, the reads of shared memory by its
wgmma, and the bulk copies that an mbarrier counts. Lanes of one warp are one
agent: races between them are not seen.
"""
import numpy as np

from .parse import PtxError

MOST_BARRIERS = 64
WORD = 4


class Races:
    def __init__(self, warps: int, size: int):
        self.warps = warps
        self.agents = 3 * warps + MOST_BARRIERS
        self.writer = np.zeros(size // WORD, np.int16)
        self.written = np.zeros(size // WORD, np.int32)
        # Bulk copies read none of it.
        self.read = np.zeros((size // WORD, 3 * warps), np.int32)
        self.opaque = np.zeros(size // WORD, bool)  # mbarriers

    def copying(self, warp: int) -> int:
        return self.warps + warp

    def multiplying(self, warp: int) -> int:
        return 2 * self.warps + warp

    def bulk(self, barrier: int) -> int:
        return 3 * self.warps + barrier

    def new_clock(self) -> np.ndarray:
        return np.zeros(self.agents, np.int32)

    def name(self, agent: int) -> str:
        if agent >= 3 * self.warps:
            return f"a bulk copy of mbarrier {agent - 3 * self.warps}"
        kind, warp = divmod(agent, self.warps)
        return ("warp {}", "cp.async of warp {}", "wgmma of warp {}")[kind].format(warp) + " of the cluster"

    def check_read(self, words: np.ndarray, clock: np.ndarray) -> None:
        """Refuses words whose last write is not known in `clock` to be done."""
        if self.opaque[words].any():
            raise PtxError("an mbarrier is accessed as numbers")
        writer = self.writer[words]
        late = self.written[words] > clock[writer]
        if late.any():
            raise PtxError(f"race: {self.name(writer[late][0])} wrote what is accessed, "
                           "and no barrier is between")

    def note_read(self, words: np.ndarray, clock: np.ndarray, agent: int, epoch: int) -> None:
        self.check_read(words, clock)
        self.read[words, agent] = epoch

    def note_write(self, words: np.ndarray, clock: np.ndarray, agent: int, epoch: int) -> None:
        self.check_read(words, clock)
        late = self.read[words] > clock[:3 * self.warps]
        if late.any():
            reader = np.nonzero(late.any(axis=0))[0][0]
            raise PtxError(f"race: {self.name(reader)} reads what is written, "
                           "and no barrier is between")
        self.writer[words] = agent
        self.written[words] = epoch
