// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

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

// Where things lie in the structs of one CPython version: x86-64, not a debug build, not free-threaded. Bytes from the start
// of the struct. The ranges of the GIL's futexes are not known here but per process (`PythonLayout::gil_begin`).
struct Offsets {
	// _PyRuntimeState
	std::uint32_t runtime_interpreters_head = 0;
	std::optional<std::uint32_t> runtime_gil; // 3.9 to 3.11: the one GIL is a member

	// PyInterpreterState
	std::uint32_t interpreter_next = 0;
	std::uint32_t interpreter_threads_head = 0;
	std::optional<std::uint32_t> interpreter_gil; // >= 3.12: a pointer to its GIL, shared or its own

	// PyThreadState; `thread_id` and `frame` are in PythonLayout
	std::uint32_t thread_next = 0;
	std::uint32_t thread_interpreter = 0;
	std::optional<std::uint32_t> thread_native_id; // >= 3.11

	// struct _gil_runtime_state
	std::uint32_t gil_last_holder = 0;
	std::uint32_t gil_locked = 0; // int: 1 taken, 0 free, -1 not made yet
	std::uint32_t gil_futexes_begin = 0;
	std::uint32_t gil_futexes_end = 0;

	// PyCodeObject
	std::uint32_t code_filename = 0;
	std::uint32_t code_name = 0; // >= 3.11: co_qualname
	std::uint32_t code_line_table = 0;
	std::uint32_t code_first_line = 0;
	std::optional<std::uint32_t> code_instructions; // >= 3.11: the bytecode is in the object, ob_size code units of it
	LineFormat line_format = LineFormat::locations;
	std::uint32_t instruction_unit = 1; // bytes that an instruction index counts (PythonLayout::instruction_is_index)

	// PyASCIIObject and PyCompactUnicodeObject: the text follows either
	std::uint32_t unicode_length = 0;
	std::uint32_t unicode_state = 0;
	std::uint32_t ascii_size = 0;
	std::uint32_t compact_size = 0;

	// PyObject, PyVarObject, PyBytesObject
	std::uint32_t object_type = 0;
	std::uint32_t var_size = 0;
	std::uint32_t bytes_data = 0;

	// Of instances of classes written in Python: see attributes.h
	AttributeForm attributes = AttributeForm::dictionary;
	std::uint32_t type_cached_keys = 0;               // PyHeapTypeObject.ht_cached_keys, >= 3.11
	std::uint32_t values_header = 0;                  // bytes of a PyDictValues before its values, >= 3.13
	std::uint32_t frame_locals = 0;                   // f_localsplus, localsplus: the arguments come first
	std::optional<std::uint32_t> frame_stack_pointer; // >= 3.14: where the top of its stack is kept while it calls something

	PythonLayout frames; // gil_begin and gil_end not set
};

// The table for 3.9 to 3.12. nullopt: another version.
[[nodiscard]] std::optional<Offsets> offsets_of(const Version &version);

// 3.13 and 3.14 say themselves: _PyRuntime begins with a struct _Py_DebugOffsets.
struct SelfDescribed {
	Version version;
	Offsets offsets;
};
// nullopt: no such struct at `runtime`, a version whose struct is not known, a free-threaded build, or numbers out of reason.
[[nodiscard]] std::optional<SelfDescribed> self_described(const process::Memory &memory, std::uint64_t runtime);

} // namespace loopsnoop::runtimes::cpython
