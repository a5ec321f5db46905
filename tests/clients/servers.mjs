// nginx with the shipped configuration, as scripts/setup.sh unpacks it.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OUTPUT, freePorts } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const TOOLS = join(ROOT, "target/tools");
const SHIPPED = join(ROOT, "deploy/nginx/nginx.conf");
const NGINX = [join(TOOLS, "nginx/usr/sbin/nginx"), "/usr/sbin/nginx"].find((place) => existsSync(place));
const START_MS = 20_000;

/** Why tests with several nodes cannot run here, or `false`. */
export function missingServers() {
  const missing = [];
  if (NGINX === undefined) {
    missing.push("nginx");
  }
  if (!existsSync(join(TOOLS, "nats/nats-server"))) {
    missing.push("nats-server");
  }
  return missing.length > 0 && `not installed: ${missing.join(", ")}`;
}

/** Waits until a process listens on a port. */
export async function listens(port, process) {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const open = await new Promise((known) => {
      const socket = connect(port, "127.0.0.1", () => known(true));
      socket.on("error", () => known(false)).on("connect", () => socket.destroy());
    });
    if (open) {
      return;
    }
    if (process.outcome !== undefined || Date.now() > deadline) {
      throw new Error(`${process.name} does not listen:\n${process.log()}`);
    }
    await sleep(20);
  }
}

/** nginx in front of nodes. */
export class Proxy {
  #folder = mkdtempSync(join(tmpdir(), "fanfare-nginx-"));
  #process;

  static async start(name, nodes) {
    const proxy = new Proxy();
    [proxy.port] = await freePorts(1);
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    writeFileSync(join(proxy.#folder, "nginx.conf"), proxy.#render(nodes, join(logs, `${name}-nginx-access.log`)));
    const user = process.getuid() === 0 ? " user root;" : "";
    const args = ["-p", proxy.#folder, "-c", "nginx.conf", "-e", "stderr", "-g", `daemon off;${user}`];
    proxy.#process = new ServiceProcess("nginx", NGINX, args, { logFile: join(logs, `${name}-nginx.log`) });
    await listens(proxy.port, proxy.#process);
    return proxy;
  }

  async end() {
    await this.#process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The shipped file with these nodes and this port in place of its own. */
  #render(nodes, accessLog) {
    const lines = readFileSync(SHIPPED, "utf8").split("\n");
    const here = lines.flatMap((line) => {
      const [, number, options] = /^\s*server fanout-(\d+):8080(.*)$/.exec(line) ?? [];
      if (number === undefined) {
        return [line];
      }
      return number === "1" ? nodes.map((port) => `server 127.0.0.1:${port}${options}`) : [];
    });
    return here
      .join("\n")
      .replaceAll(" /tmp/", ` ${this.#folder}/`)
      .replace("listen 8080;", `listen 127.0.0.1:${this.port};`)
      .replace("worker_processes auto;", "worker_processes 2;")
      .replace("worker_rlimit_nofile 65536;", "")
      .replace("worker_connections 32768;", "worker_connections 1024;")
      .replaceAll("/dev/stdout", accessLog)
      .replaceAll("/dev/stderr", "stderr");
  }
}
