// Clients in other languages: a process drives each, with one command or report per line.

import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { OUTPUT } from "../platform.mjs";
import { Tab } from "./tab.mjs";

const WAIT_MS = 30_000;

/** A process with any number of tabs. */
export class Driver {
  #process;
  #tabs = [];
  #calls = new Map();
  #number = 0;
  #tokens;

  /** Starts `command` with `args`; what it says beside its reports goes to a log file. */
  static async start(name, command, args, options) {
    const driver = new Driver();
    driver.#tokens = createServer((request, response) => {
      response.end(driver.#tabs[Number(request.url.slice(1))].token());
    });
    await new Promise((listening) => driver.#tokens.listen(0, "127.0.0.1", listening));
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    driver.#process = spawn(command, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    const log = createWriteStream(join(logs, `compatibility-${name}-client.log`));
    driver.#process.stderr.pipe(log);
    driver.#process.on("error", (error) => log.write(`${error}\n`));
    createInterface({ input: driver.#process.stdout }).on("line", (line) => {
      log.write(`${line}\n`);
      if (line.startsWith("{")) {
        driver.#take(JSON.parse(line));
      }
    });
    return driver;
  }

  /** Opens a tab; the process fetches its tokens from here. */
  async connect({ token, ...options }) {
    const tab = new DrivenTab((command) => this.#ask({ tab: id, ...command }));
    const id = this.#tabs.push(tab) - 1;
    tab.token = token;
    const tokens = token === undefined ? {} : { token: `http://127.0.0.1:${this.#tokens.address().port}/${id}` };
    await tab.ask({ do: "connect", ...options, ...tokens });
    await tab.up(1);
    return tab;
  }

  /** Ends the process; its tabs are gone. */
  async stop() {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    this.#process.stdin.end();
    await ended;
    clearTimeout(late);
    await new Promise((closed) => this.#tokens.close(closed));
  }

  #ask(command) {
    const call = (this.#number += 1);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${command.do} was not answered in ${WAIT_MS} ms`)), WAIT_MS);
      this.#calls.set(call, ({ value, error }) => {
        clearTimeout(late);
        error === undefined ? resolve(value) : reject(new Error(error));
      });
      this.#process.stdin.write(`${JSON.stringify({ call, ...command })}\n`);
    });
  }

  #take(report) {
    if (report.call === undefined) {
      this.#tabs[report.tab].report(report);
    } else {
      this.#calls.get(report.call)?.(report);
      this.#calls.delete(report.call);
    }
  }
}

class DrivenTab extends Tab {
  constructor(ask) {
    super();
    this.ask = ask;
  }

  invoke(target, ...args) {
    return this.ask({ do: "invoke", target, arguments: args });
  }

  /** Calls a method that has no result. */
  tell(target, ...args) {
    return this.ask({ do: "tell", target, arguments: args });
  }

  stream(target) {
    return this.ask({ do: "stream", target });
  }

  stop() {
    return this.ask({ do: "stop" });
  }
}
