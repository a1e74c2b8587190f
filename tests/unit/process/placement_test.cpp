// SPDX-License-Identifier: Apache-2.0
#include "process/placement.h"

#include <string>
#include <vector>

#include "catch.h"
#include "process/fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

const std::string id(64, 'a');
const std::string other(64, '7');

Placement of(const std::string &path) { return placement_of(std::vector<Cgroup>{{"", path}}); }

} // namespace

TEST_CASE("the container's id in the forms that engines give their cgroups") {
	for (const std::string &path : {
	         "/docker/" + id,
	         "/system.slice/docker-" + id + ".scope",
	         "/machine.slice/libpod-" + id + ".scope/container",
	         "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope",
	         "/kubepods/burstable/pod7f6c/" + id,
	         "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7f6c.slice/cri-containerd-" + id + ".scope",
	         "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod7f6c.slice/crio-" + id + ".scope",
	         "/system.slice/containerd.service/kubepods-burstable-pod7f6c.slice:cri-containerd:" + id,
	         "/../../kubepods.slice/cri-containerd-" + id + ".scope", // as seen from another cgroup namespace
	         "/docker/" + other + "/kubelet.slice/cri-containerd-" + id + ".scope",
	     }) {
		INFO(path);
		CHECK(of(path).container == id);
		CHECK(of(path).unit.empty());
	}
}

TEST_CASE("what is no container's id") {
	for (const std::string &path : {
	         std::string("/"),
	         std::string(),
	         std::string("/system.slice/ssh.service"),
	         "/machine.slice/libpod-conmon-" + id + ".scope",
	         "/kubepods.slice/crio-conmon-" + id + ".scope",
	         "/docker/" + id + "f",
	         "/docker/" + id.substr(1),
	         "/docker/" + std::string(64, 'A'),
	         "/docker/x" + id,
	     }) {
		INFO(path);
		CHECK(of(path).container.empty());
	}
}

TEST_CASE("the innermost unit") {
	CHECK(of("/system.slice/nginx.service").unit == "nginx.service");
	CHECK(of("/system.slice/system-postgresql.slice/postgresql@15-main.service").unit == "postgresql@15-main.service");
	CHECK(of("/user.slice/user-1000.slice/user@1000.service/app.slice/api.service").unit == "api.service");
	CHECK(of("/user.slice/user-1000.slice/session-3.scope").unit == "session-3.scope");
	CHECK(of("/system.slice/api.service/worker").unit == "api.service");
	CHECK(of("/user.slice").unit.empty());
	CHECK(of("/.service").unit.empty());
	const Placement inside = of("/docker/" + id + "/system.slice/nginx.service");
	CHECK(inside.container == id);
	CHECK(inside.unit == "nginx.service");
}

TEST_CASE("with several hierarchies systemd's own goes first") {
	const std::vector<Cgroup> cgroups{{"cpu,cpuacct", "/docker/" + id},
	                                  {"pids", "/user.slice/x.scope"},
	                                  {"name=systemd", "/system.slice/api.service"},
	                                  {"", "/"}};
	CHECK(placement_of(cgroups).unit == "api.service");
	CHECK(placement_of(cgroups).container == id);
	CHECK(placement_of({}).unit.empty());
}

TEST_CASE("a cgroup and those below it") {
	const std::vector<Cgroup> cgroups{{"cpu", "/a/b"}, {"", "/system.slice/api.service"}};
	CHECK(is_in_cgroup(cgroups, "/a/b"));
	CHECK(is_in_cgroup(cgroups, "/a"));
	CHECK(is_in_cgroup(cgroups, "/"));
	CHECK(is_in_cgroup(cgroups, "/system.slice"));
	CHECK_FALSE(is_in_cgroup(cgroups, "/system"));
	CHECK_FALSE(is_in_cgroup(cgroups, "/a/b/c"));
	CHECK_FALSE(is_in_cgroup({}, "/"));
}

TEST_CASE("a cgroup as a person writes it") {
	const FixtureTree tree;
	tree.file("self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
	tree.file("7/cgroup", "0::/gone.slice/x.service\n");
	const ProcFs proc(tree.root());
	for (const char *text : {"/system.slice/x.service", "system.slice/x.service", "/system.slice/x.service/",
	                         "/sys/fs/cgroup/system.slice/x.service"}) {
		INFO(text);
		CHECK(cgroup_path(proc, text) == "/system.slice/x.service");
	}
	CHECK(cgroup_path(proc, "/sys/fs/cgroup") == "/");
	CHECK(cgroup_exists(proc, "/gone.slice"));
	CHECK_FALSE(cgroup_exists(proc, "/no/such/slice"));
}
