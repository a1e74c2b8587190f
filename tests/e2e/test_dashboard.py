# SPDX-License-Identifier: Apache-2.0
"""dashboards/: what is written there is well-formed, and a real Prometheus that scrapes a loopsnoop of two real servers answers
every query of it. The first redis freezes (DEBUG SLEEP), and with it a uvicorn that asks it synchronously."""

import contextlib
import html.parser
import json
import re
import subprocess
import threading
import time
import urllib.request

import pytest
import redis
import yaml

from harness import cgroup, places, servers, snoop, waiting
from harness.prometheus import SCRAPE_S, Prometheus

DASHBOARD = json.loads((places.ROOT / "dashboards" / "loopsnoop.json").read_text(encoding="utf-8"))
RULES = places.ROOT / "dashboards" / "loopsnoop.rules.yml"
RULE_TESTS = [places.ROOT / "dashboards" / f"loopsnoop.rules{of}.test.yml" for of in ("", ".tasks")]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
UVICORN = "uvicorn server_app:app"  # what people call it
APPLICATION = places.PYTHON_TARGETS / "server_app.py"
# Not known everywhere: the container and the unit, and the line of a native function.
OPTIONAL = {"container", "unit", "line"}
METRIC = re.compile(r"\b((?:loopsnoop|process)_[a-z_]+)\b")


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def queries():
    return [(panel, target) for panel in PANELS for target in panel["targets"]]


def as_sent(expression):
    """With the variables that Grafana would put in."""
    for name, value in {"$__rate_interval": "10s", "$__range": "60s", "$job": ".*", "$instance": ".*", "$comm": ".*"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def test_dashboard_is_what_its_script_makes():
    subprocess.run([places.ROOT / "scripts" / "dashboard", "--check"], check=True, timeout=waiting.PATIENCE_S)


def test_structure_of_the_dashboard():
    """By hand; scripts/check-dashboard holds it against Grafana's own schema, where there is npm."""
    assert DASHBOARD["schemaVersion"] == 42 and DASHBOARD["uid"] and DASHBOARD["title"] and "id" not in DASHBOARD
    for key in ("id", "title"):
        names = [panel[key] for panel in DASHBOARD["panels"]]
        assert len(set(names)) == len(names), key
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert len(cells) == at["w"] * at["h"] > 0 and at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for variable in variables.values():
        assert variable["type"] == "datasource" or variable["datasource"] == chosen
    for panel in PANELS:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == chosen and panel["type"] in {"stat", "table", "timeseries", "heatmap"}
        names = [target["refId"] for target in panel["targets"]]
        assert names and len(set(names)) == len(names)
        for target in panel["targets"]:
            assert target["datasource"] == chosen and target["range"] != target["instant"]
            assert target["instant"] == (panel["type"] in ("stat", "table")), panel["title"]
            assert target["format"] == {"table": "table", "heatmap": "heatmap"}.get(panel["type"], "time_series")
            used = set(re.findall(r"\$\{?(\w+)", target["expr"])) - {"__rate_interval", "__range"}
            assert used <= set(variables), panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            if panel["type"] == "table":
                assert override["matcher"]["options"] in table_columns(panel).values(), panel["title"]
    text = json.dumps(DASHBOARD)
    assert "http://" not in text and "https://" not in text


def test_rules_with_promtool():
    for command in (["promtool", "check", "rules", RULES], ["promtool", "test", "rules", *RULE_TESTS]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)  # the rules' tests go through days
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr
    tested = "".join(each.read_text(encoding="utf-8") for each in RULE_TESTS)
    for rule in rules():
        assert rule.get("alert", rule.get("record")) in tested, rule


def table_columns(panel):
    (organize,) = [each["options"] for each in panel["transformations"] if each["id"] == "organize"]
    return organize["renameByName"]


class Tags(html.parser.HTMLParser):
    """The page's text, and its elements by name with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += [data.strip()] if data.strip() else []


class Watched:
    """Two real servers, the loopsnoop that follows them, and the Prometheus that scrapes it."""

    def __init__(self, exporter, prometheus, snooping, uvicorn, redis_server):
        self.exporter, self.prometheus, self.snooping = exporter, prometheus, snooping
        self.uvicorn_pid, self.uvicorn_port = uvicorn
        self.redis_pid, self.redis_port = redis_server

    def page(self, method="GET"):
        """The exporter's page: (headers, body)."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.exporter}/", method=method)
        with urllib.request.urlopen(asked, timeout=waiting.PATIENCE_S) as answer:
            return answer.headers, answer.read().decode()

    def request(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.uvicorn_port}/", timeout=waiting.PATIENCE_S) as answer:
            assert answer.status == 200

    def freeze(self, seconds):
        """redis stops serving for so long, and a request makes the uvicorn wait for it. Returns when both have come back."""
        sleeper = redis.Redis("127.0.0.1", self.redis_port, socket_timeout=waiting.PATIENCE_S)
        thread = threading.Thread(target=sleeper.execute_command, args=("DEBUG", "SLEEP", str(seconds)))
        thread.start()
        time.sleep(0.05)  # the redis is asleep before it is asked
        self.request()
        thread.join()


@pytest.fixture(scope="module")
def watched(postgres, server_folder):
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(servers.redis(server_folder / "frozen"))
        pid = redis.Redis("127.0.0.1", port).info("server")["process_id"]
        table = ["psql", "-q", postgres, "-c", "create table if not exists gateway_audit (path text)"]
        subprocess.run(table, check=True, capture_output=True, timeout=waiting.PATIENCE_S)
        environment = {"POSTGRES": postgres, "REDIS": str(port)}
        uvicorn = stack.enter_context(servers.uvicorn(server_folder, places.PYTHON_TARGETS, "server_app:app", environment))
        exporter = servers.free_port()
        # As on a host that is watched as a whole; the cgroup keeps out what else runs on this one.
        group = stack.enter_context(cgroup.private())
        for each in (uvicorn[0], pid):
            group.add(each)
        arguments = ("--cgroup", group.path, "--listen", f"127.0.0.1:{exporter}")
        snooping = stack.enter_context(snoop.Snoop(*arguments, folder=server_folder))
        snooping.session()
        prometheus = stack.enter_context(Prometheus(server_folder, RULES, exporter))
        found = "count(loopsnoop_loop_iterations_total)"
        waiting.until(lambda: prometheus.instant(found) == [({}, 2.0)], "both loops in Prometheus", every=0.1)
        both = Watched(exporter, prometheus, snooping, uvicorn, (pid, port))
        for _ in range(8):
            both.freeze(0.25)
            time.sleep(0.1)
        time.sleep(2 * SCRAPE_S)  # what has been counted has been scraped
        yield both


def test_every_panel_has_data(watched):
    prometheus = watched.prometheus
    for panel, target in queries():
        expression, title = as_sent(target["expr"]), panel["title"]
        if title.startswith("Stuck now"):
            assert isinstance(prometheus.instant(expression), list)  # nothing is stuck: its turn is while something is
            continue
        if target["instant"]:
            series = [(labels, [value]) for labels, value in prometheus.instant(expression)]
        else:
            series = prometheus.over_time(expression, 20)
        assert any(values for _, values in series), f"{title}: no data: {expression}"
        wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        if panel["type"] == "table":
            wanted = {name for name in table_columns(panel) if not name.startswith("Value")}
        for labels, _ in series:
            assert wanted - OPTIONAL <= set(labels), (title, labels)
        # Two series with one name would be two lines that nobody can distinguish.
        names = [tuple(labels.get(name) for name in sorted(wanted)) for labels, _ in series]
        assert len(set(names)) == len(names), (title, names)
        if panel["type"] == "stat":
            assert len(series) == 1, title
        if panel["type"] == "heatmap":
            edges = [float(labels["le"]) for labels, _ in series]
            assert len(edges) >= 10 and max(edges) == float("inf")
        if panel["fieldConfig"]["defaults"].get("unit") == "percentunit":
            assert all(0 <= value <= 1.05 for _, values in series for value in values), title


def test_what_the_panels_say(watched):
    def said(title):
        (panel,) = [panel for panel in PANELS if panel["title"] == title]
        return watched.prometheus.instant(as_sent(panel["targets"][0]["expr"]))

    def by(label, title):
        return {labels[label]: value for labels, value in said(title)}

    assert said("Loops in a stall") == [({}, 0.0)]
    assert said("Loops followed") == [({}, 2.0)]
    assert said("Exporters up") == [({}, 1.0)] and said("Exporters down") == [({}, 0.0)]
    ((_, stalls),) = said("Stalls, in all")
    assert stalls > 10  # 8 of each server; the first scrapes may have missed one
    minute = by("cause", "Stalls a minute, by cause")
    assert minute["socket"] > 0 and minute["sleep"] > 0 and minute.get("file_io", 0) == 0
    lines = said("Lines of code that stall the loop")
    blocking = next(number for number, line in enumerate(APPLICATION.read_text().splitlines(), 1) if "limits.get" in line)
    wanted = {"comm": "python3", "cause": "socket", "function": "read_limit", "file": str(APPLICATION), "line": str(blocking)}
    assert (wanted, 8.0) in lines, lines
    share = by("cause", "Share of the loops' time that is busy, by cause")
    assert 0 < sum(share.values()) <= 1.05 and share["socket"] > share["cpu"]
    ((labels, started),) = said("Exporters")
    assert labels["version"] == watched.snooping.session()["version"] and abs(started / 1000 - time.time()) < 300


def test_variables_have_values(watched):
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
        assert label == variable["name"]
        values = watched.prometheus.ask(f"label/{label}/values", **{"match[]": as_sent(selector)})
        assert values and (label != "comm" or set(values) == {"python3", "redis-server"})


def test_rules_have_data(watched):
    prometheus = watched.prometheus
    loaded = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in loaded} == {rule.get("alert", rule.get("record")) for rule in rules()}
    for rule in loaded:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
    for rule in rules():
        if "record" in rule:
            recorded = waiting.until(lambda: prometheus.instant(rule["record"]), rule["record"], every=0.2)
            assert set(rule["record"].split(":")[0].split("_")) <= set(recorded[0][0]), recorded[0]
        elif "offset" not in rule["expr"]:  # what it compares with hours ago is for promtool's tests
            # An alert's own expression is empty while all is well; what it compares is there.
            prometheus.instant(rule["expr"])
            compared = re.sub(r"\s*(>|==) [\d.]+", "", rule["expr"])
            assert compared != rule["expr"] and prometheus.instant(compared), rule["expr"]


def test_status_page(watched):
    headers, body = watched.page()
    assert headers["Content-Type"] == "text/html; charset=utf-8" and int(headers["Content-Length"]) == len(body.encode())
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert watched.page("HEAD")[1] == ""
    page = Tags(body)
    assert not {"script", "img", "link", "iframe", "form"} & {tag for tag, _ in page.tags} and "://" not in body
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == ["/metrics"]
    assert "2 loops followed, none is stuck." in page.text
    assert {UVICORN, "redis-server", f"pid {watched.uvicorn_pid}", f"pid {watched.redis_pid}"} <= set(page.text)
    # All 16 stalls, each with its cause and line, and nothing that the metrics do not say: whom a stall waits for, say.
    assert page.text.count("read_limit") == 8 and page.text.count("debugCommand") == 8
    stalls, _, gauges = body.partition("What fills up")
    assert "waiting on a socket" in page.text and f":{watched.redis_port}" not in stalls
    assert {"connections in", "connections out", "MiB resident", "descriptors", "threads"} <= set(Tags(gauges).text)


def test_a_hang_is_visible_one_scrape_later_and_the_alert_fires(watched):
    prometheus = watched.prometheus
    hung = time.time() + 0.05
    freezing = threading.Thread(target=watched.freeze, args=(13,))
    freezing.start()
    # While it lasts: where.
    (panel,) = [panel for panel in PANELS if panel["title"].startswith("Stuck now")]
    age, since = (as_sent(target["expr"]) for target in panel["targets"])

    def row():
        return next((labels for labels, _ in prometheus.instant(age) if labels.get("function") == "read_limit"), None)

    labels = waiting.until(row, "the line that the uvicorn is stuck in", every=0.2)
    assert labels["pid"] == str(watched.uvicorn_pid) and labels["cause"] == "socket" and labels["file"] == str(APPLICATION)
    page = Tags(watched.page()[1]).text
    assert "2 of 2 loops stuck." in page and "Stuck now" in page and page.index("read_limit") < page.index("Recent stalls")
    # The panel joins both queries on their labels.
    assert {frozenset(each.items()) for each, _ in prometheus.instant(since)} == {
        frozenset(each.items()) for each, _ in prometheus.instant(age)
    }
    assert all(abs(value / 1000 - hung) < 2 for _, value in prometheus.instant(since))
    wanted = set(table_columns(panel)) - OPTIONAL - {"Value #A", "Value #B"}
    assert wanted <= set(labels)
    fired = {}

    def both():
        for alert in prometheus.alerts("LoopsnoopLoopStuck"):
            assert alert["state"] == "firing"
            fired.setdefault(alert["labels"]["pid"], alert)
        return len(fired) == 2

    waiting.until(both, "the alert of both servers", every=0.1)
    freezing.join()
    text = fired[str(watched.uvicorn_pid)]["annotations"]
    assert "read_limit (" in text["description"] and "cause socket" in text["description"], text
    assert text["summary"].startswith(f"python3 (pid {watched.uvicorn_pid})"), text
    assert "cause sleep" in fired[str(watched.redis_pid)]["annotations"]["description"]
    # Each scrape of the hang saw it, from the first one after the threshold on, and saw how old it was.
    threshold = watched.snooping.session()["threshold_ns"] / 1e9
    for labels, samples in prometheus.samples("loopsnoop_stall_ongoing_seconds", 20):
        during = [(at - hung, value) for at, value in samples if hung + threshold + 0.3 < at < hung + 12.5]
        assert len(during) > 10 and during[0][0] < threshold + 0.3 + 3 * SCRAPE_S, (labels, during[:3])
        assert all(abs(age - value) < 1 for age, value in during), (labels, during)
    waiting.until(lambda: not prometheus.alerts("LoopsnoopLoopStuck"), "the alert to be over", every=0.2)


def test_every_metric_that_is_named_exists(watched):
    """After the hang: the line of a stall that runs is there only while one does."""
    named = set(METRIC.findall(" ".join(target["expr"] for _, target in queries())))
    for rule in rules():
        named |= set(METRIC.findall(re.sub(r"job_instance_\w+:\w+:\w+", "", rule["expr"])))
        named |= set(METRIC.findall(json.dumps(rule.get("annotations", {}))))
    for variable in DASHBOARD["templating"]["list"]:
        named |= set(METRIC.findall(json.dumps(variable)))
    assert len(named) > 10
    start = time.time() - 300
    for name in sorted(named):
        found = watched.prometheus.ask("series", **{"match[]": name, "start": start, "end": time.time()})
        assert found, f"{name} is in no scrape"


def test_an_exporter_that_has_gone_is_alerted(watched):
    """The last one: it ends loopsnoop."""
    watched.snooping.stop()
    waiting.until(lambda: watched.prometheus.alerts("LoopsnoopDown"), "the alert", every=0.2)
    (alert,) = watched.prometheus.alerts("LoopsnoopDown")
    assert alert["state"] == "pending" and alert["labels"]["job"] == "loopsnoop"
