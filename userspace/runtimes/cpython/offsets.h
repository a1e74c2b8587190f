// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/python_layout.h"
#include "process/memory.h"
#include "runtimes/cpython/line_table.h"
#include "runtimes/cpython/version.h"

namespace loopsnoop::runtimes::cpython {

// Where an instance keeps what is assigned to it, oldest first.
enum class AttributeForm : std::uint8_t {
	dictionary,    // 3.9, 3.10: in a dict, whose pointer is at tp_dictoffset
	values_before, // 3.11: in an array, whose pointer is before the object, or in a dict, whose pointer is there, too
	tagged_before, // 3.12: one pointer before the object, to the one or the other
	inline_values, // >= 3.13: in an array behind the object, or in a dict, whose pointer is before it
};

// How a coroutine, generator or asynchronous generator (all PyGenObject at heart) keeps its frame, oldest first.
enum class CoroutineForm : std::uint8_t {
	frame_with_stacktop, // 3.9: a PyFrameObject, f_stacktop points behind the top of its stack
	frame_with_depth,    // 3.10: likewise, f_stackdepth counts from f_valuestack
	embedded_with_depth, // 3.11 to 3.13: a _PyInterpreterFrame in it, stacktop counts from localsplus
	embedded_with_top,   // >= 3.14: likewise, stackpointer points behind the top
};
struct CoroutineLayout {
	CoroutineForm form = CoroutineForm::frame_with_stacktop;
	std::uint32_t frame = 0;   // gi_frame, a pointer, or gi_iframe, the frame itself
	std::uint32_t state = 0;   // >= 3.10: gi_frame_state, int8; 3.10: f_state, of the frame
	std::uint32_t running = 0; // 3.9: gi_running, of the object
	std::uint32_t name = 0;    // gi_qualname, a str
	std::uint32_t code = 0;    // gi_code, 3.9 and 3.10; 0: the frame's
	std::uint32_t top = 0;     // f_stacktop, f_stackdepth, stacktop or stackpointer, of the frame
	std::uint32_t stack = 0;   // f_valuestack, 3.9 and 3.10, of the frame
	std::int8_t created = 0;   // values of its state
	std::int8_t suspended = 0; // the lowest and
	std::int8_t awaiting = 0;  // the highest that is suspended
	std::int8_t executing = 0;
	std::uint32_t awaited = 1; // how far below the top of its stack the object lies that it awaits; 2 since 3.15
};

// Where things lie in the structs of one CPython version: x86-64, not a debug build, not free-threaded. Bytes from the start
// of the struct, one type a struct of CPython's or a few that belong together. The ranges of the GIL's futexes are not known here
// but per process (`PythonLayout::gil_begin`).
struct Offsets {
	// _PyRuntimeState
	struct Runtime {
		std::uint32_t interpreters_head = 0;
		std::optional<std::uint32_t> gil; // 3.9 to 3.11: the one GIL is a member
	};
	// PyInterpreterState
	struct InterpreterState {
		std::uint32_t next = 0;
		std::uint32_t threads_head = 0;
		std::optional<std::uint32_t> gil; // >= 3.12: a pointer to its GIL, shared or its own
		std::uint32_t modules = 0;        // sys.modules, a dict
		std::uint32_t gc_collecting = 0;  // int: 1 while the collector runs
		std::uint32_t gc_generations = 0; // three struct gc_generation of 24 bytes; 0: the collector has none
	};
	// PyThreadState; `thread_id` and `frame` are in PythonLayout
	struct ThreadState {
		std::uint32_t next = 0;
		std::uint32_t interpreter = 0;
		std::optional<std::uint32_t> native_id; // >= 3.11
		std::uint32_t dict = 0;                 // a dict or NULL
		std::uint32_t running_loop = 0;         // 3.13: _PyThreadStateImpl.asyncio_running_loop; 0: see asyncio/layout.h
	};
	// struct _gil_runtime_state
	struct Gil {
		std::uint32_t last_holder = 0;
		std::uint32_t locked = 0; // int: 1 taken, 0 free, -1 not made yet
		std::uint32_t futexes_begin = 0;
		std::uint32_t futexes_end = 0;
	};
	// PyCodeObject
	struct Code {
		std::uint32_t filename = 0;
		std::uint32_t name = 0; // >= 3.11: co_qualname
		std::uint32_t line_table = 0;
		std::uint32_t first_line = 0;
		std::uint32_t locals = 0; // co_nlocalsplus, >= 3.11: locals, cells and free variables, behind which the stack begins
		// 3.9 and 3.10: an argument that a nested function uses is moved to a cell behind the locals, and its own place is empty.
		std::uint32_t plain_locals = 0;   // co_nlocals
		std::uint32_t cell_names = 0;     // co_cellvars, a tuple
		std::uint32_t cell_arguments = 0; // co_cell2arg, Py_ssize_t[], null when no cell is an argument's; 0: later versions
		std::uint32_t bytes = 0;          // co_code, a bytes object, 3.9 and 3.10
		std::optional<std::uint32_t> instructions; // >= 3.11: the bytecode is in the object, ob_size code units of it
		LineFormat line_format = LineFormat::locations;
		std::uint32_t instruction_unit = 1; // bytes that an instruction index counts (PythonLayout::instruction_is_index)
	};
	// PyFrameObject or _PyInterpreterFrame, beside what is in PythonLayout
	struct Frame {
		std::uint32_t locals = 0;                   // f_localsplus, localsplus: the arguments come first
		std::optional<std::uint32_t> stack_pointer; // >= 3.14: where the top of its stack is kept while it calls something
	};
	// PyObject, PyVarObject, PyBytesObject
	struct Object {
		std::uint32_t type = 0;
		std::uint32_t var_size = 0;
		std::uint32_t bytes_data = 0;
	};
	// PyTypeObject
	struct Type {
		std::uint32_t name = 0;
		std::uint32_t basicsize = 0;
		std::uint32_t flags = 0;
		std::uint32_t dictoffset = 0;
		std::uint32_t cached_keys = 0; // PyHeapTypeObject.ht_cached_keys, >= 3.11
	};
	// PyASCIIObject and PyCompactUnicodeObject: the text follows either
	struct Text {
		std::uint32_t length = 0;
		std::uint32_t state = 0;
		std::uint32_t ascii_size = 0;
		std::uint32_t compact_size = 0;
	};
	// PyFloatObject, PyLongObject
	struct Numbers {
		std::uint32_t float_value = 0;
		std::uint32_t long_tag = 0; // ob_size up to 3.11, lv_tag since
		std::uint32_t long_digits = 0;
	};
	// PyDictObject, PyTupleObject (items in it), PyListObject (a pointer to its items), PySetObject
	struct Containers {
		std::uint32_t dict_keys = 0;
		std::uint32_t dict_values = 0;
		std::uint32_t tuple_items = 0;
		std::uint32_t list_items = 0;
		std::uint32_t set_used = 0;
		std::uint32_t set_mask = 0;
		std::uint32_t set_table = 0;
	};
	// Instances of classes written in Python: see attributes.h
	struct Instance {
		AttributeForm attributes = AttributeForm::dictionary;
		std::uint32_t values_header = 0; // bytes of a PyDictValues before its values, >= 3.13
	};

	Runtime runtime;
	InterpreterState interpreter;
	ThreadState thread;
	Gil gil;
	Code code;
	Frame frame;
	Object object;
	Type type;
	Text text;
	Numbers numbers;
	Containers containers;
	Instance instance;
	CoroutineLayout coroutine;
	PythonLayout frames; // for the kernel side; gil_begin and gil_end not set
};

// The versions that can be read.
inline constexpr std::uint8_t oldest_minor = 9;
inline constexpr std::uint8_t newest_minor = 15;
inline constexpr std::string_view supported_versions = "CPython 3.9 to 3.15";

// The table for 3.9 to 3.12. nullopt: another version.
[[nodiscard]] std::optional<Offsets> offsets_of(const Version &version);

// 3.13 and later say themselves, as far as this goes: _PyRuntime begins with a struct _Py_DebugOffsets.
struct SelfDescribed {
	Version version;
	Offsets offsets;
};
// nullopt: no such struct at `runtime`, a version whose struct is not known, a free-threaded build, or numbers out of reason.
[[nodiscard]] std::optional<SelfDescribed> self_described(const process::Memory &memory, std::uint64_t runtime);

} // namespace loopsnoop::runtimes::cpython
