// SPDX-License-Identifier: Apache-2.0
// Loops that sleep while somebody waits, and what fills up in their processes.
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "catch.h"
#include "fakes/fake_session.h"
#include "fakes/unix_service.h"
#include "session/gauges.h"

using namespace loopsnoop;
using namespace loopsnoop::session;

namespace {

constexpr std::uint64_t stuck_after = 10 * s;

struct Server : FakeSession {
	LoopKey key = appears(server, server);
	UnixService service{*this};

	explicit Server(std::uint64_t stuck_after_ns = stuck_after) : FakeSession(patient_for(stuck_after_ns)) { goes_idle(key); }

	static Settings patient_for(std::uint64_t stuck_after_ns) {
		Settings settings = options();
		settings.stuck_after_ns = stuck_after_ns;
		return settings;
	}
	UniqueFd customer() { return service.customer(); }
	[[nodiscard]] UniqueFd accept(int fd) const { return service.accept(fd); }
	void pass(unsigned seconds) {
		for (; seconds > 0; seconds--) {
			now += s;
			(void)parts.standstills.tick();
		}
	}
	[[nodiscard]] std::vector<Standstill> standstills() const { return all<Standstill>(); }
};

TaskLoop tasks_of(std::size_t count, int line) {
	TaskLoop loop;
	loop.tid = server;
	for (std::size_t i = 0; i < count; i++) {
		Task task;
		task.id = i + 1;
		task.culprit = SourceFrame{"article", "/srv/shop/api.py", line};
		loop.tasks.push_back(std::move(task));
	}
	return loop;
}

} // namespace

TEST_CASE("a loop that sleeps is reported once a customer has waited --stuck-after, and again at each doubling") {
	Server fake;
	const UniqueFd customer = fake.customer();
	fake.pass(9);
	CHECK(fake.standstills().empty());
	fake.pass(3);
	REQUIRE(fake.standstills().size() == 1);
	const Standstill first = fake.standstills()[0];
	CHECK(first.ongoing);
	CHECK(first.kind == StandstillKind::not_accepted);
	CHECK(first.certain);
	CHECK(first.pid == server);
	CHECK(first.tid == server);
	CHECK(first.clients.not_accepted == 1);
	CHECK(first.duration_ns >= stuck_after);
	CHECK(first.summary.find("1 connection") != std::string::npos);
	CHECK(fake.parts.standstills.reported() == 1);

	fake.pass(7);
	CHECK(fake.standstills().size() == 1);
	fake.pass(3);
	REQUIRE(fake.standstills().size() == 2);
	CHECK(fake.standstills()[1].duration_ns >= 2 * stuck_after);
	fake.pass(20);
	REQUIRE(fake.standstills().size() == 3);
	CHECK(fake.standstills()[2].duration_ns >= 4 * stuck_after);
	CHECK(fake.standstills()[2].id == first.id);
	CHECK(fake.standstills()[2].start_ns == first.start_ns);
	CHECK(fake.parts.standstills.reported() == 1);
}

TEST_CASE("a standstill ends once its customers are served, and another one is a new one") {
	Server fake;
	const UniqueFd customer = fake.customer();
	UnixService::ask(customer);
	const UniqueFd connection = fake.accept(6);
	fake.pass(12);
	REQUIRE(fake.standstills().size() == 1);
	CHECK(fake.standstills()[0].kind == StandstillKind::no_answer);
	CHECK_FALSE(fake.standstills()[0].certain);
	CHECK(fake.standstills()[0].clients.unanswered == 1);
	CHECK(fake.standstills()[0].clients.unread == 1);

	UnixService::read_all(connection);
	fake.pass(4);
	REQUIRE(fake.standstills().size() == 2);
	const Standstill last = fake.standstills()[1];
	CHECK_FALSE(last.ongoing);
	CHECK(last.id == fake.standstills()[0].id);
	CHECK(last.truncated == Truncated::no);
	CHECK_FALSE(last.goes_on);
	CHECK(last.duration_ns > fake.standstills()[0].duration_ns);
	fake.pass(60);
	CHECK(fake.standstills().size() == 2);

	UnixService::ask(customer);
	fake.pass(16);
	REQUIRE(fake.standstills().size() == 3);
	CHECK(fake.standstills()[2].id != last.id);
	CHECK(fake.parts.standstills.reported() == 2);
}

TEST_CASE("a standstill ends with its process, and with the session") {
	Server fake;
	const UniqueFd customer = fake.customer();
	fake.pass(12);
	REQUIRE(fake.standstills().size() == 1);
	SECTION("which has ended") {
		fake.exits(server, fake.key);
		fake.process_gone(server);
		fake.pass(2);
		REQUIRE(fake.standstills().size() == 2);
		CHECK(fake.standstills()[1].truncated == Truncated::target_exit);
		CHECK_FALSE(fake.standstills()[1].goes_on);
		CHECK(fake.parts.standstills.gauges().empty());
	}
	SECTION("which ends while it goes on") {
		const auto waited = fake.parts.standstills.waited_for();
		REQUIRE(waited.size() == 1);
		CHECK(waited[0].pid == server);
		CHECK(waited[0].clients.not_accepted == 1);
		fake.parts.standstills.finish();
		REQUIRE(fake.standstills().size() == 2);
		CHECK(fake.standstills()[1].truncated == Truncated::session_end);
		CHECK(fake.standstills()[1].goes_on);
	}
	CHECK_FALSE(fake.standstills()[1].ongoing);
	CHECK(fake.standstills()[1].id == fake.standstills()[0].id);
}

TEST_CASE("a standstill began when its oldest customer came, whoever comes after") {
	Server fake;
	const UniqueFd first = fake.customer();
	fake.pass(5);
	const UniqueFd second = fake.customer();
	fake.pass(40);
	const auto standstills = fake.standstills();
	REQUIRE(standstills.size() >= 2);
	for (const Standstill &one : standstills) {
		CHECK(one.id == standstills[0].id);
		CHECK(one.start_ns == standstills[0].start_ns);
		CHECK(one.started_at == rfc3339_utc(one.start_ns)); // on the fake clocks one is the other
	}
	CHECK(standstills.back().clients.not_accepted == 2);
}

TEST_CASE("an idle loop for which nobody waits is healthy") {
	Server fake;
	const UniqueFd customer = fake.customer(); // keeps a connection open, and has not asked anything yet
	const UniqueFd connection = fake.accept(6);
	fake.pass(300);
	CHECK(fake.standstills().empty());
	CHECK(fake.parts.standstills.waited_for().empty());
	CHECK(fake.parts.standstills.reported() == 0);
}

TEST_CASE("a loop that is blocked has its stall, and one that wakes up may be about to accept") {
	Server fake;
	const UniqueFd customer = fake.customer();
	SECTION("blocked") {
		fake.blocks(fake.key, 1);
		fake.pass(30);
	}
	SECTION("awake now and then") {
		for (int i = 0; i < 6; i++) {
			fake.pass(5);
			fake.goes_idle(fake.key);
		}
	}
	CHECK(fake.standstills().empty());
}

TEST_CASE("without --stuck-after nothing is reported, and gauges go on") {
	Server fake(0);
	const UniqueFd customer = fake.customer();
	fake.pass(30);
	CHECK(fake.standstills().empty());
	CHECK_FALSE(fake.parts.standstills.gauges().empty());
	CHECK(fake.parts.standstills.waited_for().empty());
}

TEST_CASE("what a loop's process has is read with each round, its files once a minute") {
	Server fake;
	const std::string folder = std::to_string(server);
	fake.tree.file(folder + "/statm", "5000 25 10 1 0 100 0\n");
	fake.pass(6);
	REQUIRE(fake.parts.standstills.gauges().size() == 1);
	const ProcessGauges before = fake.parts.standstills.gauges()[0];
	CHECK(before.pid == server);
	CHECK(before.resident_bytes == 25ULL * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
	CHECK(before.descriptors == 1);
	CHECK(before.threads == 1);
	CHECK(before.unanswered == 0);
	CHECK_FALSE(before.tasks);

	for (int fd = 10; fd < 70; fd++) {
		fake.tree.descriptor(server, fd, "/srv/shop/file");
	}
	fake.pass(20);
	CHECK(fake.parts.standstills.gauges()[0].descriptors == 1);
	CHECK(fake.parts.standstills.grown().empty());
	fake.pass(60);
	CHECK(fake.parts.standstills.gauges()[0].descriptors == 61);
	const auto grown = fake.parts.standstills.grown();
	REQUIRE(grown.size() == 1);
	CHECK(grown[0].comm == "server");
	CHECK(grown[0].first.descriptors == 1);
	CHECK(grown[0].last.descriptors == 61);
}

TEST_CASE("gauges: tasks stay as they were last read, and have grown when they are twice as many and more by twenty") {
	const FixtureTree tree;
	tree.process(server, "server", server);
	Gauges gauges{process::ProcFs(tree.root())};
	const auto take = [&](std::uint64_t now_ns, const TaskLoop *tasks) {
		gauges.take({server, server, now_ns, nullptr, tasks, false});
		return gauges.current().at(0);
	};
	CHECK_FALSE(take(1 * s, nullptr).tasks);
	const TaskLoop few = tasks_of(11, 47);
	CHECK(take(2 * s, &few).tasks == 11);
	CHECK(take(3 * s, nullptr).tasks == 11);
	const TaskLoop more = tasks_of(30, 47);
	CHECK(take(4 * s, &more).tasks == 30);
	CHECK(gauges.grown().empty());
	const TaskLoop many = tasks_of(31, 47);
	const ProcessGauges last = take(5 * s, &many);
	REQUIRE(last.places.size() == 1);
	CHECK(last.places[0].line.line == 47);
	CHECK(last.places[0].count == 31);
	REQUIRE(gauges.grown().size() == 1);
	CHECK(gauges.grown()[0].first.tasks == 11);
	CHECK(gauges.grown()[0].last.tasks == 31);
	gauges.forget(server, server);
	CHECK(gauges.current().empty());
}

TEST_CASE("gauges: the five lines where most tasks wait, most first, those of the application before others") {
	TaskLoop loop;
	for (const std::size_t count : {2U, 7U, 1U, 3U, 5U, 4U}) {
		for (Task &task : tasks_of(count, static_cast<int>(count)).tasks) {
			loop.tasks.push_back(std::move(task));
		}
	}
	for (Task &task : tasks_of(9, 9).tasks) { // these wait for nothing
		task.state = TaskState::running;
		loop.tasks.push_back(std::move(task));
	}
	Task library;
	library.stack = {SourceFrame{"read", "/usr/lib/python3.11/asyncio/streams.py", 8}};
	for (int i = 0; i < 8; i++) {
		loop.tasks.push_back(library);
	}
	const auto counts_of = [](const TaskLoop &tasks) {
		std::vector<std::uint64_t> counts;
		for (const TaskPlace &place : busiest_places(tasks)) {
			counts.push_back(place.count);
			CHECK(place.line.line == static_cast<int>(place.count));
		}
		return counts;
	};
	CHECK(counts_of(loop) == std::vector<std::uint64_t>{7, 5, 4, 3, 2});
	std::erase_if(loop.tasks, [](const Task &task) { return task.culprit && task.culprit->line.value_or(0) > 2; });
	CHECK(counts_of(loop) == std::vector<std::uint64_t>{2, 1, 8});
}
