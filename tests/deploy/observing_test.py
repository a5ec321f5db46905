"""Prometheus, Grafana and the collector: each file is sound, and each metric in them is one that is counted."""

import json
import re
import tempfile
import unittest
from pathlib import Path

from platform_processes import declared, node, series, shown
from repository import ROOT, needs, run, text, tool

ALERTS = "deploy/prometheus/alerts.yml"
ALERT_TESTS = "tests/deploy/alerts.test.yml"
DASHBOARD = "deploy/grafana/dashboards/fanfare.json"
# The labels that Prometheus itself adds to every scrape, and their values for a node's pod.
SCRAPED = {"job", "instance", "le", "namespace", "pod", "installation"}


def load(path):
    """A YAML file."""
    import yaml

    return yaml.safe_load(text(path))


def alerts():
    """Every alert by its name."""
    return {rule["alert"]: rule for group in load(ALERTS)["groups"] for rule in group["rules"]}


def panels():
    """Every panel that shows something."""
    return [panel for panel in json.loads(text(DASHBOARD))["panels"] if panel["type"] != "row"]


def expressions():
    """Every expression, with the place that it is in."""
    for name, rule in alerts().items():
        yield name, rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], plain(target["expr"])
    for variable in json.loads(text(DASHBOARD))["templating"]["list"]:
        yield variable["name"], re.match(r"label_values\((.+), \w+\)$", variable["definition"])[1]
    for rule in load("deploy/prometheus/adapter.yml")["rules"]["custom"]:
        yield "adapter", rule["seriesQuery"]


def sections(path):
    """The anchors of a document's headings."""
    return {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^##+ (.+)$", text(path), re.M)}


def plain(expression):
    """An expression of a dashboard with its variables filled in."""
    return expression.replace("$__rate_interval", "1m").replace("$node", ".*")


def names_in(expression):
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:fanfare_\w+|up)\b", re.sub(r'"[^"]*"', '""', expression)))


def labels_in(expression):
    """The labels that an expression names."""
    grouped = re.findall(r"(?:by|without|on|ignoring) \(([^)]*)\)", expression)
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression)
    return {label.strip() for group in grouped for label in group.split(",")} | set(matched)


def check_rules(expressions_by_name):
    """What promtool says of expressions, as rules."""
    import yaml

    rules = [
        {"record": f"checked:{number}", "expr": expression} for number, expression in enumerate(expressions_by_name)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "checked", "rules": rules}]}), encoding="utf-8")
        return run(tool("promtool"), "check", "rules", path)


class Prometheus(unittest.TestCase):
    """Scraping and alerts."""

    @needs("promtool")
    def test_the_configuration_is_sound(self):
        said = run(tool("promtool"), "check", "config", ROOT / "deploy/prometheus/prometheus.yml")
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    @needs("promtool")
    def test_a_broken_one_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "prometheus.yml"
            path.write_text(
                text("deploy/prometheus/prometheus.yml").replace("static_configs", "static_config"), encoding="utf-8"
            )
            self.assertNotEqual(run(tool("promtool"), "check", "config", "--syntax-only", path).returncode, 0)

    @needs("promtool")
    def test_alerts_fire_when_they_should_and_only_then(self):
        said = run(tool("promtool"), "test", "rules", ROOT / ALERT_TESTS)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    @needs("promtool")
    def test_an_alert_that_does_not_fire_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (
                ("alerts.yml", text(ALERTS).replace("fanfare_ready == 0", "fanfare_ready == 2")),
                ("test.yml", text(ALERT_TESTS).replace("../../deploy/prometheus/", "")),
            ):
                (Path(folder) / name).write_text(content, encoding="utf-8")
            said = run(tool("promtool"), "test", "rules", Path(folder) / "test.yml")
            self.assertNotEqual(said.returncode, 0)
            self.assertIn("FanfareNodeNotReady", said.stdout + said.stderr)

    def test_each_alert_is_shown_to_fire_and_to_be_silent_and_says_what_to_do(self):
        fired = set(re.findall(r'alertname="(\w+)"', text(ALERT_TESTS)))
        silent = set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", text(ALERT_TESTS)))
        explained = set(re.findall(r"`(Fanfare\w+)`", text("docs/deploying.md")))
        self.assertEqual(
            {"fired": fired, "silent": silent, "explained": explained},
            dict.fromkeys(("fired", "silent", "explained"), set(alerts())),
        )
        for name, rule in alerts().items():
            self.assertEqual(set(rule["annotations"]), {"summary", "what_to_do", "runbook"}, name)
            self.assertIn(rule["annotations"]["runbook"].removeprefix("docs/runbooks.md#"), sections("docs/runbooks.md"))
            self.assertNotIn("job=", rule["expr"], f"{name} rests on the name of a job")
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"), name)


class Metrics(unittest.TestCase):
    """What alerts, dashboard and autoscaler ask for, and what the processes answer."""

    def test_every_metric_is_one_that_is_counted(self):
        counted = series(declared())
        asked = [(place, name) for place, expression in expressions() for name in sorted(names_in(expression))]
        self.assertGreater(len(asked), 50)
        self.assertEqual([(place, name) for place, name in asked if name != "up" and name not in counted], [])

    def test_processes_show_what_is_declared(self):
        # Process metrics have the usual names, and are not ours to declare.
        ours = {name: kind for name, kind in shown().items() if not name.startswith("process_")}
        self.assertLess(len(ours), len(shown()))
        for name, kind in ours.items():
            self.assertEqual(declared().get(name), kind, name)
        for name in (
            "fanfare_ready",
            "fanfare_reader_lag_seconds",
            "fanfare_publish_to_push_seconds",
            "fanfare_outbox_pending",
        ):
            self.assertIn(name, shown())

    @needs("promtool")
    def test_the_older_text_format_is_one_that_prometheus_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            shown_plain = node(folder, "text/plain")
        self.assertIn("# TYPE process_cpu_seconds_total counter", shown_plain)
        self.assertNotIn("# EOF", shown_plain)
        said = run(tool("promtool"), "check", "metrics", input=shown_plain)
        # Its naming preferences are not errors.
        self.assertNotIn("error while linting", said.stdout + said.stderr)
        self.assertIn(said.returncode, (0, 3), said.stdout + said.stderr)
        broken = run(tool("promtool"), "check", "metrics", input=shown_plain.replace("counter\n", "counters\n"))
        self.assertEqual(broken.returncode, 1)

    def test_a_metric_that_is_misspelled_is_found(self):
        counted = series(declared())
        self.assertLessEqual(
            {"fanfare_connections", "fanfare_connects_total", "fanfare_publish_to_push_seconds_bucket"}, counted
        )
        for wrong in ("fanfare_connection", "fanfare_connects", "fanfare_publish_to_push_seconds"):
            self.assertNotIn(wrong, counted)

    def test_every_label_is_one_that_metrics_have(self):
        source = text("crates/telemetry/src/metrics/labels.rs")
        known = set(re.findall(r"pub\(super\) (?:r#)?(\w+):", source)) | SCRAPED
        for place, expression in expressions():
            self.assertLessEqual(labels_in(expression), known, place)

    def test_the_autoscalers_metric_is_what_the_adapter_serves(self):
        served = {rule["name"]["as"] for rule in load("deploy/prometheus/adapter.yml")["rules"]["custom"]}
        scaler = load("k8s/components/autoscaler/autoscaler.yaml")
        self.assertEqual({metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"]}, served)


class Grafana(unittest.TestCase):
    """Data source and dashboard."""

    @needs("promtool")
    def test_every_expression_is_one(self):
        said = check_rules([plain(target["expr"]) for panel in panels() for target in panel["targets"]])
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        self.assertNotEqual(check_rules(["sum(rate(fanfare_ready[1m])"]).returncode, 0)

    def test_panels_have_a_place_of_their_own(self):
        everything = json.loads(text(DASHBOARD))["panels"]
        self.assertEqual(len({panel["id"] for panel in everything}), len(everything))
        taken = set()
        for panel in everything:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_variables_and_data_sources_are_there(self):
        sources = {
            source["uid"]: source
            for source in load("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
        }
        variables = {variable["name"] for variable in json.loads(text(DASHBOARD))["templating"]["list"]}
        for panel in panels():
            self.assertEqual(panel["datasource"]["type"], sources[panel["datasource"]["uid"]]["type"], panel["title"])
            for target in panel["targets"]:
                used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
                self.assertLessEqual(used, variables, panel["title"])

    def test_the_dashboards_are_taken_from_where_they_are_mounted(self):
        provider = load("deploy/grafana/provisioning/dashboards/fanfare.yml")["providers"][0]
        volumes = load("docker-compose.yml")["services"]["grafana"]["volumes"]
        self.assertIn(f"./deploy/grafana/dashboards:{provider['options']['path']}:ro", volumes)


class Collector(unittest.TestCase):
    """The way of the traces. No registry has the collector's program, so this is what refers to what."""

    def faults(self, configuration):
        """What is declared and not used, or used and not declared."""
        wrong = []
        used = {kind: set() for kind in ("receivers", "processors", "exporters")}
        for name, pipeline in configuration["service"]["pipelines"].items():
            if name.split("/")[0] not in ("traces", "metrics", "logs"):
                wrong.append(f"no pipeline is called {name}")
            for kind, names in pipeline.items():
                used[kind] |= set(names)
            processors = pipeline["processors"]
            if (processors[0], processors[-1]) != ("memory_limiter", "batch"):
                wrong.append(f"{name}: the limit comes first and batching last")
        used["extensions"] = set(configuration["service"]["extensions"])
        for kind, names in used.items():
            wrong += [f"{kind}: {name}" for name in names ^ set(configuration.get(kind) or {})]
        return wrong + [f"section {name}" for name in set(configuration) - set(used) - {"service"}]

    def test_what_is_declared_is_used_and_the_other_way_round(self):
        self.assertEqual(self.faults(load("deploy/collector/config.yaml")), [])

    def test_what_is_not_declared_is_found(self):
        broken = load("deploy/collector/config.yaml")
        broken["service"]["pipelines"]["traces"]["exporters"] = ["otlp/tempo"]
        self.assertEqual(sorted(self.faults(broken)), ["exporters: otlp/jaeger", "exporters: otlp/tempo"])

    def test_the_services_send_to_its_receiver(self):
        receiver = load("deploy/collector/config.yaml")["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
        port = receiver.split(":")[1]
        self.assertIn(f"http://collector:{port}", text("docker-compose.yml"))
        self.assertIn(f"http://collector.observability:{port}", text("k8s/components/tracing/collector.yaml"))
