#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds that are no text into FOLDER/TARGET/: small inputs that each reader takes for whole."""

import pathlib
import struct
import sys
import zlib

TEXT = 0x1000  # address and offset of the code in the ELF files made here


def line_unit(version):
    """One unit of .debug_line with three rows and one file."""
    program = b"\x00\x09\x02" + struct.pack("<Q", TEXT) + b"\x13\x4b\x02\x80\x02\x00\x01\x01"
    if version >= 5:
        strings = b"\x01" + b"\x01\x08" + b"\x01" + b"/src\0" + b"\x02" + b"\x01\x08\x02\x0b" + b"\x01" + b"a.c\0\0"
        head = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + strings
        body = struct.pack("<HBB", version, 8, 0) + struct.pack("<I", len(head)) + head + program
    else:
        head = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + b"src\0\0a.c\0\x01\0\0\0"
        body = struct.pack("<H", version) + struct.pack("<I", len(head)) + head + program
    return struct.pack("<I", len(body)) + body


def debug_frame():
    """A common entry and one description of the code."""
    common = struct.pack("<IBBBBB", 0xFFFFFFFF, 1, 0, 1, 0x78, 16) + bytes([0x0C, 7, 8, 0x80 | 16, 1])
    entry = struct.pack("<IQQ", 0, TEXT, 0x1000) + bytes([0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x0A, 0x0B, 0])
    return b"".join(struct.pack("<I", len(part)) + part for part in (common, entry))


def packed(raw):
    return struct.pack("<IIQQ", 1, 0, len(raw), 1) + zlib.compress(raw)


def elf(*sections):
    """An x86-64 ELF file whose code is one page of nops. A section is (name, type, flags, bytes, link, entry size)."""
    sections = [("", 0, 0, b"", 0, 0), *sections, (".shstrtab", 3, 0, b"", 0, 0)]
    names = b"\0".join(name.encode() for name, *_ in sections) + b"\0"
    sections[-1] = (".shstrtab", 3, 0, names, 0, 0)
    at, table, contents = 64 + 56, b"", b""
    for index, (name, kind, flags, data, link, size) in enumerate(sections):
        offset = names.find(b"\0" + name.encode() + b"\0") + 1 if index else 0
        table += struct.pack("<IIQQQQIIQQ", offset, kind, flags, 0, at + len(contents) if index else 0, len(data), link, 0, 1, size)
        contents += data
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, TEXT, 64, at + len(contents), 0, 64, 56, 1, 64, len(sections), len(sections) - 1)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, TEXT, TEXT, 0x1000, 0x1000, 0x1000)
    return header + segment + contents + table


def symbols(count):
    table = bytes(24) + b"".join(struct.pack("<IBBHQQ", 1, 2, 0, 1, TEXT + 16 * i, 16) for i in range(count))
    return (".symtab", 2, 0, table, 2, 24), (".strtab", 3, 0, b"\0_ZN3app4stopEi\0", 0, 0)


def words(*values):
    return struct.pack(f"<{len(values)}Q", *(value & (1 << 64) - 1 for value in values))


def seeds():
    yield "elf", "symbols", elf(*symbols(8))
    yield "elf", "lines", elf((".debug_line", 1, 0, line_unit(4), 0, 0))
    yield "elf", "lines-packed", elf((".debug_line", 1, 0x800, packed(line_unit(4) + bytes(4096)), 0, 0))
    yield "elf", "frames", elf((".debug_frame", 1, 0, debug_frame(), 0, 0))
    yield "elf", "link", elf((".gnu_debuglink", 1, 0, b"a.debug\0" + struct.pack("<I", 1), 0, 0))
    for version in (2, 4, 5):
        yield "line_program", f"version-{version}", line_unit(version)
    yield "cfi", "usual", bytes([1, 0xF8, 0x1B, 5, 0x0C, 7, 8, 0x90, 1, 0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x0A, 0x0B])
    yield "cfi", "expression", bytes([1, 0xF8, 0, 0, 0x0F, 6, 0x77, 8, 0x06, 0x23, 16, 0x22, 0x10, 16, 2, 0x77, 0])
    for minor in range(7):
        # Pointers into itself: an interpreter, whose thread leads to a frame, whose code leads to texts.
        yield "cpython", f"circle-3.{9 + minor}", bytes([minor]) + words(*(0x7F0000010000 + 8 * (i * 5 % 64) for i in range(512)))
        yield "cpython", f"small-3.{9 + minor}", bytes([minor]) + words(*(i % 7 if i % 3 else 0x7F0000010000 + 8 * i for i in range(512)))
    for minor in range(7):
        section = bytes(2) + words(*((64, 48, 8, 16, 24, 32, 40, 4096, 64, 512, 8, 16, 24) + (0,) * 4))
        yield "tasks", f"circle-3.{9 + minor}", bytes([minor]) + section[1:] + words(*(0x7F0000010000 + 8 * (i * 5 % 64) for i in range(512)))
        yield "tasks", f"no-section-3.{9 + minor}", bytes([minor, 1]) + words(*(i % 7 if i % 3 else 0x7F0000010000 + 8 * i for i in range(512)))
    tcp = struct.pack("<BBBB", 2, 1, 0, 0) + struct.pack(">HH", 80, 50000) + bytes([127, 0, 0, 1]) + bytes(60)
    yield "netlink", "tcp", tcp + struct.pack("<HH", 4 + 248, 2) + bytes(248) + struct.pack("<HHI", 8, 10, 7)
    yield "netlink", "short-attribute", tcp + struct.pack("<HH", 3, 2) + bytes(8)
    yield "python_lines", "locations", struct.pack("<ih", 10, 6) + bytes([0x80, 1, 0x20, 0xD0, 2, 1, 0xF0, 2, 4, 0, 3, 1, 0xE8, 6])
    yield "python_lines", "lnotab", struct.pack("<ih", 10, 6) + bytes([2, 1, 4, 255, 6, 1, 255, 127])
    layout = struct.pack("<31i", -16, -8, 12, 24, 8, 16, 8, 0, 12, 16, 16, 16, 24, 16, 16, 24, 16, 2, 3, 1, 2, 3, 0x80, 8, 8, 7, 1, 2, 3, 5, 0)
    yield "v8", "strings", layout + words(*(0x7F0000010001 + 8 * (i % 16) if i % 2 else i << 32 for i in range(128)))
    for kind in range(24):
        yield "ring_records", f"kind-{kind}", struct.pack("<IIQ", kind, 1024, 7) + bytes(range(256)) * 4
        yield "ring_records", f"zeros-{kind}", struct.pack("<II", kind, 0) + bytes(4096)


def main():
    folder = pathlib.Path(sys.argv[1])
    for target, name, data in seeds():
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / name).write_bytes(data)


main()
