// SPDX-License-Identifier: Apache-2.0
#include "foreign/mounts.h"

#include <sys/sysmacros.h>

#include "catch.h"

using namespace loopsnoop::foreign;

TEST_CASE("a line of mountinfo") {
	const auto mount =
	    parse_mount("36 35 0:52 / /srv/my\\040app rw,noatime shared:1 master:2 - nfs4 10.0.0.7:/export rw,vers=4.2");
	REQUIRE(mount);
	CHECK(mount->id == 36);
	CHECK(mount->device == makedev(0, 52));
	CHECK(mount->point == "/srv/my app");
	CHECK(mount->type == "nfs4");
	CHECK(mount->source == "10.0.0.7:/export");
	CHECK(describe(*mount) == "nfs4 10.0.0.7:/export (mounted at /srv/my app)");

	const auto bare = parse_mount("22 1 254:0 / / rw - ext4  rw");
	REQUIRE(bare);
	CHECK(bare->source.empty());
	CHECK(describe(*bare) == "ext4 (mounted at /)");

	CHECK(parse_mount("1 2 0:5 / /a\\b rw - fuse x rw")->point == "/a\\b");
	for (const auto *const broken :
	     {"", "36", "36 35 0:52", "36 35 052 / /x rw - nfs a rw", "36 35 0:52 / /x rw", "x 35 0:52 / /x rw - a b c"}) {
		CHECK_FALSE(parse_mount(broken));
	}
}

TEST_CASE("the mount of a path is the deepest and the last one above it") {
	const std::vector<Mount> mounts{{
	                                    1,
	                                    10,
	                                    "/",
	                                    "ext4",
	                                    "",
	                                },
	                                {2, 20, "/srv", "nfs4", "a:/"},
	                                {3, 30, "/srv/app", "fuse", "x"},
	                                {4, 40, "/srv", "tmpfs", "t"}};
	CHECK(mount_of_path(mounts, "/etc/passwd")->id == 1);
	CHECK(mount_of_path(mounts, "/srvx")->id == 1);
	CHECK(mount_of_path(mounts, "/srv")->id == 4);
	CHECK(mount_of_path(mounts, "/srv/app/x.so")->id == 3);
	CHECK(mount_of_path(mounts, "relative") == nullptr);
	CHECK(mount_of_path({}, "/x") == nullptr);
	CHECK(mount_of_device(mounts, 30)->id == 3);
	CHECK(mount_of_device(mounts, 31) == nullptr);
}

TEST_CASE("which file systems another machine or process answers for") {
	for (const auto *const type : {"nfs", "nfs4", "fuse", "fuse.sshfs", "fuseblk", "cifs", "9p", "ceph"}) {
		CHECK(needs_a_server(type));
	}
	for (const auto *const type : {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "proc", ""}) {
		CHECK_FALSE(needs_a_server(type));
	}
	CHECK_FALSE(fuse_server({1, makedev(0, 1), "/", "ext4", ""}));
}

TEST_CASE("our own mounts") {
	const auto mounts = read_mounts("/proc/self/mountinfo");
	REQUIRE(mount_of_path(mounts, "/proc/self/stat") != nullptr);
	CHECK(mount_of_path(mounts, "/proc/self/stat")->type == "proc");
	CHECK(read_mounts("/proc/0/mountinfo").empty());
}
