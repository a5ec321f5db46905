"""The Dockerfile: linted, without root, and with everything that it copies."""

import re
import tempfile
import unittest
from pathlib import Path

from repository import ROOT, exposed, known_variables, needs, run, stages, text, tool

SERVICES = ("fanout", "auth", "license", "export")


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
        users = [line.split()[1] for part in chain for line in part if line.startswith("USER ")]
        if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0]):
            wrong.append(f"{name}: runs as {users[:1] or 'root'}, not as a number above 0")
    return wrong


class Dockerfile(unittest.TestCase):
    """One image for each service."""

    @needs("hadolint")
    def test_the_linter_finds_nothing(self):
        said = lint(text("Dockerfile"))
        self.assertEqual((said.returncode, said.stdout), (0, ""))

    @needs("hadolint")
    def test_the_linter_would_find_something(self):
        for good, bad in ((r"debian:12[^ ]*", "debian:latest"), ("ENTRYPOINT", "ENTRYPOIN"), (r"COPY --from=build", "COPY --from=built")):
            said = lint(re.sub(good, bad, text("Dockerfile")))
            self.assertNotEqual(said.returncode, 0, bad)

    def test_images_are_pinned_and_run_without_root(self):
        self.assertEqual(faults(stages()), [])

    def test_an_unpinned_image_and_a_root_are_faults(self):
        found = stages()
        found["runtime"] = ("debian:stable", [line for line in found["runtime"][1] if not line.startswith("USER")])
        self.assertEqual(len(faults(found)), 1 + len(SERVICES))

    def test_there_is_a_stage_for_each_service_and_the_node_is_the_last(self):
        found = stages()
        self.assertLessEqual(set(SERVICES), set(found))
        self.assertEqual(list(found)[-1], "fanout")
        self.assertEqual([exposed(name) for name in SERVICES], [{8080, 9090}, {8081}, {8082}, {8083}])

    def test_what_it_copies_and_builds_is_in_the_repository(self):
        for name, (_, lines) in stages().items():
            for line in lines:
                sources = re.match(r"COPY (?!--from)(?:--\S+ )*(.*) \S+$", line)
                for source in sources[1].split() if sources else []:
                    self.assertTrue((ROOT / source).exists(), f"{name}: {source}")
        packages = set(re.findall(r"-p (fanfare\S+)", text("Dockerfile")))
        known = {re.search(r'^name = "(.+)"', path.read_text(), re.M)[1] for path in ROOT.glob("services/*/Cargo.toml")}
        self.assertTrue(packages)
        self.assertLessEqual(packages, known)

    def test_its_variables_are_read_by_the_services(self):
        given = set(re.findall(r"\b(FANFARE_[A-Z_]+)=", text("Dockerfile")))
        self.assertTrue(given)
        self.assertLessEqual(given, known_variables())

    def test_what_is_sent_to_the_build_holds_what_it_copies_and_no_state(self):
        lines = [line for line in text(".dockerignore").splitlines() if line and not line.startswith("#")]
        self.assertEqual(lines[0], "*")
        sent = {line[1:] for line in lines if line.startswith("!")}
        for _, parts in stages().values():
            for line in parts:
                sources = re.match(r"COPY (?!--from)(?:--\S+ )*(.*) \S+$", line)
                for source in sources[1].split() if sources else []:
                    self.assertTrue(any(f"{source}/".startswith(f"{name}/") for name in sent), source)


class HealthCheck(unittest.TestCase):
    """The image's own script."""

    def test_it_tells_200_from_503_and_from_nobody(self):
        from http.server import BaseHTTPRequestHandler, HTTPServer
        from threading import Thread

        answers = []

        class Handler(BaseHTTPRequestHandler):
            """Answers what the test says."""

            def do_GET(self):
                self.send_response(answers[0] if self.path == "/readyz" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        ready = ROOT / "deploy" / "image" / "ready"
        for status, expected in ((200, 0), (503, 1)):
            answers[:] = [status]
            self.assertEqual(run("bash", ready, server.server_port).returncode, expected, status)
        server.shutdown()
        server.server_close()
        self.assertNotEqual(run("bash", ready, server.server_port).returncode, 0)
