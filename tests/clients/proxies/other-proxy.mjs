// One of the proxies in front of nodes.

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OUTPUT, freePorts } from "../platform.mjs";
import { listens } from "../servers.mjs";
import { ServiceProcess } from "../service-process.mjs";
import { PROXIES } from "./programs.mjs";

export class OtherProxy {
  #folder;
  #process;

  /** Starts a proxy by its name, in front of nodes. */
  static async start(name, nodes) {
    const proxy = new OtherProxy();
    proxy.#folder = mkdtempSync(join(tmpdir(), `fanfare-${name}-`));
    [proxy.port] = await freePorts(1);
    const { args, env } = PROXIES[name].write(proxy.#folder, { nodes, port: proxy.port });
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    const options = { logFile: join(logs, `proxies-${name}.log`), cwd: proxy.#folder, env };
    proxy.#process = new ServiceProcess(name, PROXIES[name].find(), args, options);
    await listens(proxy.port, proxy.#process);
    return proxy;
  }

  /** Its logs, on its output and in files. */
  log() {
    const files = readdirSync(this.#folder).filter((name) => name.endsWith(".log"));
    return this.#process.log() + files.map((name) => readFileSync(join(this.#folder, name), "utf8")).join("");
  }

  /** Ends it and removes its folder. */
  async end() {
    await this.#process?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
