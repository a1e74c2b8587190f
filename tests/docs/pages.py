# SPDX-License-Identifier: Apache-2.0
"""What a page in Markdown names: its links, its anchors, and the commands and options in it."""
import re

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*)$", re.MULTILINE)
SCRIPT = re.compile(r"(?<![\w/.-])(?:\./)?(scripts/[a-z][\w-]*)(?![\w/.*-])((?: +[^\s`|)]+)*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")


def anchors(text):
    """As GitHub makes them of headings."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def broken_links(path, text):
    """Relative links that lead nowhere, each with the reason."""
    wrong = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        place = (path.parent / target).resolve() if target else path
        if not place.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(place.read_text(encoding="utf-8")):
            wrong.append(f"{link}: {place.name} has no such heading")
    return wrong


def code(text):
    """The parts of a page in which commands stand."""
    fences = FENCE.findall(text)
    return fences + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def scripts(text):
    """(script, its arguments) of each that the page calls."""
    return [(match[1], re.split(r"#|&&|;", match[2])[0].split()) for part in code(text) for match in SCRIPT.finditer(part)]


def options(text):
    """Long options that the page says loopsnoop has: in commands that begin with loopsnoop, and in the first column of tables."""
    found = set()
    for part in code(text):
        for line in part.splitlines():
            command = re.match(r"(?:\$ +)?(?:sudo +)?(?:build/release/)?loopsnoop +(.*)", line.strip())
            if command:
                found |= set(OPTION.findall(re.split(r" -- | *# ", command[1])[0]))
    for row in re.findall(r"^\| *(`-[^|]*)\|", FENCE.sub("", text), re.MULTILINE):
        found |= set(OPTION.findall(row))
    return found
