#!/usr/bin/env python3
"""
Writes what is in the programs: NOTICE with the licence texts of others, and an SBOM (CycloneDX 1.6).

    scripts/bill-of-materials.py --notice FILE --sbom FILE [--package NAME]... [--page FOLDER] [-- CARGO OPTIONS]

Packages are fanfare-fanout and fanfare-relay if none is named; behind `--` stand features, as for the build. The same
sources make the same files: SOURCE_DATE_EPOCH is the time in them. Needs nothing but Python and cargo.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)([-._].*)?$", re.IGNORECASE)
# Sources and not texts, whatever their names.
NO_TEXT = {".rs", ".c", ".h", ".py", ".go", ".toml", ".json", ".pl", ".cmake", ".sh"}


def cargo(*arguments):
    """What cargo says."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked(packages, options):
    """Name and version of every crate that is linked into these packages."""
    selected = [part for name in packages for part in ("-p", name)]
    said = cargo("tree", "--locked", *selected, "--edges", "normal", "--prefix", "none", "--format", "{p}", *options)
    return {tuple(line.split(" ")[:2]) for line in said.splitlines() if line}


def crates(packages, options):
    """Each of these, with what cargo and the lock file know of it; ours are left out."""
    wanted = linked(packages, options)
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1"))
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    sums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
    found = []
    for package in metadata["packages"]:
        key = (package["name"], package["version"])
        if (key[0], f"v{key[1]}") in wanted and package["source"]:
            found.append(
                {
                    "kind": "cargo",
                    "name": key[0],
                    "version": key[1],
                    "licence": (package["license"] or "").replace("/", " OR "),
                    "folder": Path(package["manifest_path"]).parent,
                    "sha256": sums[key],
                    "address": package["repository"],
                }
            )
    return found


def scripts(page):
    """The packages that are in the demo page, from its lock file."""
    lock = json.loads((page / "package-lock.json").read_text(encoding="utf-8"))
    found = []
    for place, entry in lock["packages"].items():
        if place and not entry.get("dev") and (page / place).is_dir():
            found.append(
                {
                    "kind": "npm",
                    "name": place.rpartition("node_modules/")[2],
                    "version": entry["version"],
                    "licence": entry.get("license", ""),
                    "folder": page / place,
                    "sha256": None,
                    "address": None,
                }
            )
    return found


def texts(part):
    """The licence texts that a package carries, also those of libraries inside of it."""
    for path in sorted(part["folder"].rglob("*")):
        if TEXTS.match(path.name) and path.suffix not in NO_TEXT and path.is_file() and path.stat().st_size < 200_000:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            if text:
                yield text


def notice(parts):
    """All texts, each once, with whom it is for; and who carries none."""
    users, without = {}, []
    for part in parts:
        found = list(dict.fromkeys(texts(part)))
        for text in found:
            users.setdefault(text, []).append(f"{part['name']} {part['version']} ({part['licence']})")
        if not found:
            without.append(f"{part['name']} {part['version']}: {part['licence']}")
    lines = ["Fanfare is licensed under the Apache License 2.0. Its programs contain the works of others below.", ""]
    if without:
        lines += ["These carry no text of their own; their licences are:", ""] + [f"  {one}" for one in without] + [""]
    for text, names in users.items():
        lines += ["-" * 79, ""] + [f"  {name}" for name in names] + ["", text, ""]
    return "\n".join(lines)


def component(part):
    """A package as CycloneDX has it."""
    name = part["name"].replace("@", "%40") if part["kind"] == "npm" else part["name"]
    purl = f"pkg:{part['kind']}/{name}@{part['version']}"
    entry = {"type": "library", "bom-ref": purl, "name": part["name"], "version": part["version"], "purl": purl}
    if part["licence"]:
        entry["licenses"] = [{"expression": part["licence"]}]
    if part["sha256"]:
        entry["hashes"] = [{"alg": "SHA-256", "content": part["sha256"]}]
    if part["address"]:
        entry["externalReferences"] = [{"type": "vcs", "url": part["address"]}]
    return entry


def bill(parts, version):
    """The SBOM."""
    components = [component(part) for part in parts]
    digest = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.UTC)
    own = f"pkg:generic/fanfare@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "fanfare",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [entry["bom-ref"] for entry in components]}],
    }


def main():
    """Reads the arguments and writes both files."""
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(description="NOTICE and SBOM of the programs")
    parser.add_argument("--notice", type=Path, required=True)
    parser.add_argument("--sbom", type=Path, required=True)
    parser.add_argument("--package", action="append", dest="packages")
    parser.add_argument("--page", type=Path, help="the folder of the demo page, with its node_modules")
    given = parser.parse_args(arguments)
    parts = crates(given.packages or ["fanfare-fanout", "fanfare-relay"], options)
    parts += scripts(given.page) if given.page else []
    parts.sort(key=lambda part: (part["kind"], part["name"], part["version"]))
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    given.notice.parent.mkdir(parents=True, exist_ok=True)
    given.notice.write_text(notice(parts), encoding="utf-8")
    given.sbom.parent.mkdir(parents=True, exist_ok=True)
    given.sbom.write_text(json.dumps(bill(parts, version), indent=1) + "\n", encoding="utf-8")
    print(f"{len(parts)} packages: {given.notice}, {given.sbom}")


if __name__ == "__main__":
    main()
