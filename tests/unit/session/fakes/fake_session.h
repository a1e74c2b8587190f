// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "fakes/fake_world.h"
#include "session/session_parts.h"

// The parts of a session by themselves: an event is handled at once, and time passes when the test says so.
struct FakeSession : FakeWorld {
	loopsnoop::session::SessionParts parts;

	explicit FakeSession(loopsnoop::Settings given = options())
	    : FakeWorld(std::move(given)), parts({settings, collector, loopsnoop::process::ProcFs(tree.root()),
	                                          [this](const loopsnoop::Record &record) { records.push_back(record); }, clock()},
	                                         65536) {}

	void event(loopsnoop::Event event) override { parts.events.handle(std::move(event)); }
	void tick_after(std::uint64_t ns) {
		now += ns;
		parts.tick.tick(loopsnoop::session::SessionTick::Handled::all);
	}
};
