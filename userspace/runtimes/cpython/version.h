// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace loopsnoop::runtimes::cpython {

struct Version {
	std::uint8_t major = 3;
	std::uint8_t minor = 0;
	std::optional<std::uint8_t> micro; // nullopt: only major and minor are known
	std::string suffix;                // "a1", "b2", "rc1"; empty for releases

	[[nodiscard]] std::string text() const {
		std::string text = std::to_string(major) + "." + std::to_string(minor);
		if (micro) {
			text += "." + std::to_string(*micro) + suffix;
		}
		return text;
	}
	bool operator==(const Version &) const = default;
};

// PY_VERSION_HEX (Include/patchlevel.h): 0xMMmmuuLS, L the release level (a, b, c, f), S its serial. nullopt: not such a number.
[[nodiscard]] inline std::optional<Version> version_from_hex(std::uint64_t hex) {
	const auto major = static_cast<std::uint8_t>(hex >> 24U);
	const auto level = static_cast<unsigned>(hex >> 4U) & 0xfU;
	if ((hex >> 32U) != 0 || major != 3 || level < 0xa || level == 0xd || level == 0xe) {
		return std::nullopt;
	}
	Version version{major, static_cast<std::uint8_t>(hex >> 16U), static_cast<std::uint8_t>(hex >> 8U), {}};
	if (level != 0xf) {
		version.suffix = level == 0xa ? "a" : level == 0xb ? "b" : "rc";
		version.suffix += std::to_string(hex & 0xfU);
	}
	return version;
}

} // namespace loopsnoop::runtimes::cpython
