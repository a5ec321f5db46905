// Writes docs/compatibility.md from the results of the last test run.

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { OUTPUT } from "../platform.mjs";
import { ASPECTS } from "./aspects.mjs";

const DOCUMENT = resolve(import.meta.dirname, "../../../docs/compatibility.md");
const CLIENTS = ["node", "browser", "dotnet-11", "dotnet-10", "dotnet-8", "java", "signalrcore", "pysignalr"];
const ABOUT = `# Clients

Which clients work with Fanfare, over which transport and in which protocol. This page is made from a run of
\`make test\`: every "yes" is a test of the unmodified client against the real programs, in
[tests/clients](../tests/clients).

`;
const NOTES = `## Not run here

- **Swift and C++**: not tested.

## .NET beyond the table

[tests/clients/dotnet.test.mjs](../tests/clients/dotnet.test.mjs) holds these for each version, over each transport:

- Notifications and answers are bound to an application's classes. Over MessagePack a time is bound to \`DateTime\`, as
  ASP.NET sends it; a \`DateTimeOffset\` is an array there, which the hub does not send.
- 100 calls at once are all answered. Tabs come back when their node is killed, and a logout closes them for good.
- From version 11 on the client renews its token on the open connection, stateful ones too: the tab does not reconnect
  at \`exp\`. A token of another user is refused, and the connection goes on.

## How it is tested

- *${ASPECTS.connect}*, *${ASPECTS.invoke}* and *${ASPECTS.stream}*: against the test hub (\`make testhub\`), which has
  the methods that Microsoft's own functional tests call.
- *${ASPECTS.receive}*: a push to the caller of the test hub, and an event that is published to a node.
- *${ASPECTS.reconnect}*: every connection is reset, and new ones are refused for 300 ms.
- *${ASPECTS.drain}*: the node gets SIGTERM and is started again on the same port. No client sees a final close.
- *${ASPECTS.expired}*: the token is good for 3 s; the node then closes with leave to come back.
- The page in Chromium is of another origin than the hubs.
`;

const found = CLIENTS.map(read);
const missing = found.filter((client) => client.skipped !== undefined).map((client) => client.skipped);
if (missing.length > 0) {
  console.log(`docs/compatibility.md is left as it is, as this run was not whole: ${missing.join("; ")}`);
} else {
  const reasons = [];
  writeFileSync(DOCUMENT, ABOUT + found.map((client) => section(client, reasons)).join("") + remarks(reasons) + NOTES);
  console.log("docs/compatibility.md is written");
}

function read(name) {
  try {
    return JSON.parse(readFileSync(join(OUTPUT, `compatibility/${name}.json`), "utf8"));
  } catch {
    return { name, skipped: `${name} was not run` };
  }
}

function section({ title, versions, rows }, reasons) {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const head = ["transport", "protocol", ...Object.values(ASPECTS)];
  const lines = rows.map(({ transport, protocol, stateful, results }) => [
    transport,
    stateful ? `${protocol}, stateful reconnect` : protocol,
    ...Object.keys(ASPECTS).map((aspect) => cell(results[aspect], reasons)),
  ]);
  const table = [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
  return `## ${title}\n\n${names.join(", ")}\n\n${table}\n\n`;
}

function cell(result, reasons) {
  if (result === undefined) {
    return "not run";
  }
  const word = result.works ? "yes" : result.notRun ? "not run" : result.reason ? "no" : "**failed**";
  const reason = result.note ?? result.notRun ?? result.reason;
  if (reason === undefined) {
    return word;
  }
  if (!reasons.includes(reason)) {
    reasons.push(reason);
  }
  return `${word} (${reasons.indexOf(reason) + 1})`;
}

/** Reasons, all of them the client's own. */
function remarks(reasons) {
  const lines = reasons.map((reason, at) => `${at + 1}. ${reason[0].toUpperCase()}${reason.slice(1)}.`);
  return `## Remarks\n\n${lines.join("\n")}\n\n`;
}
