// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/offsets.h"

#include <array>
#include <cstring>
#include <limits>
#include <span>

namespace loopsnoop::runtimes::cpython {

namespace {

// Every number below was printed by offsetof() over the headers named beside it, with Py_BUILD_CORE, for each tag listed.

// struct _gil_runtime_state, Include/internal/pycore_gil.h, the same in v3.9.2 v3.9.18 v3.10.13 v3.11.2 v3.11.7 v3.12.1 v3.13.0
// v3.13.5 v3.14.0: last_holder 8, locked 16, cond 32, mutex 80, switch_cond 120, switch_mutex 168, size 208.
void set_gil(Offsets &offsets) {
	offsets.gil_last_holder = 8;
	offsets.gil_locked = 16;
	offsets.gil_futexes_begin = 32;
	offsets.gil_futexes_end = 208;
}

// Include/object.h and Include/cpython/bytesobject.h, all versions: PyObject.ob_type 8, PyVarObject.ob_size 16,
// PyBytesObject.ob_sval 32. Include/cpython/unicodeobject.h: PyASCIIObject.length 16, state 32; 48 and 72 bytes long up to
// 3.11 (wstr, wstr_length), 40 and 56 from 3.12 on.
void set_objects(Offsets &offsets, bool has_wstr) {
	offsets.object_type = 8;
	offsets.var_size = 16;
	offsets.bytes_data = 32;
	offsets.unicode_length = 16;
	offsets.unicode_state = 32;
	offsets.ascii_size = has_wstr ? 48 : 40;
	offsets.compact_size = has_wstr ? 72 : 56;
}

// v3.9.2, v3.9.18, v3.10.13
Offsets offsets_3_9(bool is_3_10) {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime_interpreters_head = 32; // interpreters.head
	offsets.runtime_gil = 352;              // ceval.gil
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter_next = 0;
	offsets.interpreter_threads_head = 8; // tstate_head
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread_next = 8;
	offsets.thread_interpreter = 16;
	offsets.frames.tstate_frame = 24;
	offsets.frames.tstate_thread_id = 176;
	// PyFrameObject, v3.9 Include/cpython/frameobject.h (there with f_valuestack), v3.10 likewise
	offsets.frames.frame_back = 24;
	offsets.frames.frame_code = 32;
	offsets.frames.frame_instruction = is_3_10 ? 96 : 104;
	offsets.frames.instruction_is_index = true;
	offsets.instruction_unit = is_3_10 ? 2 : 1; // v3.10: f_lasti counts code units
	// PyCodeObject, Include/cpython/code.h
	offsets.code_first_line = 40;
	offsets.code_filename = 104;
	offsets.code_name = 112;
	offsets.code_line_table = 120;              // co_lnotab, co_linetable
	offsets.frame_locals = is_3_10 ? 352 : 360; // f_localsplus
	offsets.line_format = is_3_10 ? LineFormat::ranges : LineFormat::lnotab;
	set_gil(offsets);
	set_objects(offsets, true);
	return offsets;
}

// v3.11.2, v3.11.7
Offsets offsets_3_11() {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime_interpreters_head = 40; // interpreters.head
	offsets.runtime_gil = 360;              // ceval.gil
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter_next = 0;
	offsets.interpreter_threads_head = 16; // threads.head
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread_next = 8;
	offsets.thread_interpreter = 16;
	offsets.thread_native_id = 160;
	offsets.frames.tstate_frame = 56; // cframe
	offsets.frames.tstate_thread_id = 152;
	// _PyCFrame, Include/cpython/pystate.h
	offsets.frames.through_cframe = true;
	offsets.frames.cframe_current_frame = 8;
	// _PyInterpreterFrame, Include/internal/pycore_frame.h
	offsets.frames.frame_code = 32;
	offsets.frames.frame_back = 48;
	offsets.frames.frame_instruction = 56; // prev_instr
	// PyCodeObject, Include/cpython/code.h
	offsets.code_first_line = 72;
	offsets.code_filename = 112;
	offsets.code_name = 128; // co_qualname
	offsets.code_line_table = 136;
	offsets.code_instructions = 184; // co_code_adaptive
	offsets.frame_locals = 72;
	// PyHeapTypeObject, Include/cpython/object.h
	offsets.attributes = AttributeForm::values_before;
	offsets.type_cached_keys = 872;
	set_gil(offsets);
	set_objects(offsets, true);
	return offsets;
}

// v3.12.1
Offsets offsets_3_12() {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime_interpreters_head = 40; // interpreters.head
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter_next = 0;
	offsets.interpreter_threads_head = 72; // threads.head
	offsets.interpreter_gil = 384;         // ceval.gil
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread_next = 8;
	offsets.thread_interpreter = 16;
	offsets.thread_native_id = 144;
	offsets.frames.tstate_frame = 56; // cframe
	offsets.frames.tstate_thread_id = 136;
	// _PyCFrame, Include/cpython/pystate.h
	offsets.frames.through_cframe = true;
	offsets.frames.cframe_current_frame = 0;
	// _PyInterpreterFrame, Include/internal/pycore_frame.h
	offsets.frames.frame_code = 0;
	offsets.frames.frame_back = 8;
	offsets.frames.frame_instruction = 56; // prev_instr
	offsets.frames.frame_owner = 70;
	offsets.frames.has_owner = true;
	offsets.frames.owner_c_stack = 3; // FRAME_OWNED_BY_CSTACK
	// PyCodeObject, Include/cpython/code.h
	offsets.code_first_line = 68;
	offsets.code_filename = 112;
	offsets.code_name = 128; // co_qualname
	offsets.code_line_table = 136;
	offsets.code_instructions = 192; // co_code_adaptive
	offsets.frame_locals = 72;
	// PyHeapTypeObject, Include/cpython/object.h
	offsets.attributes = AttributeForm::tagged_before;
	offsets.type_cached_keys = 880;
	set_gil(offsets);
	set_objects(offsets, false);
	return offsets;
}

// Places in struct _Py_DebugOffsets of the numbers wanted, each a uint64_t.
// v3.13.0, v3.13.5: Include/internal/pycore_runtime.h; v3.14.10: Include/internal/pycore_debug_offsets.h
struct DebugPlaces {
	std::uint32_t interpreter;       // interpreter_state.next, .threads_head
	std::uint32_t gil;               // interpreter_state.ceval_gil, .gil_runtime_state, …_enabled, …_locked, …_holder
	std::uint32_t thread;            // thread_state.size, .prev, .next, .interp, .current_frame, .thread_id, .native_thread_id
	std::uint32_t frame;             // interpreter_frame.size, .previous, .executable, .instr_ptr, .localsplus, .owner
	std::uint32_t code;              // code_object.size, .filename, .name, .qualname, .linetable, .firstlineno
	std::uint32_t code_instructions; // code_object.co_code_adaptive
	std::uint32_t object_type;       // pyobject.ob_type
	std::uint32_t bytes;             // bytes_object.size, .ob_size, .ob_sval
	std::uint32_t unicode;           // unicode_object.size, .state, .length, .asciiobject_size
};
constexpr DebugPlaces places_3_13{64, 112, 152, 224, 272, 344, 360, 512, 536};
constexpr DebugPlaces places_3_14{64, 120, 176, 248, 312, 384, 408, 592, 616};
constexpr std::uint32_t place_version = 8;
constexpr std::uint32_t place_free_threaded = 16;
constexpr std::uint32_t place_interpreters_head = 40;
constexpr std::size_t debug_offsets_size = 648; // up to the last place wanted

// The numbers of one struct. `sane` turns false with the first that no real build could have.
class Numbers {
public:
	explicit Numbers(std::span<const std::byte> bytes) : bytes_(bytes) {}

	[[nodiscard]] std::uint64_t raw(std::uint32_t place) const {
		std::uint64_t value = 0;
		std::memcpy(&value, bytes_.data() + place, sizeof value);
		return value;
	}
	std::uint32_t far(std::uint32_t place) { return static_cast<std::uint32_t>(bounded(place, 1U << 24U)); }
	std::uint16_t near(std::uint32_t place) { return static_cast<std::uint16_t>(bounded(place, 4096)); }
	[[nodiscard]] bool sane() const { return sane_; }

private:
	std::uint64_t bounded(std::uint32_t place, std::uint64_t limit) {
		const std::uint64_t value = raw(place);
		sane_ = sane_ && value < limit;
		return sane_ ? value : 0;
	}

	std::span<const std::byte> bytes_;
	bool sane_ = true;
};

} // namespace

std::optional<Offsets> offsets_of(const Version &version) {
	if (version.major != 3) {
		return std::nullopt;
	}
	switch (version.minor) {
	case 9: return offsets_3_9(false);
	case 10: return offsets_3_9(true);
	case 11: return offsets_3_11();
	case 12: return offsets_3_12();
	default: return std::nullopt;
	}
}

std::optional<SelfDescribed> self_described(const process::Memory &memory, std::uint64_t runtime) {
	std::array<std::byte, debug_offsets_size> bytes{};
	if (!memory.read(runtime, bytes) || std::memcmp(bytes.data(), "xdebugpy", 8) != 0) {
		return std::nullopt;
	}
	Numbers numbers(bytes);
	auto version = version_from_hex(numbers.raw(place_version));
	if (!version || (version->minor != 13 && version->minor != 14) || numbers.raw(place_free_threaded) != 0) {
		return std::nullopt;
	}
	const DebugPlaces &at = version->minor == 13 ? places_3_13 : places_3_14;

	Offsets offsets;
	set_gil(offsets);
	set_objects(offsets, false);
	offsets.runtime_interpreters_head = numbers.far(place_interpreters_head);
	offsets.interpreter_next = numbers.far(at.interpreter);
	offsets.interpreter_threads_head = numbers.far(at.interpreter + 8);
	offsets.interpreter_gil = numbers.far(at.gil);
	const std::uint32_t gil = numbers.far(at.gil + 8);
	const std::uint32_t locked = numbers.far(at.gil + 24);
	const std::uint32_t holder = numbers.far(at.gil + 32);
	offsets.thread_next = numbers.near(at.thread + 16);
	offsets.thread_interpreter = numbers.near(at.thread + 24);
	offsets.frames.tstate_frame = numbers.near(at.thread + 32);
	offsets.frames.tstate_thread_id = numbers.near(at.thread + 40);
	offsets.thread_native_id = numbers.near(at.thread + 48);
	offsets.frames.frame_back = numbers.near(at.frame + 8);
	offsets.frames.frame_code = numbers.near(at.frame + 16);
	offsets.frames.frame_instruction = numbers.near(at.frame + 24);
	offsets.frames.frame_owner = numbers.near(at.frame + 40);
	offsets.frame_locals = numbers.near(at.frame + 32);
	// PyHeapTypeObject, Include/cpython/object.h, and struct _dictvalues, Include/internal/pycore_dict.h: not told by the struct,
	// the same in 3.13.5 and 3.14.10.
	offsets.attributes = AttributeForm::inline_values;
	offsets.type_cached_keys = 880;
	offsets.values_header = 8;
	offsets.frames.has_owner = true;
	// v3.13: FRAME_OWNED_BY_CSTACK 3; v3.14: FRAME_OWNED_BY_INTERPRETER 3, FRAME_OWNED_BY_CSTACK 4 (Include/internal/
	// pycore_interpframe_structs.h). What these execute is no code object but None.
	offsets.frames.owner_c_stack = 3;
	if (version->minor >= 14) {
		offsets.frame_stack_pointer = numbers.near(at.frame + 48);
		offsets.frames.pointer_mask = ~3ULL; // f_executable is a _PyStackRef, Include/internal/pycore_stackref.h
	}
	offsets.code_filename = numbers.near(at.code + 8);
	offsets.code_name = numbers.near(at.code + 24); // co_qualname
	offsets.code_line_table = numbers.near(at.code + 32);
	offsets.code_first_line = numbers.near(at.code + 40);
	offsets.code_instructions = numbers.near(at.code_instructions);
	offsets.object_type = numbers.near(at.object_type);
	offsets.var_size = numbers.near(at.bytes + 8);
	offsets.bytes_data = numbers.near(at.bytes + 16);
	offsets.unicode_state = numbers.near(at.unicode + 8);
	offsets.unicode_length = numbers.near(at.unicode + 16);
	offsets.ascii_size = numbers.near(at.unicode + 24);
	offsets.compact_size = offsets.ascii_size + 16; // PyCompactUnicodeObject adds utf8_length and utf8
	// The places of the GIL's futexes are not told; that its other members are where set_gil() has them speaks for these, too.
	if (!numbers.sane() || locked != gil + offsets.gil_locked || holder != gil + offsets.gil_last_holder) {
		return std::nullopt;
	}
	return SelfDescribed{*version, offsets};
}

} // namespace loopsnoop::runtimes::cpython
