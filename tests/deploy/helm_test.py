"""deploy/helm: rendered by Helm, checked against the schemas, and in agreement with k8s/ and with the program."""

import json
import re
import tempfile
import unittest
from pathlib import Path

from kubernetes_test import here, run_check
from manifests import (
    CHART,
    HELM,
    KINDS,
    VERSIONS,
    certificate,
    configuration,
    faults,
    faults_of_added,
    helm,
    labels_of,
    mount_as_a_kubelet,
    named_ports,
    objects,
    of_kind,
    parsed,
    pod,
    selects,
    stand_in,
    templated,
)
from repository import ROOT, assert_sound, check_configuration, drain_seconds, text, tool
from rollout import worst_case

VALUES = ("nats.yaml", "kafka.yaml", "embedded.yaml")
LEAST = ("--set-json", 'config={"broker":{"url":"nats://nats:4222"},"hub":{"/hubs/notifications":{}}}')
ROUTES = ("--set", "routes.existingConfigMap=ours")


def refused(*options):
    """What Helm says of values that do not go together."""
    said = helm("template", "live", CHART, *options)
    return said.stderr if said.returncode else ""


def leaves(value, path=""):
    """The paths of all values; what is empty may hold anything."""
    if not isinstance(value, dict) or not value:
        yield path.lstrip(".")
        return
    for name, member in value.items():
        yield from leaves(member, f"{path}.{name}")


@unittest.skipUnless(HELM.is_file() or tool("helm"), "Helm could not be built: no Go 1.26 on this machine, or no modules")
class Chart(unittest.TestCase):
    """The chart with each of its files of values."""

    def each(self):
        """The objects of each."""
        return [(name, parsed(templated(name))) for name in VALUES]

    def node(self, name):
        """The Deployment of one of them."""
        (node,) = of_kind(parsed(templated(name)), "Deployment").values()
        return node

    def test_the_linter_finds_nothing(self):
        for name in VALUES:
            said = helm("lint", "--strict", CHART, "--values", CHART / "ci" / name)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    def test_the_schemas_are_kept(self):
        for name, entries in self.each():
            for version in VERSIONS:
                self.assertEqual(faults(entries, version), [], name)

    @unittest.skipUnless((KINDS / "node_modules").is_dir(), "the schemas of added kinds could not be fetched from npm")
    def test_the_schemas_of_added_kinds_are_kept(self):
        entries = parsed(templated("nats.yaml"))
        self.assertEqual(
            {entry["kind"] for entry in entries if "." in entry["apiVersion"].split("/")[0]}
            - {"NetworkPolicy", "Ingress"},
            {"Certificate", "ExternalSecret", "HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject"},
        )
        self.assertEqual(faults_of_added(entries), [])

    def test_the_configuration_is_sound_where_it_is_mounted(self):
        others = {
            "our-routes": {"routes.toml": text("demo/routes.toml")},
            "order-entry-schemas": {
                "Ordered.v1.avsc": '{"type": "record", "name": "Ordered", "namespace": "order_entry", "fields": []}'
            },
            "fanfare-node": {"node.secret": stand_in("x"), "previous.secret": stand_in("y")},
            "fanfare-broker": {key: stand_in(key) for key in ("nats.creds", "kafka.properties")},
            **dict.fromkeys(("fanfare-hubs-tls", "fanfare-operator-tls", "fanfare-authorities"), certificate()),
        }
        for name, entries in self.each():
            node = self.node(name)
            config = pod(node)["containers"][0]["args"][-1]
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                mount_as_a_kubelet(folder, entries, node, others)
                here(folder, folder / config.lstrip("/"))
                assert_sound(self, check_configuration(folder, config))
                if name == "nats.yaml":
                    said = run_check(folder / config.lstrip("/"), "--explain").stdout
                    self.assertIn("invoice-paid", said)
                    self.assertNotIn("flag-toggled", said, "the demo's routes")

    def test_numbers_texts_and_tables_stay_what_they_are(self):
        import tomllib

        said = tomllib.loads(configuration(parsed(templated("nats.yaml"))))
        self.assertEqual(said["broker"]["retention_bytes"], 4294967296)
        self.assertIsInstance(said["broker"]["retention_bytes"], int)
        self.assertEqual(said["node"]["trusted_proxies"], ["10.0.0.0/8"])
        self.assertEqual(said["node"]["previous_secret_file"], "secrets/previous.secret")
        self.assertEqual([issuer["users"] for issuer in said["issuer"]], [True, False])
        self.assertEqual(said["issuer"][0]["claims"]["org"], "https://example.com/org")
        self.assertEqual(said["hub"]["/hubs/billing"], {})
        self.assertEqual(said["schemas"]["path"], "/etc/fanfare-schemas")

    def test_every_value_is_described_and_checked(self):
        import yaml

        schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
        for path in leaves(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))):
            at = schema
            for part in path.split("."):
                if at.get("additionalProperties", True) is not False:
                    break
                self.assertIn(part, at["properties"], path)
                at = at["properties"][part]
                self.assertIn("description", at, path)

    def test_what_is_misspelled_or_no_value_is_refused(self):
        for bad, named in (
            ("node.maxConnectons=4", "maxConnectons"),
            ("autoscaling.minReplicas=1", "minReplicas"),
            ("node.otlpEndpoint=collector:4317", "otlpEndpoint"),
            ("image.digest=sha256:12", "digest"),
            ("spread.host=Always", "host"),
        ):
            self.assertIn(named, refused(*LEAST, *ROUTES, "--set", bad), bad)
        self.assertEqual(refused(*LEAST, *ROUTES), "")

    def test_what_is_missing_or_contradicts_itself_is_refused_with_what_would_be_right(self):
        for options, named in (
            ((), "config.broker.url is missing: nats://"),
            (LEAST, "routes are missing: routes.files, or routes.existingConfigMap"),
            ((*LEAST, *ROUTES, "--set", "keda.enabled=true"), "turn one of them off"),
            ((*LEAST, *ROUTES, "--set", "ingress.enabled=true"), "public.host is missing"),
            ((*LEAST, *ROUTES, "--set", "httpRoute.enabled=true,public.host=a.b"), "httpRoute.parentRefs is missing"),
            ((*LEAST, *ROUTES, "--set", "certificate.enabled=true,public.host=a.b"), "public.tlsSecret is missing"),
            ((*LEAST, *ROUTES, "--set", "externalSecret.enabled=true"), "externalSecret.data is missing"),
            ((*LEAST, *ROUTES, "--set", "public.paths={/}"), "would put POST /events on the public host"),
            ((*LEAST, *ROUTES, "--set", "public.paths={/events}"), "would put POST /events on the public host"),
            ((*LEAST, *ROUTES, "--set", "embedded.enabled=true"), "config.broker.url is another broker"),
            ((*LEAST, *ROUTES, "--set", "tls.operator.clientCA.secretName=a"), "tls.operator.secretName is missing"),
            (
                (*LEAST, *ROUTES, "--set", "config.broker.url=embedded:/var/lib/fanfare/log"),
                "embedded.enabled must be true",
            ),
        ):
            self.assertIn(named, refused(*options), options)

    def test_with_tls_probes_scrapers_and_proxies_speak_it(self):
        entries = parsed(templated("nats.yaml"))
        container = pod(self.node("nats.yaml"))["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertEqual(container[probe]["httpGet"]["scheme"], "HTTPS", probe)
        (monitor,) = [entry["spec"] for entry in of_kind(entries, "PodMonitor").values()]
        (endpoint,) = monitor["podMetricsEndpoints"]
        self.assertEqual(endpoint["scheme"], "https")
        self.assertEqual(endpoint["tlsConfig"]["serverName"], "fanfare.internal")
        self.assertEqual(endpoint["tlsConfig"]["keySecret"], {"name": "fanfare-operator-tls", "key": "tls.key"})
        (service,) = of_kind(entries, "Service").values()
        self.assertEqual(service["spec"]["ports"][0]["appProtocol"], "https")
        (ingress,) = of_kind(entries, "Ingress").values()
        self.assertEqual(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"], "HTTPS")
        hubs = templated("kafka.yaml", "--set", "tls.hubs.secretName=one")
        self.assertIn('server_names = ["live-fanfare.notifications.svc"]', hubs)
        self.assertNotIn("scheme: HTTPS", hubs, "the operator's port speaks none")

    def test_what_is_public_is_the_hubs_alone(self):
        entries = parsed(templated("nats.yaml"))
        (ingress,) = of_kind(entries, "Ingress").values()
        (route,) = of_kind(entries, "HTTPRoute").values()
        paths = [path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        paths += [match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]]
        self.assertEqual(paths, ["/hubs", "/hubs"])

    def test_nothing_of_the_demo_and_no_extra_is_there_unless_asked_for(self):
        kinds = {entry["kind"] for entry in parsed(templated("kafka.yaml"))}
        self.assertEqual(
            kinds,
            {
                "ConfigMap",
                "Deployment",
                "HorizontalPodAutoscaler",
                "NetworkPolicy",
                "PodDisruptionBudget",
                "Service",
                "ServiceAccount",
            },
        )
        self.assertNotIn("auth:8081", templated("kafka.yaml"))
        import tomllib

        said = tomllib.loads(configuration(parsed(templated("nats.yaml"))))
        self.assertEqual((said["schemas"]["demo"], said["page"]), (False, {"demo": False}))
        asked = tomllib.loads(configuration(parsed(templated("nats.yaml", "--set", "demo.page=true,demo.schemas=true"))))
        self.assertEqual((asked["schemas"]["demo"], asked["page"]), (True, {"demo": True}))
        own = tomllib.loads(configuration(parsed(templated("nats.yaml", "--set", "config.page.path=/page"))))
        self.assertEqual(own["page"], {"path": "/page"})

    def test_selectors_find_the_pods_and_two_releases_stay_apart(self):
        for name, entries in self.each():
            node = self.node(name)
            labels = labels_of(node)
            selectors = [service["spec"]["selector"] for service in of_kind(entries, "Service").values()]
            for kind, key in (
                ("PodDisruptionBudget", "selector"),
                ("NetworkPolicy", "podSelector"),
                ("PodMonitor", "selector"),
            ):
                selectors += [entry["spec"][key]["matchLabels"] for entry in of_kind(entries, kind).values()]
            for selector in [*selectors, node["spec"]["selector"]["matchLabels"]]:
                self.assertTrue(selects(selector, labels), selector)
                self.assertEqual(selector["app.kubernetes.io/instance"], "live")

    def test_nodes_reach_each_other_and_what_is_named_and_nobody_else(self):
        (policy,) = of_kind(parsed(templated("nats.yaml")), "NetworkPolicy").values()
        nodes = {"podSelector": policy["spec"]["podSelector"]}
        ports = lambda rules, who: {str(port["port"]): rule[who] for rule in rules for port in rule["ports"]}  # noqa: E731
        ingress, egress = ports(policy["spec"]["ingress"], "from"), ports(policy["spec"]["egress"], "to")
        self.assertEqual(set(egress), {"http", "operator", "53", "4222", "8081", "4318", "443"})
        for port in ("http", "operator"):
            self.assertIn(nodes, ingress[port])
            self.assertEqual(egress[port], [nodes])
        self.assertIn("169.254.0.0/16", egress["443"][0]["ipBlock"]["except"])

    def test_the_target_survives_a_rolling_upgrade_and_the_loss_of_a_node(self):
        import yaml

        values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
        scaler, most = values["autoscaling"], values["node"]["maxConnections"]
        for nodes in range(scaler["minReplicas"], scaler["maxReplicas"] + 1):
            self.assertLess(worst_case(nodes, scaler["connectionsPerNode"]), most)
        said = re.search(r"leaves ([\d,]+) tabs on the fullest", text("deploy/helm/fanfare/values.yaml"))[1]
        self.assertAlmostEqual(
            worst_case(scaler["maxReplicas"], scaler["connectionsPerNode"]), int(said.replace(",", "")), delta=1
        )

    def test_pods_are_as_those_of_kustomize(self):
        ours = pod(of_kind(objects("k8s/overlays/kafka"), "Deployment")["fanfare"])
        theirs = pod(self.node("kafka.yaml"))
        for key in ("securityContext", "terminationGracePeriodSeconds", "automountServiceAccountToken"):
            self.assertEqual(theirs[key], ours[key], key)
        container, other = theirs["containers"][0], ours["containers"][0]
        keys = ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "resources", "securityContext", "args")
        for key in keys:
            self.assertEqual(container[key], other[key], key)
        self.assertEqual(named_ports(self.node("kafka.yaml")), {"http": 8080, "operator": 9090})
        scalers = [
            next(iter(of_kind(entries, "HorizontalPodAutoscaler").values()))["spec"]
            for entries in (parsed(templated("kafka.yaml")), objects("k8s/overlays/kafka"))
        ]
        for key in ("minReplicas", "maxReplicas", "metrics", "behavior"):
            self.assertEqual(scalers[0][key], scalers[1][key], key)

    def test_the_grace_time_fits_the_drain(self):
        for name, entries in self.each():
            spec = pod(self.node(name))
            before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            needed = before + drain_seconds(configuration(entries)) + 5
            self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], needed)

    def test_alerts_and_dashboard_are_those_that_are_tested(self):
        import yaml

        entries = parsed(templated("nats.yaml"))
        (rule,) = of_kind(entries, "PrometheusRule").values()
        for group in rule["spec"]["groups"]:
            for alert in group["rules"]:
                link = alert["annotations"].pop("runbook_url")
                self.assertEqual(link, f"https://git.example.com/fanfare/blob/main/{alert['annotations']['runbook']}")
        self.assertEqual(rule["spec"]["groups"], yaml.safe_load(text("deploy/prometheus/alerts.yml"))["groups"])
        dashboard = of_kind(entries, "ConfigMap")["live-fanfare-dashboard"]["data"]["fanfare.json"]
        self.assertEqual(json.loads(dashboard), json.loads(text("deploy/grafana/dashboards/fanfare.json")))

    def test_a_packed_chart_has_what_it_links_to(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(helm("package", CHART, "--destination", folder).returncode, 0)
            (packed,) = Path(folder).glob("*.tgz")
            said = helm("template", "live", packed, "--values", CHART / "ci" / "nats.yaml")
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertIn("FanfareNodeDown", said.stdout)

    def test_its_version_is_that_of_the_program(self):
        import yaml

        chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
        version = re.search(r'^version = "(.+)"', text("Cargo.toml"), re.M)[1]
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        self.assertIn(f'newTag: "{version}"', (ROOT / "k8s/overlays/nats/kustomization.yaml").read_text())
