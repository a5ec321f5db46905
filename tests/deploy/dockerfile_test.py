"""The Dockerfile: linted, without root, and with everything that it copies."""

import fnmatch
import os
import re
import shutil
import tempfile
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from repository import ROOT, built, exposed, known_variables, needs, run, stages, text, tool

SERVICES = ("fanout", "fanout-nats", "auth", "license", "export")
# Libraries of Debian's slim image, and of the packages that the Dockerfile installs there.
SLIM = {
    "linux-vdso",
    "ld-linux-x86-64",
    "ld-linux-aarch64",
    "libc",
    "libm",
    "libdl",
    "librt",
    "libpthread",
    "libgcc_s",
    "libz",
    "libzstd",
}
INSTALLED = {"libssl3": {"libssl", "libcrypto"}}


def lint(content):
    """What hadolint says of a Dockerfile."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Dockerfile"
        path.write_text(content, encoding="utf-8")
        return run(tool("hadolint"), "--failure-threshold", "style", path)


def faults(found):
    """What is wrong with the stages, by our own rules."""
    wrong = []
    for name, (base, lines) in found.items():
        if base not in found and not re.search(r":[^:]*\d+\.\d+", base):
            wrong.append(f"{name}: {base} is not pinned to a version")
        if name not in SERVICES:
            continue
        chain = [lines]
        while base in found:
            base, more = found[base]
            chain.append(more)
        users = [line.split()[1] for part in reversed(chain) for line in part if line.startswith("USER ")]
        if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
            wrong.append(f"{name}: runs as {users[-1:] or 'root'}, not as a number above 0")
    return wrong


def ignored():
    """What .dockerignore sends to the build, and what it holds back of that."""
    lines = [line for line in text(".dockerignore").splitlines() if line and not line.startswith("#")]
    return [line[1:] for line in lines if line.startswith("!")], [
        line for line in lines if line[0] not in "!*" or line.startswith("**")
    ]


def matches(path, rule):
    """Whether a rule of .dockerignore holds a path back."""
    return path == rule or (rule.startswith("**/") and fnmatch.fnmatch(f"/{path}", f"*{rule[2:]}"))


def copied(stage):
    """What a stage copies of the repository."""
    for line in stages()[stage][1]:
        sources = re.match(r"COPY (?!--from)(?:--\S+ )*(.*) \S+$", line)
        yield from (source.rstrip("/") for source in (sources[1].split() if sources else []))


class Dockerfile(unittest.TestCase):
    """One image for each service."""

    @needs("hadolint")
    def test_the_linter_finds_nothing(self):
        said = lint(text("Dockerfile"))
        self.assertEqual((said.returncode, said.stdout), (0, ""))

    @needs("hadolint")
    def test_the_linter_would_find_something(self):
        for good, bad in (
            (r"debian:12[^ ]*", "debian:latest"),
            ("ENTRYPOINT", "ENTRYPOIN"),
            (r"COPY --from=build", "COPY --from=built"),
        ):
            said = lint(re.sub(good, bad, text("Dockerfile")))
            self.assertNotEqual(said.returncode, 0, bad)

    def test_images_are_pinned_and_run_without_root(self):
        self.assertEqual(faults(stages()), [])

    def test_an_unpinned_image_and_a_root_are_faults(self):
        found = stages()
        for stage in ("slim", "runtime"):
            found[stage] = (found[stage][0], [line for line in found[stage][1] if not line.startswith("USER")])
        found["slim"] = ("debian:stable", found["slim"][1])
        self.assertEqual(len(faults(found)), 1 + len(SERVICES))

    def test_there_is_a_stage_for_each_service_and_the_node_is_the_last(self):
        found = stages()
        self.assertLessEqual(set(SERVICES), set(found))
        self.assertEqual(list(found)[-1], "fanout")
        self.assertEqual([exposed(name) for name in SERVICES], [{8080, 9090}, {8080, 9090}, {8081}, {8082}, {8083}])

    def test_what_it_copies_and_builds_is_in_the_repository_and_sent_to_the_build(self):
        sent, _ = ignored()
        for stage in stages():
            for source in copied(stage):
                self.assertTrue((ROOT / source).exists(), f"{stage}: {source}")
                self.assertTrue(any(f"{source}/".startswith(f"{name}/") for name in sent), f"{stage}: {source}")
        packages = set(re.findall(r"-p (fanfare\S+)", text("Dockerfile")))
        known = {re.search(r'^name = "(.+)"', path.read_text(), re.M)[1] for path in ROOT.glob("services/*/Cargo.toml")}
        self.assertTrue(packages)
        self.assertLessEqual(packages, known)

    def test_cargo_finds_its_workspace_in_what_is_copied(self):
        _, held_back = ignored()

        def leave_out(folder, names):
            paths = {name: str((Path(folder) / name).relative_to(ROOT)) for name in names}
            return {name for name, path in paths.items() if any(matches(path, rule) for rule in held_back)}

        with tempfile.TemporaryDirectory() as folder:
            for source in copied("sources"):
                (Path(folder) / source).parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, Path(folder) / source, **({"ignore": leave_out} if copy is shutil.copytree else {}))
            command = ("cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--no-deps")
            said = run(*command, cwd=folder)
            self.assertEqual(said.returncode, 0, said.stderr)
            shutil.rmtree(Path(folder) / "tests")
            self.assertNotEqual(run(*command, cwd=folder).returncode, 0)

    def test_the_image_has_the_libraries_of_the_programs(self):
        here = SLIM.union(*(names for package, names in INSTALLED.items() if f" {package} " in text("Dockerfile")))
        for name in ("fanfare", "fanfare-auth", "fanfare-license", "fanfare-export"):
            linked = set(re.findall(r"^\s*(?:/\S*/)?([\w.+-]+?)\.so", run("ldd", built(name)).stdout, re.M))
            self.assertIn("libc", linked)
            self.assertLessEqual(linked, here, name)

    def test_each_image_says_what_it_is_and_is_asked_whether_it_is_well(self):
        for name in SERVICES:
            base, lines = stages()[name]
            chain = list(lines)
            while base in stages():
                base, more = stages()[base]
                chain += more
            labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", "\n".join(chain)))
            self.assertLessEqual({"title", "description", "licenses", "version", "revision", "vendor"}, labels, name)
            (check,) = [line for line in lines if line.startswith("HEALTHCHECK ")]
            self.assertIn(f'CMD ["healthy", "{max(exposed(name))}"]', check)
            self.assertTrue(any("/out/NOTICE /out/sbom.cdx.json" in line for line in chain), name)

    def test_caches_are_those_of_one_platform_and_one_set_of_features(self):
        ids = {name: re.findall(r"id=(target\S*?),", "\n".join(lines)) for name, (_, lines) in stages().items()}
        self.assertEqual(ids["build"], ["target-$TARGETPLATFORM"])
        self.assertEqual(ids["build-nats"], ["target-nats-$TARGETPLATFORM"])
        for name in ("build", "build-nats"):
            self.assertIn("ARG TARGETPLATFORM", stages()[name][1])
        self.assertIn("--platform=$BUILDPLATFORM node:", text("Dockerfile"))

    def test_the_image_without_kafka_is_without_openssl(self):
        chain, base = [], "fanout-nats"
        while base in stages():
            base, lines = stages()[base]
            chain += lines
        self.assertNotIn("libssl3", "\n".join(chain))
        self.assertNotIn("--from=build ", "\n".join(chain))
        self.assertIn("--no-default-features --features nats", "\n".join(stages()["build-nats"][1]))

    def test_its_variables_are_read_by_the_services(self):
        given = set(re.findall(r"\b(FANFARE_[A-Z_]+)=", text("Dockerfile")))
        self.assertTrue(given)
        self.assertLessEqual(given, known_variables())

    def test_no_state_and_no_history_is_sent_to_the_build(self):
        sent, held_back = ignored()
        self.assertIn("\n*\n", text(".dockerignore"))
        self.assertFalse({".fanfare", ".git", "target"} & set(sent))
        self.assertLessEqual({"**/node_modules", "**/target"}, set(held_back))


class HealthCheck(unittest.TestCase):
    """The image's own script."""

    def test_it_tells_200_from_503_and_from_nobody(self):
        answers = []

        class Handler(BaseHTTPRequestHandler):
            """Answers what the test says."""

            def do_GET(self):
                self.send_response(answers[0] if self.path == "/healthz" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        healthy = ROOT / "deploy" / "image" / "healthy"
        for status, expected in ((200, 0), (503, 1)):
            answers[:] = [status]
            self.assertEqual(run("bash", healthy, server.server_port).returncode, expected, status)
        # On a TLS port, plain HTTP is answered with 400, and the program uses its configuration.
        answers[:] = [400]
        with tempfile.TemporaryDirectory() as place:
            program = Path(place, "fanfare")
            for code in (0, 3):
                asked = 'test "$*" = "health --config /etc/fanfare/fanfare.toml"'
                program.write_text(f"#!/bin/bash\n{asked} && exit {code} || exit 9\n", encoding="utf-8")
                program.chmod(0o755)
                path = f"PATH={place}:{os.environ['PATH']}"
                self.assertEqual(run("env", path, "bash", healthy, server.server_port).returncode, code)
        server.shutdown()
        server.server_close()
        self.assertNotEqual(run("bash", healthy, server.server_port).returncode, 0)
