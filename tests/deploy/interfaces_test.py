"""What `fanfare docs` writes: an OpenAPI and an AsyncAPI document that others' tools can read."""

import json
import tempfile
import unittest
from pathlib import Path

from repository import ROOT, TOOLS, built, run

try:
    import jsonschema
    from openapi_spec_validator import validate as validate_openapi
except ImportError:
    validate_openapi = None

ASYNCAPI = TOOLS / "asyncapi" / "package" / "schemas" / "3.0.0.json"


# A field of each possible kind, with a record that contains itself.
EVERY_KIND = [
    {"name": "org", "type": "string"},
    {"name": "sum", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "size", "type": {"type": "fixed", "name": "Size", "size": 8, "logicalType": "decimal", "precision": 9}},
    {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}},
    {"name": "lasts", "type": {"type": "fixed", "name": "Lasts", "size": 12, "logicalType": "duration"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "there", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
    {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
    {"name": "noon", "type": {"type": "int", "logicalType": "time-millis"}},
    {"name": "raw", "type": "bytes"},
    {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
    {"name": "any", "type": "string", "fanfare.json": True, "default": "{\"rows\": [1]}"},
    {"name": "one", "type": ["null", "string", "long", {"type": "array", "items": "int"}], "default": None},
    {"name": "by_name", "type": {"type": "map", "values": ["null", "double"]}},
    {"name": "none", "type": {"type": "record", "name": "Nothing", "fields": []}},
    {"name": "tree", "type": ["null", {"type": "record", "name": "Node", "fields": [
        {"name": "value", "type": "float"},
        {"name": "next", "type": ["null", "Node"], "default": None},
        {"name": "leaves", "type": {"type": "array", "items": "Node"}}]}], "default": None},
]
CONFIGURATION = """[node]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:9090"
data = "data"
[broker]
url = "embedded:log"
[schemas]
path = "schemas"
[routes]
path = "routes.toml"
[development]
signing_key = "key.pem"
[hub."/hubs/a"]
"""
ROUTES = """hub = "/hubs/a"
[[route]]
name = "kept"
event = "shop.Kept"
groups = ["org:{org}"]
send = true
"""


def documents(broker=None):
    """Both documents of the demo's configuration, on the embedded log or on another broker."""
    return written(ROOT / "demo" / ("fanfare.toml" if broker is None else f"fanfare.{broker}.toml"))


def documents_of_every_kind():
    """Both documents of an event with a field of each kind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schemas" / "shop").mkdir(parents=True)
        schema = {"type": "record", "name": "Kept", "namespace": "shop", "fields": EVERY_KIND}
        (folder / "schemas" / "shop" / "Kept.v1.avsc").write_text(json.dumps(schema), encoding="utf-8")
        (folder / "routes.toml").write_text(ROUTES, encoding="utf-8")
        (folder / "fanfare.toml").write_text(CONFIGURATION, encoding="utf-8")
        return written(folder / "fanfare.toml")


def written(configuration):
    """What `fanfare docs` makes of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(built("fanfare"), "docs", "--config", configuration, "--output", folder)
        assert outcome.returncode == 0, outcome.stderr
        names = ("openapi.json", "asyncapi.json")
        return [json.loads((Path(folder) / name).read_text(encoding="utf-8")) for name in names]


def resolved(document, reference):
    """What a reference within a document leads to."""
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def references(value):
    """Every reference in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


class Interfaces(unittest.TestCase):
    """Whether the documents are valid, whole and true."""

    @unittest.skipUnless(validate_openapi, "openapi-spec-validator could not be fetched")
    def test_openapi_is_valid(self):
        validate_openapi(documents()[0])

    @unittest.skipUnless(validate_openapi and ASYNCAPI.is_file(), "the schema of AsyncAPI could not be fetched")
    def test_asyncapi_is_valid_on_every_broker(self):
        schema = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
        validator = jsonschema.Draft7Validator(schema)
        for broker in (None, "nats", "kafka"):
            document = documents(broker)[1]
            errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(document)]
            self.assertEqual(errors, [], broker)

    def test_every_reference_leads_somewhere(self):
        for document in documents() + documents("nats") + documents("kafka"):
            for reference in references(document):
                resolved(document, reference)

    @unittest.skipUnless(validate_openapi and ASYNCAPI.is_file(), "the validators could not be fetched")
    def test_every_kind_of_field_is_described(self):
        openapi, asyncapi = documents_of_every_kind()
        validate_openapi(openapi)
        schema = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
        errors = [error.message[:300] for error in jsonschema.Draft7Validator(schema).iter_errors(asyncapi)]
        self.assertEqual(errors, [])
        schemas = openapi["components"]["schemas"]
        example = openapi["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]["shop.Kept"]
        jsonschema.validate(example["value"], schemas["shop.Kept"])
        self.assertIn("microseconds since 1970", json.dumps(schemas["shop.Kept"]["properties"]["at"]))
        self.assertEqual(set(example["value"]), {field["name"] for field in EVERY_KIND})
        kept = asyncapi["components"]["messages"]["hub-hubs-a.kept"]
        self.assertEqual(kept["examples"][0]["payload"]["arguments"][0]["sum"], "1.00")

    @unittest.skipUnless(validate_openapi, "openapi-spec-validator could not be fetched")
    def test_examples_fit_their_schemas(self):
        openapi, asyncapi = documents()
        content = openapi["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]
        self.assertGreater(len(content["examples"]), 5)
        for name, example in content["examples"].items():
            jsonschema.validate(example["value"], openapi["components"]["schemas"][name])
        for name, message in asyncapi["components"]["messages"].items():
            for example in message["examples"]:
                jsonschema.validate(example["payload"], message["payload"], cls=jsonschema.Draft7Validator)

    def test_events_routes_and_addresses_are_in_it(self):
        openapi, asyncapi = documents("nats")
        self.assertIn("license.FlagToggled", openapi["components"]["schemas"])
        channels = asyncapi["channels"]
        self.assertEqual(channels["events.license.FlagToggled"]["address"], "state.{org}.license.FlagToggled.{key}")
        self.assertEqual(channels["events.export.ExportCompleted"]["address"], "events.{org}.export.ExportCompleted")
        hub = channels["hub-hubs-notifications"]
        targets = {resolved(asyncapi, message["$ref"])["name"] for message in hub["messages"].values()}
        self.assertLessEqual({"toast", "featureFlag", "logout", "exportProgress"}, targets)
        message = next(m for m in asyncapi["components"]["messages"].values() if m["name"] == "featureFlag")
        argument = message["examples"][0]["payload"]["arguments"][0]
        self.assertLessEqual({"id", "cursor", "flag", "enabled", "at"}, set(argument))
        self.assertEqual(documents("kafka")[1]["channels"]["events.license.FlagToggled"]["address"], "state.license")
