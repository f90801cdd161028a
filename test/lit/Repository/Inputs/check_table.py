"""Checks that each message of docs/checks.md is in the sources, and each test
that it names exists.

Usage: check_table.py SOURCE_FOLDER
"""
import pathlib
import re
import sys

STRING = r'"(?:[^"\\\n]|\\.)*"'


def literals(path):
    """The string literals of a file, those next to each other joined."""
    for run in re.findall(rf"{STRING}(?:\s*{STRING})*", path.read_text()):
        parts = re.findall(STRING, run)
        yield "".join(part[1:-1] for part in parts).replace('\\"', '"')


def main():
    root = pathlib.Path(sys.argv[1])
    sources = [*root.glob("lib/**/*.cpp"), *root.glob("lib/**/*.h"),
               *root.glob("dialects/**/*.cpp")]
    said = "\n".join(text for path in sources for text in literals(path))
    tests = set()
    for path in root.glob("test/unit/**/*.cpp"):
        tests.update(".".join(names) for names in
                     re.findall(r"TEST(?:_F)?\((\w+), (\w+)\)", path.read_text()))
    rows, problems = 0, []
    for line in (root / "docs" / "checks.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or cells[0] == "check":
            continue
        rows += 1
        message, test = cells[1].strip("`"), cells[2]
        for fragment in re.split(r"<[^>]*>", message):
            if fragment not in said:
                problems.append(f"no source says '{fragment}', of '{message}'")
        if test not in tests and not (root / "test/lit" / test).exists():
            problems.append(f"there is no test {test}")
    print("\n".join(problems))
    print(f"{rows} checks, {len(problems)} problems")


if __name__ == "__main__":
    main()
