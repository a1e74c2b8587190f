# SPDX-License-Identifier: Apache-2.0
"""Medians and their spread, Markdown tables, and their place in README.md of this folder."""
import json
import statistics
from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"


def quartiles(values):
    """(median, lower quartile, upper quartile)."""
    values = sorted(values)
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def spread(values, form):
    """The median, and between which two values half of all are."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    middle, low, high = quartiles(values)
    return f"{middle:{form}} [{low:{form}}–{high:{form}}]"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def write(folder, name, text, data):
    """The Markdown and the JSON of one benchmark."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def into_readme(name, text, readme=README):
    """Between the marks of that name; only where they stand already."""
    begin, end = f"<!-- bench:{name}:begin -->", f"<!-- bench:{name}:end -->"
    whole = readme.read_text(encoding="utf-8")
    if whole.count(begin) != 1 or whole.count(end) != 1 or whole.index(begin) > whole.index(end):
        raise RuntimeError(f"{readme} has no lines {begin} and {end} to write between")
    before, rest = whole.split(begin)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
