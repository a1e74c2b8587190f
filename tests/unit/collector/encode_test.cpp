// SPDX-License-Identifier: Apache-2.0
#include "collector/encode.h"

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

TEST_CASE("a request becomes a target with what was asked for and nothing else") {
	FollowRequest request;
	request.pid = 7;
	CHECK(encode_target(request).flags == 0);
	CHECK(encode_target(request).forced_tid == 0);
	request.children = true;
	CHECK(encode_target(request).flags == LS_TARGET_CHILDREN);
	request.found = request.server = true;
	CHECK(encode_target(request).flags == (LS_TARGET_CHILDREN | LS_TARGET_FOUND | LS_TARGET_SERVER));
	request.forced_tid = 9;
	CHECK(encode_target(request).forced_tid == 9);
	CHECK(encode_target(request).adopt_tid == 0);
}

TEST_CASE("a layout of Python's frames is written without what makes the kernel side believe it") {
	PythonLayout layout;
	layout.gil_begin = 0x1000;
	layout.gil_end = 0x1100;
	layout.tstate_frame = 56;
	layout.has_owner = true;
	layout.owner_c_stack = 3;
	layout.pointer_mask = ~1ULL;
	ls_slot_config config{};
	config.generation = 4;
	encode_python(layout, 0x7000, config);
	CHECK(config.python == 1);
	CHECK(config.generation == 4);
	CHECK(config.tstate == 0x7000);
	CHECK(config.gil_begin == 0x1000);
	CHECK(config.gil_end == 0x1100);
	CHECK(config.tstate_frame == 56);
	CHECK(config.has_owner == 1);
	CHECK(config.owner_c_stack == 3);
	CHECK(config.through_cframe == 0);
	CHECK(config.pointer_mask == ~1ULL);
	CHECK(config.ignore == 0);
}
