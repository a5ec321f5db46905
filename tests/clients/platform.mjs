// The whole platform on free ports and in its own folder: the real binaries, as `make run` starts them.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { BrokerServer } from "./broker-server.mjs";
import { ServiceProcess } from "./service-process.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
/** The folder of the programs under test. */
export const BINARIES = process.env.FANFARE_BIN ?? join(ROOT, "target/debug");
/** Files that tests leave for people to look at. */
export const OUTPUT = join(ROOT, "target/test-output");

/** The broker of these tests: `embedded`, `nats` or `kafka`. */
const BROKER = process.env.FANFARE_TEST_BROKER ?? "embedded";

// Below the ports that the kernel assigns to outgoing connections: a client that keeps trying to reach a stopped
// service must not be connected to itself, and occupy the port.
const FIRST_PORT = 20_000;
const PORTS = 10_000;
let nextPort = (process.pid * 97) % PORTS;

function isFree(port) {
  const server = createServer();
  return new Promise((known) => {
    server.once("error", () => known(false));
    server.listen(port, "127.0.0.1", () => server.close(() => known(true)));
  });
}

/** Ports that were free a moment ago. */
export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = FIRST_PORT + nextPort;
    nextPort = (nextPort + 1) % PORTS;
    if (await isFree(port)) {
      ports.push(port);
    }
  }
  return ports;
}

export class Platform {
  #name;
  #folder = mkdtempSync(join(tmpdir(), "fanfare-clients-"));
  #services = new Map();
  #ports;
  #server;

  /**
   * Starts everything and waits until it is ready. `name` names its log files; `lines` are further
   * ports that the page may be served through.
   */
  static async start(name, { lines = [] } = {}) {
    const platform = new Platform();
    platform.#name = name;
    const [fanout, admin, auth, license, exports, ...server] = await freePorts(7);
    platform.#ports = { fanout, admin, auth, license, export: exports, lines };
    try {
      if (BROKER !== "embedded") {
        const folder = join(platform.#folder, "server");
        platform.#server = await BrokerServer.start(BROKER, folder, server, platform.#logFile(BROKER));
      }
      platform.#configure();
      // Each fetches keys from those before it when it starts.
      await platform.startProducer("auth");
      await Promise.all([platform.startProducer("license"), platform.startProducer("export")]);
      await platform.startFanout();
      await platform.#hasPage();
    } catch (error) {
      await platform.stop();
      throw error;
    }
    return platform;
  }

  url(service) {
    return `http://127.0.0.1:${this.#ports[service]}`;
  }

  get fanoutPort() {
    return this.#ports.fanout;
  }

  get hub() {
    return `${this.url("fanout")}/hubs/notifications`;
  }

  /** The page's URL, served by the fan-out itself or through another port. */
  page(port = this.#ports.fanout) {
    const query = new URLSearchParams({
      auth: this.url("auth"),
      license: this.url("license"),
      export: this.url("export"),
    });
    return `http://127.0.0.1:${port}/?${query}`;
  }

  async startFanout() {
    const fanout = this.#start("fanout", "fanfare", ["serve", "--config", this.#config]);
    await fanout.ready(`${this.url("admin")}/readyz`);
  }

  async startProducer(service) {
    const producer = this.#start(service, `fanfare-${service}`, [
      `--listen=127.0.0.1:${this.#ports[service]}`,
      `--data=${join(this.#folder, service)}`,
      `--issuer=${this.url(service)}`,
      `--fanout-url=${this.url("fanout")}`,
      ...(this.#server === undefined ? [] : [`--broker-url=${this.#server.url}`]),
      `--auth-issuer=${this.url("auth")}`,
      `--allowed-origin=${[this.#ports.fanout, ...this.#ports.lines].map((port) => `http://127.0.0.1:${port}`).join(",")}`,
      ...(service === "auth" ? ["--demo-users"] : []),
      ...(service === "export" ? ["--step=100ms"] : []),
    ]);
    await producer.ready(`${this.url(service)}/readyz`);
  }

  /** A process of the platform: `fanout`, `auth`, `license` or `export`. */
  service(name) {
    return this.#services.get(name);
  }

  /** Publishes an event as `fanfare publish` does, and returns its id. */
  async publish(type, fields) {
    const run = promisify(execFile);
    const args = ["publish", "--config", this.#config, type, JSON.stringify(fields)];
    const { stdout } = await run(binary("fanfare"), args, { timeout: 30_000 });
    return stdout.trim();
  }

  /** The logs of all processes since a time, for a failed test. */
  logs(since) {
    const all = [...this.#services.values(), ...(this.#server === undefined ? [] : [this.#server])];
    return all.map((one) => `--- log of ${one.name}\n${one.log(since)}`).join("\n");
  }

  /** Stops everything, producers first, and returns how each process ended. */
  async stop() {
    const fanout = this.#services.get("fanout");
    const producers = [...this.#services.values()].filter((one) => one !== fanout);
    const outcomes = await Promise.all(producers.map(async (one) => [one.name, await one.stop()]));
    outcomes.push(["fanout", await fanout?.stop()]);
    await this.#server?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    return Object.fromEntries(outcomes);
  }

  get #config() {
    return join(this.#folder, "fanfare.toml");
  }

  #configure() {
    const issuer = (service, users, publish) => `
[[issuer]]
issuer = "${this.url(service)}"
jwks = "${this.url(service)}/.well-known/jwks.json"
users = ${users}
publish = ${JSON.stringify(publish)}
`;
    const config = `
[node]
listen = "127.0.0.1:${this.#ports.fanout}"
admin_listen = "127.0.0.1:${this.#ports.admin}"
data = "fanout"
secret = "a secret that all nodes of the tests know"
drain_seconds = 2

[broker]
url = "${this.#server?.url ?? "embedded:log"}"

[routes]
path = "${join(ROOT, "demo/routes.toml")}"

[development]
signing_key = "fanout/development-key.pem"

[hub."/hubs/notifications"]
${issuer("auth", true, ["auth.*", "system.*"])}${issuer("license", false, ["license.*"])}${issuer("export", false, ["export.*"])}`;
    writeFileSync(this.#config, config);
  }

  #start(name, program, args) {
    const process = new ServiceProcess(name, binary(program), args, {
      logFile: this.#logFile(name),
      cwd: this.#folder,
    });
    this.#services.set(name, process);
    return process;
  }

  #logFile(name) {
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    return join(logs, `${this.#name}-${name}.log`);
  }

  async #hasPage() {
    const answer = await fetch(`${this.url("fanout")}/`);
    const text = await answer.text();
    if (!text.includes('id="app"')) {
      throw new Error(`the fan-out serves no page; build web/ first, then the binary. It says: ${text.slice(0, 200)}`);
    }
  }
}

function binary(program) {
  const path = join(BINARIES, program);
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: run cargo build first, or set FANFARE_BIN to the folder of the binaries`);
  }
  return path;
}
