"""Tests of the interpreter: small kernels whose result, or error, is known.

Who holds which element of a matrix is written here as the PTX ISA's text has
it, lane by lane ("Matrix Fragments for mma.m16n8k16", "Register Fragments for
wgmma.mma_async.m64nNk16", "Strides" and "Swizzling Modes").
"""
import os
import unittest
import unittest.mock

import numpy as np

from interpreter.machine import Machine
from interpreter.memory import GlobalMemory
from interpreter.parse import PtxError, parse

SEED = int(os.environ.get("NIBBLE_TEST_SEED", np.random.SeedSequence().entropy % 2 ** 32))

HEAD = """.visible .entry test(
	.param .u64 test_param_0,
	.param .u64 test_param_1
)
.reqntid {threads}
{{
	.reg .pred %p<10>;
	.reg .b16 %rs<10>;
	.reg .b32 %r<300>;
	.reg .b64 %rd<30>;
	ld.param.b64 %rd1, [test_param_0];
	ld.param.b64 %rd2, [test_param_1];
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd3, %r1, 4;
	add.s64 %rd1, %rd1, %rd3;
	add.s64 %rd2, %rd2, %rd3;
	mov.b64 %rd4, test_shared;
	add.s64 %rd5, %rd4, %rd3;
"""


def run(body: str, words=None, results: int = 1, threads: int = 32, shared: int = 0) -> np.ndarray:
    """Runs `body`, where word i of thread t is at [%rd1 + 4 * threads * i], and
    result i at [%rd2 + ...]; %rd4 is shared memory, %rd5 word t of it."""
    memory = GlobalMemory()
    words = np.zeros((1, threads), np.uint32) if words is None else words
    arguments = [memory.add("words", words.astype(np.uint32), 256),
                 memory.add("results", np.zeros(results * threads, np.uint32), 256, writable=True)]
    kernel = parse(HEAD.format(threads=threads) + body + "\nret;\n}\n")
    Machine(kernel, memory, arguments, shared, np.random.default_rng(SEED)).run(1)
    return memory.content("results", np.uint32).reshape(results, threads)


def loads(first: int, count: int, threads: int = 32, begin: int = 0) -> str:
    """Words begin, ... to registers first, ..."""
    return "\n".join(f"ld.global.b32 %r{first + i}, [%rd1+{4 * threads * (begin + i)}];" for i in range(count))


def stores(first: int, count: int, threads: int = 32) -> str:
    return "\n".join(f"st.global.b32 [%rd2+{4 * threads * i}], %r{first + i};" for i in range(count))


def registers(first: int, count: int) -> str:
    return "{" + ", ".join(f"%r{first + i}" for i in range(count)) + "}"


def pattern(number: float, kind: str) -> int:
    """The bits of a number that f16 and bf16 hold."""
    if kind == "f16":
        return int(np.float16(number).view(np.uint16))
    return int(np.float32(number).view(np.uint32)) >> 16


def pair(low: float, high: float, kind: str) -> int:
    return pattern(low, kind) | pattern(high, kind) << 16


class Fragments(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(SEED)

    def numbers(self, *shape: int) -> np.ndarray:
        return self.random.integers(-8, 9, shape) / 4.0

    @staticmethod
    def words_of_a(a: np.ndarray, lane: int, kind: str) -> list:
        group, thread = lane >> 2, lane % 4
        element = [a[group if i < 2 or 4 <= i < 6 else group + 8,
                     thread * 2 + (i & 1) + (0 if i < 4 else 8)] for i in range(8)]
        return [pair(element[i], element[i + 1], kind) for i in range(0, 8, 2)]

    def test_mma(self):
        for kind in ("f16", "bf16"):
            a, b, c = self.numbers(16, 16), self.numbers(16, 8), self.numbers(16, 8)
            words = np.zeros((10, 32), np.uint32)
            for lane in range(32):
                group, thread = lane >> 2, lane % 4
                words[:4, lane] = self.words_of_a(a, lane, kind)
                element = [b[thread * 2 + (i & 1) + (0 if i < 2 else 8), group] for i in range(4)]
                words[4:6, lane] = [pair(*element[:2], kind), pair(*element[2:], kind)]
                words[6:, lane] = [np.float32(c[group + (0 if i < 2 else 8), thread * 2 + (i & 1)]).view(np.uint32)
                                   for i in range(4)]
            body = (f"{loads(10, 10)}\nmma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32 {registers(20, 4)}, "
                    f"{registers(10, 4)}, {registers(14, 2)}, {registers(16, 4)};\n{stores(20, 4)}")
            got, expected = run(body, words, 4).view(np.float32), a @ b + c
            for lane in range(32):
                for i in range(4):
                    self.assertEqual(got[i, lane], expected[(lane >> 2) + (0 if i < 2 else 8), lane % 4 * 2 + (i & 1)])

    def test_ldmatrix(self):
        for trans in ("", ".trans"):
            matrices = self.random.integers(0, 1 << 16, (4, 8, 8))
            # Row j of matrix i is at row 8 i + j, whose address lane 8 i + j gives.
            rows = matrices.reshape(32, 8)
            words = np.array([[row[2 * i] | row[2 * i + 1] << 16 for row in rows] for i in range(4)], np.uint32)
            body = (f"{loads(10, 4)}\nmul.wide.u32 %rd6, %r1, 16;\nadd.s64 %rd6, %rd4, %rd6;\n"
                    f"st.shared.v4.b32 [%rd6], {registers(10, 4)};\nbar.sync 0;\n"
                    f"ldmatrix.sync.aligned.m8n8.x4{trans}.shared.b16 {registers(20, 4)}, [%rd6];\n{stores(20, 4)}")
            got = run(body, words, 4, shared=512)
            for i in range(4):
                matrix = matrices[i].T if trans else matrices[i]
                for lane in range(32):
                    first, second = matrix[lane // 4, lane % 4 * 2:lane % 4 * 2 + 2]
                    self.assertEqual(got[i, lane], first | second << 16)

    def wgmma(self, kind: str, columns: int, fence: str, wait: str, anew: bool = False) -> None:
        """A is the threads' registers, B 64 elements of each column, of which 16
        from element 16 `step` on are multiplied; sums begin `anew` or are added to."""
        step = int(self.random.integers(4))
        a, b, c = self.numbers(64, 16), self.numbers(64, columns), self.numbers(64, columns)
        # B's bytes: a column's 64 elements are a row of 128 bytes, whose pieces
        # of 16 bytes are exchanged by the row's number in its 8.
        b_words = np.zeros((columns, 32), np.uint32)
        for n in range(columns):
            for k in range(0, 64, 2):
                b_words[n, (k // 8 ^ n % 8) * 4 + k % 8 // 2] = pair(b[k, n], b[k + 1, n], kind)
        per_thread, sums = columns * 32 // 128, columns // 2
        words = np.zeros((per_thread + 4 + sums, 128), np.uint32)
        words[:per_thread] = b_words.reshape(per_thread, 128)

        def place(thread: int, i: int) -> tuple:
            lane = thread % 32
            return thread // 32 * 16 + lane // 4 + 8 * (i // 2 % 2), i // 4 * 8 + lane % 4 * 2 + i % 2
        for thread in range(128):
            words[per_thread:per_thread + 4, thread] = self.words_of_a(a[thread // 32 * 16:], thread % 32, kind)
            words[per_thread + 4:, thread] = [np.float32(c[place(thread, i)]).view(np.uint32) for i in range(sums)]
        fill = "\n".join(f"ld.global.b32 %r2, [%rd1+{512 * i}];\nst.shared.b32 [%rd6+{512 * i}], %r2;"
                         for i in range(per_thread))
        body = f"""
            neg.s64 %rd6, %rd4;
            and.b64 %rd6, %rd6, 1023;
            add.s64 %rd7, %rd4, %rd6;
            add.s64 %rd6, %rd7, %rd3;
            {fill}
            {loads(10, 4 + sums, 128, per_thread)}
            fence.proxy.async.shared::cta;
            bar.sync 0;
            fence.proxy.async.shared::cta;
            shr.u64 %rd8, %rd7, 4;
            add.s64 %rd8, %rd8, {1 << 62 | 64 << 32 | 1 << 16 | 2 * step};
            setp.eq.u32 %p1, {int(anew)}, 0;
            {fence}
            wgmma.mma_async.sync.aligned.m64n{columns}k16.f32.{kind}.{kind} {registers(14, sums)}, {registers(10, 4)}, %rd8, %p1, 1, 1, 0;
            wgmma.commit_group.sync.aligned;
            {wait}
            {stores(14, sums, 128)}"""
        got = run(body, words, sums, 128, 1024 + 128 * columns).view(np.float32)
        expected = a @ b[16 * step:16 * step + 16] + (0 if anew else c)
        for thread in range(128):
            for i in range(sums):
                self.assertEqual(got[i, thread], expected[place(thread, i)])

    FENCE, WAIT = "wgmma.fence.sync.aligned;", "wgmma.wait_group.sync.aligned 0;"

    def test_wgmma(self):
        for kind, columns in (("f16", 8), ("bf16", 32), ("f16", 256)):
            for anew in (False, True):
                self.wgmma(kind, columns, self.FENCE, self.WAIT, anew)

    def test_wgmma_misused(self):
        with self.assertRaisesRegex(PtxError, "written after the last wgmma.fence"):
            self.wgmma("f16", 16, "", self.WAIT)
        for wait in ("", "wgmma.wait_group.sync.aligned 1;"):
            with self.assertRaisesRegex(PtxError, "what wgmma sums in"):
                self.wgmma("f16", 16, self.FENCE, wait)
        with self.assertRaisesRegex(PtxError, "operand of wgmma"):
            self.wgmma("f16", 16, self.FENCE, "mov.b32 %r11, 0;")


class Arithmetic(unittest.TestCase):
    """Opcodes on random words against Python's integers, and on numbers."""
    M = (1 << 32) - 1
    CASES = {
        "prmt.b32 %r20, %r10, %r11, 0x7315U": lambda a, b, c: sum(
            ((b << 32 | a) >> 8 * byte & 255) << 8 * i for i, byte in enumerate((5, 1, 3, 7))),
        "lop3.b32 %r20, %r10, %r11, %r12, 0xea": lambda a, b, c: a & b | c,
        "lop3.b32 %r20, %r10, %r11, %r12, 0xe4": lambda a, b, c: a & c | b & ~c & 0xFFFFFFFF,
        "shf.l.wrap.b32 %r20, %r10, %r11, 30": lambda a, b, c: b << 30 & 0xC0000000 | a >> 2,
        "shf.r.wrap.b32 %r20, %r10, %r11, %r12": lambda a, b, c: (b << 32 | a) >> c % 32,
        "bfe.u32 %r20, %r10, 9, 12": lambda a, b, c: a >> 9 & 0xFFF,
        "mul.hi.u32 %r20, %r10, %r11": lambda a, b, c: a * b >> 32,
        "mad.lo.s32 %r20, %r10, %r11, %r12": lambda a, b, c: a * b + c,
        "shr.s32 %r20, %r10, 31": lambda a, b, c: -(a >> 31),
        "shl.b32 %r20, %r10, 40": lambda a, b, c: 0,
        "min.s32 %r20, %r10, %r11": lambda a, b, c: min(a ^ 1 << 31, b ^ 1 << 31) ^ 1 << 31,
        "div.u32 %r20, %r10, 7": lambda a, b, c: a // 7,
    }

    def setUp(self):
        self.random = np.random.default_rng(SEED)

    def test_integers(self):
        words = self.random.integers(0, 1 << 32, (3, 32), np.uint32)
        for text, function in self.CASES.items():
            got = run(f"{loads(10, 3)}\n{text};\n{stores(20, 1)}", words)[0]
            expected = [function(*map(int, column)) & self.M for column in words.T]
            self.assertEqual(got.tolist(), expected, text)

    def test_halves(self):
        """One rounding to nearest even, with numbers near the middle of two."""
        numbers = self.random.integers(0, 1 << 16, (3, 64)).astype(np.uint16)
        numbers = np.where(numbers & 0x7C00 == 0x7C00, 0x3C01, numbers & 0xBFFF).astype(np.uint16)
        a, b, c = numbers.view(np.float16).astype(np.float64)
        words = numbers.view(np.uint32)
        for name, expected in (("add", a + b), ("sub", a - b), ("mul", a * b), ("fma", a * b + c)):
            sources = "%r10, %r11" + (", %r12" if name == "fma" else "")
            got = run(f"{loads(10, 3)}\n{name}.rn.f16x2 %r20, {sources};\n{stores(20, 1)}", words)[0]
            np.testing.assert_array_equal(got.view(np.float16), expected.astype(np.float16))

    def test_bfloats(self):
        words = self.random.integers(0x30000000, 0x50000000, (2, 32), np.uint32)
        words[:, ::2] &= 0xFFFF8000  # half of them exactly between two
        got = run(f"{loads(10, 2)}\ncvt.rn.bf16x2.f32 %r20, %r10, %r11;\n{stores(20, 1)}", words)[0]
        high, low = ((words.astype(np.uint64) + 0x7FFF + (words >> 16 & 1)) >> 16)
        np.testing.assert_array_equal(got, low | high << 16)


class Lanes(unittest.TestCase):
    def test_lanes_part_and_meet(self):
        """Lane l adds its number l times; odd ones subtract 1 besides."""
        body = """
            mov.b32 %r10, 0;
            mov.b32 %r11, 0;
            setp.eq.u32 %p1, %r1, 0;
            @%p1 bra $DONE;
            $LOOP:
            add.s32 %r10, %r10, %r1;
            add.s32 %r11, %r11, 1;
            setp.lt.u32 %p1, %r11, %r1;
            @%p1 bra $LOOP;
            and.b32 %r12, %r1, 1;
            setp.eq.u32 %p2, %r12, 0;
            @%p2 bra $DONE;
            add.s32 %r10, %r10, -1;
            $DONE:
            bar.sync 0;
            st.global.b32 [%rd2], %r10;"""
        lane = np.arange(32)
        np.testing.assert_array_equal(run(body)[0], lane * lane - lane % 2)

    def refused(self, message: str, body: str, **more) -> None:
        with self.assertRaisesRegex(PtxError, message):
            run(body, **more)

    def test_errors(self):
        self.refused("opcode ex2.approx.f32 is not modelled", "ex2.approx.f32 %r2, %r1;")
        self.refused("has not the 32 bits", "add.s32 %r2, %r1, %rd1;")
        self.refused("%r2 is read before it is written", "st.global.b32 [%rd2], %r2;\nmov.b32 %r2, 0;")
        self.refused("in lanes that did not write it", """
            setp.lt.u32 %p1, %r1, 31;
            @%p1 mov.b32 %r2, 0;
            st.global.b32 [%rd2], %r2;""")
        self.refused("lane 30: .* byte 128 of 'words', which has 128", "ld.global.b32 %r2, [%rd1+8];")
        self.refused("lane 0: .* is not aligned to 4", "ld.global.b32 %r2, [%rd1+2];")
        self.refused("is not for the kernel to write", "st.global.b32 [%rd1], %r1;")
        self.refused("lane 1: .* is written twice", "sub.s64 %rd6, %rd2, %rd3;\nst.global.b32 [%rd6], %r1;")
        self.refused("outside of the 64 bytes", "st.shared.b32 [%rd5], %r1;", shared=64)
        with unittest.mock.patch("interpreter.machine.MOST_TURNS", 10):
            self.refused("runs for ever", "$LOOP:\nbra $LOOP;")
        self.refused("some wait there for all", """
            setp.lt.u32 %p1, %r1, 16;
            @%p1 bra $OTHER;
            bar.sync 0;
            $OTHER:
            bar.sync 0;""")
        self.refused("lanes are missing", """
            setp.lt.u32 %p1, %r1, 16;
            @%p1 ret;
            elect.sync %r2|%p2, -1;""")

    def test_shuffle(self):
        body = "shfl.sync.idx.b32 %r2, %r1, 0, 31, -1;\nst.global.b32 [%rd2], %r2;"
        np.testing.assert_array_equal(run(body, threads=64)[0], np.arange(64) // 32 * 32)
        self.refused("lanes are missing", "setp.lt.u32 %p1, %r1, 16;\n@%p1 ret;\n" + body)
        self.refused("only lane 0", body.replace("0, 31", "1, 31"))

    def test_barriers(self):
        """Each thread reads what one of another warp wrote."""
        body = """
            st.shared.b32 [%rd5], %r1;
            {}
            xor.b32 %r2, %r1, 32;
            mul.wide.u32 %rd6, %r2, 4;
            add.s64 %rd6, %rd4, %rd6;
            ld.shared.b32 %r3, [%rd6];
            st.global.b32 [%rd2], %r3;"""
        more = {"threads": 64, "shared": 256}
        np.testing.assert_array_equal(run(body.format("bar.sync 0;"), **more)[0], np.arange(64) ^ 32)
        self.refused("race", body.format(""), **more)
        self.refused("race", body.format("bar.sync 0, 32;"), **more)
        self.refused("all wait for ever", body.format("bar.sync 0, 96;"), **more)

    def test_copies(self):
        body = """
            mul.wide.u32 %rd6, %r1, 12;
            add.s64 %rd7, %rd6, %rd1;
            add.s64 %rd8, %rd6, %rd5;
            cp.async.cg.shared.global [%rd8], [%rd7], 16, {};
            cp.async.commit_group;
            cp.async.wait_group {};
            ld.shared.b32 %r3, [%rd8+4];
            ld.shared.b32 %r4, [%rd8+8];
            st.global.b32 [%rd2], %r3;
            st.global.b32 [%rd2+128], %r4;"""
        words = np.random.default_rng(SEED).integers(1, 1 << 32, (4, 32), np.uint32)
        more = {"words": words, "results": 2, "shared": 512}
        copied = words.reshape(32, 4)[:, 1:3].T
        np.testing.assert_array_equal(run(body.format(16, 0), **more), copied)
        np.testing.assert_array_equal(run(body.format(8, 0), **more)[1], np.zeros(32))
        self.refused("race: cp.async", body.format(16, 1), **more)

    def test_mbarriers(self):
        """Thread 0 brings words that all wait for."""
        body = """
            setp.ne.u32 %p1, %r1, 0;
            @%p1 bra $READY;
            mbarrier.init.shared.b64 [%rd4+512], 1;
            {}
            $READY:
            bar.sync 0;
            @%p1 bra $BEGUN;
            mov.b32 %r2, {};
            mbarrier.arrive.expect_tx.shared.b64 %rd9, [%rd4+512], %r2;
            cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%rd4], [%rd1], 256, [%rd4+512];
            $BEGUN:
            {}
            ld.shared.b32 %r3, [%rd5];
            st.global.b32 [%rd2], %r3;"""
        wait = """$WAIT:
            mbarrier.try_wait.parity.shared.b64 %p2, [%rd4+512], 0;
            @!%p2 bra $WAIT;"""
        words = np.random.default_rng(SEED).integers(0, 1 << 32, (1, 64), np.uint32)
        more = {"words": words, "threads": 64, "shared": 520}
        np.testing.assert_array_equal(run(body.format("", 256, wait), **more), words)
        self.refused("race", body.format("", 256, ""), **more)
        self.refused("all wait for ever", body.format("", 272, wait), **more)
        twice = "mbarrier.arrive.shared.b64 %rd9, [%rd4+512];\n"
        self.refused("race|arrivals", body.format("", 256, twice + wait), **more)
        self.refused("an mbarrier is accessed", body.format("st.shared.b32 [%rd4+516], %r1;", 256, wait), **more)


if __name__ == "__main__":
    print(f"NIBBLE_TEST_SEED={SEED}", flush=True)
    unittest.main()
