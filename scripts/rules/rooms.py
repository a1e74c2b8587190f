# SPDX-License-Identifier: Apache-2.0
"""Holds every #include of userspace/ against the arrows between its rooms. For scripts/lint.

Usage: rooms.py [REPOSITORY]

CMake gives every room the same include folders, so that the compiler finds a header whether or not the room's LINK line allows
it. Here it must: a room's own headers, those of the rooms that it links (a room passes on what it links itself, as CMake's PUBLIC
does), and a library's headers only in a room whose own LINK line names the library. bpf/abi is for the rooms in ABI alone.
"""
import pathlib
import re
import sys

# Which library a header needs. fmt is passed on by base, as CMake has it, because almost every file formats something.
LIBRARIES = {
    "nlohmann/": "nlohmann_json::nlohmann_json",
    "CLI/": "CLI11::CLI11",
    "prometheus/": "prometheus-cpp::",
    "CivetServer.h": "civetweb::",
    "bpf/": "PkgConfig::libbpf",
    "libelf.h": "PkgConfig::libelf",
    "gelf.h": "PkgConfig::libelf",
    "elfutils/": "PkgConfig::libdw",
    "zlib.h": "PkgConfig::zlib",
    "lzma.h": "PkgConfig::liblzma",
}
ABI = {"model", "collector"}

ROOM = re.compile(r"loopsnoop_room\(\s*(\w+)\s(.*?)\n?\)", re.DOTALL)
LIST = re.compile(r"set\(\s*LOOPSNOOP_ROOMS\s(.*?)\)", re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def without_comments(text):
    return re.sub(r"#[^\n]*", "", text)


class Room:
    def __init__(self, name, body):
        sources, _, link = body.partition("LINK")
        self.name = name
        self.sources = sources.replace("SOURCES", "").split()
        links = link.split()
        self.rooms = {word.removeprefix("loopsnoop_") for word in links if word.startswith("loopsnoop_")}
        self.libraries = {word for word in links if not word.startswith("loopsnoop_")}


def read_rooms(userspace, complain):
    """By name, the rooms that exist; complains of what the list and the folders do not agree on."""
    listed = LIST.search(without_comments((userspace / "rooms.cmake").read_text()))
    names = listed[1].split() if listed else []
    rooms = {}
    for name in names:
        path = userspace / name / "CMakeLists.txt"
        found = ROOM.search(without_comments(path.read_text())) if path.is_file() else None
        if found is None or found[1] != name:
            complain(f"userspace/rooms.cmake: lists the room '{name}', but userspace/{name}/CMakeLists.txt defines no such room")
            continue
        rooms[name] = Room(name, found[2])
    for folder in sorted(path for path in userspace.iterdir() if path.is_dir()):
        if folder.name not in names:
            complain(f"userspace/{folder.name}: is no room of userspace/rooms.cmake; add it to the list there")
            continue
        if folder.name in rooms:
            compiled = set(rooms[folder.name].sources)
            for source in sorted(folder.rglob("*.cpp")):
                if str(source.relative_to(folder)) not in compiled:
                    complain(f"{source.relative_to(userspace.parent)}: is not among the SOURCES of its room's CMakeLists.txt")
    return rooms


def below(name, rooms, complain):
    """The rooms that `name` may include, itself among them."""
    seen, todo = set(), [name]
    while todo:
        room = todo.pop()
        if room in seen:
            continue
        seen.add(room)
        for linked in sorted(rooms[room].rooms if room in rooms else ()):
            if linked not in rooms:
                complain(f"userspace/{room}/CMakeLists.txt: links loopsnoop_{linked}, which is no room")
            elif linked == name:
                complain(f"userspace/{room}/CMakeLists.txt: links {name}, which links {room}: a circle")
            else:
                todo.append(linked)
    return seen


def judge(include, quoted, room, allowed, rooms):
    """What is wrong with one include, or None."""
    first = include.partition("/")[0]
    if quoted and first in rooms and "/" in include:
        if first not in allowed:
            return f"the room {room.name} does not link loopsnoop_{first}"
    elif quoted and first == "abi":
        if room.name not in ABI:
            return f"only {' and '.join(sorted(ABI))} include bpf/abi"
    else:
        for prefix, library in LIBRARIES.items():
            if include.startswith(prefix) and not any(linked.startswith(library) for linked in room.libraries):
                return f"the LINK line of the room {room.name} does not name {library.rstrip(':')}"
    return None


def check(repository):
    """The complaints, in the order of the files; and how many files were read."""
    complaints, userspace, count = [], repository / "userspace", 0

    def complain(words):
        if words not in complaints:
            complaints.append(words)

    rooms = read_rooms(userspace, complain)
    for name in sorted(rooms):
        allowed = below(name, rooms, complain)
        for path in sorted((userspace / name).rglob("*")):
            if path.suffix not in (".cpp", ".h"):
                continue
            count += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = INCLUDE.match(line)
                wrong = found and judge(found[2], found[1] == '"', rooms[name], allowed, rooms)
                if wrong:
                    complain(f"{path.relative_to(repository)}:{number}: includes {found[2]}, but {wrong}")
    if not count:
        complain("userspace: no room was read")
    return complaints, count


def main():
    complaints, _ = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
    for words in complaints:
        print(words, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
