// SPDX-License-Identifier: Apache-2.0
// The memory of a CPython: runtime, threads, frames, code, dicts and other objects. The first byte is the minor version.
#include "fuzz_cpython.h"
#include "runtimes/cpython/attributes.h"
#include "runtimes/cpython/await_chain.h"
#include "runtimes/cpython/code_cache.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/walk.h"
#include "runtimes/cpython/with_blocks.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;

namespace {

void read_objects(const process::Memory &memory, const Offsets &offsets, std::uint64_t object) {
	constexpr std::size_t most = 64;
	ObjectReader reader(memory, offsets);
	(void)reader.type_name(object);
	(void)reader.is_a(object, "Future");
	(void)reader.attribute(object, "_loop", "_selector");
	(void)reader.text(object);
	(void)reader.integer(object);
	(void)reader.number(object);
	(void)reader.items(object, most);
	(void)reader.size(object);
	(void)reader.entries(object, most);
	(void)reader.value(object, "key");
	(void)reader.callable_name(object);
	(void)reader.code_of(object);
	(void)reader.closure(object);
	(void)read_chain(reader, object);
	(void)read_attribute(memory, offsets, object, "name");
	(void)read_dict(memory, offsets, object, most);
	(void)read_small_int(memory, offsets, object);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	const auto python = fuzz::take_python(input);
	if (!python) {
		return 0;
	}
	const Offsets &offsets = python->offsets;
	const fuzz::InputMemory memory(input);
	constexpr std::uint64_t runtime = fuzz::runtime_address;
	(void)self_described(memory, runtime);
	(void)walk_interpreters(memory, offsets, runtime);
	CodeCache codes(offsets, 0);
	std::size_t threads = 0;
	for (const ThreadState &thread : walk_threads(memory, offsets, runtime)) {
		for (const PlacedFrame &frame : walk_frames(memory, offsets.frames, thread.address)) {
			(void)codes.resolve(memory, frame.frame);
		}
		constexpr std::size_t enough = 4; // a list that bites its tail has 65,536
		if (++threads == enough) {
			break;
		}
	}
	read_objects(memory, offsets, runtime);
	(void)codes.resolve(memory, {runtime, 8});
	return 0;
}
