# SPDX-License-Identifier: Apache-2.0
"""The exporter: what a scrape says is held against the JSON of the same session, and clients of any kind leave it alone."""

import contextlib
import http.client
import os
import re
import signal
import socket
import time

from harness import match, places, servers, snoop, target, waiting
from harness.prometheus import Prometheus, check_with_promtool, scrape
from harness.standing import Standing

MS = 1_000_000
LINE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def values(text):
    """{(name, frozenset of labels): value}"""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = LINE.match(line).groups()
            key = (name, frozenset(LABEL.findall(labels or "")))
            assert key not in found, f"doubled: {key}"
            found[key] = float(value)
    return found


def total(found, name, **labels):
    """The sum of all series of that name with these labels; None when there is none."""
    wanted = set(labels.items())
    picked = [value for (each, has), value in found.items() if each == name and wanted <= set(has)]
    return sum(picked) if picked else None


def check_never_down(before, after):
    for (name, labels), value in before.items():
        if name.startswith("loopsnoop_") and name.endswith(("_total", "_count", "_bucket", "_sum")):
            assert after.get((name, labels), value) >= value, f"{name} {labels} went down"


def test_metrics_of_a_session(folder):
    port = servers.free_port()
    loop = target.native_loop(folder, wait="recv", count=7)
    with loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--listen", f"127.0.0.1:{port}", folder=folder) as snooping:
            snooping.session()
            waiting.until(lambda: total(values(scrape(port)), "loopsnoop_loop_iterations_total"), "the loop's series")
            before = values(scrape(port))
            loop.go()
            during = [before]
            while len([line for line in snooping.records if line["type"] == "stall"]) < 3:
                during.append(values(scrape(port)))
                check_never_down(during[-2], during[-1])
                time.sleep(0.05)
            loop.hear("done")
            time.sleep(0.2)
            text = scrape(port)
            recording = snooping.stop()
        loop.end()
    assert any(total(each, "loopsnoop_stall_ongoing_seconds", tid=str(loop.pid)) for each in during), "no scrape saw a stall running"
    check_with_promtool(text)
    after = values(text)
    check_never_down(during[-1], after)
    stalls = recording.stalls()
    labels = {"pid": str(loop.pid), "tid": str(loop.pid), "comm": "target_loop"}
    for cause in ("socket", "runqueue", "cpu"):
        counted = total(after, "loopsnoop_stalls_total", cause=cause, **labels)
        assert counted == sum(stall["cause"] == cause for stall in stalls)
        # Exactly what the records say; a part that a scrape saw under another cause stays there.
        seconds = sum(match.part(stall, cause) for stall in stalls) / 1e9
        got = total(after, "loopsnoop_stall_seconds_total", cause=cause, **labels)
        assert seconds - 1e-6 <= got <= seconds + 0.05, cause
    (summary,) = recording.summary["loops"]
    iterations = total(after, "loopsnoop_loop_iterations_total", **labels)
    assert iterations <= summary["iterations"]
    assert total(after, "loopsnoop_loop_iteration_seconds_count", **labels) == iterations
    assert total(after, "loopsnoop_loop_iteration_seconds_bucket", le="+Inf", **labels) == iterations
    long_ones = iterations - total(after, "loopsnoop_loop_iteration_seconds_bucket", le="0.065536", **labels)
    assert len(stalls) <= long_ones <= len(loop.events()) + sum(match.part(stall, "runqueue") > 30 * MS for stall in stalls)
    assert 0 < total(after, "loopsnoop_loop_run_delay_seconds_count", **labels) <= iterations + 1
    busy = total(after, "loopsnoop_loop_busy_seconds_total", **labels)
    idle = total(after, "loopsnoop_loop_idle_seconds_total", **labels)
    assert abs(busy - summary["busy_ns"] / 1e9) < 0.1 and 0 < idle <= summary["idle_ns"] / 1e9
    culprit = stalls[0]["culprit"]
    line = {"function": culprit["function"], "file": culprit["file"], "line": str(culprit["line"])}
    assert total(after, "loopsnoop_stall_culprit_total", cause="socket", **line) >= 3
    assert {dict(key[1])["reason"] for key in after if key[0] == "loopsnoop_lost_total"} == set(recording.summary["lost"])
    assert total(after, "loopsnoop_build_info", version=recording.session["version"]) == 1
    assert total(after, "process_resident_memory_bytes") < 100 << 20


def test_counters_grow_during_a_hang(folder):
    port = servers.free_port()
    with target.native_loop(folder, wait="recv", count=1, more=["--freeze"]) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--listen", f"127.0.0.1:{port}", folder=folder) as snooping:
            snooping.session()
            loop.go()
            snooping.ongoing()
            seen = []
            for _ in range(3):
                seen.append(values(scrape(port)))
                time.sleep(0.4)
            snooping.stop()
    for name in ("loopsnoop_stall_ongoing_seconds", "loopsnoop_stall_seconds_total", "loopsnoop_loop_busy_seconds_total"):
        cause = {} if name.endswith("ongoing_seconds") else {"cause": "socket"}
        first, second, third = (total(each, name, **cause) for each in seen)
        assert first >= 0.9 and second >= first + 0.3 and third >= second + 0.3, (name, first, second, third)


def test_a_standstill_in_prometheus(folder):
    """A lock whose holder waits for a silent peer, as a real Prometheus and the status page have it."""
    port = servers.free_port()
    with Standing(folder, "lock") as standing, contextlib.ExitStack() as stack:
        snooping = stack.enter_context(snoop.Snoop("-p", standing.pid, "--stuck-after", "2s", "--listen", port, folder=folder))
        prometheus = stack.enter_context(Prometheus(folder, places.ROOT / "dashboards/loopsnoop.rules.yml", port))
        snooping.session()
        standing.ask(times=3)
        snooping.wait_for(lambda record: record["type"] == "standstill", "standstill")
        line = f'function=~".*ask",line="{standing.truth["at"]["line"]}"'
        for expression, least, most in [
            ('loopsnoop_standstill_ongoing_seconds{kind="no_answer"}', 2, 60),
            ('loopsnoop_standstills_total{kind="no_answer"}', 1, 1),
            ("loopsnoop_unanswered_connections", 3, 3),
            ("loopsnoop_oldest_unanswered_seconds", 1, 60),
            ("loopsnoop_tasks", 4, 4),  # the main one, and one a connection
            (f"loopsnoop_tasks_waiting{{{line}}}", 2, 2),
            ('loopsnoop_connections{direction="in"}', 3, 3),
            ('loopsnoop_connections{direction="out"}', 1, 1),
            ('loopsnoop_connections_by_remote{direction="in",remote="127.0.0.1"}', 3, 3),
            (f'loopsnoop_connections_by_remote{{direction="out",remote="127.0.0.1:{standing.truth["peer"]}"}}', 1, 1),
            ("loopsnoop_not_accepted_connections", 0, 0),
        ]:

            def seen(expression=expression, least=least, most=most):
                found = prometheus.instant(expression)
                return len(found) == 1 and least <= found[0][1] <= most

            waiting.until(seen, f"{expression}: {prometheus.instant(expression)}", every=0.1)
        (alert,) = waiting.until(lambda: prometheus.alerts("LoopsnoopIdleButCustomersWait"), "the alert", every=0.1)
        page = ask(port, "/")[2]
        check_with_promtool(scrape(port))
        # The peer that does not answer ends, and with it the wait for it.
        (peer,) = waiting.proc(standing.pid, "children", standing.pid).split()
        os.kill(int(peer), signal.SIGKILL)
        over = waiting.until(lambda: "Standstills that are over" in (got := ask(port, "/")[2]) and got, "its end on the page", every=0.2)
        waiting.until(lambda: total(values(scrape(port)), "loopsnoop_standstill_ongoing_seconds") == 0, "its end in the metrics", every=0.2)
        assert total(values(scrape(port)), "loopsnoop_standstills_total", kind="no_answer") == 1
        snooping.stop()
    assert alert["state"] == "firing" and alert["labels"]["kind"] == "no_answer" and alert["labels"]["pid"] == str(standing.pid)
    assert "idle, but customers wait, for" in alert["annotations"]["summary"], alert
    assert f"standing.py:{standing.truth['at']['line']})" in alert["annotations"]["description"], alert
    assert "1 of 1 loop stands still" in page and "Standing still now" in page
    assert f"standing.py:{standing.truth['at']['line']}" in page
    assert "3 customers wait, the oldest for" in page and "no_answer" in page
    assert "What fills up" in page and f"1 to <bdi>127.0.0.1:{standing.truth['peer']}</bdi>" in page and "3 from <bdi>127.0.0.1</bdi>" in page
    assert "Standing still now" not in over and "1 loop followed, none is stuck." in over and "3 customers waited" in over


def test_series_of_an_ended_process_disappear(folder):
    port = servers.free_port()
    light = [places.native("light"), "healthy"]
    other = folder / "other"
    other.mkdir()
    with target.Target(light, folder) as stays, target.Target(light, other) as goes:
        stays.hear("ready")
        goes.hear("ready")
        with snoop.Snoop("-p", stays.pid, "-p", goes.pid, "--listen", f"127.0.0.1:{port}", folder=folder) as snooping:
            snooping.session()

            def pids():
                return {dict(labels).get("pid") for name, labels in values(scrape(port)) if name == "loopsnoop_loop_iterations_total"}

            waiting.until(lambda: pids() == {str(stays.pid), str(goes.pid)}, "both to be there")
            goes.end()
            waiting.until(lambda: pids() == {str(stays.pid)}, "one to be gone")
            snooping.stop()


def test_port_that_is_taken(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with target.Target([places.native("light"), "healthy"], folder) as light:
            light.hear("ready")
            done = snoop.run_plain("-p", light.pid, "--listen", address)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and address in done.stderr and "taken" in done.stderr


def ask(port, path, host=None):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=waiting.PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def test_browsers_of_others_and_health(folder):
    """A name that resolves here by DNS rebinding is refused; every answer forbids a browser to use it in any way."""
    port = servers.free_port()
    with target.Target([places.native("light"), "healthy"], folder) as light:
        light.hear("ready")
        with snoop.Snoop("-p", light.pid, "--listen", port, "--listen-host", "metrics.example.org", folder=folder) as snooping:
            snooping.session()
            health = waiting.until(lambda: (got := ask(port, "/healthz"))[0] == 200 and got, "the session to drain")
            assert re.fullmatch(r"ok: the session last drained .* ago\n", health[2])
            for path in ("/", "/metrics", "/healthz", "/nothing"):
                status, headers, _ = ask(port, path)
                assert status == (404 if path == "/nothing" else 200)
                assert headers["X-Content-Type-Options"] == "nosniff" and headers["Content-Security-Policy"].startswith("default-src 'none'")
            for host in ("localhost", f"127.0.0.1:{port}", "metrics.example.org", socket.gethostname()):
                assert ask(port, "/metrics", host)[0] == 200, host
            status, _, body = ask(port, "/metrics", "rebound.example.com")
            assert status == 421 and "loopsnoop_" not in body and "--listen-host" in body
            assert total(values(scrape(port)), "loopsnoop_last_drain_age_seconds") < 5
            snooping.stop()


def test_slow_clients_cost_a_slot_each(folder):
    """250 clients that never finish their request do not hold a scrape up, again and again."""
    port = servers.free_port()
    with target.Target([places.native("light"), "healthy"], folder) as light, contextlib.ExitStack() as open_ones:
        light.hear("ready")
        with snoop.Snoop("-p", light.pid, "--listen", port, folder=folder) as snooping:
            snooping.session()
            waiting.until(lambda: "loopsnoop_build_info" in scrape(port), "the first page with numbers")
            for _ in range(3):
                for _ in range(250):
                    client = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=waiting.PATIENCE_S))
                    client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
                begun = time.monotonic()
                assert "loopsnoop_build_info" in scrape(port)
                assert time.monotonic() - begun < 3, "half of what one such client after the other took before"
            snooping.stop()
