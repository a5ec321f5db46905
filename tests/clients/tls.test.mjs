// The official client in Node.js over https and wss, with an authority that only NODE_EXTRA_CA_CERTS names.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const CLIENT = join(import.meta.dirname, "tls-client.mjs");
const folder = mkdtempSync(join(tmpdir(), "fanfare-tls-"));
const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));

before(() => {
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const named = ["-subj", "/CN=fanfare", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", [...made, ...named, "-keyout", key, "-out", cert], { stdio: "ignore" });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a client of its own, since Node.js reads its authorities when it starts. */
async function client(env) {
  const run = promisify(execFile)(process.execPath, [CLIENT, cert, key], {
    env: { ...process.env, ...env },
    timeout: 90_000,
  });
  return run.then(
    ({ stdout }) => stdout,
    (error) => `${error.stdout}${error.stderr}`,
  );
}

test("the official client hears over https and wss on every transport", { timeout: 120_000 }, async () => {
  const said = await client({ NODE_EXTRA_CA_CERTS: cert });
  assert.deepEqual(said.trim().split("\n"), ["heard WebSockets", "heard ServerSentEvents", "heard LongPolling"], said);
});

test("a client that does not trust the certificate does not connect", { timeout: 120_000 }, async () => {
  const said = await client({ NODE_EXTRA_CA_CERTS: "" });
  assert.match(said, /self-signed certificate|DEPTH_ZERO_SELF_SIGNED_CERT|fetch failed/);
  assert.doesNotMatch(said, /heard/);
});
