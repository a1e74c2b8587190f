// SPDX-License-Identifier: Apache-2.0
#include "collector/kernel_version.h"

#include "catch.h"

using namespace loopsnoop::collector;

TEST_CASE("kernel versions") {
	CHECK(kernel_version("6.18.44-fc") == KernelVersion{6, 18});
	CHECK(kernel_version("5.15") == KernelVersion{5, 15});
	CHECK(*kernel_version("5.9.1") < KernelVersion{5, 15});
	CHECK(*kernel_version("10.0") > KernelVersion{5, 15});
	for (const char *text : {"", "6", "6.", "x.y", ".1", "-1.2", "99999999999.1"}) {
		CHECK_FALSE(kernel_version(text));
	}
}
