// SPDX-License-Identifier: Apache-2.0
// Reading V8's objects: a heap of literals, laid out as that of Node 20, and noise.
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "fake_memory.h"
#include "runtimes/v8/frames.h"
#include "runtimes/v8/heap.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::v8;
using loopsnoop::test::FakeMemory;
using loopsnoop::test::NoiseMemory;

namespace {

constexpr std::uint16_t shared_type = 262;
constexpr std::uint16_t script_type = 167;
constexpr std::uint16_t scope_type = 261;
constexpr std::uint16_t other_type = 300;
constexpr std::uint16_t one_byte = 40;
constexpr std::uint16_t two_byte = 32;
constexpr std::uint16_t cons = 41;
constexpr std::uint16_t external = 42;
constexpr std::uint16_t sliced = 43;
constexpr std::uint16_t thin = 45;

Layout node20() {
	Layout layout;
	layout.fp_function = -16;
	layout.fp_context = -8;
	layout.map_instance_type = 12;
	layout.function_shared = 24;
	layout.shared_name = 16;
	layout.shared_script = 32;
	layout.script_name = 16;
	layout.script_source = 8;
	layout.string_length = 12;
	layout.one_byte_chars = layout.two_byte_chars = 16;
	layout.cons_first = layout.thin_actual = layout.sliced_parent = layout.external_resource = 16;
	layout.cons_second = layout.sliced_offset = 24;
	layout.scope_locals = 2;
	layout.scope_first = 3;
	layout.shared_type = shared_type;
	layout.script_type = script_type;
	layout.scope_type = scope_type;
	layout.not_string_mask = -128;
	layout.encoding_mask = layout.one_byte_tag = 8;
	layout.representation_mask = 7;
	layout.cons_tag = 1;
	layout.external_tag = 2;
	layout.sliced_tag = 3;
	layout.thin_tag = 5;
	return layout;
}

std::uint64_t smi(std::int64_t value) { return static_cast<std::uint64_t>(value) << 32U; }

// Makes objects one after the other and gives tagged pointers to them.
struct Maker {
	std::unique_ptr<FakeMemory> memory = std::make_unique<FakeMemory>();
	std::uint64_t next = 0x10000;

	std::uint64_t object(std::uint16_t type, std::initializer_list<std::uint64_t> words) {
		const std::uint64_t map = next;
		memory->put(map + 12, type);
		const std::uint64_t address = next + 0x40;
		memory->put(address, map + 1);
		std::uint64_t at = address + 8;
		for (const std::uint64_t word : words) {
			memory->put(at, word);
			at += 8;
		}
		next = (at + 0x40) & ~0xfULL;
		return address + 1;
	}
	std::uint64_t string(std::string_view text) {
		const std::uint64_t made = object(one_byte, {std::uint64_t{text.size()} << 32U});
		memory->put_text(made - 1 + 16, text);
		next += (text.size() + 15) & ~0xfULL;
		return made;
	}
	std::uint64_t wide(std::u16string_view text) {
		const std::uint64_t made = object(two_byte, {std::uint64_t{text.size()} << 32U});
		memory->put_bytes(made - 1 + 16, std::as_bytes(std::span(text)));
		next += (text.size() * 2 + 15) & ~0xfULL;
		return made;
	}
	std::uint64_t script(std::uint64_t name, std::uint64_t source) { return object(script_type, {source, name}); }
	// A frame at `frame_pointer` of a function.
	std::uint64_t function(std::uint64_t name, std::uint64_t script) {
		const std::uint64_t shared = object(shared_type, {0, name, 0, script});
		return object(2066, {0, 0, shared});
	}
};

std::optional<SourceFrame> named(Maker &&maker, std::uint64_t function, std::uint64_t context = 0x5001) {
	Frames frames(node20(), std::move(maker.memory));
	return frames.at(0x7000, [&](std::uint64_t address) -> std::optional<std::uint64_t> {
		return address == 0x7000 - 8 ? std::optional(context) : address == 0x7000 - 16 ? std::optional(function) : std::nullopt;
	});
}

} // namespace

TEST_CASE("a function has the name of its scope, its script, and the line of its beginning") {
	Maker maker;
	const std::uint64_t source = maker.string("let a;\r\nlet b;\n\nfunction work() {}\n");
	const std::uint64_t script = maker.script(maker.string("file:///srv/app.mjs"), source);
	const std::uint64_t outer = maker.object(scope_type, {0, 0, 0});
	// Two locals: two names, two infos; then the name, its slot, start, end, the outer scope.
	const std::uint64_t scope = maker.object(scope_type, {smi(5), 0, smi(2), maker.string("x"), maker.string("y"), smi(1), smi(2),
	                                                      maker.string("work"), smi(-1), smi(29), smi(34), outer});
	const std::uint64_t function = maker.function(scope, script);
	const auto frame = named(std::move(maker), function);
	REQUIRE(frame);
	CHECK(frame->function == "work");
	CHECK(frame->file == "/srv/app.mjs");
	CHECK(frame->line == 4);
}

TEST_CASE("a function without a name has the inferred one") {
	Maker maker;
	const std::uint64_t script = maker.script(maker.string("/srv/app.js"), maker.string("x = {y: () => 1}"));
	const std::uint64_t outer = maker.object(scope_type, {0, 0, 0});
	const std::uint64_t scope =
	    maker.object(scope_type, {0, 0, 0, maker.string(""), smi(0), maker.string("x.y"), smi(8), smi(15), outer});
	const std::uint64_t function = maker.function(scope, script);
	const auto frame = named(std::move(maker), function);
	REQUIRE(frame);
	CHECK(frame->function == "x.y");
	CHECK(frame->line == 1);
}

TEST_CASE("positions that stand before the locals, as V8 has them since 12") {
	Layout layout = node20();
	layout.scope_first = 5;
	Maker maker;
	const std::uint64_t script = maker.script(maker.string("/srv/app.js"), maker.string("\n\nf = function g() {}"));
	const std::uint64_t scope =
	    maker.object(scope_type, {0, 0, smi(1), smi(6), smi(20), maker.string("local"), smi(0), maker.string("g"), smi(0)});
	const std::uint64_t function = maker.function(scope, script);
	Frames frames(layout, std::move(maker.memory));
	const auto frame =
	    frames.at(0x7000, [&](std::uint64_t address) { return std::optional(address == 0x7000 - 16 ? function : 1); });
	REQUIRE(frame);
	CHECK(frame->function == "g");
	CHECK(frame->line == 3);
}

TEST_CASE("a function that was not compiled yet, or has no name at all") {
	Maker maker;
	const std::uint64_t script = maker.script(maker.string("/srv/app.js"), maker.string(""));
	SECTION("its name is in itself") {
		const std::uint64_t function = maker.function(maker.string("lazy"), script);
		const auto frame = named(std::move(maker), function);
		REQUIRE(frame);
		CHECK(frame->function == "lazy");
		CHECK_FALSE(frame->line);
	}
	SECTION("it has none") {
		const std::uint64_t function = maker.function(smi(0), script);
		const auto frame = named(std::move(maker), function);
		REQUIRE(frame);
		CHECK(frame->function == "(anonymous)");
	}
}

TEST_CASE("what is no function of a script is no frame") {
	Maker maker;
	const std::uint64_t script = maker.script(maker.string("/srv/app.js"), maker.string("x"));
	const std::uint64_t good = maker.function(maker.string("f"), script);
	SECTION("a frame of another kind, with its number where the context is") { CHECK_FALSE(named(std::move(maker), good, 44)); }
	SECTION("a small integer") { CHECK_FALSE(named(std::move(maker), smi(3))); }
	SECTION("memory that is not there") { CHECK_FALSE(named(std::move(maker), 0x999999001)); }
	SECTION("something that has moved into its place") {
		const std::uint64_t other = maker.object(2066, {0, 0, maker.object(other_type, {0, maker.string("f"), 0, script})});
		CHECK_FALSE(named(std::move(maker), other));
	}
	SECTION("one of V8's own, without a script") {
		const std::uint64_t builtin = maker.function(maker.string("sort"), maker.object(other_type, {0, 0}));
		CHECK_FALSE(named(std::move(maker), builtin));
	}
	SECTION("a script without a name") {
		const std::uint64_t typed_in = maker.function(maker.string("f"), maker.script(smi(0), maker.string("x")));
		CHECK_FALSE(named(std::move(maker), typed_in));
	}
}

TEST_CASE("strings of all kinds") {
	const Layout layout = node20();
	Maker maker;
	const std::uint64_t hello = maker.string("hello, world");
	const std::uint64_t wide = maker.wide(u"\u00fcber \U0001f600 \xd800!");
	const std::uint64_t empty = maker.string("");
	const std::uint64_t flat = maker.object(cons, {std::uint64_t{12} << 32U, hello, empty});
	const std::uint64_t parts = maker.object(cons, {std::uint64_t{24} << 32U, hello, hello});
	const std::uint64_t other = maker.object(thin, {std::uint64_t{12} << 32U, flat});
	const std::uint64_t slice = maker.object(sliced, {std::uint64_t{5} << 32U, other, smi(7)});
	const std::uint64_t beyond = maker.object(sliced, {std::uint64_t{8} << 32U, hello, smi(7)});
	maker.memory->put_text(0x90000, "outside");
	const std::uint64_t outside = maker.object(external, {std::uint64_t{7} << 32U, 0x80000, 0x90000});
	const std::uint64_t round = maker.object(thin, {std::uint64_t{1} << 32U, maker.next + 0x41});
	const Heap heap(layout, *maker.memory);
	CHECK(heap.text(hello, 100) == "hello, world");
	CHECK(heap.text(hello, 5) == "hello");
	CHECK(heap.text(wide, 100) == "\u00fcber \U0001f600 \ufffd!");
	CHECK(heap.text(empty, 100) == "");
	CHECK(heap.text(flat, 100) == "hello, world");
	CHECK_FALSE(heap.text(parts, 100));
	CHECK(heap.text(other, 100) == "hello, world");
	CHECK(heap.text(slice, 100) == "world");
	CHECK_FALSE(heap.text(beyond, 100));
	CHECK(heap.text(outside, 100) == "outside");
	CHECK_FALSE(heap.text(round, 100));
	CHECK_FALSE(heap.text(smi(1), 100));
}

TEST_CASE("lines end as the language has it") {
	const Layout layout = node20();
	Maker maker;
	const std::uint64_t mixed = maker.string("a\rb\r\nc\n\nd");
	const std::uint64_t wide = maker.wide(u"a\u2028b\u2029c\nd");
	std::string big(200'000, 'x');
	for (std::size_t i = 99; i < big.size(); i += 100) {
		big[i] = '\n';
	}
	const std::uint64_t long_one = maker.string(big);
	const Heap heap(layout, *maker.memory);
	CHECK(heap.lines_before(mixed, 0) == 0);
	CHECK(heap.lines_before(mixed, 9) == 4);
	CHECK_FALSE(heap.lines_before(mixed, 10));
	CHECK(heap.lines_before(wide, 6) == 3);
	CHECK(heap.lines_before(long_one, 200'000) == 2000);
}

TEST_CASE("numbers that no V8 has are no layout") {
	CHECK(is_plausible(node20()));
	Layout layout = node20();
	layout.external_resource = 0x7fffffff; // what is added to it would overflow
	CHECK_FALSE(is_plausible(layout));
	layout = node20();
	layout.fp_function = -0x7fffffff;
	CHECK_FALSE(is_plausible(layout));
}

TEST_CASE("noise is no harm") {
	for (unsigned seed = 0; seed < 2000; ++seed) {
		auto noise = std::make_unique<NoiseMemory>(seed);
		const NoiseMemory &memory = *noise;
		Frames frames(node20(), std::move(noise));
		for (std::uint64_t word = 1; word < 0x1000; word += 0x400) {
			static_cast<void>(frames.at(0x7000, [&](std::uint64_t) { return std::optional(word); }));
		}
		CHECK(memory.reads < 4000);
	}
}
