// One of the examples as it is in its folder, on free ports and with its state elsewhere: the real node or nodes, the
// example's own backend, and its built page.

import { execFile } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { BrokerServer } from "./broker-server.mjs";
import { BINARIES, OUTPUT, freePorts } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

export class Example {
  nodes = [];
  #name;
  #source;
  #folder = mkdtempSync(join(tmpdir(), "fanfare-example-"));
  #test;
  #broker;
  #backend;
  #backendPort;

  /**
   * Starts an example by its name. With several nodes it runs on NATS, or on the `broker` that is said; `test` names the
   * log files. `edit` may change the text of the configuration, for what a test cannot wait for.
   */
  static async start(name, { test = `example-${name}`, nodes = 1, broker, edit = (text) => text } = {}) {
    const example = new Example();
    example.#name = name;
    example.#test = test;
    example.#source = join(ROOT, "examples", name);
    const kind = broker ?? (nodes > 1 ? "nats" : "embedded");
    try {
      const [backend, server, second, ...ports] = await freePorts(3 + 2 * nodes);
      example.#backendPort = backend;
      if (kind !== "embedded") {
        const folder = join(example.#folder, "server");
        example.#broker = await BrokerServer.start(kind, folder, [server, second], example.#log(kind));
      }
      for (let number = 0; number < nodes; number += 1) {
        const [port, admin] = ports.slice(2 * number);
        const config = join(example.#folder, `fanfare-${number}.toml`);
        writeFileSync(config, edit(example.#configure(number, port, admin)));
        example.nodes.push(new ExampleNode(config, port, admin, example.#log(`node-${number}`)));
      }
      await example.startBackend();
      await Promise.all(example.nodes.map((node) => node.start()));
    } catch (error) {
      await example.stop();
      throw error;
    }
    return example;
  }

  /** The URL of a path of the backend. */
  backend(path) {
    return `http://127.0.0.1:${this.#backendPort}${path}`;
  }

  /** The URL of the page, as a node serves it. */
  page(node = this.nodes[0]) {
    return `http://127.0.0.1:${node.port}/?backend=${encodeURIComponent(this.backend(""))}`;
  }

  async startBackend() {
    const main = join(this.#source, "backend/main.mjs");
    if (!existsSync(main)) {
      return;
    }
    const origins = this.nodes.map(({ port }) => `http://127.0.0.1:${port}`);
    const args = [
      main,
      `--listen=127.0.0.1:${this.#backendPort}`,
      `--data=${join(this.#folder, "backend")}`,
      `--fanout-url=${origins[0]}`,
      `--page-origin=${origins.join(",")}`,
    ];
    this.#backend = new ServiceProcess("backend", process.execPath, args, { logFile: this.#log("backend") });
    await this.#backend.ready(this.backend("/readyz"));
  }

  stopBackend() {
    return this.#backend.stop();
  }

  /** Kills the backend, like a crash. */
  killBackend() {
    return this.#backend.kill();
  }

  /** Publishes an event as `fanfare publish` does, and returns its id. */
  publish(type, fields) {
    return this.#fanfare("publish", type, JSON.stringify(fields));
  }

  /** A development token, as `fanfare token` makes it. */
  token(user, org, ...roles) {
    return this.#fanfare("token", "--user", user, "--org", org, ...roles.flatMap((role) => ["--role", role]));
  }

  /** The same without a process for each: for hundreds of users. `claims` are those of a token. */
  signed(claims) {
    const key = createPrivateKey(readFileSync(join(this.#folder, "development-key.pem")));
    const { e, kty, n } = createPublicKey(key).export({ format: "jwk" });
    const kid = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const iat = Math.floor(Date.now() / 1000);
    const all = { iss: "fanfare-development", aud: "fanfare", iat, exp: iat + 3600, ...claims };
    const text = `${encode({ alg: "RS256", typ: "JWT", kid })}.${encode(all)}`;
    return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
  }

  /** The output of `fanfare check` for the example's own files, or for changed ones. */
  async check({ config = (text) => text, routes = (text) => text } = {}) {
    const folder = mkdtempSync(join(this.#folder, "check-"));
    const text = readFileSync(join(this.#source, "fanfare.toml"), "utf8");
    writeFileSync(join(folder, "fanfare.toml"), config(text.replace('"schemas"', `"${join(this.#source, "schemas")}"`)));
    writeFileSync(join(folder, "routes.toml"), routes(readFileSync(join(this.#source, "routes.toml"), "utf8")));
    const checked = run(join(BINARIES, "fanfare"), ["check", "--config", join(folder, "fanfare.toml")]);
    return checked.then(
      ({ stdout }) => stdout.trim(),
      ({ code, stderr }) => `exit ${code}: ${stderr.trim()}`,
    );
  }

  /** A JSON call of the backend by a signed-in user, or without a session. */
  async call(method, path, { cookie, body, headers = {} } = {}) {
    const answer = await fetch(this.backend(path), {
      method,
      headers: {
        ...(cookie === undefined ? {} : { cookie }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** A call of the operator's port, with the operator's bearer. */
  async operator(method, path) {
    const bearer = await this.#fanfare("token", "--operator");
    const headers = { authorization: `Bearer ${bearer}` };
    const answer = await fetch(`http://127.0.0.1:${this.nodes[0].admin}${path}`, { method, headers });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** Signs in, and returns the session's cookie and the token. */
  async signIn(user) {
    const answer = await this.call("POST", "/login", { body: { user, password: "demo" } });
    if (answer.status !== 200) {
      throw new Error(`signing in as ${user} was answered with ${answer.status}`);
    }
    return { cookie: answer.headers.get("set-cookie")?.split(";")[0], token: answer.body.access_token };
  }

  /** The logs of all processes since a time, for a failed test. */
  logs(since) {
    const all = [["backend", this.#backend], ...this.nodes.map((node, number) => [`node ${number}`, node])];
    return all.map(([name, one]) => `--- log of ${name}\n${one?.log(since) ?? ""}`).join("\n");
  }

  async stop() {
    await this.#backend?.stop();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#broker?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #fanfare(command, ...args) {
    const running = this.nodes.find((node) => node.isRunning) ?? this.nodes[0];
    const all = [command, "--config", running.config, ...args];
    const { stdout } = await run(join(BINARIES, "fanfare"), all, { timeout: 30_000 });
    return stdout.trim();
  }

  /** The example's own configuration; only ports and paths are changed. */
  #configure(number, port, admin) {
    const swap = (text, from, to) => {
      if (!from.test(text)) {
        throw new Error(`the configuration of ${this.#name} has no ${from}`);
      }
      return text.replace(from, to);
    };
    let text = readFileSync(join(this.#source, "fanfare.toml"), "utf8");
    text = swap(text, /"127\.0\.0\.1:8080"/, `"127.0.0.1:${port}"`);
    text = swap(text, /"127\.0\.0\.1:9090"/, `"127.0.0.1:${admin}"`);
    text = text.replaceAll("127.0.0.1:8084", `127.0.0.1:${this.#backendPort}`);
    text = swap(text, /"embedded:[^"]*"/, `"${this.#broker?.url ?? "embedded:log"}"`);
    text = swap(text, /^data = "[^"]*"/m, `data = "node-${number}"`);
    text = swap(text, /^signing_key = "[^"]*"/m, 'signing_key = "development-key.pem"');
    // Those that begin with a slash are paths of addresses.
    return text.replaceAll(/^path = "([^/"][^"]*)"/gm, (_, path) => `path = "${join(this.#source, path)}"`);
  }

  #log(process) {
    const folder = join(OUTPUT, "logs");
    mkdirSync(folder, { recursive: true });
    return join(folder, `${this.#test}-${process}.log`);
  }
}

/** One node of an example. */
class ExampleNode {
  #logFile;
  #process;

  constructor(config, port, admin, logFile) {
    this.config = config;
    this.port = port;
    this.admin = admin;
    this.#logFile = logFile;
  }

  /** Starts it, with its earlier state if it ran before. */
  async start() {
    const args = ["serve", "--config", this.config];
    this.#process = new ServiceProcess("fanfare", join(BINARIES, "fanfare"), args, { logFile: this.#logFile });
    await this.#process.ready(`http://127.0.0.1:${this.admin}/readyz`);
  }

  /** The URL of a path of the node. */
  url(path) {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  get isRunning() {
    return this.#process !== undefined && this.#process.outcome === undefined;
  }

  async metrics() {
    return (await fetch(`http://127.0.0.1:${this.admin}/metrics`)).text();
  }

  log(since) {
    return this.#process?.log(since) ?? "";
  }

  stop() {
    return this.#process?.stop();
  }

  /** Kills it, like a crash. */
  kill() {
    return this.#process?.kill();
  }
}
