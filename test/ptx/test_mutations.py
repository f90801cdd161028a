"""Kernels with one thing wrong: each must be found out.

Usage: test_mutations.py [-v]

An instruction is taken out of a kernel's PTX, or changed, and the kernel is run
until it is refused or its result is wrong. The same kernels run as they are,
too: what finds the faults finds none there. -v shows what is found.
"""
import os
import re
import sys
import unittest

import numpy as np

from interpreter.parse import PtxError
from kernels import Launch, run_columns, run_product

SEED = int(os.environ.get("NIBBLE_TEST_SEED", np.random.SeedSequence().entropy % 2 ** 32))

MMA = "BITS=4 N%64 K%64", (34, 64, 128)
PACKED = "BITS=4 packed=128 splits=2 BLOCK_M=16 BLOCK_N=64 BLOCK_K=256 warps=4 stages=3 x@16 K%8", (9, 64, 2056)
PIPELINE = ("BITS=4 packed=128 overlap=1 prefetch=0 stages=4 warps=4 BLOCK_M=16 BLOCK_N=64 BLOCK_K=256 x@16 K%8",
            (9, 64, 1544))
WGMMA = ("BITS=4 packed=128 splits=2 prefetch=0 wgmma=1 stages=4 warps=8 BLOCK_M=64 BLOCK_N=64 BLOCK_K=256 x@16 K%8",
         (33, 64, 2056))
SCALED = ("BITS=4 packed=128 prefetch=0 wgmma=1 stages=4 warps=8 BLOCK_M=32 BLOCK_N=128 BLOCK_K=128 x@16 K%8", (9, 128, 1544))
HELD = ("BITS=4 ACT_ORDER=1 packed=128 overlap=1 prefetch=0 stages=4 warps=4 BLOCK_M=8 BLOCK_N=64 BLOCK_K=256 held=1 "
        "x@16 g_idx@16 K%8 K<=2048", (5, 64, 1536))

SORTED = "BLOCK_M=1 BLOCK_K=1024 warps=4 overlap=1 held=1 X=f16 T=f16 x@16 K%8 K<=4096", (2, 2056)

NO_WAIT = "setp.eq.u32 done, 0, 0;"

# What is wrong, in which kernel, the pattern of an instruction, what is there
# instead, and which of those that match are changed.
MUTATIONS = [
    ("no wait for what is copied", PIPELINE, r"mbarrier\.try_wait.*;", NO_WAIT, 0),
    ("no wait for what is read", PIPELINE, r"mbarrier\.try_wait.*;", NO_WAIT, 1),
    ("a wait for the wrong phase", PIPELINE, r"selp\.b32 \t(%r\d+), 1, 0,", r"selp.b32 \1, 0, 1,", 0),
    ("no wait for the others at the start", PIPELINE, r"bar\.sync \t0;", "", 0),
    ("no wait for the others before sums are written", PIPELINE, r"bar\.sync \t1, 128;", "", 0),
    ("no wait for the others before sums are read", PIPELINE, r"bar\.sync \t1, 128;", "", 1),
    ("no wait for the kernel before", PIPELINE, r"griddepcontrol\.wait;", "", 0),
    ("one thread too many brings weights", PIPELINE, r"elect\.sync.*\|(%p\d+), -1;", r"setp.eq.u32 \1, 0, 0;", 0),
    ("more bytes expected than come", PIPELINE, r"(cp\.async\.bulk.*\], )%r\d+,", r"\g<1>16,", 0),
    ("no wait for the others in the loop", MMA, r"bar\.sync \t0;", "", 0),
    ("a fragment from the wrong place", MMA, r"(ldmatrix.*\+)(\d+)\];", r"\g<1>64];", 0),
    ("a code that is one more", MMA, r"or\.b32 (.*), 1677747200;", r"or.b32 \1, 1677747201;", 0),
    ("a copy waited for a step late", PACKED, r"cp\.async\.wait_group \t1;", "cp.async.wait_group 2;", 0),
    ("sums read before the other block has them", PACKED, r"barrier\.cluster\.\w+;", "", (0, 1)),
    ("a block that ends before its sums are read", PACKED, r"barrier\.cluster\.\w+;", "", (2, 3)),
    ("sums of the wrong block", PACKED, r"(mapa.*), 1;", r"\1, 0;", 0),
    ("no fence before x is multiplied", WGMMA, r"fence\.proxy\.async.*;", "", 0),
    ("no fence before products", WGMMA, r"wgmma\.fence.*;", "", 0),
    ("no wait for products", WGMMA, r"wgmma\.wait_group.*;", "", 0),
    ("sums that go on where they begin anew", SCALED, r"x, anew,", "x, adds,", 0),
    ("no wait for those that bring x", HELD, r"bar\.sync \t0;", "", 1),
    ("no wait for the kernel that made x", HELD, r"griddepcontrol\.wait;", "", 0),
    ("a column in another's place", HELD, r"(xor\.b32 .*), 16;", r"\1, 32;", 0),
    ("columns that are not transposed", HELD, r"(ldmatrix.*)\.trans", r"\1", 0),
    ("no wait for the row that is held", SORTED, r"bar\.sync \t0;", "", 0),
    ("no wait for the kernel that made the row", SORTED, r"griddepcontrol\.wait;", "", 0),
    ("a piece in another's place", SORTED, r"(st\.shared.*\+)2048\]", r"\g<1>4096]", 0),
    ("x from the wrong columns", WGMMA, r"(add\.s64 x, .*), 2;", r"\1, 4;", 0),
]


def mutate(pattern: str, instead: str, which):
    """A function that changes the matches numbered `which` of a text."""
    which = which if isinstance(which, tuple) else (which,)

    def change(text: str) -> str:
        found = [*re.finditer(pattern, text)]
        if len(found) <= max(which):
            raise AssertionError(f"{pattern} is {len(found)} times in the kernel")
        for each in reversed([found[i] for i in which]):
            text = text[:each.start()] + each.expand(instead) + text[each.end():]
        return text
    return change


def outcome(kernel: tuple, change=lambda ptx: ptx, turn: int = 0) -> str:
    """What is found wrong with a kernel; empty if nothing is."""
    config, shape = kernel
    try:
        name = "matmul_248" if "BITS" in config else "sort_columns"
        launch = Launch(name, "sm_90a", config, np.random.default_rng([SEED, turn]), change)
        return run_product(launch, *shape) if len(shape) == 3 else run_columns(launch, name, *shape)
    except PtxError as error:
        return str(error)


class Mutations(unittest.TestCase):
    def test_kernels_as_they_are(self):
        for kernel in (MMA, PACKED, PIPELINE, WGMMA, HELD, SORTED):
            self.assertEqual(outcome(kernel), "", kernel)

    def test_faults(self):
        for what, kernel, *change in MUTATIONS:
            # What happens when is drawn at random: a fault may take another run.
            found = next(filter(None, (outcome(kernel, mutate(*change), turn) for turn in range(4))), "")
            if "-v" in sys.argv:
                print(f"{what}: {found}", flush=True)
            with self.subTest(what):
                self.assertNotEqual(found, "")


if __name__ == "__main__":
    print(f"NIBBLE_TEST_SEED={SEED}", flush=True)
    unittest.main()
