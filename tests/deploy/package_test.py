"""The Debian package, the unit of systemd, and what a release consists of."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from nodes import free_port
from repository import BUILT, ROOT, built, needs, run, text

UNIT = ROOT / "deploy" / "systemd" / "fanfare.service"


def made(script, *arguments):
    """A script of this repository, which must succeed."""
    said = subprocess.run(
        [str(ROOT / "scripts" / script), *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def stand_ins(folder):
    """Small programs in place of ours, for what does not depend on them."""
    for name in ("fanfare", "fanfare-relay"):
        shutil.copy(shutil.which("true"), Path(folder) / name)
    return folder


@needs("dpkg-deb")
class DebianPackage(unittest.TestCase):
    """What scripts/deb.sh makes of the programs, installed into a root of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        built("fanfare")
        made("deb.sh", "--programs", BUILT, "--output", cls.folder.name)
        (cls.package,) = Path(cls.folder.name).glob("*.deb")
        cls.root = Path(cls.folder.name) / "root"
        cls.root.mkdir()

    def install(self):
        """Installs it into the root, maintainer scripts and all, and gives what dpkg said."""
        (self.root / "var/lib/dpkg").mkdir(parents=True, exist_ok=True)
        (self.root / "var/lib/dpkg/status").touch()
        # Its dependencies belong to the machine, not to this root.
        options = ("--force-script-chrootless", "--force-depends", "--force-not-root", "--log=/dev/null")
        return run("dpkg", f"--root={self.root}", *options, "--install", self.package)

    def test_it_installs_and_what_it_installs_works(self):
        said = self.install()
        self.assertEqual(said.returncode, 0, said.stderr)
        config = self.root / "etc/fanfare/fanfare.toml"
        program = self.root / "usr/bin/fanfare"
        self.assertEqual(run(program, "check", "--config", config).returncode, 0)
        self.assertRegex(run(program, "--version").stdout, r"^fanfare \d+\.\d+\.\d+ \(.*brokers: embedded")
        self.assertTrue(os.access(self.root / "usr/bin/fanfare-relay", os.X_OK))
        self.answers(program, config)

    def answers(self, program, config):
        """Starts the node that was installed, with its ports and folders in the test's root."""
        operator = free_port()
        content = config.read_text(encoding="utf-8").replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}")
        content = content.replace("127.0.0.1:9090", f"127.0.0.1:{operator}").replace("/var/lib", f"{self.root}/var/lib")
        config.write_text(content, encoding="utf-8")
        process = subprocess.Popen(
            [program, "serve", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{operator}/healthz", timeout=5) as response:
                        return self.assertEqual(response.status, 200)
                except OSError:
                    self.assertIsNone(process.poll())
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
        finally:
            process.terminate()
            self.assertEqual(process.wait(60), 0)

    def test_it_says_what_it_needs_and_keeps_what_is_edited(self):
        control = run("dpkg-deb", "--field", self.package).stdout
        self.assertRegex(control, r"Depends: .*libc6 \(>= 2\.\d+\)")
        if "libssl" in run("ldd", built("fanfare")).stdout:
            self.assertRegex(control, r"Depends: .*libssl3")
        files = run("dpkg-deb", "--contents", self.package).stdout
        kept = run("dpkg-deb", "--info", self.package, "conffiles").stdout.split()
        self.assertEqual(kept, ["/etc/fanfare/fanfare.toml", "/etc/fanfare/routes/routes.toml"])
        for path in kept:
            self.assertIn(f".{path}\n", files)
        self.assertNotRegex(files, r"(?m)^-\S+ (?!root/root)")
        self.assertRegex(files, r"drwxr-x--- root/root .* \./etc/fanfare/secrets/")

    def test_its_scripts_are_sound(self):
        for name in ("postinst", "prerm", "postrm"):
            self.assertEqual(run("sh", "-n", ROOT / "deploy/deb" / name).returncode, 0)


class Units(unittest.TestCase):
    """deploy/systemd."""

    @needs("systemd-analyze")
    def test_they_are_sound_and_closed(self):
        with tempfile.TemporaryDirectory() as folder:
            # A unit is checked with its program in place.
            for name in ("fanfare", "fanfare-relay"):
                unit = text(f"deploy/systemd/{name}.service").replace(f"/usr/bin/{name} ", f"{shutil.which('true')} ")
                place = Path(folder) / f"{name}.service"
                place.write_text(unit.replace("User=fanfare", "User=root").replace("Group=fanfare", "Group=root"))
                said = run("systemd-analyze", "verify", "--man=no", place)
                self.assertNotRegex(said.stdout + said.stderr, rf"{name}\.service:\d+:|Unknown|Failed to parse")
                said = run("systemd-analyze", "security", "--offline=true", "--threshold=25", place)
                self.assertEqual(said.returncode, 0, said.stdout[-400:] + said.stderr)

    def test_limits_and_times_fit_the_configuration(self):
        unit, config = UNIT.read_text(encoding="utf-8"), text("deploy/deb/fanfare.toml")
        drain = int(re.search(r"drain_seconds = (\d+)", config)[1])
        self.assertGreaterEqual(int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]), drain + 5)
        # 20,000 tabs, 4,096 other connections and the node's own files.
        self.assertGreaterEqual(int(re.search(r"LimitNOFILE=(\d+)", unit)[1]), 24_288)
        self.assertIn(f'data = "/var/lib/{re.search(r"StateDirectory=(.+)", unit)[1]}"', config)


class Release(unittest.TestCase):
    """scripts/release.sh and what it writes."""

    def files(self, folder):
        """What a release of stand-ins consists of."""
        output = Path(folder) / "output"
        programs = Path(folder) / "programs"
        programs.mkdir(exist_ok=True)
        made("release.sh", "--programs", stand_ins(programs), "--output", output)
        return {path.name: path.read_bytes() for path in output.iterdir()}

    @needs("dpkg-deb")
    def test_it_is_the_same_twice_and_its_sums_are_right(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            first, second = self.files(one), self.files(other)
            self.assertEqual({name for name in first if first[name] != second.get(name)}, set())
            sums = dict(reversed(line.split("  ")) for line in first["SHA256SUMS"].decode().splitlines())
            self.assertEqual(set(sums), set(first) - {"SHA256SUMS"})
            for name, digest in sums.items():
                self.assertEqual(hashlib.sha256(first[name]).hexdigest(), digest, name)
            kinds = {re.sub(r"[\d.]+-linux-\w+|_[\w.]+(?=\.deb)|(?<=chart-)[\d.]+\d", "*", name) for name in first}
            self.assertLessEqual({"SHA256SUMS", "fanfare-*.tar.gz", "fanfare-*.cdx.json", "fanfare*.deb"}, kinds)

    def bill(self, folder, *options):
        """NOTICE and SBOM of a set of features."""
        notice, sbom = Path(folder) / "NOTICE", Path(folder) / "sbom.json"
        said = run(ROOT / "scripts/bill-of-materials.py", "--notice", notice, "--sbom", sbom, "--page", ROOT / "web", *options)
        self.assertEqual(said.returncode, 0, said.stderr)
        return notice.read_text(encoding="utf-8"), json.loads(sbom.read_text(encoding="utf-8"))

    def test_the_bill_names_what_is_linked_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            notice, sbom = self.bill(folder)
            names = {part["name"] for part in sbom["components"]}
            self.assertLessEqual({"tokio", "rdkafka-sys", "async-nats", "@microsoft/signalr"}, names)
            self.assertFalse({"proptest", "tempfile", "fanfare-fanout", "vite"} & names)
            for part in sbom["components"]:
                self.assertIn("licenses", part, part["name"])
                self.assertIn(f"{part['name']} {part['version']}", notice)
            self.assertIn("Permission is hereby granted", notice)
            _, small = self.bill(folder, "--", "--no-default-features", "--features", "nats")
            left = names - {part["name"] for part in small["components"]}
            self.assertLessEqual({"rdkafka", "rdkafka-sys", "openssl-sys"}, left)

    def test_the_sbom_keeps_its_schema(self):
        try:
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator
        except ImportError:
            self.skipTest("the schema of CycloneDX could not be fetched")
        with tempfile.TemporaryDirectory() as folder:
            _, sbom = self.bill(folder)
            validator = JsonStrictValidator(SchemaVersion.V1_6)
            self.assertIsNone(validator.validate_str(json.dumps(sbom)))
            sbom["components"][0]["licences"] = []
            self.assertIsNotNone(validator.validate_str(json.dumps(sbom)))
