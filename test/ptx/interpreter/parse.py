"""The text of a kernel in PTX to instructions.

It reads what LLVM prints, a statement at most a line, and refuses what it does not
know. What an instruction does is looked up once for a launch (`operands.py`);
running it is then one call.
"""
import re
from dataclasses import dataclass
from typing import Callable, Optional


class PtxError(Exception):
    """The kernel does what it must not, or what is not modelled."""


@dataclass(frozen=True)
class Register:
    name: str
    index: int  # its place among a thread's registers
    bits: int  # 1 for predicates


@dataclass(frozen=True)
class Immediate:
    value: int


@dataclass(frozen=True)
class Symbol:
    """A label, a parameter, the shared memory, or a register such as %tid.x."""
    name: str


@dataclass(frozen=True)
class Address:
    """[base + offset]"""
    base: object
    offset: int


@dataclass(frozen=True)
class Vector:
    """{a, b}, or the two results a|b; None where it is _."""
    elements: tuple


@dataclass
class Instruction:
    line: int
    text: str
    opcode: str
    operands: tuple
    guard: Optional[Register] = None  # the predicate that it runs under
    negated: bool = False
    # What it does to a warp's lanes; branches and ret are the warp's own.
    execute: Optional[Callable] = None
    # All lanes of a warp that have not ended run it at once, or it waits.
    together: bool = False


@dataclass
class Kernel:
    name: str
    parameters: list
    threads: int
    cluster: int  # blocks of a cluster
    instructions: list
    labels: dict
    registers: int
    # Registers that no instruction writes: LLVM reads some in a vector's parts
    # that nothing depends on.
    undefined: list


class _Registers:
    """The registers that a kernel declares, by number."""

    def __init__(self):
        self.widths, self.known = {}, {}

    def declare(self, kind: str, names: str) -> None:
        bits = 1 if kind == "pred" else int(kind[1:])
        self.widths[re.sub(r"<\d+>", "", names)] = bits

    def find(self, name: str) -> Optional[Register]:
        bits = self.widths.get(name) or self.widths.get(name.rstrip("0123456789"))
        if bits is None:
            return None
        return self.known.setdefault(name, Register(name, len(self.known), bits))


def _split(text: str) -> list:
    """Operands, which commas separate outside of brackets."""
    return re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|[^\s,{\[])+", text)


def _operand(text: str, registers: _Registers):
    text = text.strip()
    if text == "_":
        return None
    if "|" in text or text[0] == "{":
        parts = re.split(r"[|,]", text.strip("{}"))
        return Vector(tuple(_operand(part, registers) for part in parts))
    if text[0] == "[":
        base, _, offset = text[1:-1].partition("+")
        return Address(_operand(base, registers), int(offset or 0))
    if text.startswith("0f"):
        return Immediate(int(text[2:], 16))
    if re.fullmatch(r"-?\d+|0x[0-9A-Fa-f]+U?", text):
        return Immediate(int(text.rstrip("U"), 0))
    return registers.find(text) or Symbol(text)


def _written(instruction: Instruction) -> set:
    """The registers that an instruction writes."""
    if instruction.opcode.startswith("st.") or not instruction.operands:
        return set()
    first = instruction.operands[0]
    return {each for each in (first.elements if isinstance(first, Vector) else (first,))
            if isinstance(each, Register)}


def parse(text: str) -> Kernel:
    """The kernel of `text`, which has one."""
    head, _, body = text.partition("\n{\n")

    def directive(pattern: str) -> Optional[str]:
        found = re.search(pattern, head)
        return found and found.group(1)

    registers = _Registers()
    instructions, labels = [], {}
    first = head.count("\n") + 3  # the number of the body's first line
    begun = ""  # a statement may take several lines
    for number, line in enumerate(body.split("\n"), first):
        line = begun + re.sub(r"//.*", "", line).strip()
        begun = ""
        if line in ("", "{", "}"):
            continue
        if label := re.fullmatch(r"([\w$]+):", line):
            labels[label.group(1)] = len(instructions)
        elif reg := re.fullmatch(r"\.reg \.(\w+)\s+(.+);", line):
            registers.declare(*reg.groups())
        elif part := re.fullmatch(r"(?:@(!?)(\S+)\s+)?([a-z][\w.:]*)\s*(.*);", line):
            negated, guard, opcode, rest = part.groups()
            operands = tuple(_operand(each, registers) for each in _split(rest))
            instructions.append(Instruction(number, line, opcode, operands,
                                            guard and registers.find(guard), negated == "!"))
        elif re.match("[a-z@]", line) and not line.endswith(";"):
            begun = line + " "
        else:
            raise PtxError(f"line {number} is no statement: {line}")
    written = set().union(*map(_written, instructions))
    undefined = [each for each in registers.known.values() if each not in written and each.bits > 1]
    return Kernel(name=directive(r"\.entry (\w+)\("),
                  parameters=re.findall(r"\.param .* (\w+),?\n", head),
                  threads=int(directive(r"\.reqntid (\d+)")),
                  cluster=int(directive(r"\.reqnctapercluster (\d+)") or 1),
                  instructions=instructions, labels=labels, registers=len(registers.known),
                  undefined=undefined)
