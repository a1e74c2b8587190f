# SPDX-License-Identifier: Apache-2.0
"""The world around the demo's server: a health check, customers, a reporting job. Bounded in time or count, loopback only."""
import argparse
import http.client
import itertools
import json
import statistics
import threading
import time

HEALTH_EVERY_S = 0.1
HEALTH_TIMEOUT_S = 2.0
CUSTOMERS = ("ann", "bob")
ORDER_PAUSE_S = 0.15
REPORT_EVERY_S = 0.7
REPORT_BUSY_MS = 300

# KEYS looks at every key and Redis serves nobody else meanwhile; repeated until REPORT_BUSY_MS are over, so that it hurts
# as much on a quick machine.
REPORT = """
local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
local started, seen = now(), 0
while now() - started < tonumber(ARGV[1]) do seen = seen + #redis.call('KEYS', 'answer:*') end
return seen
"""


def request(port, method, path, body=None, headers=None, timeout=10.0):
    """The HTTP status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def health(port, count):
    took_ms, late = [], 0
    for _ in range(count):
        started = time.monotonic()
        try:
            request(port, "GET", "/health", timeout=HEALTH_TIMEOUT_S)
        except TimeoutError:
            late += 1
        took = time.monotonic() - started
        took_ms.append(took * 1000)
        time.sleep(max(0.0, HEALTH_EVERY_S - took))
    took_ms.sort()
    print(f"    {count} times GET /health: median {statistics.median(took_ms):.0f} ms, slowest {took_ms[-1]:.0f} ms, "
          f"{sum(ms >= 100 for ms in took_ms)} of them 100 ms or more" + (f", {late} without an answer" if late else ""))


def customer(port, name, seconds):
    ends = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() >= ends:
            return
        body = json.dumps({"article": f"chair-{number % 7}"})
        request(port, "POST", "/orders", body, {"Content-Type": "application/json", "Idempotency-Key": f"{name}-{number}"})
        time.sleep(ORDER_PAUSE_S)


def orders(port, seconds):
    for name in CUSTOMERS:
        threading.Thread(target=customer, args=(port, name, seconds)).start()


def report(redis_port, seconds):
    import redis

    client = redis.Redis(port=redis_port)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        client.eval(REPORT, 0, REPORT_BUSY_MS)
        time.sleep(REPORT_EVERY_S)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("health", "orders", "report"))
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    if options.what == "health":
        health(options.port, options.count)
    elif options.what == "orders":
        orders(options.port, options.seconds)
    else:
        report(options.port, options.seconds)


if __name__ == "__main__":
    main()
