import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, overrides } from "./addresses.ts";

const page = new URL("http://127.0.0.1:8080/");

test("the demo's ports on the page's host are the default", () => {
  assert.deepEqual(addresses(page, new URLSearchParams()), {
    auth: "http://127.0.0.1:8081",
    license: "http://127.0.0.1:8082",
    export: "http://127.0.0.1:8083",
  });
  assert.equal(addresses(new URL("http://localhost:8080"), new URLSearchParams()).auth, "http://localhost:8081");
});

test("the query may name other ports", () => {
  const query = new URLSearchParams("auth=http://127.0.0.1:7001&license=http://127.0.0.1:7002/");
  const found = addresses(page, query);
  assert.equal(found.auth, "http://127.0.0.1:7001");
  assert.equal(found.license, "http://127.0.0.1:7002");
  assert.equal(found.export, "http://127.0.0.1:8083");
});

test("another host cannot be chosen by a link", () => {
  for (const raw of [
    "http://evil.example",
    "http://127.0.0.1@evil.example",
    "http://127.0.0.1.evil.example",
    "https://127.0.0.1:7001",
    "javascript:alert(1)",
    "7001",
    "",
  ]) {
    const query = new URLSearchParams({ auth: raw });
    assert.equal(addresses(page, query).auth, "http://127.0.0.1:8081", raw);
  }
});

test("only the overrides travel on to another tab", () => {
  const query = new URLSearchParams("auth=http://127.0.0.1:7001&other=1");
  assert.equal(overrides(query), "?auth=http%3A%2F%2F127.0.0.1%3A7001");
  assert.equal(overrides(new URLSearchParams("other=1")), "");
});
