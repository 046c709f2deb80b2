#!/usr/bin/env python3
"""Turns `tmux capture-pane -ep` on standard input into an SVG picture of a terminal on standard output."""

import html
import re
import sys

COLOURS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "34": "#61afef", "35": "#c678dd", "36": "#56b6c2",
           "91": "#e06c75", "92": "#98c379", "93": "#e5c07b", "96": "#56b6c2"}
WIDTH, HEIGHT = 7.8, 17


def spans(line):
    """(column, text, colour, bold, faint) of each run of equal looks."""
    colour, bold, faint, column = "#d7dae0", False, False, 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not code:
            if part:
                yield column, part, colour, bold, faint
                column += len(part)
            continue
        for number in code.group(1).split(";") or ["0"]:
            if number in ("", "0"):
                colour, bold, faint = "#d7dae0", False, False
            elif number == "1":
                bold = True
            elif number == "2":
                faint = True
            elif number == "39":
                colour = "#d7dae0"
            elif number in COLOURS:
                colour = COLOURS[number]


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    columns = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width, height = columns * WIDTH + 32, len(lines) * HEIGHT + 32
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#1e222a"/>')
    for row, line in enumerate(lines):
        for column, text, colour, bold, faint in spans(line):
            if not text.strip():
                continue
            looks = (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if faint else "")
            print(f'<text x="{16 + column * WIDTH:.1f}" y="{28 + row * HEIGHT}" fill="{colour}"{looks} xml:space="preserve" '
                  f'textLength="{len(text) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>')
    print("</svg>")


main()
