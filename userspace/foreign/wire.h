// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/unique_fd.h"
#include "foreign/question.h"

namespace loopsnoop::foreign {

// Questions and answers as messages of a SOCK_SEQPACKET socket between two processes of one build: structs as they lie in memory,
// descriptors beside them (SCM_RIGHTS). One message each way, 64 KiB of bytes at most, and a byte for each range.
inline constexpr std::size_t max_piece = 65536;
inline constexpr std::size_t max_path = 8192; // of root and path together
inline constexpr std::size_t max_ranges = 256;
inline constexpr std::size_t max_answer = max_piece + max_ranges;

// False: the other side is gone, or the question is too long. `wanted`: how many bytes are asked for.
[[nodiscard]] bool send_question(int socket, std::uint64_t number, const Question &question, std::size_t wanted);

struct Asked {
	std::uint64_t number = 0;
	std::size_t wanted = 0;
	Question question;
	UniqueFd file; // what question.file refers to
};
// Waits for the next one. nullopt: the other side is gone.
[[nodiscard]] std::optional<Asked> receive_question(int socket);

bool send_answer(int socket, std::uint64_t number, const Answer &answer, std::span<const std::byte> bytes);

struct Answered {
	std::uint64_t number = 0;
	Answer answer;
};
// Does not wait. nullopt: there is none, or the other side is gone.
[[nodiscard]] std::optional<Answered> receive_answer(int socket, std::span<std::byte> into);

// One descriptor with a number beside it; what the spawner answers.
bool send_file(int socket, std::int64_t number, int file);
struct Received {
	std::int64_t number = 0;
	UniqueFd file;
};
[[nodiscard]] std::optional<Received> receive_file(int socket);

} // namespace loopsnoop::foreign
