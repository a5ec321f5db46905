// One fan-out node, with tokens and events signed here: the part of the platform that client tests need.

import { execFile } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BINARIES, OUTPUT, freePorts } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

const ROUTES = resolve(import.meta.dirname, "../../demo/routes.toml");
const HUB = "/hubs/notifications";
const ISSUER = "fanfare-development";
/** The secret of all nodes. */
export const SECRET = "the same on every node of these tests, and long";

/** A key that users' and producers' tokens are signed with. */
export function developmentKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

export class FanfareNode {
  #name;
  #folder = mkdtempSync(join(tmpdir(), "fanfare-node-"));
  #process;
  #key;
  #kid;
  #host;
  #scheme = "http";

  /**
   * Starts a node; `name` names its log file, pages of `origins` may use its hub, which has the further lines of `hub`.
   * `routes` are further ones beside the demo's, `schemas` the text of schema files by their paths.
   * With `tls`, the files `cert` and `key`, its hubs speak TLS.
   * Nodes on one broker share a key, which is made by `developmentKey`; nodes with a `host` of their own may share `ports`.
   */
  static async start(
    name,
    {
      origins = [],
      limits = "",
      hub = "",
      routes = "",
      schemas = {},
      broker = 'url = "embedded:log"',
      key = developmentKey(),
      host = "127.0.0.1",
      ports,
      tls,
    } = {},
  ) {
    const node = new FanfareNode();
    node.#name = name;
    const [port, admin] = ports ?? (await freePorts(2));
    node.port = port;
    node.admin = admin;
    node.#host = host;
    node.#scheme = tls === undefined ? "http" : "https";
    node.#useKey(key);
    mkdirSync(join(node.#folder, "routes"));
    copyFileSync(ROUTES, join(node.#folder, "routes/demo.toml"));
    writeFileSync(join(node.#folder, "routes/more.toml"), `hub = "${HUB}"\n${routes}`);
    for (const [path, text] of Object.entries(schemas)) {
      mkdirSync(join(node.#folder, "schemas", dirname(path)), { recursive: true });
      writeFileSync(join(node.#folder, "schemas", path), text);
    }
    const own = Object.keys(schemas).length > 0 ? '[schemas]\npath = "schemas"\n' : "";
    writeFileSync(join(node.#folder, "fanfare.toml"), node.#config(origins, `${limits}\n${own}`, hub, broker, tls));
    await node.again();
    return node;
  }

  /** Starts it on the same port, with its state. */
  async again() {
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    const args = ["serve", "--config", join(this.#folder, "fanfare.toml")];
    this.#process = new ServiceProcess("fanfare", join(BINARIES, "fanfare"), args, {
      logFile: join(logs, `${this.#name}-node.log`),
      cwd: this.#folder,
    });
    await this.#process.ready(`http://${this.#host}:${this.admin}/readyz`);
  }

  /** The hub, directly or through a proxy. */
  hub(port = this.port) {
    return `${this.#scheme}://127.0.0.1:${port}${HUB}`;
  }

  /** A user's token, valid for this many seconds, with further claims. */
  token(user, seconds = 3600, org = "acme", more = {}) {
    return this.#sign({ aud: "fanfare", sub: user, org, roles: ["user"], sid: `session-${user}`, ...more }, seconds);
  }

  /** The token of a producer that may publish everything. */
  producer(org = "acme") {
    return this.#sign({ aud: "fanfare-publish", sub: "tests", org, roles: ["producer"], publish: ["*"] }, 60);
  }

  /** Publishes an alert to a whole org; resolves once it is stored. */
  alert(title, { message = "m", org = "acme", id = randomUUID() } = {}) {
    return this.publish("system.Alert", id, { org, severity: "info", title, message });
  }

  /** Publishes an event of an org, in which a BigInt is a whole number; resolves once it is stored. */
  async publish(type, id, body) {
    const { org } = body;
    const token = this.producer(org);
    const answer = await fetch(`${this.#scheme}://${this.#host}:${this.port}/events`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "ce-id": id,
        "ce-type": type,
        "ce-source": "tests",
        "ce-org": org,
        "ce-specversion": "1.0",
      },
      body: JSON.stringify(body, (_, value) => (typeof value === "bigint" ? `${value}n` : value)).replace(/"(-?\d+)n"/g, "$1"),
    });
    const text = await answer.text();
    if (answer.status !== 202) {
      throw new Error(`publishing was answered with ${answer.status}: ${text}`);
    }
  }

  /** Rewrites its configuration; it applies from the next start. */
  configure(change) {
    const file = join(this.#folder, "fanfare.toml");
    writeFileSync(file, change(readFileSync(file, "utf8")));
  }

  /** Copies the embedded log of a stopped node; `restore` puts the copy back. */
  copyOfLog() {
    const [log, copy] = ["log", "log.copy"].map((name) => join(this.#folder, name));
    cpSync(log, copy, { recursive: true });
    return {
      restore() {
        rmSync(log, { recursive: true });
        cpSync(copy, log, { recursive: true });
      },
    };
  }

  /** Writes other routes beside the demo's, makes the node reload them, and waits until it uses them. */
  async reroute(routes) {
    const count = async () => Number(/fanfare_route_reloads_total\{outcome="replaced"\} (\d+)/.exec(await this.metrics())?.[1] ?? 0);
    const before = await count();
    writeFileSync(join(this.#folder, "routes/more.toml"), `hub = "${HUB}"\n${routes}`);
    this.#process.hangUp();
    for (const deadline = Date.now() + 10_000; (await count()) === before; await sleep(50)) {
      if (Date.now() > deadline) throw new Error(`the routes were not replaced:\n${this.log()}`);
    }
  }

  async metrics() {
    return (await fetch(`http://${this.#host}:${this.admin}/metrics`)).text();
  }

  log(since) {
    return this.#process?.log(since) ?? "";
  }

  /** A bearer for its operator's port, as `fanfare token --operator` prints it with further flags. */
  async operator(...flags) {
    const args = ["token", "--config", join(this.#folder, "fanfare.toml"), "--operator", ...flags];
    const { stdout } = await promisify(execFile)(join(BINARIES, "fanfare"), args, { timeout: 30_000 });
    return stdout.trim();
  }

  /** The URL of the operator's console. */
  get console() {
    return `http://${this.#host}:${this.admin}/`;
  }

  /** Stops it and returns how it ended. */
  stop() {
    return this.#process?.stop();
  }

  kill() {
    return this.#process?.kill();
  }

  /** Stops it for good. */
  async end() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #useKey(pem) {
    mkdirSync(join(this.#folder, "data"));
    writeFileSync(join(this.#folder, "data/development-key.pem"), pem, { mode: 0o600 });
    this.#key = createPrivateKey(pem);
    const { e, kty, n } = createPublicKey(pem).export({ format: "jwk" });
    this.#kid = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
  }

  #sign(claims, seconds) {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const header = encode({ alg: "RS256", typ: "JWT", kid: this.#kid });
    const signed = `${header}.${encode({ iss: ISSUER, iat: now, exp: now + seconds, ...claims })}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), this.#key).toString("base64url")}`;
  }

  #config(origins, limits, hub, broker, tls) {
    const listener = tls === undefined ? "" : `[node.tls]\ncert_file = "${tls.cert}"\nkey_file = "${tls.key}"\n`;
    return `
[node]
listen = "${this.#host}:${this.port}"
admin_listen = "${this.#host}:${this.admin}"
data = "data"
drain_seconds = 2
secret = "${SECRET}"

[broker]
${broker}

[routes]
path = "routes"

[development]
signing_key = "data/development-key.pem"

[cors]
origins = ${JSON.stringify(origins)}
${limits}
${listener}[hub."${HUB}"]
${hub}
`;
  }
}
