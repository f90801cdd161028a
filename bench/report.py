#!/usr/bin/env python3
# Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a Markdown table and a roofline plot of a file that bench.py wrote.

report.py RESULT.json writes RESULT.md and RESULT.svg beside it. The roofs are
given, because no measurement of a kernel shows them: a read rate in TB/s and
a matrix rate in TFLOP/s, by default those measured on an H100.
"""

import argparse
import json
import math
import pathlib

COLOURS = {"nibble": "#c0392b", "triton": "#2980b9", "cublas": "#7f8c8d"}


def bytes_of(p):
    """Bytes that a call has to move: packed weights (dense fp16 for cuBLAS), scales, zeros, x, y."""
    K, N, M = p["K"], p["N"], p["M"]
    weights = 2 * K * N
    if p["impl"] != "cublas":
        groups = K // p["group"]
        weights = K * N * p["bits"] / 8 + groups * N * (2 + p["bits"] / 8)
        if p["act_order"]:
            weights += 4 * K
    return weights + 2 * M * (K + N)


def flops_of(p):
    return 2 * p["M"] * p["K"] * p["N"]


def table(result, impls):
    cells = {}
    for p in result["points"]:
        cells.setdefault((p["K"], p["N"], p["M"]), {})[p["impl"]] = p
    peers = [i for i in impls if i != "nibble"]
    lines = [f"# {result['device']}, {result['date']}", "",
             f"Driver {result['driver']}, nibble {result['commit'][:12]}, `{result['command']}`.", "",
             "Microseconds a call, weights out of L2: the median, and (p10 to p90) for nibble; then each peer and how "
             "many times its time is nibble's.", "",
             "| K x N | M | nibble | error | " + " | ".join(peers) + " |", "|---|---|---|---|" + "---|" * len(peers)]
    for (K, N, M), row in cells.items():
        own = row["nibble"]
        text = f"| {K} x {N} | {M} | {own['us']:.1f} ({own['us_p10']:.1f} to {own['us_p90']:.1f}) | {own['rel_err']:.1e} |"
        for name in peers:
            peer = row.get(name)
            text += f" {peer['us']:.1f} ({peer['us'] / own['us']:.2f}x) |" if peer else " |"
        lines.append(text)
    return "\n".join(lines) + "\n"


def plot(result, impls, read_rate, matrix_rate):
    width, height, margin = 720, 440, 60
    left, right, bottom, top = 1.0, 4096.0, 0.1, 2000.0  # FLOP a byte, TFLOP/s

    def at(x, y):
        scale = lambda value, low, high: math.log(value / low) / math.log(high / low)
        return (margin + scale(x, left, right) * (width - 2 * margin),
                height - margin - scale(y, bottom, top) * (height - 2 * margin))

    def line(a, b, style):
        (x1, y1), (x2, y2) = at(*a), at(*b)
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'

    def text(x, y, words, anchor="middle"):
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           'font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>',
           text(width / 2, 24, f"{result['device']}, {result['date']}: rate over operational intensity")]
    for power in range(0, 13, 2):
        x, y = at(2**power, bottom)
        out += [line((2**power, bottom), (2**power, top), 'stroke="#eee"'), text(x, y + 18, str(2**power))]
    for rate in (0.1, 1, 10, 100, 1000):
        x, y = at(left, rate)
        out += [line((left, rate), (right, rate), 'stroke="#eee"'), text(x - 6, y + 4, f"{rate:g}", "end")]
    out += [text(width / 2, height - 18, "FLOP a byte moved"),
            f'<text transform="translate(16 {height / 2}) rotate(-90)" text-anchor="middle">TFLOP/s</text>']
    ridge = matrix_rate / read_rate
    out += [line((left, left * read_rate), (ridge, matrix_rate), 'stroke="black"'),
            line((ridge, matrix_rate), (right, matrix_rate), 'stroke="black"')]
    for number, impl in enumerate(impls):
        colour = COLOURS.get(impl, "#8e44ad")
        for p in result["points"]:
            if p["impl"] == impl:
                x, y = at(flops_of(p) / bytes_of(p), max(bottom, flops_of(p) / p["us"] * 1e-6))
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{impl} {p["K"]} x '
                           f'{p["N"]}, M {p["M"]}: {p["us"]:.1f} us</title></circle>')
        out += [f'<circle cx="{margin + 20}" cy="{margin + 18 * number}" r="4" fill="{colour}"/>',
                text(margin + 30, margin + 4 + 18 * number, impl, "start")]
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("--read-rate", type=float, default=3.2, help="TB/s")
    parser.add_argument("--matrix-rate", type=float, default=681, help="TFLOP/s")
    options = parser.parse_args()
    result = json.loads(options.result.read_text())
    impls = list(dict.fromkeys(p["impl"] for p in result["points"]))
    options.result.with_suffix(".md").write_text(table(result, impls))
    options.result.with_suffix(".svg").write_text(plot(result, impls, options.read_rate, options.matrix_rate))


if __name__ == "__main__":
    main()
