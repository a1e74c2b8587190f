# SPDX-License-Identifier: Apache-2.0
"""That every link and anchor of the pages leads somewhere, that the commands and options in the README are real, and that it is short
enough to be read by somebody with a frozen server."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import pages  # noqa: E402

README = ROOT / "README.md"
MAX_LINES = 320
PAGES = sorted(path for path in ROOT.rglob("*.md") if not {"build", ".git", "node_modules"} & set(path.relative_to(ROOT).parts))


def read(path):
    return path.read_text(encoding="utf-8")


def help_of(*command):
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_is_short_enough():
    assert len(read(README).splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert pages.broken_links(path, read(path)) == []


def test_every_page_is_linked_from_another():
    linked = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in PAGES
        for link in pages.LINK.findall(pages.FENCE.sub("", read(path)))
        if "#" not in link[:1] and ":" not in link
    }
    assert [str(path.relative_to(ROOT)) for path in PAGES if path != README and path not in linked] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_are_there_and_take_what_is_said(path):
    for script, arguments in pages.scripts(read(path)):
        assert os.access(ROOT / script, os.X_OK), f"{script} is no program"
        if (ROOT / script).is_dir():
            continue
        long = [word for word in arguments if re.fullmatch(r"--[a-z][a-z-]+", word)]
        named = arguments[:1] if script == "scripts/bench" and arguments and re.fullmatch(r"[a-z]+", arguments[0]) else []
        missing = [word for word in long if word not in help_of(ROOT / script, *named) and word != "--help"]
        assert not missing, f"{script} {' '.join(arguments)}: its help has no {missing}"


def test_options_of_loopsnoop_are_in_its_help():
    loopsnoop = os.environ.get("LOOPSNOOP_BIN")
    if not loopsnoop or not os.access(loopsnoop, os.X_OK):
        pytest.fail("LOOPSNOOP_BIN names no program to ask")
    known = set()
    for command in ((), ("-v",), ("report",), ("doctor",), ("dump",), ("tasks",)):
        known |= set(pages.OPTION.findall(help_of(loopsnoop, *command)))
    named = pages.options(read(README))
    assert "--threshold" in named and "--all" in named, "the test reads the page"
    assert sorted(named - known) == []
    table = read(README)
    assert [option for option in pages.OPTION.findall(help_of(loopsnoop)) if option not in table and option not in ("--help", "--version")] == []


def test_what_is_wrong_is_found(tmp_path):
    (tmp_path / "a.md").write_text("# One heading\n[x](b.md) [y](#one-heading) [z](#two) [web](https://e.org/) `[n](no.md)`\n```\n[f](f.md)\n```\n")
    found = pages.broken_links(tmp_path / "a.md", read(tmp_path / "a.md"))
    assert [line.partition(":")[0] for line in found] == ["b.md", "#two", "no.md"]
    text = "`scripts/no-such --fast`\n```\nsudo loopsnoop --bogus -p 1   # --comment\nscripts/test unit -R x\n```\n| `--row X` | |\n"
    assert pages.scripts(text) == [("scripts/test", ["unit", "-R", "x"]), ("scripts/no-such", ["--fast"])]
    assert pages.options(text) == {"--bogus", "--row"}
