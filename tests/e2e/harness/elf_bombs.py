# SPDX-License-Identifier: Apache-2.0
"""ELF files made to cost memory and time: their second page is code, which targets/hostile/hostile_target.c maps."""

import struct
import zlib

TEXT = 0x1000  # offset, address and size of the code
FIRST = 0x3000  # of what is behind it
MIB = 1 << 20
HEADER_OF_LINES = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + b"\0" + b"a.c\0\0\0\0" + b"\0"
SET_ADDRESS = b"\x00\x09\x02" + struct.pack("<Q", TEXT)
END = b"\x02\x80\x20\x00\x01\x01"


class Section:
    """`size`: of one whose bytes are left out, so that the file is sparse there."""

    def __init__(self, name, kind, data=b"", size=None, flags=0, link=0, entry=0):
        self.name, self.kind, self.data, self.flags, self.link, self.entry = name, kind, data, flags, link, entry
        self.size = len(data) if size is None else size


def write(path, *sections, puts=()):
    """`puts`: (offset behind FIRST, bytes) written besides."""
    sections = [Section("", 0), Section(".text", 1, size=TEXT, flags=6), *sections]
    names = b"\0".join(section.name.encode() for section in sections) + b"\0.shstrtab\0"
    sections.append(Section(".shstrtab", 3, names))
    at, table = FIRST, b""
    with open(path, "wb") as file:
        for section in sections:
            name = names.index(b"\0" + section.name.encode() + b"\0") + 1 if section.name else 0
            offset = TEXT if section.name == ".text" else at
            address = TEXT if section.name == ".text" else 0
            table += struct.pack("<IIQQQQIIQQ", name, section.kind, section.flags, address, offset, section.size, section.link, 0, 16, section.entry)
            if section.data:
                file.seek(offset)
                file.write(section.data)
            if section.name != ".text":
                at = (at + section.size + 63) & ~63
        for offset, data in puts:
            file.seek(FIRST + offset)
            file.write(data)
        file.seek(at)
        file.write(table)
        file.seek(TEXT)
        file.write(b"\x90" * TEXT)
        file.seek(0)
        file.write(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, at, 0, 64, 56, 2, 64, len(sections), len(sections) - 1))
        file.write(struct.pack("<IIQQQQQQ", 1, 5, TEXT, TEXT, TEXT, TEXT, TEXT, 0x1000))
        file.write(struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, TEXT, TEXT, 0x1000))


def packed(raw):
    return struct.pack("<IIQQ", 1, 0, len(raw), 1) + zlib.compress(raw, 1)


def unit(program):
    body = struct.pack("<HI", 4, len(HEADER_OF_LINES)) + HEADER_OF_LINES + program
    return struct.pack("<I", len(body)) + body


def packed_lines(path):
    """Two sections of 16 MiB in some 100 KiB."""
    one = unit(SET_ADDRESS + END)
    filler = struct.pack("<I", 4 * MIB - 4) + bytes(4 * MIB - 4)
    write(
        path,
        Section(".debug_line", 1, packed((one + filler * 4)[: 16 * MIB]), flags=0x800),
        Section(".debug_line_str", 1, packed(bytes(16 * MIB)), flags=0x800),
    )


def empty_units(path):
    """64 MiB of zeros: 16 million units."""
    write(path, Section(".debug_line", 1, size=64 * MIB))


def many_rows(path):
    """One unit of four million rows, which each address needs."""
    write(path, Section(".debug_line", 1, unit(SET_ADDRESS + b"\x0d" * (4 * MIB - 120) + END)))


def many_symbols(path):
    """A million of them."""
    one = b"".join(struct.pack("<IBBHQQ", 1, 2, 0, 1, TEXT + i % TEXT, 1) for i in range(4096))
    write(path, Section(".symtab", 2, one * 256, link=3, entry=24), Section(".strtab", 3, b"\0" + b"A" * 4095))


def debug_link(path):
    """A debug file of 256 MiB (sparse), to be found by its checksum."""
    large = path.parent / "large.debug"
    write(large)
    with open(large, "r+b") as file:
        file.truncate(256 * MIB)
    write(path, Section(".gnu_debuglink", 1, b"large.debug\0" + struct.pack("<I", 0x12345678)))


def common_entries(path, count=1000, size=131000):
    """A thousand common entries of call-frame information of 128 KiB, one for each function of four bytes."""
    puts = []
    for i in range(count):
        head = struct.pack("<IIBBBBB", size, 0xFFFFFFFF, 1, 0, 1, 0x78, 16) + bytes([0x0C, 6, 16, 0x80 | 16, 1, 0x80 | 6, 2])
        puts.append((i * (size + 4), head))
        puts.append((count * (size + 4) + i * 24, struct.pack("<IIQQ", 20, i * (size + 4), TEXT + i * 4, 4)))
    write(path, Section(".debug_frame", 1, size=count * (size + 4) + count * 24), puts=puts)


def common_entries_only(path):
    """64 MiB of common entries that nothing refers to."""
    one = struct.pack("<IIBBBBBxxxx", 12, 0xFFFFFFFF, 1, 0, 1, 1, 16)[:16]
    write(path, Section(".debug_frame", 1, one * (4 * MIB)))


def long_names(path):
    """A thousand symbols whose one name is 4 KiB of control characters."""
    symbols = b"".join(struct.pack("<IBBHQQ", 1, 2, 0, 1, TEXT + i * 4, 4) for i in range(1024))
    write(path, Section(".symtab", 2, symbols, link=3, entry=24), Section(".strtab", 3, b"\0" + b'\x1b[31m"\\<script>\n' * 300 + b"\0"))


def sparse_symbols(path):
    """A dynamic symbol table of 8 GiB (sparse)."""
    write(path, Section(".dynsym", 11, size=(8 << 30) // 24 * 24, flags=2, link=3, entry=24), Section(".dynstr", 3, b"\0_PyRuntime\0", flags=2))
