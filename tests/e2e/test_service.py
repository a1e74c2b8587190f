# SPDX-License-Identifier: Apache-2.0
"""What is installed beside the binary: man page and completions name each option that the help does and no other; the ways to run it
as a service ask for the same rights."""

import re
import subprocess

import pytest
import yaml

from harness import places, waiting

MADE = places.BUILD / "scripts" / "packaging"
SERVICE = places.ROOT / "scripts" / "packaging"
README = (places.ROOT / "README.md").read_text(encoding="utf-8")


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=waiting.PATIENCE_S, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of(command):
    """{"-p", "--pid", …} of the lines of the help that begin with an option."""
    found = set()
    for line in run(places.LOOPSNOOP, *([command] if command else []), "--help").splitlines():
        if re.match(r" +--?[a-z]", line, re.IGNORECASE) and not line.startswith("  loopsnoop"):
            head = re.split(r"  +", line.strip())[0]
            found |= {word.rstrip(",") for word in head.split() if word.startswith("-")}
    return found


@pytest.fixture(scope="module")
def options():
    usage = run(places.LOOPSNOOP, "--help").partition("Usage:\n")[2].partition("\n\n")[0]
    commands = re.findall(r"(?:^  loopsnoop|\|) ([a-z]+)\b", usage, re.MULTILINE)
    assert {"report", "doctor", "dump"} <= set(commands)
    all_of_them = {command: options_of(command) for command in ["", *commands]}
    assert {"-p", "--pid", "--listen", "-h", "--hang-after"} <= all_of_them[""]
    assert all({"-h", "--help"} <= each for each in all_of_them.values())
    return all_of_them


def test_man_page_has_each_option(options):
    page = (MADE / "loopsnoop.1").read_text(encoding="utf-8").replace("\\-", "-")
    parts = re.split(r"^\.S[HS] loopsnoop (\w+)$", page, flags=re.MULTILINE)
    parts[-1], rest = parts[-1].split(".SH EXAMPLES")
    sections = {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}
    assert set(sections) == set(options)
    for command, text in sections.items():
        assert set(re.findall(r"\\fB(--?[\w-]+)\\fR", text)) == options[command], command
    # What goes on over several lines of the help is whole.
    assert "report a stall that is still running once it is this old, and again each time its age doubles (default: 1s)." in page
    assert ".SH EXIT STATUS" in rest and ".SH NAME\nloopsnoop - " in page


def test_completions_have_each_option(options):
    bash = (MADE / "loopsnoop.bash").read_text(encoding="utf-8")
    lists = {match[1].replace("*", ""): set(match[2].split()) for match in re.finditer(r"^\t(\*|\w+)\) options='(.*)' ;;$", bash, re.MULTILINE)}
    assert lists == options
    zsh = (MADE / "_loopsnoop").read_text(encoding="utf-8")
    cases = dict(re.findall(r"^\t(\*|\w+)\)\n(.*?)^\t\t;;$", zsh, re.MULTILINE | re.DOTALL))
    for command, text in cases.items():
        named = {word for match in re.finditer(r"\{([-\w,]+)\}'\[|^\t\t'(--[\w-]+)\[", text, re.MULTILINE) for word in (match[1] or match[2]).split(",")}
        assert named == options[command.replace("*", "")], command
    fish = {command: set() for command in options}
    for line in (MADE / "loopsnoop.fish").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"complete -c loopsnoop -n '(not )?__fish_seen_subcommand_from (\w+)[\w ]*'(?: -s (\w))?(?: -l ([\w-]+))?", line):
            fish["" if match[1] else match[2]] |= {f"-{match[3]}"} if match[3] else set()
            fish["" if match[1] else match[2]] |= {f"--{match[4]}"} if match[4] else set()
    assert fish == options


def test_completion_in_bash():
    asked = """
        . "$1" && shift
        COMP_WORDS=(loopsnoop "$@") COMP_CWORD=$#
        _loopsnoop && printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(*words):
        return run("bash", "-euc", asked, "bash", MADE / "loopsnoop.bash", *words).split()

    assert complete("--thr") == ["--threshold"]
    assert complete("do") == ["doctor"]
    assert set(complete("dump", "--")) == {"--pid", "--json", "--verbose", "--help"}
    assert "1" in complete("-p", "1") and "--pid" not in complete("-p", "")
    assert complete("report", str(SERVICE / "Dockerf"))[0].endswith("/Dockerfile")


def test_cmake_installs_them(folder):
    run("cmake", "--install", places.BUILD, "--prefix", folder)
    installed = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for path in (
        "bin/loopsnoop",
        "share/man/man1/loopsnoop.1",
        "share/bash-completion/completions/loopsnoop",
        "share/zsh/site-functions/_loopsnoop",
        "share/fish/vendor_completions.d/loopsnoop.fish",
        "share/loopsnoop/dashboards/loopsnoop.json",
        "share/loopsnoop/dashboards/loopsnoop.rules.yml",
    ):
        assert path in installed, sorted(installed)
    assert not any("systemd" in path for path in installed), "the unit is for the package"


def test_each_service_asks_for_the_same_rights():
    (sentence,) = re.findall(r"Without root: (.*?);", README, re.DOTALL)
    wanted = set(re.findall(r"CAP_(\w+)", sentence))
    assert {"BPF", "PERFMON", "SYS_PTRACE"} <= wanted
    unit = (SERVICE / "loopsnoop.service").read_text(encoding="utf-8")
    for setting in ("CapabilityBoundingSet", "AmbientCapabilities"):
        (line,) = re.findall(rf"^{setting}=(.*)$", unit, re.MULTILINE)
        assert {word.removeprefix("CAP_") for word in line.split()} == wanted, setting
    documents = list(yaml.safe_load_all((SERVICE / "daemonset.yaml").read_text(encoding="utf-8")))
    (daemons,) = [each for each in documents if each["kind"] == "DaemonSet"]
    pod = daemons["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    rights = container["securityContext"]["capabilities"]
    assert set(rights["add"]) == wanted and rights["drop"] == ["ALL"]
    assert pod["spec"]["hostPID"] is True and container["securityContext"]["readOnlyRootFilesystem"] is True
    docker = (SERVICE / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"--cap-add (\w+)", docker)) == wanted
    # One port, in each of them.
    port = pod["metadata"]["annotations"]["prometheus.io/port"]
    assert [each["containerPort"] for each in container["ports"]] == [int(port)] and f"EXPOSE {port}\n" in docker
    settings = (SERVICE / "loopsnoop.default").read_text(encoding="utf-8")
    assert f"--listen 127.0.0.1:{port}\"" in settings and "LOOPSNOOP_OPTIONS=" in settings and "$LOOPSNOOP_OPTIONS" in unit
