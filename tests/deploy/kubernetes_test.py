"""k8s/: rendered by kustomize, checked against the schemas, and in agreement with itself and with the images."""

import re
import shutil
import tempfile
import unittest
from pathlib import Path

from manifests import (
    KINDS,
    VERSIONS,
    configuration,
    faults,
    faults_of_added,
    labels_of,
    mount_as_a_kubelet,
    named_ports,
    objects,
    of_kind,
    parsed,
    pod,
    rendered,
    secrets,
    selects,
    stand_in,
    workloads,
)
from repository import (
    ROOT,
    assert_sound,
    built,
    check_configuration,
    drain_seconds,
    exposed,
    known_variables,
    needs,
    run,
    text,
    tool,
)
from rollout import rolling_upgrade, worst_case

OVERLAYS = ("nats", "kafka", "embedded", "demo")
SEVERAL = ("nats", "kafka")
# The limits in a production overlay besides its defaults.
OPTIONAL = ("keda", "gateway", "tracing", "monitoring", "external-secrets", "certificate")
CONTROLLER = "k8s/components/ingress-nginx/controller"
# A container's files besides one per connection: the node's own, and the minimum for HTTP.
FILES_BESIDE_TABS = 192 + 64
# The smallest hard limit of open files among the usual container runtimes.
FILES = 16_384


@needs("kubectl")
class Overlays(unittest.TestCase):
    """Each overlay as it would be applied."""

    def each(self):
        """The objects of each overlay."""
        return [(overlay, objects(f"k8s/overlays/{overlay}")) for overlay in OVERLAYS]

    def test_the_schemas_are_kept(self):
        for version in VERSIONS:
            for _, entries in self.each():
                self.assertEqual(faults(entries, version), [])
            self.assertEqual(faults(objects(CONTROLLER), version), [])

    def test_what_breaks_a_schema_is_found(self):
        source = rendered("k8s/overlays/nats")
        for good, bad in (
            ("maxUnavailable: 1", "maxUnavailable: []"),
            ("averageValue:", "averageValu:"),
            ("runAsNonRoot: true", "runAsNonRoot: sure"),
        ):
            self.assertIn(good, source)
            self.assertNotEqual(faults(parsed(source.replace(good, bad)), VERSIONS[-1]), [], bad)

    def test_pods_are_restricted_bounded_and_pinned(self):
        for _, entries in self.each():
            for name, workload in workloads(entries).items():
                spec = pod(workload)
                self.assertFalse(spec["automountServiceAccountToken"], name)
                self.assertIn(spec["serviceAccountName"], of_kind(entries, "ServiceAccount"))
                self.assertTrue(spec["securityContext"]["runAsNonRoot"], name)
                self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                for container in spec["containers"]:
                    context = container["securityContext"]
                    self.assertTrue(context["readOnlyRootFilesystem"], name)
                    self.assertFalse(context["allowPrivilegeEscalation"], name)
                    self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                    self.assertRegex(container["image"], r"^registry\.example\.com/fanfare/\w+:\d+\.\d+\.\d+$")
                    self.assertIn("memory", container["resources"]["limits"])
                    self.assertLessEqual({"cpu", "memory"}, set(container["resources"]["requests"]))

    def test_containers_use_what_their_images_have(self):
        known = known_variables()
        for _, entries in self.each():
            for name, workload in workloads(entries).items():
                container = pod(workload)["containers"][0]
                service = re.search(r"/(\w+):", container["image"])[1]
                self.assertEqual(set(named_ports(workload).values()), exposed(service), name)
                self.assertLessEqual({entry["name"] for entry in container.get("env", [])}, known, name)
                volumes = {volume["name"] for volume in pod(workload)["volumes"]}
                volumes |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
                self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, volumes, name)
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    if probe in container:
                        asked = container[probe]["httpGet"]
                        self.assertIn(asked["port"], named_ports(workload), f"{name} {probe}")
                        self.assertEqual(asked["path"], "/readyz" if probe == "readinessProbe" else "/healthz")
                self.assertIn("readinessProbe", container)
                self.assertIn("livenessProbe", container)

    def test_what_is_referred_to_is_there(self):
        for _, entries in self.each():
            found = workloads(entries)
            for name, service in of_kind(entries, "Service").items():
                targets = [other for other in found.values() if selects(service["spec"]["selector"], labels_of(other))]
                self.assertEqual(len(targets), 1, name)
                for port in service["spec"]["ports"]:
                    self.assertIn(port["targetPort"], named_ports(targets[0]), name)
            for ingress in of_kind(entries, "Ingress").values():
                for rule in ingress["spec"]["rules"]:
                    for path in rule["http"]["paths"]:
                        backend = path["backend"]["service"]
                        ports = of_kind(entries, "Service")[backend["name"]]["spec"]["ports"]
                        self.assertIn(backend["port"]["name"], [port["name"] for port in ports])
                        self.assertEqual(path["path"], "/hubs", "POST /events and the page are not public")
            for workload in found.values():
                for volume in pod(workload)["volumes"]:
                    for source in volume.get("projected", {}).get("sources", []):
                        if "configMap" in source:
                            self.assertIn(source["configMap"]["name"], of_kind(entries, "ConfigMap"))
                    if "configMap" in volume:
                        self.assertIn(volume["configMap"]["name"], of_kind(entries, "ConfigMap"))
                    if "persistentVolumeClaim" in volume:
                        claim = volume["persistentVolumeClaim"]["claimName"]
                        self.assertIn(claim, of_kind(entries, "PersistentVolumeClaim"))

    def test_every_address_of_the_demo_is_a_service_of_it(self):
        for _, entries in [("demo", objects("k8s/overlays/demo"))]:
            ports = {
                name: {port["port"] for port in service["spec"]["ports"]}
                for name, service in of_kind(entries, "Service").items()
            }
            told = "\n".join(
                [
                    entry["value"]
                    for workload in workloads(entries).values()
                    for entry in pod(workload)["containers"][0].get("env", [])
                ]
                + [value for entry in of_kind(entries, "ConfigMap").values() for value in entry["data"].values()]
            )
            urls = re.findall(r"http://([a-z-]+)(?::(\d+))?(?=[/\s\"]|$)", told)
            self.assertTrue(urls)
            for host, port in urls:
                self.assertIn(int(port or 80), ports.get(host, ()), host)

    def test_nodes_scale_and_leave_together_where_there_are_several(self):
        for overlay, entries in self.each():
            node = of_kind(entries, "Deployment")["fanfare"]
            scalers, budgets = of_kind(entries, "HorizontalPodAutoscaler"), of_kind(entries, "PodDisruptionBudget")
            if overlay not in SEVERAL:
                self.assertEqual((scalers, budgets), ({}, {}))
                self.assertEqual((node["spec"]["replicas"], node["spec"]["strategy"]), (1, {"type": "Recreate"}))
                continue
            self.assertNotIn("replicas", node["spec"])
            scaler = scalers["fanfare"]["spec"]
            self.assertEqual(
                (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]), ("Deployment", "fanfare")
            )
            self.assertTrue(selects(budgets["fanfare"]["spec"]["selector"]["matchLabels"], labels_of(node)))
            target = int(scaler["metrics"][0]["pods"]["target"]["averageValue"])
            most = int(re.search(r"max_connections = (\d+)", configuration(entries))[1])
            self.assertLessEqual(most + FILES_BESIDE_TABS, FILES)
            for nodes in range(scaler["minReplicas"], scaler["maxReplicas"] + 1):
                self.assertLess(target * nodes / (nodes - 1), most, "a node is lost")
                self.assertLess(worst_case(nodes, target), most, f"a rolling upgrade of {nodes} that loses a node")

    def test_the_arithmetic_would_find_a_target_that_is_too_high(self):
        # Computed by hand: 3 nodes leave 16/9 on the last.
        self.assertAlmostEqual(rolling_upgrade(3, 9), 16)
        self.assertAlmostEqual(worst_case(3, 9), 18)
        self.assertGreater(rolling_upgrade(3, 12_000), 20_000)
        self.assertGreater(worst_case(12, 6_300), 16_000)

    def test_network_policies_find_their_pods_and_guard_the_operators_port(self):
        for _, entries in self.each():
            found = workloads(entries)
            for name, policy in of_kind(entries, "NetworkPolicy").items():
                selector = policy["spec"]["podSelector"]["matchLabels"]
                pods = [other for other in found.values() if selects(selector, labels_of(other))]
                self.assertTrue(pods, name)
                for rule in policy["spec"].get("ingress", []):
                    for port in rule["ports"]:
                        self.assertTrue(all(port["port"] in named_ports(other) for other in pods), name)
            guarded = of_kind(entries, "NetworkPolicy")["fanfare"]["spec"]["ingress"]
            operator = [rule["from"] for rule in guarded if {"port": "operator"} in rule["ports"]]
            prometheus = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
            nodes = of_kind(entries, "NetworkPolicy")["fanfare"]["spec"]["podSelector"]
            self.assertEqual([[peer["podSelector"] for peer in peers] for peers in operator], [[prometheus, nodes]])

    def test_a_way_to_the_broker_is_open(self):
        for overlay, port in (("nats", 4222), ("kafka", 9093)):
            entries = objects(f"k8s/overlays/{overlay}")
            url = re.search(r'^url = "\w+://[^:]+:(\d+)"', configuration(entries), re.M)
            self.assertEqual(int(url[1]), port)
            egress = of_kind(entries, "NetworkPolicy")["fanfare-broker"]["spec"]["egress"]
            self.assertIn({"port": port}, [entry for rule in egress for entry in rule["ports"]])

    def test_the_grace_time_fits_the_drain(self):
        for _, entries in self.each():
            spec = pod(of_kind(entries, "Deployment")["fanfare"])
            before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            needed = before + drain_seconds(configuration(entries)) + 5
            self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], needed)

    def test_no_secret_is_shipped_and_each_is_explained(self):
        for overlay, entries in self.each():
            self.assertEqual(of_kind(entries, "Secret"), {})
            explained = text(f"k8s/overlays/{overlay}/kustomization.yaml")
            self.assertIn("kubectl apply -f k8s/namespace.yaml", explained)
            for name, keys in secrets(of_kind(entries, "Deployment")["fanfare"]).items():
                self.assertIn(f"create secret generic {name} ", explained)
                for key in keys or []:
                    self.assertIn(key, explained)

    def test_the_namespace_comes_first_and_in_no_overlay(self):
        (namespace,) = parsed(text("k8s/namespace.yaml"))
        self.assertEqual(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted")
        for _, entries in self.each():
            self.assertEqual(of_kind(entries, "Namespace"), {})
            self.assertEqual({entry["metadata"]["namespace"] for entry in entries}, {namespace["metadata"]["name"]})

    def test_the_configuration_is_sound_where_it_is_mounted(self):
        for overlay, entries in self.each():
            node = of_kind(entries, "Deployment")["fanfare"]
            others = {
                name: {key: stand_in(key) for key in keys or re.findall(r"fanfare-broker/([\w.]+)", configuration(entries))}
                for name, keys in secrets(node).items()
            }
            config = pod(node)["containers"][0]["args"][-1]
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                mount_as_a_kubelet(folder, entries, node, others)
                place = folder / config.lstrip("/")
                here(folder, place)
                assert_sound(self, check_configuration(folder, config))
                if overlay != "demo":
                    explained = run_check(place, "--explain")
                    self.assertIn("invoice-paid", explained.stdout, "the overlay's own routes")
                # This proves that it was checked.
                place.write_text(place.read_text().replace("drain_seconds", "drain_secnds"), encoding="utf-8")
                said = check_configuration(folder, config)
                self.assertEqual(said.returncode, 1)
                self.assertIn("drain_secnds", said.stderr)


@needs("kubectl")
class Components(unittest.TestCase):
    """What may be added, and the base in a repository of its own."""

    def build(self, resources, components=(), folder=None):
        """What somebody else's kustomization makes of ours."""
        import yaml

        with tempfile.TemporaryDirectory() as name:
            # kustomize accepts only relative paths.
            shutil.copytree(ROOT / "k8s", Path(name) / "fanfare" / "k8s")
            shutil.copytree(ROOT / "deploy", Path(name) / "fanfare" / "deploy", symlinks=True)
            mine = Path(name) / "mine"
            mine.mkdir()
            content = {
                "namespace": "notifications",
                "resources": [f"../fanfare/k8s/{path}" for path in resources],
                "components": [f"../fanfare/k8s/components/{path}" for path in components],
                "configMapGenerator": [
                    {"name": "fanfare-config", "literals": ["fanfare.toml=x"]},
                    {"name": "fanfare-routes", "literals": ["routes.toml=x"]},
                ],
            }
            (mine / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
            said = run(tool("kubectl"), "kustomize", mine)
            self.assertEqual(said.returncode, 0, said.stderr)
            return parsed(said.stdout)

    def test_the_base_is_used_without_edits_in_any_namespace(self):
        entries = self.build(["base"])
        self.assertEqual({entry["metadata"]["namespace"] for entry in entries}, {"notifications"})
        node = of_kind(entries, "Deployment")["fanfare"]
        mounted = {volume["configMap"]["name"] for volume in pod(node)["volumes"] if "configMap" in volume}
        self.assertLessEqual(mounted, set(of_kind(entries, "ConfigMap")))
        self.assertEqual({entry["kind"] for entry in entries} & {"Ingress", "NetworkPolicy", "Namespace"}, set())
        for version in VERSIONS:
            self.assertEqual(faults(entries, version), [])

    @unittest.skipUnless((KINDS / "node_modules").is_dir(), "the schemas of added kinds could not be fetched from npm")
    def test_components_keep_the_schemas_of_their_kinds(self):
        entries = self.build(["base"], OPTIONAL)
        kinds = {"ScaledObject", "HTTPRoute", "PodMonitor", "PrometheusRule", "ExternalSecret", "Certificate"}
        self.assertLessEqual(kinds, {entry["kind"] for entry in entries})
        self.assertEqual(faults_of_added(entries), [])
        for entry in entries:
            if entry["kind"] == "HTTPRoute":
                entry["spec"]["hostnam"] = ["x"]
            if entry["kind"] == "PodMonitor":
                entry["spec"]["podMetricsEndpoints"][0]["intervall"] = "1s"
            if entry["kind"] == "ScaledObject":
                entry["spec"]["maxReplicaCount"] = "many"
        self.assertEqual(len(faults_of_added(entries)), 3)

    def test_the_public_route_has_the_hubs_alone(self):
        (route,) = of_kind(self.build(["base"], ["gateway"]), "HTTPRoute").values()
        paths = [match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]]
        self.assertEqual(paths, ["/hubs"])

    def test_both_scalers_say_the_same(self):
        (keda,) = of_kind(self.build(["base"], ["keda"]), "ScaledObject").values()
        (ours,) = of_kind(self.build(["base"], ["autoscaler"]), "HorizontalPodAutoscaler").values()
        keda, ours = keda["spec"], ours["spec"]
        self.assertEqual((keda["minReplicaCount"], keda["maxReplicaCount"]), (ours["minReplicas"], ours["maxReplicas"]))
        self.assertEqual(keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"], ours["behavior"])
        (metric,) = ours["metrics"]
        self.assertEqual(keda["triggers"][0]["metadata"]["threshold"], metric["pods"]["target"]["averageValue"])

    def test_alerts_and_dashboard_are_those_that_are_tested(self):
        import yaml

        entries = self.build(["base"], ["monitoring"])
        (rule,) = of_kind(entries, "PrometheusRule").values()
        self.assertEqual(
            rule["spec"]["groups"],
            yaml.safe_load(text("deploy/prometheus/alerts.yml"))["groups"],
            "scripts/prometheus-rule.sh writes it anew",
        )
        (dashboard,) = [
            entry for name, entry in of_kind(entries, "ConfigMap").items() if name.startswith("fanfare-dashboard")
        ]
        self.assertEqual(dashboard["data"]["fanfare.json"], text("deploy/grafana/dashboards/fanfare.json"))


def here(folder, config):
    """Turns the paths of a container into those below a folder of the test."""
    said = re.sub(r'"(/etc/fanfare-[^"]+)"', rf'"{folder}\1"', config.read_text(encoding="utf-8"))
    config.write_text(said, encoding="utf-8")


def run_check(config, *options):
    """What `fanfare check` says beside whether it is sound."""
    return run(built("fanfare"), "check", "--config", config, *options)
