// SPDX-License-Identifier: Apache-2.0
#pragma once

// For a function that blocks: it keeps a frame of its own, under the name that the tests know.
#if defined(__clang__)
#define BLOCKS __attribute__((noinline))
#else
#define BLOCKS __attribute__((noinline, noclone))
#endif
