// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "catch.h"
#include "doctor/machine.h"
#include "doctor/process.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::doctor;

namespace {

constexpr std::uint64_t all_rights = 0x1ffffffffff;
constexpr unsigned cap_sys_ptrace = 19;
constexpr unsigned cap_sys_admin = 21;
constexpr unsigned cap_perfmon = 38;
constexpr unsigned cap_bpf = 39;

constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }

bool says(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

const Check *find(const std::vector<Check> &checks, std::string_view name) {
	const auto found = std::ranges::find(checks, name, &Check::name);
	return found == checks.end() ? nullptr : &*found;
}

// A machine where all is well.
struct GoodMachine {
	GoodMachine() {
		tree.file("proc/self/status", "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n");
		tree.file("proc/self/uid_map", "         0          0 4294967295\n");
		tree.file("proc/sys/net/core/bpf_jit_enable", "1\n");
		tree.file("sys/kernel/btf/vmlinux", "BTF");
		tree.file("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
		machine = {tree.path("proc"), tree.path("sys"), "6.1.0-18-amd64", "x86_64", 0};
	}
	FixtureTree tree;
	Machine machine;
};

} // namespace

TEST_CASE("effective capabilities are read from a status text") {
	CHECK(effective_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\nCapBnd:\t0\n") == 0x1fffeffffffU);
	CHECK(effective_capabilities("CapEff:\t0000000000000000") == 0U);
	CHECK_FALSE(effective_capabilities("CapPrm:\t1\n"));
	CHECK_FALSE(effective_capabilities("CapEff:\t\n"));
	CHECK_FALSE(effective_capabilities("CapEff:\tzz\n"));
	CHECK_FALSE(effective_capabilities("CapEff:\t11111111111111111111\n"));
	CHECK_FALSE(effective_capabilities(""));
}

TEST_CASE("rights: what nothing works without fails, the rest is a warning") {
	CHECK(judge_rights(all_rights, 0).health == Health::ok);
	CHECK(judge_rights(all_rights, 1000).health == Health::ok);

	const Check nobody = judge_rights(0, 65534);
	CHECK(nobody.health == Health::fail);
	CHECK(says(nobody.found, "uid 65534 without CAP_BPF, CAP_PERFMON may not"));
	CHECK(says(nobody.advice, "sudo"));

	const Check confined_root = judge_rights(bit(cap_sys_ptrace), 0);
	CHECK(confined_root.health == Health::fail);
	CHECK(says(confined_root.advice, "--privileged"));

	const Check only_perfmon = judge_rights(all_rights & ~bit(cap_bpf) & ~bit(cap_sys_admin), 0);
	CHECK(only_perfmon.health == Health::fail);
	CHECK(says(only_perfmon.found, "without CAP_BPF may not"));

	// CAP_SYS_ADMIN stands for both
	CHECK(judge_rights(all_rights & ~bit(cap_bpf) & ~bit(cap_perfmon), 0).health == Health::ok);

	const Check few = judge_rights(bit(cap_bpf) | bit(cap_perfmon), 1000);
	CHECK(few.health == Health::warn);
	CHECK(says(few.found, "CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH: memory"));
	CHECK(judge_rights(std::nullopt, 0).health == Health::warn);
}

TEST_CASE("lockdown and user namespaces") {
	CHECK(lockdown_mode("none [integrity] confidentiality") == "integrity");
	CHECK_FALSE(lockdown_mode("none"));
	CHECK_FALSE(lockdown_mode("]["));
	CHECK_FALSE(lockdown_mode(""));
	CHECK(is_host_uid_map("         0          0 4294967295\n"));
	CHECK_FALSE(is_host_uid_map("         0       1000          1\n"));
	CHECK_FALSE(is_host_uid_map("0 0 65536\n65536 65536 10\n"));
	CHECK_FALSE(is_host_uid_map(""));
}

TEST_CASE("a machine where all is well") {
	const GoodMachine good;
	const auto checks = examine_machine(good.machine);
	for (const char *name : {"rights", "kernel", "lockdown", "jit"}) {
		INFO(name);
		REQUIRE(find(checks, name) != nullptr);
		CHECK(find(checks, name)->health == Health::ok);
	}
	CHECK(says(find(checks, "kernel")->found, "kernel 6.1.0-18-amd64 (x86_64), BTF present"));
}

TEST_CASE("each thing that is wrong is reported") {
	GoodMachine good;
	SECTION("an old kernel") {
		good.machine.release = "5.10.0-28-amd64";
		const auto checks = examine_machine(good.machine);
		CHECK(find(checks, "kernel")->health == Health::warn); // whether the programs load is another check
		CHECK(says(find(checks, "kernel")->advice, "5.15"));
	}
	SECTION("another architecture") {
		good.machine.architecture = "aarch64";
		CHECK(find(examine_machine(good.machine), "kernel")->health == Health::fail);
	}
	SECTION("a release nobody can read is not held against it") {
		good.machine.release = "custom";
		CHECK(find(examine_machine(good.machine), "kernel")->health == Health::ok);
	}
	SECTION("no BTF") {
		good.machine.sys = good.tree.path("nowhere");
		const auto checks = examine_machine(good.machine);
		CHECK(find(checks, "kernel")->health == Health::fail);
		CHECK(says(find(checks, "kernel")->advice, "CONFIG_DEBUG_INFO_BTF"));
		CHECK(find(checks, "lockdown") == nullptr); // securityfs not mounted: not known
	}
	SECTION("lockdown") {
		good.tree.file("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
		CHECK(find(examine_machine(good.machine), "lockdown")->health == Health::fail);
		good.tree.file("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
		CHECK(find(examine_machine(good.machine), "lockdown")->health == Health::ok);
	}
	SECTION("no JIT") {
		good.tree.file("proc/sys/net/core/bpf_jit_enable", "0\n");
		CHECK(find(examine_machine(good.machine), "jit")->health == Health::warn);
	}
	SECTION("a rootless container: its capabilities are not spoken of") {
		good.tree.file("proc/self/uid_map", "         0       1000          1\n");
		const auto checks = examine_machine(good.machine);
		REQUIRE(find(checks, "namespace") != nullptr);
		CHECK(find(checks, "namespace")->health == Health::fail);
		CHECK(find(checks, "rights") == nullptr);
	}
	SECTION("no /proc") {
		good.machine.proc = good.tree.path("nowhere");
		CHECK(find(examine_machine(good.machine), "rights")->health == Health::warn);
	}
}

TEST_CASE("the start of the programs decides") {
	const Check warned{"jit", Health::warn, "slow", {}, {}};
	const Check old{"kernel", Health::fail, "too old", {}, {}};
	const Check started{"programs", Health::ok, "load", {}, {}};
	const Error refused{"load the BPF programs", "libbpf says", EPERM, "run it as root"};

	SECTION("they run although something spoke against it") {
		const auto checks = settle({old, warned}, started);
		REQUIRE(checks.size() == 3);
		CHECK(checks[0].health == Health::warn);
		CHECK(checks[1].health == Health::warn);
		CHECK(conclude(checks).works);
		CHECK(conclude(checks).sentence == "loopsnoop works here, with 2 things missing");
	}
	SECTION("they do not, and it is explained: the kernel's reason is a detail of that") {
		const auto checks = settle({warned, old}, refused);
		REQUIRE(checks.size() == 2);
		CHECK(says(checks[1].detail, "Operation not permitted"));
		CHECK_FALSE(conclude(checks).works);
		CHECK(conclude(checks).sentence == "loopsnoop cannot work here: too old");
	}
	SECTION("they do not, and nothing explains it") {
		const auto checks = settle({warned}, refused);
		REQUIRE(checks.size() == 2);
		CHECK(checks[1].health == Health::fail);
		CHECK(checks[1].found == "cannot load the BPF programs (libbpf says): Operation not permitted");
		CHECK(checks[1].advice == "run it as root");
	}
}

TEST_CASE("conclusions") {
	CHECK(conclude({}).sentence == "loopsnoop will work here");
	CHECK(conclude({{"a", Health::ok, "x", {}, {}}}).works);
	CHECK(conclude({{"a", Health::warn, "x", {}, {}}}).sentence == "loopsnoop works here, with 1 thing missing");
}

TEST_CASE("a process without a runtime: ourselves") {
	const process::ProcFs proc;
	const auto self = static_cast<std::uint32_t>(getpid());
	const auto status = proc.status(self);
	REQUIRE(status);
	CHECK(says(describe_process(proc, self, *status).found, "pid " + std::to_string(self)));
	CHECK(says(examine_runtime(proc, self).at(0).found, "native"));
	const auto files = examine_files(proc, self, true);
	REQUIRE(find(files, "frames") != nullptr);
	REQUIRE(find(files, "symbols") != nullptr);
	CHECK(find(files, "symbols")->health == Health::ok); // the tests are not stripped
}

TEST_CASE("a stopped process is reported, with what to do") {
	process::ProcessStatus status;
	status.comm = "x";
	status.state = 'T';
	status.threads = 1;
	const Check check = describe_process(process::ProcFs("/nowhere"), 4711, status);
	CHECK(check.health == Health::warn);
	CHECK(check.advice == "kill -CONT 4711");
}

TEST_CASE("processes that cannot be followed fail in one line") {
	const auto checks = examine_process(process::ProcFs(), 4'194'304);
	REQUIRE(checks.size() == 1);
	CHECK(checks[0].health == Health::fail);
	CHECK(says(checks[0].found, "No such process"));
}
