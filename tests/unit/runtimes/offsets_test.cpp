// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "catch.h"
#include "fake_memory.h"
#include "runtimes/cpython/offsets.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::FakeMemory;

namespace {

constexpr std::uint64_t runtime = 0x10000;

// The numbers of Debian's 3.13.5 (x86-64), at their places in struct _Py_DebugOffsets.
FakeMemory described_3_13() {
	FakeMemory memory;
	memory.put_text(runtime, "xdebugpy");
	const auto put = [&](std::uint64_t place, std::uint64_t value) { memory.put(runtime + place, value); };
	put(8, 0x030d05f0); // version
	put(40, 632);       // runtime_state.interpreters_head
	put(64, 7264);      // interpreter_state.next
	put(72, 7344);      // .threads_head
	put(112, 16);       // .ceval_gil
	put(120, 7752);     // .gil_runtime_state
	put(136, 7768);     // .gil_runtime_state_locked
	put(144, 7760);     // .gil_runtime_state_holder
	put(168, 8);        // thread_state.next
	put(176, 16);       // .interp
	put(184, 72);       // .current_frame
	put(192, 152);      // .thread_id
	put(200, 160);      // .native_thread_id
	put(232, 8);        // interpreter_frame.previous
	put(248, 56);       // .instr_ptr
	put(264, 70);       // .owner
	put(280, 112);      // code_object.filename
	put(288, 120);      // .name
	put(296, 128);      // .qualname
	put(304, 136);      // .linetable
	put(312, 68);       // .firstlineno
	put(344, 200);      // .co_code_adaptive
	put(360, 8);        // pyobject.ob_type
	put(520, 16);       // bytes_object.ob_size
	put(528, 32);       // .ob_sval
	put(544, 32);       // unicode_object.state
	put(552, 16);       // .length
	put(560, 40);       // .asciiobject_size
	put(1000, 0);       // the runtime goes on
	return memory;
}

} // namespace

TEST_CASE("versions from PY_VERSION_HEX") {
	CHECK(version_from_hex(0x030b02f0)->text() == "3.11.2");
	CHECK(version_from_hex(0x030e0af0)->text() == "3.14.10");
	CHECK(version_from_hex(0x030e00c1)->text() == "3.14.0rc1");
	CHECK(version_from_hex(0x030f00a7)->text() == "3.15.0a7");
	CHECK(Version{3, 9, {}, {}}.text() == "3.9");
	for (const std::uint64_t hex : {std::uint64_t{0}, std::uint64_t{0x020712f0}, std::uint64_t{0x030b0200}, ~std::uint64_t{0},
	                                std::uint64_t{0x1030b02f0}}) {
		CHECK_FALSE(version_from_hex(hex));
	}
}

TEST_CASE("only versions whose layout is known have one") {
	for (int minor = 0; minor < 256; ++minor) {
		CHECK(offsets_of({3, static_cast<std::uint8_t>(minor), {}, {}}).has_value() == (minor >= 9 && minor <= 12));
	}
	CHECK_FALSE(offsets_of({2, 11, {}, {}}));
	CHECK(offsets_of({3, 11, 2, {}})->frames.through_cframe);
	CHECK(offsets_of({3, 10, {}, {}})->frames.instruction_is_index);
}

TEST_CASE("a runtime that describes itself") {
	const FakeMemory memory = described_3_13();
	const auto described = self_described(memory, runtime);
	REQUIRE(described);
	CHECK(described->version.text() == "3.13.5");
	const PythonLayout &layout = described->offsets.frames;
	CHECK(layout.tstate_frame == 72);
	CHECK(layout.tstate_thread_id == 152);
	CHECK_FALSE(layout.through_cframe);
	CHECK(layout.frame_back == 8);
	CHECK(layout.frame_code == 0);
	CHECK(layout.frame_instruction == 56);
	CHECK_FALSE(layout.instruction_is_index);
	CHECK(layout.has_owner);
	CHECK(layout.frame_owner == 70);
	CHECK(layout.owner_c_stack == 3);
	CHECK(layout.pointer_mask == ~0ULL);
	CHECK(described->offsets.code.name == 128);
	CHECK(described->offsets.text.compact_size == 56);
	CHECK(described->offsets.interpreter.gil == 16);
}

TEST_CASE("3.15 describes more of itself") {
	FakeMemory memory;
	memory.put_text(runtime, "xdebugpy");
	const auto put = [&](std::uint64_t place, std::uint64_t value) { memory.put(runtime + place, value); };
	// The numbers of Debian's 3.15.2, as far as they are not those of 3.13.
	put(8, 0x030f02f0);
	put(88, 7400);  // interpreter_state.gc
	put(96, 7592);  // .imports_modules
	put(120, 16);   // .ceval_gil
	put(128, 7752); // .gil_runtime_state
	put(144, 7768);
	put(152, 7760);
	put(208, 72);  // thread_state.current_frame
	put(240, 176); // .thread_id
	put(352, 74);  // interpreter_frame.owner
	put(360, 64);  // .stackpointer
	put(536, 888); // heap_type_object.ht_cached_keys
	put(744, 56);  // unicode_object.compactunicodeobject_size
	put(760, 112); // gc.collecting
	put(800, 24);  // gen_object.gi_name
	put(808, 72);  // .gi_iframe
	put(816, 67);  // .gi_frame_state
	const auto described = self_described(memory, runtime);
	REQUIRE(described);
	CHECK(described->version.text() == "3.15.2");
	const Offsets &offsets = described->offsets;
	CHECK(offsets.frames.tstate_thread_id == 176);
	CHECK(offsets.frames.frame_owner == 74);
	CHECK(offsets.frames.pointer_mask == ~3ULL);
	CHECK(offsets.frame.stack_pointer == 64);
	CHECK(offsets.type.cached_keys == 888);
	CHECK(offsets.interpreter.modules == 7592);
	CHECK(offsets.interpreter.gc_collecting == 7512);
	CHECK(offsets.interpreter.gc_generations == 7408);
	CHECK(offsets.coroutine.frame == 72);
	CHECK(offsets.coroutine.state == 67);
	CHECK(offsets.coroutine.name == 32);
	CHECK(offsets.coroutine.executing == 4); // what 3.14 calls created is 0 here, and its executing
	CHECK(offsets.coroutine.awaited == 2);
}

TEST_CASE("runtimes that do not, or say what cannot be") {
	const auto refused = [](std::uint64_t place, std::uint64_t value) {
		FakeMemory memory = described_3_13();
		memory.put(runtime + place, value);
		return !self_described(memory, runtime);
	};
	CHECK(refused(0, 0));          // no cookie
	CHECK(refused(8, 0x030c05f0)); // 3.12 had none
	CHECK(refused(8, 0x031000a1)); // 3.16: not known
	CHECK(refused(8, 0));
	CHECK(refused(16, 1));          // free-threaded
	CHECK(refused(184, 1U << 20U)); // frame pointer a mebibyte into a thread state
	CHECK(refused(64, ~0ULL));
	CHECK(refused(136, 7772)); // a GIL with other members
	CHECK_FALSE(self_described(FakeMemory{}, runtime));
	CHECK_FALSE(self_described(FakeMemory{}, 0));
	for (unsigned seed = 0; seed < 1000; ++seed) {
		std::mt19937_64 random(seed);
		FakeMemory memory = described_3_13();
		for (int i = 0; i < 8; ++i) {
			memory.put(runtime + 8 + random() % 81 * 8, random() >> (random() % 64));
		}
		if (const auto described = self_described(memory, runtime)) {
			CHECK(described->offsets.frames.frame_owner < 4096);
		}
	}
}
