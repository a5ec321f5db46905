// One process of the platform under test: started, watched, stopped by its own id, with its log.

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const STOP_MS = 10_000;
const LOG_LINES = 400;

// However the tests end, even by a kill, no process may be left behind.
const keeper = spawn(process.execPath, [join(import.meta.dirname, "keeper.mjs")], {
  detached: true,
  stdio: ["pipe", "ignore", "ignore"],
});
keeper.unref();
keeper.stdin.unref();

export class ServiceProcess {
  #child;
  #lines = [];
  #ended;

  /** Starts `binary`; its output goes to `logFile` and its newest lines are kept for failures. */
  constructor(name, binary, args, { logFile, cwd, env: more = {} }) {
    this.name = name;
    const env = { ...process.env, ...more, FANFARE_LOG: process.env.FANFARE_LOG ?? "info", NO_COLOR: "1" };
    this.#child = spawn(binary, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    keeper.stdin.write(`+${this.#child.pid}\n`);
    const file = createWriteStream(logFile, { flags: "a" });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => this.#keep(text, file));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve({ error }));
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    }).then((outcome) => {
      keeper.stdin.write(`-${this.#child.pid}\n`);
      file.end();
      this.outcome = outcome;
      return outcome;
    });
  }

  /** Its newest log lines since a time. */
  log(since = 0) {
    return this.#lines
      .filter((line) => line.at >= since)
      .map((line) => line.text)
      .join("");
  }

  /** Waits until the address answers 200, and prints the log if it never does. */
  async ready(url, deadlineMs = 60_000) {
    const deadline = Date.now() + deadlineMs;
    while (Date.now() < deadline) {
      if (this.outcome !== undefined) {
        throw new Error(`${this.name} ended at once: ${JSON.stringify(this.outcome)}\n${this.log()}`);
      }
      const answer = await fetch(url).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200) {
        return;
      }
      await sleep(50);
    }
    throw new Error(`${this.name} was not ready after ${deadlineMs} ms\n${this.log()}`);
  }

  /** Waits until it has logged a text. */
  async says(text, deadlineMs = 60_000) {
    const deadline = Date.now() + deadlineMs;
    while (!this.log().includes(text)) {
      if (this.outcome !== undefined || Date.now() > deadline) {
        const how = this.outcome === undefined ? `not ready after ${deadlineMs} ms` : "ended at once";
        throw new Error(`${this.name}: ${how}\n${this.log()}`);
      }
      await sleep(50);
    }
  }

  /** Stops it and returns how it ended. */
  async stop() {
    if (this.outcome === undefined) {
      this.#child.kill("SIGTERM");
      const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
      await this.#ended;
      clearTimeout(late);
    }
    return this.outcome;
  }

  /** Makes it reload its files. */
  hangUp() {
    this.#child.kill("SIGHUP");
  }

  /** Kills it, like a crash. */
  async kill() {
    this.#child.kill("SIGKILL");
    return this.#ended;
  }

  #keep(text, file) {
    file.write(text);
    this.#lines.push({ at: Date.now(), text });
    if (this.#lines.length > LOG_LINES) {
      this.#lines.splice(0, this.#lines.length - LOG_LINES);
    }
  }
}
