"""k8s/: rendered by kustomize, checked against the schemas, and in agreement with itself and with the images."""

import functools
import re
import tempfile
import unittest

from repository import (
    ROOT,
    assert_sound,
    check_configuration,
    drain_seconds,
    exposed,
    known_variables,
    lay_out,
    needs,
    run,
    text,
    tool,
)

OVERLAYS = ("nats", "kafka", "embedded")
# The oldest version with preStop sleep, and the newest that the schemas know.
VERSIONS = ("1.30", "1.37")


@functools.cache
def rendered(path):
    """What kustomize makes of a folder."""
    said = run(tool("kubectl"), "kustomize", ROOT / path)
    assert said.returncode == 0, said.stderr
    return said.stdout


def objects(path):
    """The same as objects."""
    import yaml

    return [entry for entry in yaml.safe_load_all(rendered(path)) if entry]


def faults(entries, version):
    """What the schemas of a version say, one line for each object that is wrong."""
    import kubernetes_validate

    wrong = []
    for entry in entries:
        try:
            kubernetes_validate.validate(entry, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append(f"{entry['kind']} {entry['metadata']['name']}: {error.message}")
    return wrong


def of_kind(entries, kind):
    """Those of a kind, by name."""
    return {entry["metadata"]["name"]: entry for entry in entries if entry["kind"] == kind}


def workloads(entries):
    """The pods' owners, by name."""
    return {**of_kind(entries, "Deployment"), **of_kind(entries, "StatefulSet")}


def pod(workload):
    """The pod that a workload makes."""
    return workload["spec"]["template"]["spec"]


def selects(selector, labels):
    """Whether a selector by labels finds something."""
    return selector.items() <= labels.items()


def labels_of(workload):
    """The labels of its pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def named_ports(workload):
    """Its containers' ports by name."""
    return {
        port["name"]: port["containerPort"] for container in pod(workload)["containers"] for port in container["ports"]
    }


def secrets(workload):
    """Each secret that its pods mount, and the files that they take of it."""
    sources = [
        source for volume in pod(workload)["volumes"] for source in volume.get("projected", {}).get("sources", [])
    ]
    return {source["secret"]["name"]: source["secret"]["items"] for source in sources if "secret" in source}


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
            self.assertEqual(faults(objects("k8s/ingress-nginx"), version), [])

    def test_what_breaks_a_schema_is_found(self):
        import yaml

        source = rendered("k8s/overlays/nats")
        for good, bad in (
            ("maxUnavailable: 1", "maxUnavailable: []"),
            ("averageValue:", "averageValu:"),
            ("runAsNonRoot: true", "runAsNonRoot: sure"),
        ):
            self.assertIn(good, source)
            self.assertNotEqual(
                faults([entry for entry in yaml.safe_load_all(source.replace(good, bad)) if entry], VERSIONS[-1]),
                [],
                bad,
            )

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
            for workload in found.values():
                for volume in pod(workload)["volumes"]:
                    for source in volume.get("projected", {}).get("sources", []):
                        if "configMap" in source:
                            self.assertIn(source["configMap"]["name"], of_kind(entries, "ConfigMap"))
                    if "persistentVolumeClaim" in volume:
                        claim = volume["persistentVolumeClaim"]["claimName"]
                        self.assertIn(claim, of_kind(entries, "PersistentVolumeClaim"))

    def test_every_address_is_a_service_of_the_overlay(self):
        for _, entries in self.each():
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
            if overlay == "embedded":
                self.assertEqual((scalers, budgets), ({}, {}))
                self.assertEqual((node["spec"]["replicas"], node["spec"]["strategy"]), (1, {"type": "Recreate"}))
                continue
            self.assertNotIn("replicas", node["spec"])
            scaler = scalers["fanfare"]["spec"]
            self.assertEqual(
                (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]), ("Deployment", "fanfare")
            )
            self.assertTrue(selects(budgets["fanfare"]["spec"]["selector"]["matchLabels"], labels_of(node)))
            # One node less, and the others still have room for its tabs.
            target = int(scaler["metrics"][0]["pods"]["target"]["averageValue"])
            most = int(re.search(r"max_connections = (\d+)", self.configuration(entries))[1])
            least = scaler["minReplicas"]
            self.assertLess(target * least / (least - 1), most)

    def test_network_policies_find_their_pods_and_guard_the_operators_port(self):
        for _, entries in self.each():
            found = workloads(entries)
            for name, policy in of_kind(entries, "NetworkPolicy").items():
                selector = policy["spec"]["podSelector"]["matchLabels"]
                pods = [other for other in found.values() if selects(selector, labels_of(other))]
                self.assertTrue(pods, name)
                for rule in policy["spec"]["ingress"]:
                    for port in rule["ports"]:
                        self.assertTrue(all(port["port"] in named_ports(other) for other in pods), name)
            guarded = of_kind(entries, "NetworkPolicy")["fanfare"]["spec"]["ingress"]
            operator = [rule["from"] for rule in guarded if {"port": "operator"} in rule["ports"]]
            prometheus = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
            self.assertEqual([[peer["podSelector"] for peer in peers] for peers in operator], [[prometheus]])

    def test_a_way_to_the_broker_is_open(self):
        for overlay, port in (("nats", 4222), ("kafka", 9093)):
            entries = objects(f"k8s/overlays/{overlay}")
            url = re.search(r'^url = "\w+://[^:]+:(\d+)"', self.configuration(entries), re.M)
            self.assertEqual(int(url[1]), port)
            egress = of_kind(entries, "NetworkPolicy")["fanfare"]["spec"]["egress"]
            self.assertIn({"port": port}, [entry for rule in egress for entry in rule["ports"]])

    def test_the_grace_time_fits_the_drain(self):
        for _, entries in self.each():
            spec = pod(of_kind(entries, "Deployment")["fanfare"])
            before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            needed = before + drain_seconds(self.configuration(entries)) + 5
            self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], needed)

    def test_no_secret_is_shipped_and_each_is_explained(self):
        for overlay, entries in self.each():
            self.assertEqual(of_kind(entries, "Secret"), {})
            explained = text(f"k8s/overlays/{overlay}/kustomization.yaml")
            for name, items in secrets(of_kind(entries, "Deployment")["fanfare"]).items():
                self.assertIn(f"create secret generic {name} ", explained)
                for item in items:
                    self.assertIn(item["key"], explained)

    def test_the_configuration_is_sound_where_it_is_mounted(self):
        for _, entries in self.each():
            node = of_kind(entries, "Deployment")["fanfare"]
            mounted = {mount["name"]: mount["mountPath"] for mount in pod(node)["containers"][0]["volumeMounts"]}
            files = {}
            for volume in pod(node)["volumes"]:
                for source in volume.get("projected", {}).get("sources", []):
                    place = mounted[volume["name"]]
                    if "configMap" in source:
                        data = of_kind(entries, "ConfigMap")[source["configMap"]["name"]]["data"]
                        files.update({f"{place}/{key}": value for key, value in data.items()})
                    else:
                        paths = [f"{place}/{item['path']}" for item in source["secret"]["items"]]
                        files.update({path: stand_in(path) for path in paths})
            config = pod(node)["containers"][0]["args"][-1]
            self.assertIn(config, files)
            with tempfile.TemporaryDirectory() as folder:
                lay_out(folder, files)
                assert_sound(self, check_configuration(folder, config))
                # And it is this that was checked.
                lay_out(folder, {config: files[config].replace("drain_seconds", "drain_secnds")})
                said = check_configuration(folder, config)
                self.assertEqual(said.returncode, 1)
                self.assertIn("drain_secnds", said.stderr)

    def configuration(self, entries):
        """The fanfare.toml of an overlay."""
        maps = [
            entry["data"] for name, entry in of_kind(entries, "ConfigMap").items() if name.startswith("fanfare-config-")
        ]
        return maps[0]["fanfare.toml"]


def stand_in(path):
    """Something that a secret of this name might say."""
    return "sasl.username=fanfare\nsasl.password=x\n" if path.endswith(".properties") else "0123456789abcdef" * 4
