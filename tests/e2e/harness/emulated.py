# SPDX-License-Identifier: Apache-2.0
"""Another kernel, in a machine that QEMU emulates: with this machine's files, read-only below a layer in memory. No KVM is needed; it
is some tens of times slower than this machine."""

import pathlib
import shlex
import shutil
import subprocess
import tempfile

import pytest

from . import places

KERNELS = places.ROOT / "build" / "kernels"
BUSYBOX = pathlib.Path("/bin/busybox")
CONSOLE_BEGINS, CONSOLE_ENDS = "===begins===", "===ends==="
# One more try: emulated and real time drift apart while a kernel boots, and some then find their clocks broken.
BOOTS = 2


def tree_below_tmp():
    """/tmp is empty there, but for this tree where it is in it."""
    tree = shlex.quote(str(places.ROOT))
    return f"mkdir -p {tree} && mount -o bind /target{tree} {tree}" if places.ROOT.is_relative_to("/tmp") else ":"


INIT = f"""#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host
mount -t tmpfs -o size=1g layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /target
mount -t proc proc /target/proc
mount -t sysfs sys /target/sys
mount -t devtmpfs dev /target/dev
mkdir -p /target/dev/pts /target/dev/shm
mount -t devpts pts /target/dev/pts
mount -t tmpfs shm /target/dev/shm
mount -t cgroup2 cgroup /target/sys/fs/cgroup
mount -t tmpfs tmp /tmp
{tree_below_tmp()}
mount -o move /tmp /target/tmp
cp /command /target/tmp/command
ip link set lo up
hostname emulated
echo {CONSOLE_BEGINS}
/bin/busybox chroot /target /bin/bash /tmp/command
/bin/busybox echo "{CONSOLE_ENDS} $?"
/bin/busybox poweroff -f
"""


def is_there(suite):
    return (KERNELS / suite / ".complete").exists()


def kernel_of(suite):
    """Its folder; the test is skipped when it could not be fetched."""
    folder = KERNELS / suite
    if not is_there(suite):
        pytest.skip(f"no kernel in {folder}: run scripts/fetch-kernels {suite}")
    return folder


def _initramfs(kernel, command, folder):
    for name in ("bin", "proc", "sys", "dev", "host", "layer", "target", "tmp"):
        (folder / name).mkdir()
    shutil.copy(BUSYBOX, folder / "bin" / "busybox")
    shutil.copytree(kernel / "modules", folder / "modules")
    (folder / "command").write_text(command)
    (folder / "init").write_text(INIT)
    (folder / "init").chmod(0o755)
    names = b"".join(bytes(path.relative_to(folder)) + b"\n" for path in sorted(folder.rglob("*")))
    return subprocess.run([BUSYBOX, "cpio", "-o", "-H", "newc"], input=names, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, check=True).stdout


def _boot(kernel, command, timeout):
    """All that the console said."""
    with tempfile.TemporaryDirectory(prefix="loopsnoop-kernel-") as folder:
        folder = pathlib.Path(folder)
        (folder / "tree").mkdir()
        (folder / "initramfs").write_bytes(_initramfs(kernel, command, folder / "tree"))
        # One thread for both CPUs: with two, QEMU 7.2 lets one CPU run into code that the other is patching.
        run = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "3G", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
               "-kernel", kernel / "vmlinuz", "-initrd", folder / "initramfs", "-append", "console=ttyS0 quiet panic=-1 mitigations=off",
               "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
        try:
            return subprocess.run(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b"").decode(errors="replace") + f"\nno end within {timeout} s"


def run(suite, command, timeout):
    """Runs a shell command as root under that suite's kernel: its exit status and what it said, both streams."""
    kernel = kernel_of(suite)
    for _ in range(BOOTS):
        console = _boot(kernel, command, timeout).replace("\r\n", "\n")
        begun, begins, said = console.partition(CONSOLE_BEGINS + "\n")
        said, ends, status = said.rpartition(CONSOLE_ENDS)
        if ends:
            return int(status.split()[0]), said
        if begins:
            break
    raise AssertionError(f"the machine came to no end: {console[-4000:]}")
