# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a system that systemd has booted: it is installed, runs as the service that its unit says, is upgraded, removed
and purged, and leaves nothing."""

import os
import subprocess

import pytest

from harness import booted, places, waiting

# The file system there is this machine's, so the package needs no network for what it depends on.
SERVER = """
import asyncio, time
async def main():
    while True:
        await asyncio.sleep(0.2)
        time.sleep(0.15)
asyncio.run(main())
"""
PORT = 9464


@pytest.fixture(scope="module")
def package():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = subprocess.run([places.ROOT / "scripts" / "package"], capture_output=True, text=True, timeout=800)
    assert made.returncode == 0, made.stdout + made.stderr
    (path,) = (places.ROOT / "build" / "package").glob("*.deb")
    return path


@pytest.fixture
def system(folder):
    with booted.Booted(folder) as system:
        # Unlike on a machine of its own, systemd may not raise limits here.
        limit = system.run("sh", "-c", "ulimit -Hn").strip()
        system.write("/etc/systemd/system/loopsnoop.service.d/here.conf", f"[Service]\nLimitNOFILE={limit}\n")
        yield system


def newer(package, folder):
    """The same one, of a later version."""
    unpacked = folder / "newer"
    subprocess.run(["dpkg-deb", "-R", package, unpacked], check=True)
    control = unpacked / "DEBIAN" / "control"
    lines = control.read_text(encoding="utf-8").splitlines(keepends=True)
    control.write_text("".join("Version: 99\n" if line.startswith("Version:") else line for line in lines), encoding="utf-8")
    made = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "-b", unpacked, made], check=True, stdout=subprocess.DEVNULL)
    return made


def install(system, package):
    system.write("/run/package.deb", package.read_bytes())
    system.run("dpkg", "--force-confold", "-i", "/run/package.deb")


def state(system, name):
    return system.run("systemctl", "show", "loopsnoop", "--property", name, "--value").strip()


def metrics(system, port=PORT):
    """None while nobody answers."""
    program = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/metrics', timeout=5).read().decode())"
    status, text = system.run(places.SYSTEM_PYTHON, "-c", program, check=False)
    return text if status == 0 else None


def pid_of_service(system):
    return waiting.until(lambda: state(system, "ActiveState") == "active" and int(state(system, "MainPID")), "the service")


def test_install_upgrade_remove_purge(folder, package, system):
    system.write("/run/shop.py", SERVER)
    system.run("systemd-run", "--unit", "shop", "--property", "DynamicUser=yes", places.SYSTEM_PYTHON, "/run/shop.py")

    # New: enabled, started, and it does what it is for, another user's server included.
    install(system, package)
    assert system.run("systemctl", "is-enabled", "loopsnoop").strip() == "enabled"
    first = pid_of_service(system)

    def stalls():
        found = (line for line in (metrics(system) or "").splitlines() if line.startswith("loopsnoop_stall_culprit_total{") and 'unit="shop.service"' in line)
        return next(found, None)

    culprit = waiting.until(stalls, "a stall of the server in the metrics", every=0.5)
    assert 'function="main",file="/run/shop.py",line="6",cause="sleep"' in culprit, culprit
    rights = dict(line.split(":\t") for line in system.run("cat", f"/proc/{first}/status").splitlines() if ":\t" in line)
    assert rights["Uid"].split()[0] != "0" and rights["NoNewPrivs"] == "1" and rights["Seccomp"] == "2", rights

    # It comes back when it is killed.
    system.run("kill", "-KILL", first)
    second = waiting.until(lambda: state(system, "ActiveState") == "active" and state(system, "MainPID") not in ("0", str(first)) and state(system, "MainPID"), "the restart")

    # An upgrade keeps the administrator's options, and takes the new program.
    options = system.run("cat", "/etc/default/loopsnoop")
    assert f"127.0.0.1:{PORT}" in options
    system.write("/etc/default/loopsnoop", options.replace(str(PORT), "9999"))
    install(system, newer(package, folder))
    waiting.until(lambda: metrics(system, 9999), "metrics of the new one", every=0.5)
    assert state(system, "MainPID") != second

    # Options that are wrong are named in the journal, and not tried again and again.
    system.write("/etc/default/loopsnoop", 'LOOPSNOOP_OPTIONS="--all --no-such-option"\n')
    system.run("systemctl", "restart", "loopsnoop", check=False)
    waiting.until(lambda: state(system, "ActiveState") == "failed", "the service's end")
    assert state(system, "ExecMainStatus") == "2"
    waiting.until(lambda: "--no-such-option" in system.run("journalctl", "--unit", "loopsnoop", "--no-pager"), "the message in the journal")

    # Removed it leaves its options, purged nothing.
    system.run("dpkg", "--remove", "loopsnoop")
    system.run("test", "-e", "/etc/default/loopsnoop")
    assert system.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "loopsnoop*").strip() == ""
    system.run("dpkg", "--purge", "loopsnoop")
    left = system.run("find", "/etc", "/usr/bin", "/usr/lib/systemd", "/usr/share", "/lib/systemd", "/var/lib/dpkg", "-name", "*loopsnoop*", "-not", "-name", "loopsnoop.service.d")
    assert left.strip() == "", left
