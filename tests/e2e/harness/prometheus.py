# SPDX-License-Identifier: Apache-2.0
"""A private Prometheus that scrapes one exporter, and what its API says."""

import contextlib
import json
import math
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from . import servers, waiting

SCRAPE_S = 0.5
CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: loopsnoop
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=waiting.PATIENCE_S) as answer:
        return answer.read().decode()


def check_with_promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=waiting.PATIENCE_S)
    assert done.returncode == 0 and not done.stderr, f"promtool: {done.stderr}\n{text[:2000]}"


class Prometheus:
    """Use as a context: at its end the server is gone."""

    def __init__(self, folder, rules, scraped_port):
        self.folder = folder
        self.port = servers.free_port()
        (folder / "prometheus.yml").write_text(CONFIG.format(rules=json.dumps(str(rules)), port=scraped_port), encoding="utf-8")

    def __enter__(self):
        command = ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        self.log = open(self.folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=self.log, stderr=self.log)
        waiting.until(lambda: self.process.poll() is not None or self._ready(), "Prometheus", every=0.05)
        assert self.process.poll() is None, (self.folder / "prometheus.log").read_text()
        return self

    def __exit__(self, *_about):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def _ready(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
            return answer.status == 200
        return False

    def ask(self, path, **parameters):
        """The data of an answer of its API; an error is one of the test's."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=waiting.PATIENCE_S) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None
        assert said["status"] == "success" and not said.get("warnings"), said
        return said["data"]

    def instant(self, expression):
        """[(labels, value)]"""
        data = self.ask("query", query=expression)
        assert data["resultType"] == "vector", (expression, data["resultType"])
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def over_time(self, expression, seconds, step=1):
        """[(labels, [finite values])] of the last seconds; a NaN is what a quantile of nothing is."""
        now = time.time()
        data = self.ask("query_range", query=expression, start=now - seconds, end=now, step=step)
        assert data["resultType"] == "matrix", (expression, data["resultType"])
        series = [(each["metric"], [float(value) for _, value in each["values"]]) for each in data["result"]]
        return [(labels, [value for value in values if math.isfinite(value)]) for labels, values in series]

    def samples(self, selector, seconds):
        """[(labels, [(time, value)])] as scraped."""
        data = self.ask("query", query=f"{selector}[{seconds}s]")
        return [(each["metric"], [(at, float(value)) for at, value in each["values"]]) for each in data["result"]]

    def alerts(self, name):
        """The alert's instances: [{"labels", "annotations", "state"}]"""
        return [each for each in self.ask("alerts")["alerts"] if each["labels"]["alertname"] == name]
