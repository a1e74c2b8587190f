// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef LOOPSNOOP_CATCH3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

// What a test takes of memory. Not judged under AddressSanitizer, which keeps what is freed for a while.
#ifdef __SANITIZE_ADDRESS__
#define CHECK_MEMORY(condition) SUCCEED("not judged under AddressSanitizer")
#else
#define CHECK_MEMORY(condition) CHECK(condition)
#endif
