"""The shipped nginx configurations, in a real nginx: who is asked, how often, and what is in the logs."""

import unittest
from http.client import HTTPConnection

from nodes import Node, Proxy, run_as_caller, shipped
from repository import needs, text

CANARY = "canary-of-a-token"
LONG = "x" * 12_000


class Case(unittest.TestCase):
    """Three nodes, which every test has for itself."""

    def setUp(self):
        self.nodes = [Node() for _ in range(3)]
        for node in self.nodes:
            self.addCleanup(node.server_close)

    def start(self, configuration):
        """A proxy in front of them."""
        proxy = Proxy(configuration)
        self.addCleanup(proxy.close)
        return proxy

    def pass_long_tokens(self, proxy):
        """A token with 200 groups passes, in a query as in a header."""
        self.assertEqual(proxy.web_socket(f"/hubs/notifications?access_token={LONG}"), 101)
        bearer = {"Authorization": f"Bearer {LONG}"}
        self.assertEqual(proxy.request("POST", "/hubs/notifications/negotiate", headers=bearer), 200)

    def counts(self):
        """How many requests reached each node since the last question."""
        counts = [len(node.requests) for node in self.nodes]
        for node in self.nodes:
            node.requests.clear()
        return counts


@needs("nginx")
class Compose(Case):
    """deploy/nginx/nginx.conf."""

    def setUp(self):
        super().setUp()
        self.proxy = self.start(shipped(text("deploy/nginx/nginx.conf"), self.nodes))

    def test_a_broken_configuration_does_not_start(self):
        with self.assertRaises(AssertionError):
            self.start(
                shipped(
                    text("deploy/nginx/nginx.conf").replace("proxy_buffering off;", "proxy_buffring off;"), self.nodes
                )
            )

    def test_web_sockets_go_round_whatever_their_id(self):
        for _ in range(6):
            self.assertEqual(self.proxy.web_socket("/hubs/notifications?id=same"), 101)
        self.assertEqual(self.counts(), [2, 2, 2])

    def test_negotiations_and_publishing_go_round(self):
        for _ in range(6):
            self.assertEqual(self.proxy.request("POST", "/hubs/notifications/negotiate?negotiateVersion=1"), 200)
        self.assertEqual(self.counts(), [2, 2, 2])
        for _ in range(6):
            self.assertEqual(self.proxy.request("POST", "/events", b"{}"), 200)
        self.assertEqual(self.counts(), [2, 2, 2])

    def test_tokens_of_11_kb_pass(self):
        self.pass_long_tokens(self.proxy)

    def test_requests_of_one_id_go_round_and_each_is_told_once(self):
        for number in range(4):
            path = f"/hubs/notifications?id=id-{number}"
            for method in ("GET", "POST", "DELETE"):
                self.assertEqual(self.proxy.request(method, path, b"a message" if method == "POST" else None), 200)
            self.assertEqual(self.counts(), [1, 1, 1])

    def test_an_id_that_nobody_has_is_404(self):
        for node in self.nodes:
            node.ids = set()
        self.assertEqual(self.proxy.request("GET", "/hubs/notifications?id=gone"), 404)

    def test_a_node_that_drains_gets_nothing_new(self):
        self.nodes[0].draining = True
        for number in range(6):
            self.assertEqual(self.proxy.request("POST", "/hubs/notifications/negotiate"), 200)
            self.assertEqual(self.proxy.web_socket(f"/hubs/notifications?id=id-{number}"), 101)
            self.assertEqual(self.proxy.request("GET", f"/hubs/notifications?id=id-{number}"), 200)
        self.assertEqual(self.counts()[0], 0)

    def test_a_node_that_is_gone_is_passed_by(self):
        self.nodes[1].close()
        for number in range(6):
            self.assertEqual(self.proxy.request("POST", "/hubs/notifications/negotiate"), 200)
            self.assertEqual(self.proxy.web_socket(f"/hubs/notifications?id=id-{number}"), 101)
            self.assertEqual(self.proxy.request("GET", f"/hubs/notifications?id=id-{number}"), 200)

    def test_a_request_whose_answer_was_lost_is_not_asked_elsewhere(self):
        # A poll's answer may have contained notifications, and a node that does not know the id treats it as a new one.
        for node in self.nodes:
            node.loses_answers = True
        # Only two: after the third failure within seconds a node is not tried at all.
        for method, number in (("GET", 1), ("POST", 2)):
            self.assertEqual(self.proxy.request(method, f"/hubs/notifications?id=id-{number}"), 502)
            self.assertEqual(sum(self.counts()), 1)

    def test_an_event_stream_is_passed_on_before_it_ends(self):
        connection = HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
        connection.request("GET", "/hubs/notifications?id=stream", headers={"Accept": "text/event-stream"})
        response = connection.getresponse()
        self.assertEqual(response.read(6), b":one\r\n")
        for node in self.nodes:
            node.go_on.set()
        self.assertEqual(response.read(), b"")
        connection.close()

    def leak(self, configuration):
        """What is logged when tabs with a token in their query meet nodes that answer, refuse, are gone."""
        proxy = self.start(shipped(configuration, self.nodes))
        self.nodes[0].draining = True
        self.nodes[1].close()
        query = f"?id=x&access_token={CANARY}"
        proxy.web_socket(f"/hubs/notifications{query}")
        proxy.request("GET", f"/hubs/notifications{query}", headers={"Referer": f"http://page/{query}"})
        self.nodes[2].draining = True
        self.assertIn(proxy.request("POST", f"/hubs/notifications/negotiate{query}"), (502, 503))
        self.assertEqual(proxy.request("POST", f"/hubs/notifications{query}", b"x" * 3_000_000), 413)
        return proxy.logged()

    def test_the_path_is_logged_and_the_query_is_not(self):
        logged = self.leak(text("deploy/nginx/nginx.conf"))
        self.assertIn("GET /hubs/notifications 101", logged)
        self.assertIn("POST /hubs/notifications/negotiate 50", logged)
        self.assertNotIn(CANARY, logged)

    def test_a_usual_log_format_would_be_a_leak(self):
        self.assertIn(CANARY, self.leak(text("deploy/nginx/nginx.conf").replace("$request_method $uri", "$request")))

    def test_a_usual_error_log_would_be_a_leak(self):
        self.assertIn(
            CANARY, self.leak(text("deploy/nginx/nginx.conf").replace("/dev/stderr emerg", "/dev/stderr error"))
        )


@needs("nginx")
class IngressNginx(Case):
    """The log format and the room for long tokens that the ingress controller is given."""

    def setUp(self):
        import yaml

        super().setUp()
        data = yaml.safe_load(text("k8s/components/ingress-nginx/controller/config.yaml"))["data"]
        # Without variables that only the controller has.
        log_format = data["log-format-upstream"].replace("[$proxy_upstream_name] $req_id", "$request_id")
        servers = "".join(f"server 127.0.0.1:{node.server_port}; " for node in self.nodes)
        configuration = f"""
            pid $folder/pid;
            error_log $folder/error.log {data["error-log-level"]};
            events {{ worker_connections 512; }}
            http {{
                client_body_temp_path $folder/body;
                proxy_temp_path $folder/proxy;
                fastcgi_temp_path $folder/fastcgi;
                uwsgi_temp_path $folder/uwsgi;
                scgi_temp_path $folder/scgi;
                log_format upstream '{log_format}';
                large_client_header_buffers {data["large-client-header-buffers"]};
                access_log $folder/access.log upstream;
                upstream nodes {{ {servers} }}
                server {{
                    listen 127.0.0.1:$port;
                    location / {{
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection upgrade;
                        proxy_pass http://nodes;
                    }}
                }}
            }}"""
        escaped = configuration.replace("{", "{{").replace("}", "}}")
        self.proxy = self.start(run_as_caller(escaped.replace("$folder", "{folder}").replace("$port", "{port}")))

    def test_tokens_of_11_kb_pass(self):
        self.pass_long_tokens(self.proxy)

    def test_the_path_is_logged_and_the_query_is_not(self):
        for _ in range(6):
            self.assertEqual(self.proxy.web_socket(f"/hubs/notifications?id=same&access_token={CANARY}"), 101)
        logged = self.proxy.logged()
        self.assertIn("GET /hubs/notifications 101", logged)
        self.assertNotIn(CANARY, logged)
