// SPDX-License-Identifier: Apache-2.0
#include "foreign/dead_places.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace loopsnoop::foreign {

namespace {

bool same_place(const Unanswered &a, const Unanswered &b) {
	if (a.device != 0 || b.device != 0) {
		return a.device == b.device;
	}
	return a.pid == b.pid && a.path == b.path && a.path.empty() == b.path.empty();
}

} // namespace

std::string Unanswered::sentence() const {
	const std::string what = path.empty() ? fmt::format("memory of process {} at {:#x}", pid, begin) : path;
	std::string text;
	if (file_system.empty()) {
		text = fmt::format("{} {}", what, now ? "does not answer" : "did not answer for a while");
	} else {
		text = fmt::format("{} is on {}, which {}", what, file_system, now ? "does not answer" : "did not answer for a while");
	}
	if (server_pid) {
		text += fmt::format("; {} (pid {}) serves it", server_comm, *server_pid);
	}
	return text;
}

void DeadPlaces::add(std::uint64_t question, Unanswered place) {
	if (places_.size() >= max_places) {
		places_.erase(places_.begin());
	}
	const auto known = std::ranges::find_if(history_, [&](const Unanswered &one) { return same_place(one, place); });
	if (known != history_.end()) {
		known->now = true;
	} else if (history_.size() < max_places) {
		history_.push_back(place);
	}
	places_.push_back({question, std::move(place), ~0ULL});
}

void DeadPlaces::forget(std::vector<Place>::iterator place) {
	const Unanswered what = std::move(place->what);
	places_.erase(place);
	if (std::ranges::none_of(places_, [&](const Place &one) { return same_place(one.what, what); })) {
		for (Unanswered &one : history_) {
			one.now = one.now && !same_place(one, what);
		}
	}
}

void DeadPlaces::answered(std::uint64_t question) {
	if (const auto found = std::ranges::find(places_, question, &Place::question); found != places_.end()) {
		forget(found);
	}
}

void DeadPlaces::died(std::uint64_t question, std::uint64_t now_ns) {
	if (const auto found = std::ranges::find(places_, question, &Place::question); found != places_.end()) {
		found->until_ns = now_ns + retry_ns;
	}
}

void DeadPlaces::forget_expired(std::uint64_t now_ns) {
	const auto expired = [&](const Place &place) { return place.until_ns <= now_ns; };
	for (auto found = std::ranges::find_if(places_, expired); found != places_.end();
	     found = std::ranges::find_if(places_, expired)) {
		forget(found);
	}
}

const Unanswered *DeadPlaces::device(std::uint64_t device) const {
	const auto found =
	    std::ranges::find_if(places_, [&](const Place &place) { return device != 0 && place.what.device == device; });
	return found == places_.end() ? nullptr : &found->what;
}

const Unanswered *DeadPlaces::path(std::uint32_t pid, std::string_view path) const {
	const auto found = std::ranges::find_if(places_, [&](const Place &place) {
		return place.what.device == 0 && !path.empty() && place.what.pid == pid && place.what.path == path;
	});
	return found == places_.end() ? nullptr : &found->what;
}

const Unanswered *DeadPlaces::memory(std::uint32_t pid, std::uint64_t begin, std::uint64_t end) const {
	const Unanswered *found = nullptr;
	int parts = 0;
	for (const Place &place : places_) {
		if (place.what.path.empty() && place.what.pid == pid) {
			found = &place.what;
			if (place.what.begin < end && begin < place.what.end) {
				return found;
			}
			parts++;
		}
	}
	return parts >= max_parts ? found : nullptr;
}

} // namespace loopsnoop::foreign
