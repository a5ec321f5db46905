"""Kubernetes' objects: rendered, held against their schemas, and asked for what they say."""

import functools
import json
import subprocess
import tempfile
from pathlib import Path

from repository import ROOT, TOOLS, lay_out, run, tool

# The oldest version with preStop sleep, and the newest with known schemas.
VERSIONS = ("1.30", "1.37")
# Kinds of operators: their schemas are in the packages of `kinds`.
ADDED = (
    "cert-manager.io",
    "external-secrets.io",
    "gateway.networking.k8s.io",
    "keda.sh",
    "monitoring.coreos.com",
)
KINDS = ROOT / "tests" / "deploy" / "kinds"
CHART = ROOT / "deploy" / "helm" / "fanfare"
HELM = TOOLS / "helm" / "helm"


@functools.cache
def rendered(path):
    """What kustomize makes of a folder."""
    said = run(tool("kubectl"), "kustomize", ROOT / path)
    assert said.returncode == 0, said.stderr
    return said.stdout


@functools.cache
def templated(values, *options):
    """What Helm makes of the chart, with one of the chart's own files of values."""
    said = helm("template", "live", CHART, "--namespace", "notifications", "--values", CHART / "ci" / values, *options)
    assert said.returncode == 0, said.stderr
    return said.stdout


def helm(*arguments):
    """Helm as it was built, or as the machine has it."""
    return run(HELM if HELM.is_file() else tool("helm"), *arguments)


def parsed(text):
    """A stream of YAML as objects."""
    import yaml

    return [entry for entry in yaml.safe_load_all(text) if entry]


def objects(path):
    """What kustomize makes of a folder, as objects."""
    return parsed(rendered(path))


def is_added(entry):
    """Whether a kind is one that an operator adds."""
    return entry["apiVersion"].split("/")[0] in ADDED


def faults(entries, version):
    """What the schemas of a version say, one line for each object that is wrong; added kinds are left out."""
    import kubernetes_validate

    wrong = []
    for entry in entries:
        if is_added(entry):
            continue
        try:
            kubernetes_validate.validate(entry, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append(f"{entry['kind']} {entry['metadata']['name']}: {error.message}")
    return wrong


def faults_of_added(entries):
    """The same for the kinds that operators add."""
    said = run("node", KINDS / "validate.mjs", input=json.dumps([entry for entry in entries if is_added(entry)]))
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


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
    """Each secret that its pods mount, and the files that they take of it; None for all that it has."""
    found = {}
    for volume in pod(workload)["volumes"]:
        if "secret" in volume:
            found[volume["secret"]["secretName"]] = None
        for source in volume.get("projected", {}).get("sources", []):
            if "secret" in source:
                found[source["secret"]["name"]] = [item["key"] for item in source["secret"]["items"]]
    return found


def configuration(entries):
    """The fanfare.toml of a node."""
    found = [entry["data"] for entry in of_kind(entries, "ConfigMap").values() if "fanfare.toml" in entry["data"]]
    return found[0]["fanfare.toml"]


def mount_as_a_kubelet(folder, entries, workload, others):
    """
    Puts what a pod mounts below `folder`: each file is a link into a hidden folder, as a kubelet makes them.

    `others` are the ConfigMaps and Secrets that are not among the objects, by name.
    """
    maps = {name: entry["data"] for name, entry in of_kind(entries, "ConfigMap").items()} | others
    places = {mount["name"]: mount["mountPath"] for mount in pod(workload)["containers"][0]["volumeMounts"]}
    for volume in pod(workload)["volumes"]:
        files = {}
        for source in volume.get("projected", {}).get("sources", []) or [volume]:
            found = source.get("configMap") or source.get("secret")
            if found is None:
                continue
            data = maps[found.get("name") or found["secretName"]]
            paths = {item["key"]: item["path"] for item in found.get("items", [])} or {key: key for key in data}
            files.update({path: data[key] for key, path in paths.items()})
        place = places[volume["name"]]
        lay_out(folder, {f"{place}/..data/{path}": content for path, content in files.items()})
        for top in {path.split("/")[0] for path in files}:
            (folder / place.lstrip("/") / top).symlink_to(f"..data/{top}")


def stand_in(name):
    """Something that a secret's file of this name might say."""
    return "sasl.username=fanfare\nsasl.password=x\n" if name.endswith(".properties") else "0123456789abcdef" * 4


def certificate():
    """What a Secret of kubernetes.io/tls holds: a certificate that vouches for itself, and its key."""
    with tempfile.TemporaryDirectory() as place:
        key, chain = Path(place, "key"), Path(place, "chain")
        make = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90")
        files = ("-keyout", key, "-out", chain, "-subj", "/CN=fanfare.internal")
        subprocess.run(("openssl", *make, *files), check=True, capture_output=True)
        shown = chain.read_text(encoding="utf-8")
        return {"tls.crt": shown, "tls.key": key.read_text(encoding="utf-8"), "ca.crt": shown, "all.crt": shown}
