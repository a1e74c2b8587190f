#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# boot.sh FOLDER: this machine's system once more, booted by systemd, in namespaces of its own (unshare --pid --mount --uts --ipc
# --cgroup --fork). Its files are this machine's, read only; what it writes is in memory and gone with it. No network but loopback.
set -euo pipefail
folder=$1

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder"/{upper,work,root}
root=$folder/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
while read -r name major minor; do
	mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<-NODES
	null 1 3
	zero 1 5
	full 1 7
	random 1 8
	urandom 1 9
	tty 5 0
NODES
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root"/dev/{pts,shm,mqueue,hugepages}
mount -t devpts devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# While there is a network.
if [ ! -x "$root/lib/systemd/systemd" ] || [ ! -x "$root/usr/bin/systemctl" ]; then
	chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends systemd >"$folder/apt.log" 2>&1 || {
		cat "$folder/apt.log" >&2
		exit 1
	}
fi

mount -t sysfs sysfs "$root/sys"
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else # both versions
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	mkdir "$root"/sys/fs/cgroup/{systemd,unified}
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
	mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
# Nothing of what happens to be installed here is to be started: basic.target is as far as it boots.
# And a machine that only builds forbids packages to start what they bring: policy-rc.d.
rm -f "$root"/etc/systemd/system/*.wants/* "$root/etc/machine-id" "$root/usr/sbin/policy-rc.d"

cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec unshare --net /bin/sh -c 'ip link set lo up && exec env -i container=loopsnoop-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target --log-target=null'
