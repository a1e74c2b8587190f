# SPDX-License-Identifier: Apache-2.0
"""scripts/rules/foreign.py finds what touches a target's files past userspace/foreign, and nothing else."""
import importlib.util
import pathlib

import pytest

RULE = pathlib.Path(__file__).parents[2] / "scripts" / "rules" / "foreign.py"


def findings_of(folder, name, line):
    spec = importlib.util.spec_from_file_location("foreign_rule", RULE)
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    return list(rule.findings(folder))


@pytest.mark.parametrize("line", [
    "UniqueFd fd(open(path.c_str(), O_RDONLY));",
    "if (::stat(path.c_str(), &status) == 0) {",
    "std::ifstream file(path);",
    "for (const auto &each : std::filesystem::directory_iterator(path)) {",
    "const ssize_t got = process_vm_readv(static_cast<pid_t>(pid), &local, 1, &remote, 1, 0);",
    'getxattr(path.c_str(), "system.sockprotoname", into, size);',
])
def test_found(line, tmp_path):
    assert findings_of(tmp_path, "stacks/x.cpp", line)


@pytest.mark.parametrize("name, line", [
    ("stacks/x.cpp", "// open(path.c_str())"),
    ("stacks/x.cpp", "auto file = foreign::File::open(proc.target_file(pid, path));"),
    ("stacks/x.cpp", "const auto lines = SourceLines::open(image);"),
    ("foreign/x.cpp", "UniqueFd fd(open(path.c_str(), O_RDONLY));"),
    ("process/pseudo_file.cpp", "UniqueFd fd(open(path.c_str(), O_RDONLY));"),
])
def test_not_found(name, line, tmp_path):
    assert not findings_of(tmp_path, name, line)
