// Follows docs/migrating.md: uses the page's files, runs its commands, and connects like its client.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { promisify } from "node:util";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { cases } from "./case.mjs";
import { BINARIES, OUTPUT, freePorts } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/migrating.md"), "utf8");
const FANFARE = join(BINARIES, "fanfare");

let folder, hub, node;
const check = cases(() => ({ logs: (since) => node?.log(since) ?? "" }));

/** A file is named at the end of the paragraph before its block. */
function filesOf(page) {
  const named = page.matchAll(/`([\w./-]+\.(?:avsc|toml))`(?:, [^`\n]*)?:\n\n```\w+\n([\s\S]*?)```/g);
  return Object.fromEntries([...named].map(([, name, text]) => [name, text]));
}

/** The commands of step 5, each with its arguments. */
function commandsOf(page) {
  const [, block] = page.match(/## 5\. Try it\n\n```sh\n([\s\S]*?)```/);
  const lines = block.replaceAll("\\\n", " ").trim().split("\n");
  return lines.map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word).slice(1));
}

async function run(args) {
  const { stdout } = await promisify(execFile)(FANFARE, args, { cwd: folder, timeout: 60_000 });
  return stdout.trim();
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "fanfare-migrating-"));
  const [port, admin] = await freePorts(2);
  hub = `http://127.0.0.1:${port}/hubs/orders`;
  const files = filesOf(PAGE);
  assert.deepEqual(Object.keys(files), ["schemas/shop/OrderChanged.v1.avsc", "routes.toml", "fanfare.toml"]);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    // The page's ports may be in use here.
    writeFileSync(join(folder, name), text.replace(":8080", `:${port}`).replace(":9090", `:${admin}`));
  }
  const logs = join(OUTPUT, "logs");
  mkdirSync(logs, { recursive: true });
  const [serve] = commandsOf(PAGE);
  assert.equal(serve.at(-1), "&");
  const options = { logFile: join(logs, "migrating-node.log"), cwd: folder };
  node = new ServiceProcess("fanfare", FANFARE, serve.slice(0, -1), options);
  await node.ready(`http://127.0.0.1:${admin}/readyz`);
});
after(async () => {
  await node?.stop();
  rmSync(folder, { recursive: true, force: true });
});

check("the files of the page pass the check", async () => {
  assert.match(await run(["check", "--config", "fanfare.toml", "--explain"]), /order-shipped/);
  const [, issuer] = PAGE.match(/## 6\..*\n\n```toml\n([\s\S]*?)```/);
  writeFileSync(join(folder, "issuer.toml"), `${readFileSync(join(folder, "fanfare.toml"), "utf8")}\n${issuer}`);
  await run(["check", "--config", "issuer.toml"]);
});

check("the page's client hears what its commands publish", async () => {
  const [, token, publish] = commandsOf(PAGE);
  const bearer = await run(token);
  const connection = new HubConnectionBuilder()
    .withUrl(hub, { accessTokenFactory: () => bearer })
    .configureLogging(LogLevel.None)
    .build();
  const heard = {};
  const both = new Promise((resolve) => {
    for (const target of ["orderChanged", "toast"]) {
      connection.on(target, (argument) => {
        heard[target] = argument;
        if (Object.keys(heard).length === 2) {
          resolve();
        }
      });
    }
  });
  await connection.start();
  await connection.invoke("JoinOrder", "42");
  await run(publish);
  await both;
  assert.deepEqual(heard.orderChanged, { orderId: "42", status: "shipped" });
  assert.deepEqual([heard.toast.title, heard.toast.message], ["Shipped", "Order 42 is on its way"]);
  await connection.invoke("LeaveOrder", "42");
  await connection.stop();
});
