"""Three stand-ins for nodes, and nginx in front of them."""

import socket
import subprocess
import tempfile
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from repository import tool


class Node(ThreadingHTTPServer):
    """Notes what reaches it. It has the connections of `ids`, or of every id if that is None."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ids = None
        self.draining = False
        self.loses_answers = False
        self.requests = []
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Ends it; its port refuses from then on."""
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Answers as a node does, with just enough to see who answered."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """One request."""
        node, query = self.server, parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = node.ids is None or "id" not in query or query["id"][0] in node.ids
        web_socket = self.headers.get("Upgrade") == "websocket"
        if node.draining:
            return self.finish_with(503)
        if not known and not web_socket:
            return self.finish_with(404)
        node.requests.append((self.command, self.path, body))
        if node.loses_answers:
            self.close_connection = True
            return None
        if web_socket:
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.close_connection = True
        elif self.headers.get("Accept") == "text/event-stream":
            self.stream()
        else:
            self.finish_with(200)

    do_GET = do_POST = do_DELETE = answer

    def stream(self):
        """An event, and the end only when the test says so."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\n:one\r\n\r\n")
        self.wfile.flush()
        self.server.go_on.wait(10)
        self.wfile.write(b"0\r\n\r\n")

    def finish_with(self, status):
        """A status and no body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Silence."""


class Proxy:
    """nginx with a configuration, in a folder of its own."""

    def __init__(self, configuration):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        path = Path(self.folder.name) / "nginx.conf"
        path.write_text(configuration.format(port=self.port, folder=self.folder.name), encoding="utf-8")
        self.log = Path(self.folder.name) / "log"
        with self.log.open("w") as log:
            command = [tool("nginx"), "-p", self.folder.name, "-c", str(path), "-e", "stderr", "-g", "daemon off;"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text()
                self.close()
                raise AssertionError(f"nginx does not start: {said}")
            time.sleep(0.02)

    def request(self, method, path, body=None, headers=None):
        """Sends a request and returns the status; the answer's body is read to its end."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        status = response.status
        if status != 101:
            response.read()
        connection.close()
        return status

    def web_socket(self, path):
        """Asks for a WebSocket."""
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        return self.request("GET", path, headers=headers)

    def logged(self):
        """All that it has written once it has ended."""
        self.process.terminate()
        self.process.wait(10)
        return self.log.read_text() + "".join(path.read_text() for path in Path(self.folder.name).glob("*.log"))

    def close(self):
        """Ends it and removes its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.folder.cleanup()


def shipped(configuration, nodes):
    """The shipped configuration for these nodes, with its port, its folder and its logs to be filled in."""
    rendered = configuration.replace("{", "{{").replace("}", "}}")
    for number, node in enumerate(nodes, 1):
        rendered = rendered.replace(f"server fanout-{number}:8080", f"server 127.0.0.1:{node.server_port}")
    for ours, theirs in (
        ("listen 8080;", "listen 127.0.0.1:{port};"),
        (" /tmp/", " {folder}/"),
        ("/dev/stdout", "{folder}/access.log"),
        ("/dev/stderr", "{folder}/error.log"),
        ("worker_rlimit_nofile 65536;", ""),
        ("worker_connections 32768;", "worker_connections 512;"),
    ):
        assert ours in rendered, f"the shipped file has no {ours!r} any more"
        rendered = rendered.replace(ours, theirs)
    # Root starts nginx as root, and its workers must be able to write to the test's folder.
    return run_as_caller(rendered)


def run_as_caller(configuration):
    """Keeps workers the user that runs the tests."""
    import getpass
    import os

    return f"user {getpass.getuser()};\n{configuration}" if os.geteuid() == 0 else configuration


def free_port():
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    """Whether somebody answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
