// SPDX-License-Identifier: Apache-2.0
#include "locks/lock_finder.h"

#include <cstring>

#include "catch.h"
#include "fake_memory.h"
#include "locks/futex_call.h"
#include "locks/pthread_locks.h"
#include "locks/python_locks.h"

using namespace loopsnoop;
using namespace loopsnoop::locks;

namespace {

constexpr std::uint64_t lock_at = 0x7f0000001000;
constexpr std::uint64_t stack_at = 0x7ffd00000000;
constexpr std::uint32_t owner_tid = 4715;

NativeFrame frame(const char *function) {
	NativeFrame made;
	if (function != nullptr) {
		made.function = function;
	}
	made.module = "/lib/libc.so.6";
	return made;
}

Stack named(std::initializer_list<const char *> functions) {
	Stack stack;
	for (const char *function : functions) {
		stack.native.push_back(frame(function));
	}
	return stack;
}

RawStack asleep(std::uint64_t address, std::uint64_t operation) {
	RawStack raw;
	raw.have_registers = true;
	raw.registers.r[5] = address;
	raw.registers.r[4] = operation;
	raw.registers.r[UserRegisters::stack_pointer] = stack_at;
	return raw;
}

void put_mutex(test::FakeMemory &memory, std::uint32_t word, std::uint32_t owner, std::uint32_t kind) {
	memory.put<std::uint32_t>(lock_at, word);
	memory.put<std::uint32_t>(lock_at + 8, owner);
	memory.put<std::uint32_t>(lock_at + 16, kind);
}

void put_object(test::FakeMemory &memory, std::uint64_t object, const char *type, std::uint64_t lock, std::uint64_t owner) {
	constexpr std::uint64_t type_at = 0x7f0000100000, name_at = 0x7f0000200000;
	memory.put_text(name_at, type);
	memory.put<std::uint64_t>(type_at + 24, name_at);
	memory.put<std::uint64_t>(object + 8, type_at);
	memory.put<std::uint64_t>(object + 16, lock);
	memory.put<std::uint64_t>(object + 24, owner);
}

LockScene scene_of(const process::Memory &memory) {
	return {memory,
	        [] { return true; },
	        [](std::uint64_t tid) {
		        return tid == owner_tid ? std::optional(Holder{owner_tid, "worker-1", false}) : std::nullopt;
	        },
	        [](std::uint64_t ident) {
		        return ident == 0x7f5000 ? std::optional(Holder{77, "python", false}) : std::nullopt;
	        },
	        {},
	        {},
	        {}};
}

constexpr std::uint64_t private_wait = 128;
constexpr std::uint64_t wait_bitset = 128 | 256 | 9;
constexpr std::uint64_t lock_pi = 128 | 6;

} // namespace

TEST_CASE("the frames distinguish a mutex from what else sleeps in futex()") {
	const auto of = [](std::initializer_list<const char *> functions) { return library_lock(named(functions).native); };
	CHECK(of({"__lll_lock_wait", "___pthread_mutex_lock", "work"}) == LibraryLock::mutex);
	CHECK(of({nullptr, nullptr, "pthread_mutex_lock"}) == LibraryLock::mutex);
	CHECK(of({"__GI___lll_lock_wait", "__pthread_mutex_cond_lock", "pthread_cond_wait"}) == LibraryLock::mutex);
	CHECK(of({"__futex_abstimed_wait_common", "pthread_rwlock_wrlock"}) == LibraryLock::rwlock);
	CHECK(of({"__futex_abstimed_wait_common", "pthread_cond_wait"}) == LibraryLock::none);
	CHECK(of({"do_futex_wait.constprop.0", "sem_wait"}) == LibraryLock::none);
	CHECK(of({"__lll_lock_wait_private", "malloc"}) == LibraryLock::none);
	CHECK(of({"malloc", "pthread_mutex_lock"}) == LibraryLock::none);
	CHECK(of({}) == LibraryLock::none);
}

TEST_CASE("each kind of mutex has its owner where glibc puts it") {
	const Stack in_lock = named({"__lll_lock_wait", "pthread_mutex_lock"});
	struct Case {
		std::uint32_t word, owner, kind;
		std::uint64_t operation;
		const char *type;
	};
	for (const Case &one :
	     {Case{2, owner_tid, 0, private_wait, "pthread mutex"}, Case{2, owner_tid, 1, private_wait, "recursive pthread mutex"},
	      Case{2, owner_tid, 2, private_wait, "error-checking pthread mutex"},
	      Case{0x80000000U | owner_tid, owner_tid, 16, private_wait, "robust pthread mutex"},
	      Case{0x80000000U | owner_tid, 0, 32, lock_pi, "priority-inheriting pthread mutex"}}) {
		test::FakeMemory memory;
		put_mutex(memory, one.word, one.owner, one.kind);
		const LockView view = view_lock(asleep(lock_at, one.operation), in_lock, scene_of(memory));
		CHECK(view.lock == LockKind::pthread_mutex);
		CHECK(view.type == one.type);
		REQUIRE(view.holder);
		CHECK(view.holder->tid == owner_tid);
		CHECK_FALSE(view.holder->inferred);
	}
}

TEST_CASE("no holder is named that is not certain") {
	const Stack in_lock = named({"__lll_lock_wait", "pthread_mutex_lock"});
	test::FakeMemory memory;
	SECTION("released") { put_mutex(memory, 0, owner_tid, 0); }
	SECTION("taken, not signed yet") { put_mutex(memory, 2, 0, 0); }
	SECTION("no living thread") { put_mutex(memory, 2, 9999, 0); }
	SECTION("no such kind") { put_mutex(memory, 2, owner_tid, 0x1234567); }
	SECTION("not readable") {}
	CHECK_FALSE(view_lock(asleep(lock_at, private_wait), in_lock, scene_of(memory)).holder);
}

TEST_CASE("a thread that moved, or an owner that changed, gives no holder") {
	const Stack in_lock = named({"__lll_lock_wait", "pthread_mutex_lock"});
	test::FakeMemory memory;
	put_mutex(memory, 2, owner_tid, 0);
	LockScene scene = scene_of(memory);
	SECTION("the waiting thread runs on") {
		scene.still_waits = [] { return false; };
	}
	SECTION("another owner in between") {
		scene.still_waits = [&] {
			put_mutex(memory, 2, owner_tid + 1, 0);
			return true;
		};
	}
	CHECK_FALSE(view_lock(asleep(lock_at, private_wait), in_lock, scene).holder);
}

TEST_CASE("a rwlock's writer is found from either futex; readers have no name") {
	const Stack in_lock = named({"__futex_abstimed_wait_common", "pthread_rwlock_rdlock"});
	for (const std::uint64_t offset : {8, 12}) {
		test::FakeMemory memory;
		memory.put<std::uint32_t>(lock_at, 3);
		memory.put<std::uint32_t>(lock_at + 8, 3);
		memory.put<std::uint32_t>(lock_at + 12, 1);
		memory.put<std::uint32_t>(lock_at + 24, owner_tid);
		const LockView held = view_lock(asleep(lock_at + offset, wait_bitset), in_lock, scene_of(memory));
		REQUIRE(held.holder);
		CHECK(held.holder->tid == owner_tid);
		memory.put<std::uint32_t>(lock_at, 8 | 2); // readers are in, a writer waits
		memory.put<std::uint32_t>(lock_at + 24, 0);
		CHECK_FALSE(view_lock(asleep(lock_at + offset, wait_bitset), in_lock, scene_of(memory)).holder);
	}
}

TEST_CASE("Python's locks, by semaphore and by parking lot") {
	const Stack in_lock = named({"do_futex_wait.constprop.0", "sem_wait"});
	constexpr std::uint64_t object = 0x7f0000300000, futex_in_stack = stack_at + 512;
	test::FakeMemory memory;
	RawStack raw = asleep(lock_at, wait_bitset);
	SECTION("3.9 to 3.13") {
		put_object(memory, object, "_thread.RLock", lock_at, 0x7f5000);
		raw.stack_bytes.resize(1024);
		std::memcpy(&raw.stack_bytes[600], &object, sizeof object);
	}
	SECTION("3.14") {
		put_object(memory, object, "_thread.RLock", 3, 0x7f5000);
		memory.put<std::uint64_t>(futex_in_stack - 8, object + 16);
		raw = asleep(futex_in_stack, wait_bitset);
	}
	const LockView view = view_lock(raw, in_lock, scene_of(memory));
	CHECK(view.lock == LockKind::python_lock);
	REQUIRE(view.holder);
	CHECK(view.holder->tid == 77);
}

TEST_CASE("a plain Python lock, and an object of another lock, name nobody") {
	const Stack in_lock = named({"sem_wait"});
	constexpr std::uint64_t object = 0x7f0000300000;
	test::FakeMemory memory;
	RawStack raw = asleep(lock_at, wait_bitset);
	raw.registers.r[3] = object;
	SECTION("plain") {
		put_object(memory, object, "_thread.lock", lock_at, 0x7f5000);
		CHECK(view_lock(raw, in_lock, scene_of(memory)).lock == LockKind::python_lock);
	}
	SECTION("another futex") {
		put_object(memory, object, "_thread.RLock", lock_at + 64, 0x7f5000);
		CHECK(view_lock(raw, in_lock, scene_of(memory)).lock == LockKind::unknown);
	}
	CHECK_FALSE(view_lock(raw, in_lock, scene_of(memory)).holder);
}

TEST_CASE("an import lock has an owner, a condition has none") {
	constexpr std::uint64_t object = 0x7f0000300000;
	test::FakeMemory memory;
	put_object(memory, object, "_thread.lock", lock_at, 0);
	RawStack raw = asleep(lock_at, wait_bitset);
	raw.registers.r[3] = object;
	Stack stack = named({"sem_wait"});
	LockScene scene = scene_of(memory);
	std::uint64_t owner = 0x7f5000;
	scene.import_lock = [&](std::uint64_t lock) {
		return lock == object ? std::optional(runtimes::cpython::ImportLock{"shop.models", owner}) : std::nullopt;
	};
	SECTION("imported by another thread") {
		stack.python = {{"_ModuleLock.acquire", "<frozen importlib._bootstrap>", 120}};
		const LockView view = view_lock(raw, stack, scene);
		CHECK(view.lock == LockKind::python_lock);
		CHECK(view.type == "import lock of shop.models");
		REQUIRE(view.holder);
		CHECK(view.holder->tid == 77);
		CHECK_FALSE(view.holder->inferred);
	}
	SECTION("imported by nobody any more") {
		owner = 0;
		stack.python = {{"_ModuleLock.acquire", "<frozen importlib._bootstrap>", 120}};
		CHECK(view_lock(raw, stack, scene).type == "import lock of shop.models");
		CHECK_FALSE(view_lock(raw, stack, scene).holder);
	}
	SECTION("an event") {
		stack.python = {{"Condition.wait", "/usr/lib/python3.11/threading.py", 320},
		                {"Event.wait", "/usr/lib/python3.11/threading.py", 622}};
		CHECK(view_lock(raw, stack, scene).type == "threading.Event");
		stack.python.push_back({"ApplyResult.wait", "/usr/lib/python3.11/multiprocessing/pool.py", 765});
		CHECK(view_lock(raw, stack, scene).type == "result of a multiprocessing.Pool");
	}
	SECTION("a condition of CPython 3.9, whose functions have no qualified names") {
		stack.python = {{"wait", "/usr/lib/python3.9/threading.py", 312}, {"get", "/usr/lib/python3.9/queue.py", 171}};
		CHECK(view_lock(raw, stack, scene).type == "queue.Queue");
		stack.python = {{"wait", "/usr/lib/python3.9/threading.py", 312}, {"wait", "/usr/lib/python3.9/threading.py", 574}};
		CHECK(view_lock(raw, stack, scene).type == "threading.Condition"); // an event, or a barrier
	}
	SECTION("a full queue, if it is so while the thread waits for it") {
		stack.python = {{"Condition.wait", "/usr/lib/python3.11/threading.py", 320},
		                {"Queue.put", "/usr/lib/python3.11/queue.py", 140}};
		scene.full_queue = [] { return std::optional(QueueFill{100, 100}); };
		REQUIRE(view_lock(raw, stack, scene).full);
		CHECK(view_lock(raw, stack, scene).full->max == 100);
		scene.still_waits = [] { return false; };
		CHECK_FALSE(view_lock(raw, stack, scene).full);
	}
	SECTION("the application's own") {
		stack.python = {{"wait", "/srv/app/threads.py", 3}};
		CHECK(view_lock(raw, stack, scene).type == "threading.Lock");
	}
}

TEST_CASE("noise is read to an end, and names nobody that does not live") {
	for (unsigned seed = 0; seed < 200; seed++) {
		const test::NoiseMemory memory(seed);
		const LockScene scene = scene_of(memory);
		RawStack raw = asleep(lock_at, seed % 2 == 0 ? wait_bitset : lock_pi);
		raw.stack_bytes.assign(4096, static_cast<std::uint8_t>(seed));
		for (const char *call : {"pthread_mutex_lock", "pthread_rwlock_wrlock", "sem_wait"}) {
			CHECK_FALSE(view_lock(raw, named({call}), scene).holder);
		}
		CHECK(memory.reads < 4096);
	}
}
