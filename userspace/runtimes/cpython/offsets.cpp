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
	offsets.gil.last_holder = 8;
	offsets.gil.locked = 16;
	offsets.gil.futexes_begin = 32;
	offsets.gil.futexes_end = 208;
}

// Include/object.h and Include/cpython/bytesobject.h, all versions: PyObject.ob_type 8, PyVarObject.ob_size 16,
// PyBytesObject.ob_sval 32. Include/cpython/unicodeobject.h: PyASCIIObject.length 16, state 32; 48 and 72 bytes long up to
// 3.11 (wstr, wstr_length), 40 and 56 from 3.12 on. PyTypeObject, PyDictObject, PyListObject, PySetObject, PyFloatObject and
// PyLongObject likewise the same in v3.9.2 v3.10.13 v3.11.2 v3.12.1 v3.13.5 v3.14.10 v3.15.2; a tuple's items 24, since 3.14 32.
void set_objects(Offsets &offsets, bool has_wstr) {
	offsets.object.type = 8;
	offsets.object.var_size = 16;
	offsets.object.bytes_data = 32;
	offsets.text.length = 16;
	offsets.text.state = 32;
	offsets.text.ascii_size = has_wstr ? 48 : 40;
	offsets.text.compact_size = has_wstr ? 72 : 56;
	offsets.type.name = 24;
	offsets.type.basicsize = 32;
	offsets.type.flags = 168;
	offsets.type.dictoffset = 288;
	offsets.containers.dict_keys = 32;
	offsets.containers.dict_values = 40;
	offsets.containers.tuple_items = 24;
	offsets.containers.list_items = 24;
	offsets.containers.set_used = 24;
	offsets.containers.set_mask = 32;
	offsets.containers.set_table = 40;
	offsets.numbers.float_value = 16;
	offsets.numbers.long_tag = 16;
	offsets.numbers.long_digits = 24;
}

// v3.9.2, v3.9.18, v3.10.13
Offsets offsets_3_9(bool is_3_10) {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime.interpreters_head = 32; // interpreters.head
	offsets.runtime.gil = 352;              // ceval.gil
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter.next = 0;
	offsets.interpreter.threads_head = 8; // tstate_head
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread.next = 8;
	offsets.thread.interpreter = 16;
	offsets.frames.tstate_frame = 24;
	offsets.frames.tstate_thread_id = 176;
	// PyFrameObject, v3.9 Include/cpython/frameobject.h (there with f_valuestack), v3.10 likewise
	offsets.frames.frame_back = 24;
	offsets.frames.frame_code = 32;
	offsets.frames.frame_instruction = is_3_10 ? 96 : 104;
	offsets.frames.instruction_is_index = true;
	offsets.code.instruction_unit = is_3_10 ? 2 : 1; // v3.10: f_lasti counts code units
	// PyCodeObject, Include/cpython/code.h
	offsets.code.first_line = 40;
	offsets.code.plain_locals = 28;
	offsets.code.bytes = 48;
	offsets.code.cell_names = 88;
	offsets.code.cell_arguments = 96;
	offsets.code.filename = 104;
	offsets.code.name = 112;
	offsets.code.line_table = 120;              // co_lnotab, co_linetable
	offsets.frame.locals = is_3_10 ? 352 : 360; // f_localsplus
	offsets.code.line_format = is_3_10 ? LineFormat::ranges : LineFormat::lnotab;
	set_gil(offsets);
	set_objects(offsets, true);
	offsets.interpreter.modules = 856;
	offsets.interpreter.gc_collecting = 816;
	offsets.interpreter.gc_generations = 640;
	offsets.thread.dict = 152;
	// PyGenObject, Include/genobject.h; the states of 3.10: Include/cpython/frameobject.h
	if (is_3_10) {
		offsets.coroutine = {CoroutineForm::frame_with_depth, 16, 108, 0, 48, 24, 80, 64, -2, -1, -1, 0, 1};
	} else {
		offsets.coroutine = {CoroutineForm::frame_with_stacktop, 16, 0, 24, 56, 32, 72, 64, 0, 0, 0, 0, 1};
	}
	return offsets;
}

// v3.11.2, v3.11.7
Offsets offsets_3_11() {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime.interpreters_head = 40; // interpreters.head
	offsets.runtime.gil = 360;              // ceval.gil
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter.next = 0;
	offsets.interpreter.threads_head = 16; // threads.head
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread.next = 8;
	offsets.thread.interpreter = 16;
	offsets.thread.native_id = 160;
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
	offsets.code.first_line = 72;
	offsets.code.locals = 76;
	offsets.code.filename = 112;
	offsets.code.name = 128; // co_qualname
	offsets.code.line_table = 136;
	offsets.code.instructions = 184; // co_code_adaptive
	offsets.frame.locals = 72;
	// PyHeapTypeObject, Include/cpython/object.h
	offsets.instance.attributes = AttributeForm::values_before;
	offsets.type.cached_keys = 872;
	set_gil(offsets);
	set_objects(offsets, true);
	offsets.interpreter.modules = 888;
	offsets.interpreter.gc_collecting = 848;
	offsets.interpreter.gc_generations = 672;
	offsets.thread.dict = 128;
	// PyGenObject, Include/cpython/genobject.h; states: Include/internal/pycore_frame.h
	offsets.coroutine = {CoroutineForm::embedded_with_depth, 80, 75, 0, 40, 0, 64, 0, -2, -1, -1, 0, 1};
	return offsets;
}

// v3.12.1
Offsets offsets_3_12() {
	Offsets offsets;
	// _PyRuntimeState, Include/internal/pycore_runtime.h
	offsets.runtime.interpreters_head = 40; // interpreters.head
	// PyInterpreterState, Include/internal/pycore_interp.h
	offsets.interpreter.next = 0;
	offsets.interpreter.threads_head = 72; // threads.head
	offsets.interpreter.gil = 384;         // ceval.gil
	// PyThreadState, Include/cpython/pystate.h
	offsets.thread.next = 8;
	offsets.thread.interpreter = 16;
	offsets.thread.native_id = 144;
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
	offsets.code.first_line = 68;
	offsets.code.locals = 72;
	offsets.code.filename = 112;
	offsets.code.name = 128; // co_qualname
	offsets.code.line_table = 136;
	offsets.code.instructions = 192; // co_code_adaptive
	offsets.frame.locals = 72;
	// PyHeapTypeObject, Include/cpython/object.h
	offsets.instance.attributes = AttributeForm::tagged_before;
	offsets.type.cached_keys = 880;
	set_gil(offsets);
	set_objects(offsets, false);
	offsets.interpreter.modules = 944;
	offsets.interpreter.gc_collecting = 312;
	offsets.interpreter.gc_generations = 136;
	offsets.thread.dict = 112;
	offsets.coroutine = {CoroutineForm::embedded_with_depth, 72, 67, 0, 32, 0, 64, 0, -2, -1, -1, 0, 1};
	return offsets;
}

// Places in struct _Py_DebugOffsets of the numbers wanted, each a uint64_t.
// v3.13.0, v3.13.5: Include/internal/pycore_runtime.h; v3.14.10, v3.15.2: Include/internal/pycore_debug_offsets.h
struct DebugPlaces {
	std::uint32_t interpreter;       // interpreter_state.next, .threads_head
	std::uint32_t interpreter_gc;    // interpreter_state.gc, .imports_modules
	std::uint32_t gil;               // interpreter_state.ceval_gil, .gil_runtime_state, …_enabled, …_locked, …_holder
	std::uint32_t thread;            // thread_state.size, .prev, .next, .interp, .current_frame
	std::uint32_t thread_id;         // thread_state.thread_id, .native_thread_id
	std::uint32_t frame;             // interpreter_frame.size, .previous, .executable, .instr_ptr, .localsplus, .owner
	std::uint32_t code;              // code_object.size, .filename, .name, .qualname, .linetable, .firstlineno
	std::uint32_t code_instructions; // code_object.co_code_adaptive
	std::uint32_t object_type;       // pyobject.ob_type, type_object.size, .tp_name, .tp_repr, .tp_flags
	std::uint32_t tuple_items;       // tuple_object.ob_item
	std::uint32_t list_items;        // list_object.ob_item
	std::uint32_t dict;              // dict_object.ma_keys, .ma_values
	std::uint32_t float_value;       // float_object.ob_fval
	std::uint32_t number;            // long_object.lv_tag, .ob_digit
	std::uint32_t bytes;             // bytes_object.size, .ob_size, .ob_sval
	std::uint32_t unicode;           // unicode_object.size, .state, .length, .asciiobject_size
	std::uint32_t gc_collecting;     // gc.collecting
	std::uint32_t set;               // >= 3.14: set_object.used, .table, .mask; here and below 0: there is none
	std::uint32_t generator;         // >= 3.14: gen_object.size, .gi_name, .gi_iframe, .gi_frame_state
	std::uint32_t stack_pointer;     // >= 3.14: interpreter_frame.stackpointer
	std::uint32_t type_basicsize;    // >= 3.15: type_object.tp_basicsize, .tp_dictoffset
	std::uint32_t type_cached_keys;  // >= 3.15: heap_type_object.ht_cached_keys
	std::uint32_t compact_size;      // >= 3.15: unicode_object.compactunicodeobject_size
};
constexpr DebugPlaces places_3_13{.interpreter = 64,
                                  .interpreter_gc = 80,
                                  .gil = 112,
                                  .thread = 152,
                                  .thread_id = 192,
                                  .frame = 224,
                                  .code = 272,
                                  .code_instructions = 344,
                                  .object_type = 360,
                                  .tuple_items = 408,
                                  .list_items = 432,
                                  .dict = 456,
                                  .float_value = 480,
                                  .number = 496,
                                  .bytes = 512,
                                  .unicode = 536,
                                  .gc_collecting = 576,
                                  .set = 0,
                                  .generator = 0,
                                  .stack_pointer = 0,
                                  .type_basicsize = 0,
                                  .type_cached_keys = 0,
                                  .compact_size = 0};
constexpr DebugPlaces places_3_14{.interpreter = 64,
                                  .interpreter_gc = 88,
                                  .gil = 120,
                                  .thread = 176,
                                  .thread_id = 216,
                                  .frame = 248,
                                  .code = 312,
                                  .code_instructions = 384,
                                  .object_type = 408,
                                  .tuple_items = 456,
                                  .list_items = 480,
                                  .dict = 536,
                                  .float_value = 560,
                                  .number = 576,
                                  .bytes = 592,
                                  .unicode = 616,
                                  .gc_collecting = 656,
                                  .set = 504,
                                  .generator = 664,
                                  .stack_pointer = 296,
                                  .type_basicsize = 0,
                                  .type_cached_keys = 0,
                                  .compact_size = 0};
constexpr DebugPlaces places_3_15{.interpreter = 64,
                                  .interpreter_gc = 88,
                                  .gil = 120,
                                  .thread = 176,
                                  .thread_id = 240,
                                  .frame = 312,
                                  .code = 376,
                                  .code_instructions = 448,
                                  .object_type = 472,
                                  .tuple_items = 552,
                                  .list_items = 576,
                                  .dict = 632,
                                  .float_value = 656,
                                  .number = 672,
                                  .bytes = 688,
                                  .unicode = 712,
                                  .gc_collecting = 760,
                                  .set = 600,
                                  .generator = 792,
                                  .stack_pointer = 360,
                                  .type_basicsize = 512,
                                  .type_cached_keys = 536,
                                  .compact_size = 744};
constexpr std::uint32_t place_version = 8;
constexpr std::uint32_t place_free_threaded = 16;
constexpr std::uint32_t place_interpreters_head = 40;
constexpr std::size_t debug_offsets_size = 824; // up to the last place wanted; the struct itself is shorter before 3.15

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

void read_thread_offsets(Offsets &offsets, Numbers &numbers, const DebugPlaces &at) {
	offsets.runtime.interpreters_head = numbers.far(place_interpreters_head);
	offsets.interpreter.next = numbers.far(at.interpreter);
	offsets.interpreter.threads_head = numbers.far(at.interpreter + 8);
	offsets.interpreter.gil = numbers.far(at.gil);
	offsets.interpreter.modules = numbers.far(at.interpreter_gc + 8);
	offsets.interpreter.gc_collecting = numbers.far(at.interpreter_gc) + numbers.near(at.gc_collecting);
	offsets.thread.next = numbers.near(at.thread + 16);
	offsets.thread.interpreter = numbers.near(at.thread + 24);
	offsets.frames.tstate_frame = numbers.near(at.thread + 32);
	offsets.frames.tstate_thread_id = numbers.near(at.thread_id);
	offsets.thread.native_id = numbers.near(at.thread_id + 8);
}

void read_frame_offsets(Offsets &offsets, Numbers &numbers, const DebugPlaces &at) {
	offsets.frames.frame_back = numbers.near(at.frame + 8);
	offsets.frames.frame_code = numbers.near(at.frame + 16);
	offsets.frames.frame_instruction = numbers.near(at.frame + 24);
	offsets.frame.locals = numbers.near(at.frame + 32);
	offsets.frames.frame_owner = numbers.near(at.frame + 40);
	offsets.frames.has_owner = true;
	if (at.stack_pointer != 0) {
		offsets.frame.stack_pointer = numbers.near(at.stack_pointer);
	}
	offsets.code.filename = numbers.near(at.code + 8);
	offsets.code.name = numbers.near(at.code + 24); // co_qualname
	offsets.code.line_table = numbers.near(at.code + 32);
	offsets.code.first_line = numbers.near(at.code + 40);
	offsets.code.instructions = numbers.near(at.code_instructions);
}

void read_object_offsets(Offsets &offsets, Numbers &numbers, const DebugPlaces &at) {
	offsets.object.type = numbers.near(at.object_type);
	offsets.type.name = numbers.near(at.object_type + 16);
	offsets.type.flags = numbers.near(at.object_type + 32);
	offsets.containers.tuple_items = numbers.near(at.tuple_items);
	offsets.containers.list_items = numbers.near(at.list_items);
	offsets.containers.dict_keys = numbers.near(at.dict);
	offsets.containers.dict_values = numbers.near(at.dict + 8);
	offsets.numbers.float_value = numbers.near(at.float_value);
	offsets.numbers.long_tag = numbers.near(at.number);
	offsets.numbers.long_digits = numbers.near(at.number + 8);
	offsets.object.var_size = numbers.near(at.bytes + 8);
	offsets.object.bytes_data = numbers.near(at.bytes + 16);
	offsets.text.state = numbers.near(at.unicode + 8);
	offsets.text.length = numbers.near(at.unicode + 16);
	offsets.text.ascii_size = numbers.near(at.unicode + 24);
	offsets.text.compact_size = offsets.text.ascii_size + 16; // PyCompactUnicodeObject adds utf8_length and utf8
	if (at.set != 0) {
		offsets.containers.set_used = numbers.near(at.set);
		offsets.containers.set_table = numbers.near(at.set + 8);
		offsets.containers.set_mask = numbers.near(at.set + 16);
	}
	if (at.type_basicsize != 0) {
		offsets.type.basicsize = numbers.near(at.type_basicsize);
		offsets.type.dictoffset = numbers.near(at.type_basicsize + 8);
		offsets.type.cached_keys = numbers.near(at.type_cached_keys);
		offsets.text.compact_size = numbers.near(at.compact_size);
	}
}

// PyGenObject and the states of Include/internal/pycore_frame.h: not in the struct before 3.14, the states never. v3.13.5,
// v3.14.10: created -3, suspended -2, suspended in an await -1, executing 0; v3.15.2: 0, 1, 2 (3: locked by who closes it), 4.
// What is awaited lies on top of the stack up to 3.14; in 3.15 what was sent to it (Python/bytecodes.c, SEND) lies above.
void read_coroutine_offsets(Offsets &offsets, Numbers &numbers, const DebugPlaces &at, std::uint8_t minor) {
	CoroutineLayout &coroutine = offsets.coroutine;
	constexpr std::uint32_t stack_top_3_13 = 64; // _PyInterpreterFrame.stacktop
	coroutine = {CoroutineForm::embedded_with_depth, 72, 67, 0, 32, 0, stack_top_3_13, 0, -3, -2, -1, 0, 1};
	if (at.generator != 0) {
		coroutine.form = CoroutineForm::embedded_with_top;
		coroutine.name = numbers.near(at.generator + 8) + 8; // gi_qualname follows gi_name
		coroutine.frame = numbers.near(at.generator + 16);
		coroutine.state = numbers.near(at.generator + 24);
		coroutine.top = numbers.near(at.stack_pointer);
	}
	if (minor >= 15) {
		coroutine.created = 0;
		coroutine.suspended = 1;
		coroutine.awaiting = 3;
		coroutine.executing = 4;
		coroutine.awaited = 2;
	}
}

// What the struct does not hold, by the headers of v3.13.5, v3.14.10 and v3.15.2.
void set_undescribed(Offsets &offsets, std::uint8_t minor, std::uint32_t gc) {
	// PyHeapTypeObject, Include/cpython/object.h, and struct _dictvalues, Include/internal/pycore_dict.h
	offsets.instance.attributes = AttributeForm::inline_values;
	offsets.type.cached_keys = 880;
	offsets.instance.values_header = 8;
	// v3.13: FRAME_OWNED_BY_CSTACK 3; since v3.14: FRAME_OWNED_BY_INTERPRETER 3 (Include/internal/pycore_interpframe_structs.h).
	// What these execute is no code object but None.
	offsets.frames.owner_c_stack = 3;
	if (minor >= 14) {
		offsets.frames.pointer_mask = ~3ULL; // f_executable is a _PyStackRef, Include/internal/pycore_stackref.h
	}
	// struct _gc_runtime_state.generations[0].head, Include/internal/pycore_interp.h, since 3.14 pycore_interp_structs.h
	offsets.interpreter.gc_generations = gc + (minor == 13 ? 24U : minor == 14 ? 24U : 8U);
	offsets.code.locals = 72; // PyCodeObject.co_nlocalsplus, Include/cpython/code.h
	offsets.thread.dict = minor >= 15 ? 152 : 128;
	offsets.thread.running_loop = minor == 13 ? 304 : 0;
}

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
	if (!version || version->minor < 13 || version->minor > newest_minor || numbers.raw(place_free_threaded) != 0) {
		return std::nullopt;
	}
	const DebugPlaces &at = version->minor == 13 ? places_3_13 : version->minor == 14 ? places_3_14 : places_3_15;

	Offsets offsets;
	set_gil(offsets);
	set_objects(offsets, false);
	set_undescribed(offsets, version->minor, numbers.far(at.interpreter_gc));
	read_thread_offsets(offsets, numbers, at);
	read_frame_offsets(offsets, numbers, at);
	read_object_offsets(offsets, numbers, at);
	read_coroutine_offsets(offsets, numbers, at, version->minor);
	const std::uint32_t gil = numbers.far(at.gil + 8);
	const std::uint32_t locked = numbers.far(at.gil + 24);
	const std::uint32_t holder = numbers.far(at.gil + 32);
	// The places of the GIL's futexes are not in the struct; that its other members are where set_gil() has them speaks for
	// these, too.
	if (!numbers.sane() || locked != gil + offsets.gil.locked || holder != gil + offsets.gil.last_holder) {
		return std::nullopt;
	}
	return SelfDescribed{*version, offsets};
}

} // namespace loopsnoop::runtimes::cpython
