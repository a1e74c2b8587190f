// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace loopsnoop {

// Either a value or an Error; g++ 12 has no std::expected.
template <typename T> class [[nodiscard]] Result {
public:
	Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}     // NOLINT(google-explicit-constructor)
	Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {} // NOLINT(google-explicit-constructor)

	[[nodiscard]] bool ok() const { return state_.index() == 0; }
	explicit operator bool() const { return ok(); }

	// Calling these on the wrong alternative throws std::bad_variant_access: a bug in the caller.
	[[nodiscard]] T &value() & { return std::get<0>(state_); }
	[[nodiscard]] const T &value() const & { return std::get<0>(state_); }
	[[nodiscard]] T &&value() && { return std::get<0>(std::move(state_)); }
	[[nodiscard]] const Error &error() const { return std::get<1>(state_); }

	T &operator*() & { return value(); }
	const T &operator*() const & { return value(); }
	T *operator->() { return &value(); }
	const T *operator->() const { return &value(); }

	[[nodiscard]] std::optional<T> to_optional() && {
		if (ok()) {
			return std::move(*this).value();
		}
		return std::nullopt;
	}

private:
	std::variant<T, Error> state_;
};

template <> class [[nodiscard]] Result<void> {
public:
	Result() = default;
	Result(Error error) : error_(std::move(error)) {} // NOLINT(google-explicit-constructor)

	[[nodiscard]] bool ok() const { return !error_.has_value(); }
	explicit operator bool() const { return ok(); }
	[[nodiscard]] const Error &error() const { return error_.value(); }

private:
	std::optional<Error> error_;
};

} // namespace loopsnoop
