# SPDX-License-Identifier: Apache-2.0
"""Attached when it had happened already: a server that served before is not starting up, and its loop is the application's own."""

import fcntl
import os
import re
import shutil
import socket

import pytest

from harness import places, servers, snoop, target, waiting

PERL = r"""
use strict; use Fcntl ':flock'; use IO::Select; use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die;
my $select = IO::Select->new($server);
$| = 1; print "ready\n";
while (my @ready = $select->can_read(5)) {
    for my $one (@ready) {
        if ($one == $server) { $select->add($server->accept); next }
        my $line;
        if (!sysread $one, $line, 100) { $select->remove($one); close $one; next }
        if ($line =~ /block/) { print "frozen\n"; open my $file, '>>', $ARGV[1]; flock $file, LOCK_EX }
        syswrite $one, "answer\n";
    }
}
"""

JOB = """
import fcntl, sys
def settle(path):
    fcntl.flock(open(path, "w"), fcntl.LOCK_EX)
print("frozen", flush=True)
settle(sys.argv[1])
"""

ENDING = """
import fcntl, sys, threading
def last(path):
    fcntl.flock(open(path, "w"), fcntl.LOCK_EX)
threading.Thread(target=last, args=(sys.argv[1],)).start()
print("frozen", flush=True)
"""

EPOLL_CALLS = ("232 ", "281 ", "441 ")  # epoll_wait, epoll_pwait, epoll_pwait2, as /proc/PID/syscall begins

NODE = r"""
const http = require('http'), child = require('child_process');
http.createServer((request, response) => {
    if (request.url === '/block') {
        console.log('frozen');
        if (process.argv[3] === 'exec') child.execSync('sleep 3600 # forever');
        else child.spawnSync('sleep', ['3600']);
    }
    response.end('answer\n');
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
"""


@pytest.fixture
def held(folder):
    """A file that somebody else has locked."""
    path = folder / "ledger"
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def report(pid, folder):
    with snoop.Snoop("-p", pid, "--hang-after", "300ms", folder=folder) as snooping:
        stall = snooping.ongoing()
        recording = snooping.stop()
    assert "startup" not in stall and "startup" not in snooping.text(), stall["summary"]
    assert "no event loop" not in snooping.text()
    return stall, recording


def test_a_server_that_has_served(folder, held):
    """No epoll descriptor, no frame of a loop: its customers' connections show it."""
    port = servers.free_port()
    with target.Target(["perl", "-e", PERL, port, held], folder) as server:
        server.hear("ready")
        with socket.create_connection(("127.0.0.1", port)) as first, socket.create_connection(("127.0.0.1", port)) as second:
            first.sendall(b"hello")
            assert first.recv(100)
            second.sendall(b"block")
            server.hear("frozen")
            stall, _recording = report(server.pid, folder)
    assert stall["cause"] == "file_io" and "no_loop_yet" not in stall
    assert stall["truncated"] == "before_attach"


def test_a_job(folder, held):
    with target.Target([places.SYSTEM_PYTHON, "-c", JOB, held], folder) as job:
        job.hear("frozen")
        stall, _recording = report(job.pid, folder)
    assert stall["cause"] == "file_io" and stall["culprit"]["function"] == "settle"


def test_a_process_that_ends(folder, held):
    """Its main thread waits for another one to end, as it is meant to."""
    with target.Target([places.SYSTEM_PYTHON, "-c", ENDING, held], folder) as ending:
        ending.hear("frozen")
        with snoop.Snoop("-p", ending.pid, "--hang-after", "300ms", "-d", "1200ms", folder=folder) as snooping:
            snooping.finish(0)
        assert "startup" not in snooping.text()


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node")
@pytest.mark.parametrize("kind", ["exec", "spawn"])
def test_node_that_waits_for_a_child(kind, folder):
    """libuv waits for it in a loop that lives as long as the call, on an epoll descriptor of its own."""
    port = servers.free_port()
    with target.Target(["node", "-e", NODE, "--", "-", port, kind], folder) as server:
        server.hear("ready")
        waiting.until(lambda: waiting.proc(server.pid, "syscall").startswith(EPOLL_CALLS), "its epoll_wait()")
        queue = int(waiting.proc(server.pid, "syscall").split()[1], 16)
        with socket.create_connection(("127.0.0.1", port)) as customer:
            customer.sendall(b"GET /block HTTP/1.0\r\n\r\n")
            server.hear("frozen")
            child = int(waiting.until(lambda: waiting.proc(server.pid, f"task/{server.pid}/children").split(), "a child")[0])
            stall, recording = report(server.pid, folder)
        os.kill(child, 9)
    assert stall["tid"] == server.pid and stall["truncated"] == "before_attach"
    assert re.search(r"child|sleep|sh\b", stall["summary"]), stall["summary"]
    (loop,) = [each for each in recording.of("loop") if each["tid"] == server.pid]
    assert loop["poll"]["fd"] == queue
    assert stall["culprit"] is not None, stall["summary"]
