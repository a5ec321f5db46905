// The server for functional tests, on a free port.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { BINARIES, OUTPUT, freePorts } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

/** The package of the client under test. */
const CLIENT = join(import.meta.dirname, "node_modules/@microsoft/signalr");

export class TestHub {
  #process;
  #name;

  /** Starts it; `name` names its log file, `port` may be that of one that was stopped. */
  static async start(name, port) {
    const hub = new TestHub();
    hub.#name = name;
    hub.port = port ?? (await freePorts(1))[0];
    await hub.again();
    return hub;
  }

  get address() {
    return `http://127.0.0.1:${this.port}`;
  }

  url(path = "/testhub") {
    return `${this.address}${path}`;
  }

  /** Starts it on the same port once it has stopped. */
  async again() {
    const binary = join(BINARIES, "fanfare-testhub");
    if (!existsSync(binary)) {
      throw new Error(`${binary} is missing: run cargo build first, or set FANFARE_BIN to the folder of the binaries`);
    }
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    this.#process = new ServiceProcess("testhub", binary, [`--port=${this.port}`, `--client=${CLIENT}`], {
      logFile: join(logs, `${this.#name}-testhub.log`),
      cwd: OUTPUT,
    });
    await this.#process.ready(`${this.address}/generateJwtToken`);
  }

  log(since) {
    return this.#process?.log(since) ?? "";
  }

  stop() {
    return this.#process?.stop();
  }
}
