// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef LOOPSNOOP_CATCH3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
