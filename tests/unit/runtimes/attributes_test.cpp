// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/attributes.h"

#include "catch.h"
#include "fake_memory.h"
#include "python_image.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;

namespace {

constexpr std::uint64_t object = 0x7f0000010100, type = 0x7f0000020000, keys = 0x7f0000030000, dict = 0x7f0000040000,
                        values = 0x7f0000050000, names = 0x7f0000060000, int_type = 0x7f0000070000;
constexpr std::uint64_t first_value = 0x7f0000080000, second_value = 0x7f0000080100;

void put_name(test::FakeMemory &memory, const Offsets &offsets, std::uint64_t at, std::string_view text) {
	memory.put<std::uint64_t>(at + offsets.text.length, text.size());
	memory.put<std::uint32_t>(at + offsets.text.state, 0x64); // one byte a character, compact, ASCII
	memory.put_text(at + offsets.text.ascii_size, text);
}

// The keys "owner" and "name", in a table of eight; with the values beside them, or without.
void put_keys(test::FakeMemory &memory, const Offsets &offsets, bool with_values, bool hashes) {
	put_name(memory, offsets, names, "owner");
	put_name(memory, offsets, names + 256, "name");
	std::uint64_t entries = keys + 32 + 8;
	std::uint64_t stride = hashes ? 24 : 16, key = hashes ? 8 : 0;
	if (offsets.instance.attributes == AttributeForm::dictionary) {
		memory.put<std::uint64_t>(keys + 8, 8);
		memory.put<std::uint64_t>(keys + 32, 2);
		entries = keys + 40 + 8;
		stride = 24, key = 8;
	} else {
		memory.put<std::uint8_t>(keys + 8, 3);
		memory.put<std::uint8_t>(keys + 9, 3);
		memory.put<std::uint8_t>(keys + 10, hashes ? 0 : 1);
		memory.put<std::uint64_t>(keys + 24, 2);
	}
	for (std::uint64_t i = 0; i < 2; i++) {
		memory.put<std::uint64_t>(entries + i * stride + key, names + i * 256);
		memory.put<std::uint64_t>(entries + i * stride + key + 8, with_values ? (i == 0 ? first_value : second_value) : 0);
	}
}

void put_values(test::FakeMemory &memory, std::uint64_t at) {
	memory.put<std::uint64_t>(at, first_value);
	memory.put<std::uint64_t>(at + 8, second_value);
}

void put_dict(test::FakeMemory &memory, std::uint64_t its_values) {
	memory.put<std::uint64_t>(dict + 32, keys);
	memory.put<std::uint64_t>(dict + 40, its_values);
}

Offsets offsets_for(std::uint8_t minor) {
	if (minor <= 12) {
		return *offsets_of(Version{3, minor, std::nullopt, {}});
	}
	Offsets offsets = *offsets_of(Version{3, 12, std::nullopt, {}});
	offsets.instance.attributes = AttributeForm::inline_values;
	offsets.instance.values_header = 8;
	return offsets;
}

} // namespace

TEST_CASE("an attribute is found wherever a version keeps it") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12, 13}) {
		for (const bool in_dict : {false, true}) {
			const Offsets offsets = offsets_for(minor);
			test::FakeMemory memory;
			memory.put<std::uint64_t>(object + 8, type);
			memory.put<std::uint64_t>(object - 32, 0);
			memory.put<std::uint64_t>(type + 32, 16);
			memory.put<std::uint64_t>(type + 168, minor < 11 ? 0 : minor < 13 ? 16 : 16 | 4);
			memory.put<std::uint64_t>(type + 288, minor < 11 ? 16 : ~0ULL);
			memory.put<std::uint64_t>(type + (minor < 11 ? 872 : offsets.type.cached_keys), keys);
			put_keys(memory, offsets, in_dict, in_dict);
			if (minor < 11) {
				memory.put<std::uint64_t>(object + 16, dict);
				put_dict(memory, in_dict ? 0 : values);
				put_values(memory, values);
			} else if (in_dict) {
				memory.put<std::uint64_t>(object - 24, dict);
				put_dict(memory, 0);
			} else if (minor == 11) {
				memory.put<std::uint64_t>(object - 32, values);
				put_values(memory, values);
			} else if (minor == 12) {
				memory.put<std::uint64_t>(object - 24, values - 1);
				put_values(memory, values);
			} else {
				put_values(memory, object + 16 + 8);
			}
			INFO("3." << int{minor} << (in_dict ? " in a dict" : " in an array"));
			CHECK(read_attribute(memory, offsets, object, "owner") == first_value);
			CHECK(read_attribute(memory, offsets, object, "name") == second_value);
			CHECK_FALSE(read_attribute(memory, offsets, object, "nam"));
			CHECK_FALSE(read_attribute(memory, offsets, 0x1234, "name"));
		}
	}
}

TEST_CASE("a number of one or two digits is read, nothing else is") {
	for (const std::uint8_t minor : test::Minors{9, 12}) {
		const Offsets offsets = offsets_for(minor);
		const auto size = [&](std::uint64_t digits) { return minor < 12 ? digits : digits << 3U; };
		test::FakeMemory memory;
		memory.put_text(int_type + 512, "int");
		memory.put<std::uint64_t>(int_type + 24, int_type + 512);
		memory.put<std::uint64_t>(object + 8, int_type);
		memory.put<std::uint64_t>(object + 16, size(2));
		memory.put<std::uint32_t>(object + 24, 0x3e5bc740);
		memory.put<std::uint32_t>(object + 28, 0x1fcd7);
		CHECK(read_small_int(memory, offsets, object) == 0x7f35fe5bc740);
		memory.put<std::uint64_t>(object + 16, size(1));
		CHECK(read_small_int(memory, offsets, object) == 0x3e5bc740);
		memory.put<std::uint64_t>(object + 16, size(3));
		CHECK_FALSE(read_small_int(memory, offsets, object));
		memory.put<std::uint64_t>(object + 16, minor < 12 ? ~0ULL : 8 | 2); // -1 digit: negative
		CHECK_FALSE(read_small_int(memory, offsets, object));
		memory.put<std::uint64_t>(object + 16, size(1));
		memory.put_text(int_type + 512, "NoneType");
		CHECK_FALSE(read_small_int(memory, offsets, object));
	}
}

TEST_CASE("attributes of noise: whatever is read, it comes to an end") {
	for (unsigned seed = 0; seed < 200; seed++) {
		const test::NoiseMemory memory(seed);
		const Offsets offsets = offsets_for(static_cast<std::uint8_t>(9 + seed % 5));
		CHECK_FALSE(read_attribute(memory, offsets, object, "name"));
		CHECK(memory.reads < 256);
	}
}
