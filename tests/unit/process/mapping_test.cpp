// SPDX-License-Identifier: Apache-2.0
#include "process/mapping.h"

#include <string>

#include "catch.h"

using namespace loopsnoop::process;

TEST_CASE("lines of a memory map") {
	const auto maps = parse_maps("00400000-00452000 r-xp 00001000 08:02 173521                             /usr/bin/dbus daemon\n"
	                             "7f0000000000-7f0000001000 rw-s 00000000 fd:1f 42 /tmp/two\\012lines\\040x (deleted)\n"
	                             "7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n"
	                             "7f0000004000-7f0000005000 rw-p 00000000 00:00 0                          [heap]\n"
	                             "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
	REQUIRE(maps.size() == 5);
	CHECK(maps[0].start == 0x400000);
	CHECK(maps[0].end == 0x452000);
	CHECK(maps[0].offset == 0x1000);
	CHECK((maps[0].readable && !maps[0].writable && maps[0].executable && !maps[0].shared));
	CHECK(maps[0].device_major == 8);
	CHECK(maps[0].inode == 173521);
	CHECK(maps[0].path == "/usr/bin/dbus daemon");
	CHECK(maps[0].has_file());
	CHECK(maps[0].contains(0x400000));
	CHECK_FALSE(maps[0].contains(0x452000));
	CHECK_FALSE(maps[0].deleted);
	CHECK(maps[1].path == "/tmp/two\nlines\\040x"); // only the newline is escaped by the kernel
	CHECK(maps[1].deleted);
	CHECK(maps[1].shared);
	CHECK(maps[1].device_minor == 0x1f);
	CHECK(maps[2].path.empty());
	CHECK(maps[3].path == "[heap]");
	CHECK_FALSE(maps[3].has_file());
	CHECK(maps[4].end == 0xffffffffff601000);
}

TEST_CASE("lines that are no mapping are left out, the rest is kept") {
	std::string text = "\n\n \nrubbish\n"
	                   "7f00-6f00 r-xp 0 08:02 1 /backwards\n"
	                   "7f00-7f00 r-xp 0 08:02 1 /empty\n"
	                   "10000000000000000-20000000000000000 r-xp 0 08:02 1 /huge\n"
	                   "1000-2000 rx 0 08:02 1 /perms\n"
	                   "1000-2000 r-xp 0 0802 1 /device\n"
	                   "1000-2000 r-xp 0 08:02 99999999999999999999999 /inode\n"
	                   "1000-2000 r-xp 0 08:02\n"
	                   "1000 r-xp 0 08:02 1 /range\n";
	text += std::string("\0\0\0-\0 r-xp\n", 11);
	text += std::string(100000, '\xff') + "\n";
	text += "1000-2000 r-xp 00000000 08:02 1 /good\n";
	text += "3000-4000 r-xp 0000"; // cut short
	const auto maps = parse_maps(text);
	REQUIRE(maps.size() == 1);
	CHECK(maps[0].path == "/good");
}

TEST_CASE("thousands of lines") {
	std::string text;
	for (std::uint64_t i = 0; i < 60000; ++i) {
		const std::string digit = std::to_string(100000 + i);
		text += digit + "000-" + digit + "fff rw-p 00000000 00:00 0 \n";
	}
	CHECK(parse_maps(text).size() == 60000);
}
