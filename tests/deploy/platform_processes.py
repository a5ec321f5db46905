"""The metrics of a node and of a producer: those that they declare, and those that a real process shows."""

import functools
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from nodes import free_port
from repository import ROOT, built, text

PATIENCE = 30
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def declared():
    """Each metric that is registered, and its kind."""
    names = dict(re.findall(r'pub const (\w+): &str = "(\w+)";', text("crates/telemetry/src/metrics/names.rs")))
    found = dict.fromkeys((names["PUBLISH_TO_PUSH_SECONDS"], names["CONNECTION_SECONDS"]), "histogram")
    for path in sorted((ROOT / "crates/telemetry/src/metrics").glob("*.rs")):
        source = path.read_text(encoding="utf-8")
        kinds = dict(re.findall(r"^    (\w+): (Counter|Gauge)s?\b", source, re.M))
        for field, name in re.findall(r"(?:^            |Self \{ )(\w+): registered\(\s*r,\s*names::(\w+)", source, re.M):
            found[names[name]] = kinds[field].lower()
    assert set(found) == set(names.values()), f"not registered, or not understood: {set(names.values()) ^ set(found)}"
    return found


def series(metrics):
    """The names of their time series, as Prometheus knows them."""
    return {name + suffix for name, kind in metrics.items() for suffix in SUFFIXES[kind]}


@functools.cache
def shown():
    """Each metric that a node and a producer show after their start, and its kind."""
    # A family is exposed once it has a label set, so most are missing yet.
    with tempfile.TemporaryDirectory() as folder:
        return dict(re.findall(r"^# TYPE (\S+) (\S+)$", node(folder) + producer(folder), re.M))


def node(folder, form=OPEN_METRICS):
    """The metrics of `fanfare serve` on an embedded log."""
    listen, operator = free_port(), free_port()
    config = Path(folder) / "fanfare.toml"
    config.write_text(
        f"""
        [node]
        listen = "127.0.0.1:{listen}"
        admin_listen = "127.0.0.1:{operator}"
        data = "node"
        [broker]
        url = "embedded:log"
        [routes]
        path = "{ROOT / "demo" / "routes.toml"}"
        [development]
        signing_key = "key.pem"
        [hub."/hubs/notifications"]
        """,
        encoding="utf-8",
    )
    return scraped([built("fanfare"), "serve", "--config", config], operator, {}, form)


def producer(folder):
    """The metrics of a producer."""
    port = free_port()
    environment = {"FANFARE_LISTEN": f"127.0.0.1:{port}", "FANFARE_DATA": f"{folder}/auth"}
    return scraped([built("fanfare-auth")], port, environment, OPEN_METRICS)


def scraped(command, port, environment, form):
    """Starts a process, waits for its metrics, and ends it."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"accept": form})
                    with urllib.request.urlopen(asked, timeout=5) as response:
                        return response.read().decode()
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.05)
            log.seek(0)
            raise AssertionError(f"{command[0]} shows no metrics: {log.read()}")
        finally:
            process.terminate()
            process.wait(10)
