"""docker-compose.yml: sound, closed, and in agreement with the Dockerfile and the configurations that it mounts."""

import re
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from nodes import free_port
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
    stages,
    text,
    tool,
)

FILE = "docker-compose.yml"
PROFILES = ("nats", "kafka")
# The ports of other images.
FOREIGN = {"nats": {4222, 8222}, "kafka": {9092}, "jaeger": {4317, 16686}, "prometheus": {9090}, "grafana": {3000}}


def parse(content):
    """The file as Compose understands it, with its variables at their defaults. Refuses what is no compose file."""
    import yaml
    from compose_spec import PyCompose

    # Its own parser rejects a merge within a merge.
    merged = yaml.safe_load(re.sub(r"\$\{\w+:-(.*?)\}", r"\1", content))
    parsed = PyCompose.from_yaml(yaml.safe_dump(merged))
    parsed.validate()
    return parsed.to_dict()


def enabled(compose, profile):
    """The services of a profile."""
    return {name: service for name, service in compose["services"].items() if profile in service["profiles"]}


def names(name, service):
    """Under which names others find a service."""
    networks = service.get("networks") or {}
    aliases = networks["platform"].get("aliases", []) if isinstance(networks, dict) and networks.get("platform") else []
    return {name, *aliases}


def ports(name, service):
    """What a service listens on."""
    if "build" in service:
        return exposed(service["build"]["target"])
    if name == "proxy":
        return {int(port) for port in re.findall(r"listen (\d+);", text("deploy/nginx/nginx.conf"))}
    if name == "collector":
        return {int(port) for port in re.findall(r"endpoint: 0\.0\.0\.0:(\d+)", text("deploy/collector/config.yaml"))}
    return FOREIGN[name]


def mounts(service):
    """Source and target of each mount."""
    for volume in service.get("volumes", []):
        source, target, *_ = volume.split(":")
        yield source, target


def addresses(service):
    """Each host and port that a service is told of, in its environment or in a file that is mounted."""
    told = [str(value) for value in (service.get("environment") or {}).values()]
    for source, _ in mounts(service):
        path = ROOT / source
        if source.startswith("./"):
            told += [file.read_text(encoding="utf-8") for file in ([path] if path.is_file() else path.rglob("*.yml"))]
    for host, port in re.findall(r"(?<![\w.$-])([a-z][a-z0-9-]*):(\d{4,5})\b(?!:)", "\n".join(told)):
        yield host, int(port)


class Compose(unittest.TestCase):
    """The whole platform on one machine."""

    @classmethod
    def setUpClass(cls):
        cls.compose = parse(text(FILE))

    def test_a_file_that_is_none_is_refused(self):
        for good, bad in (
            ("profiles:", "profile:"),
            ("condition: service_started", "condition: started"),
            ("interval: 5s", "interval: often"),
        ):
            self.assertIn(good, text(FILE))
            with self.assertRaises(ValueError, msg=bad):
                parse(text(FILE).replace(good, bad))

    @needs("compose-lint")
    def test_the_security_linter_finds_nothing_grave(self):
        said = run(tool("compose-lint"), "check", ROOT / FILE)
        self.assertEqual(said.returncode, 0, said.stdout)
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder) / FILE
            bad.write_text(text(FILE).replace("cap_drop: [ALL]", "privileged: true"), encoding="utf-8")
            self.assertNotEqual(run(tool("compose-lint"), "check", bad).returncode, 0)

    def test_every_service_is_hardened_pinned_and_bounded(self):
        for name, service in self.compose["services"].items():
            with self.subTest(name):
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertIn("no-new-privileges:true", service["security_opt"])
                # Kafka writes its configuration at the start.
                self.assertEqual(service.get("read_only", False), name != "kafka")
                self.assertTrue(
                    "build" in service or re.search(r":v?\d+\.\d+\.\d+", service["image"]), service["image"]
                )
                self.assertTrue("mem_limit" in service or name == "secret")

    def test_ports_are_published_on_the_loopback_address_once(self):
        for profile in PROFILES:
            published = [
                port for service in enabled(self.compose, profile).values() for port in service.get("ports", [])
            ]
            self.assertEqual([port for port in published if not port.startswith("127.0.0.1:")], [])
            on_host = [port.split(":")[1] for port in published]
            self.assertEqual(len(set(on_host)), len(on_host))
            self.assertLessEqual({"8080", "8081", "8082", "8083"}, set(on_host))

    def test_what_is_published_is_listened_on(self):
        for name, service in self.compose["services"].items():
            for port in service.get("ports", []):
                self.assertIn(int(port.split(":")[2]), ports(name, service), name)

    def test_every_profile_has_its_broker_and_three_nodes(self):
        for profile in PROFILES:
            services = enabled(self.compose, profile)
            self.assertIn(profile, services)
            self.assertEqual([other for other in PROFILES if other != profile and other in services], [])
            aliases = [
                alias
                for name, service in services.items()
                for alias in names(name, service)
                if re.fullmatch(r"fanout-\d", alias)
            ]
            self.assertEqual(sorted(aliases), ["fanout-1", "fanout-2", "fanout-3"])

    def test_every_address_leads_to_a_service_that_listens_there(self):
        for profile in PROFILES:
            services = enabled(self.compose, profile)
            listening = {
                host: ports(name, service) for name, service in services.items() for host in names(name, service)
            }
            told = 0
            for name, service in services.items():
                for host, port in addresses(service):
                    if host == "localhost" or name in FOREIGN and name not in ("prometheus", "grafana"):
                        continue
                    told += 1
                    self.assertIn(port, listening.get(host, ()), f"{profile}: {name} is told of {host}:{port}")
            self.assertGreater(told, 20)

    def test_what_is_built_and_mounted_is_in_the_repository(self):
        for name, service in self.compose["services"].items():
            if "build" in service:
                self.assertIn(service["build"]["target"], stages(), name)
            for source, target in mounts(service):
                self.assertTrue(target.startswith("/"), name)
                if source.startswith("./"):
                    self.assertTrue((ROOT / source).exists(), f"{name}: {source}")
                else:
                    self.assertIn(source, self.compose["volumes"], name)

    def test_the_variables_of_our_services_are_read_by_them(self):
        known = known_variables()
        for name, service in self.compose["services"].items():
            if "build" in service:
                self.assertLessEqual(set(service.get("environment") or {}), known, name)

    def test_the_configuration_of_every_node_is_sound_and_its_drain_fits(self):
        checked = set()
        for name, service in self.compose["services"].items():
            files = {target: text(source) for source, target in mounts(service) if (ROOT / source).is_file()}
            configuration = files.get("/etc/fanfare/fanfare.toml")
            if configuration is None:
                continue
            grace = int(service["stop_grace_period"].removesuffix("s"))
            self.assertGreaterEqual(grace, drain_seconds(configuration) + 5, name)
            self.assertTrue(any(target == "/etc/fanfare/secrets" for _, target in mounts(service)), name)
            if configuration in checked:
                continue
            checked.add(configuration)
            with tempfile.TemporaryDirectory() as folder:
                lay_out(folder, {**files, "/etc/fanfare/secrets/node.secret": "0123456789abcdef" * 4})
                assert_sound(self, check_configuration(folder))
        self.assertEqual(len(checked), len(PROFILES))

    def test_the_secret_is_made_once_and_is_one(self):
        service = self.compose["services"]["secret"]
        with tempfile.TemporaryDirectory() as folder:
            script = service["command"][0].replace("$$", "$").replace("/etc/fanfare/secrets", folder)
            secrets = []
            for _ in range(2):
                said = run(*service["entrypoint"], script)
                self.assertEqual(said.returncode, 0, said.stderr)
                secrets.append((Path(folder) / "node.secret").read_text())
            self.assertRegex(secrets[0], r"^[0-9a-f]{64}$")
            self.assertEqual(secrets[0], secrets[1])
            self.assertEqual((Path(folder) / "node.secret").stat().st_mode & 0o777, 0o600)

    @needs("nats-server")
    def test_nats_takes_its_options_and_answers_its_health_check(self):
        service = self.compose["services"]["nats"]
        port = free_port()
        url = service["healthcheck"]["test"][-1].replace(":8222", f":{port}")
        with tempfile.TemporaryDirectory() as folder:
            options = [
                str(port) if part == "8222" else folder if part == "/data" else part for part in service["command"]
            ]
            command = [tool("nats-server"), *options, "--addr", "127.0.0.1", "--port", str(free_port())]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.assertEqual(answer(url, process), 200)
            finally:
                process.kill()
                process.wait()


def answer(url, process):
    """The status that a process answers with once it listens."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status
        except OSError:
            time.sleep(0.05)
    return None
