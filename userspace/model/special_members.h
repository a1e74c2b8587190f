// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constructors, assignments and destructor of a large struct, declared in it and defined in one file. Where each file that
// handles one makes its own, of dozens of strings and vectors, that is half of what compiling takes. The struct is no aggregate
// any more. NOLINTBEGIN(cppcoreguidelines-macro-usage,bugprone-macro-parentheses): nothing else can declare them
#define LOOPSNOOP_SPECIAL_MEMBERS(type)                                                                                          \
	type();                                                                                                                      \
	type(const type &);                                                                                                          \
	type(type &&) noexcept;                                                                                                      \
	type &operator=(const type &);                                                                                               \
	type &operator=(type &&) noexcept;                                                                                           \
	~type()

#define LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(type)                                                                                   \
	type::type() = default;                                                                                                      \
	type::type(const type &) = default;                                                                                          \
	type::type(type &&) noexcept = default;                                                                                      \
	type &type::operator=(const type &) = default;                                                                               \
	type &type::operator=(type &&) noexcept = default;                                                                           \
	type::~type() = default
// NOLINTEND(cppcoreguidelines-macro-usage,bugprone-macro-parentheses)
