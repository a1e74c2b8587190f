# SPDX-License-Identifier: Apache-2.0
"""That the rule about includes and rooms fails when it should: each case is a small tree of its own."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "rules"))

import rooms  # noqa: E402

ROOM = "loopsnoop_room({name}\n  SOURCES\n    {name}.cpp\n  LINK\n    {link})\n"


@pytest.fixture
def tree(tmp_path):
    """base below model below output, which prints JSON; each with one source."""

    def room(name, link, *lines):
        folder = tmp_path / "userspace" / name
        folder.mkdir(parents=True)
        (folder / "CMakeLists.txt").write_text(ROOM.format(name=name, link=link))
        (folder / f"{name}.h").write_text("#pragma once\n")
        (folder / f"{name}.cpp").write_text("".join(f"{line}\n" for line in (f'#include "{name}/{name}.h"', *lines)))

    room("base", "fmt::fmt", "#include <fmt/format.h>")
    room("model", "loopsnoop_base", '#include "base/base.h"', '#include "abi/causes.def"')
    room("output", "loopsnoop_model nlohmann_json::nlohmann_json", "#include <nlohmann/json.hpp>", '#include "base/base.h"')
    (tmp_path / "userspace" / "rooms.cmake").write_text("# base cellar\nset(LOOPSNOOP_ROOMS base model\n  output)\n")
    return tmp_path


def add(tree, path, line):
    with open(tree / "userspace" / path, "a") as file:
        file.write(line + "\n")


def test_what_is_allowed_passes(tree):
    assert rooms.check(tree) == ([], 6)


@pytest.mark.parametrize(
    "path, line, words",
    [
        ("base/base.cpp", '#include "model/model.h"', "the room base does not link loopsnoop_model"),
        ("base/base.h", '#  include "output/output.h"', "the room base does not link loopsnoop_output"),
        ("model/model.cpp", "#include <nlohmann/json.hpp>", "does not name nlohmann_json::nlohmann_json"),
        ("output/output.cpp", "#include <bpf/libbpf.h>", "does not name PkgConfig::libbpf"),
        ("output/output.cpp", '#include "abi/tables.h"', "only collector and model include bpf/abi"),
    ],
)
def test_a_bad_include_fails(path, line, words, tree):
    add(tree, path, line)
    (complaint,), _ = rooms.check(tree)
    assert complaint.startswith(f"userspace/{path}:") and words in complaint, complaint


def test_a_room_that_is_not_listed_fails(tree):
    (tree / "userspace" / "attic").mkdir()
    assert rooms.check(tree)[0] == ["userspace/attic: is no room of userspace/rooms.cmake; add it to the list there"]


def test_a_listed_room_that_is_missing_fails(tree):
    (tree / "userspace" / "rooms.cmake").write_text("set(LOOPSNOOP_ROOMS base model output cellar)\n")
    (complaint,), _ = rooms.check(tree)
    assert "lists the room 'cellar'" in complaint


def test_a_source_that_is_not_compiled_fails(tree):
    (tree / "userspace" / "model" / "forgotten.cpp").write_text("")
    assert rooms.check(tree)[0] == ["userspace/model/forgotten.cpp: is not among the SOURCES of its room's CMakeLists.txt"]


def test_a_circle_fails(tree):
    (tree / "userspace" / "base" / "CMakeLists.txt").write_text(ROOM.format(name="base", link="loopsnoop_output"))
    assert any("a circle" in complaint for complaint in rooms.check(tree)[0])


def test_an_empty_tree_fails(tmp_path):
    (tmp_path / "userspace").mkdir()
    (tmp_path / "userspace" / "rooms.cmake").write_text("")
    assert rooms.check(tmp_path)[0] == ["userspace: no room was read"]


def test_this_repository():
    complaints, count = rooms.check(ROOT)
    assert not complaints and count > 100
