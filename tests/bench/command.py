# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks have in common as programs: the options that each has, how each publishes what it found, and how it fails."""
import argparse
import platform
import subprocess
import sys
from pathlib import Path

import figures
from machine import first_line


def parser(name, description=None, readme=True):
    """Of `scripts/bench NAME`; the benchmark's own options come on top."""
    made = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=description)
    if readme:
        made.add_argument("--readme", action="store_true", help="writes the tables into tests/bench/README.md, too")
    made.add_argument("--binary", default="build/release/loopsnoop", help=argparse.SUPPRESS)
    made.add_argument("--output", type=Path, default="build/bench", help=argparse.SUPPRESS)
    made.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # of the options only, before a build
    return made


def about(options, **more):
    """What was measured, for the JSON."""
    return {"kernel": platform.release(), "loopsnoop": first_line([options.binary, "--version"]), **more}


def publish(options, name, text, data, besides=""):
    """Prints the text, and what is only printed besides; writes it and the data, and with --readme puts it into the page."""
    figures.write(options.output, name, text, data)
    if getattr(options, "readme", False):
        figures.into_readme(name, text)
    print(text + besides)


def run(parse, main):
    """Ends the program: with a line on standard error and status 1 when `main` fails."""
    options = parse()
    if options.check:
        sys.exit()
    try:
        sys.exit(main(options))
    except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
