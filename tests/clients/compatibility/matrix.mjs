// The matrix: one client, each of its transports and protocols, everything that a client must be able to do.
//
// Connecting, calls and streams are tested on the test hub; events, lost connections, restarts and expiring tokens on a
// node. All combinations of a client run concurrently, so that one restart serves them all.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CutLine } from "../cut-line.mjs";
import { FanfareNode } from "../fanfare-node.mjs";
import { OUTPUT } from "../platform.mjs";
import { TestHub } from "../testhub.mjs";
import { ASPECTS } from "./aspects.mjs";

const SHORT_TOKEN_SECONDS = 3;
const nameOf = ({ transport, protocol, stateful }) =>
  `${transport} with ${protocol}${stateful ? ", stateful reconnect" : ""}`;

/**
 * Runs the matrix of a client.
 *
 * `client` has a `name`, its `versions`, `combinations`, and `gaps`: reasons why an aspect cannot be had, by
 * combination or for all, as a text, or as `{ notRun }` if nothing is known. `client.start({ hub, node })` is called once, `client.connect(options)` for each tab, and
 * `client.stop()` at the end. One that `renews` its token does not come back when one expires. `client.reason` is set if the client is not here: then all is skipped.
 */
export function matrix(client) {
  const rows = client.combinations.map((combination) => ({ combination, name: nameOf(combination), results: {} }));
  const skip = client.reason ?? false;
  let hub, node, line;

  before(async () => {
    if (skip) {
      return;
    }
    line = await CutLine.open();
    const origins = client.origins === undefined ? [] : await client.origins();
    [hub, node] = await Promise.all([
      TestHub.start(`compatibility-${client.name}`),
      FanfareNode.start(`compatibility-${client.name}`, { origins }),
    ]);
    line.to(node.port);
    await client.start?.();
  });
  after(async () => {
    write(client, rows);
    await client.stop?.();
    await Promise.all([hub?.stop(), node?.end()]);
    await line?.close();
  });

  /** One aspect: `action` once for all, then `check` for each combination. */
  function aspect(name, check, action = async () => undefined) {
    test(`${client.name}: ${ASPECTS[name]}`, { timeout: 120_000, skip }, async (t) => {
      const able = rows.filter((row) => !gap(client, row, name));
      if (able.length > 0) {
        await action(able);
      }
      await Promise.all(
        able.map((row) =>
          t.test(row.name, async () => {
            row.results[name] = { works: false };
            try {
              await check(row);
            } catch (error) {
              throw new Error(`${row.name}: ${error.message}\n${node.log().slice(-3000)}`, { cause: error });
            }
            row.results[name] = { works: true, note: client.notes?.[name] };
          }),
        ),
      );
    });
  }

  const connect = (row, options) => client.connect({ ...row.combination, ...options });
  /** Opens the row's tab on the node, through the line. */
  async function open(row) {
    row.tab = await connect(row, { url: node.hub(line.port), token: () => node.token("alice") });
  }
  /** Publishes an alert, and waits until every tab has it. */
  async function all(rows, tab, title) {
    await node.alert(title);
    await Promise.all(rows.map((row) => tab(row).toast(title)));
  }

  aspect("connect", async (row) => {
    row.caller = await connect(row, { url: hub.url(), token: undefined });
    assert.equal(row.caller.opens, 1);
  });
  aspect("invoke", async (row) => {
    assert.equal(await row.caller.invoke("Echo", "ünï©ode ✓"), "ünï©ode ✓");
    await assert.rejects(row.caller.invoke("Nope"), /Unknown hub method 'Nope'/);
  });
  aspect("receive", async (row) => {
    await row.caller.tell("InvokeWithString", "hello");
    await row.caller.until("the push", () => row.caller.received.some((one) => one.target === "Message"));
    assert.deepEqual(row.caller.received, [{ target: "Message", arguments: ["hello"] }]);
    await open(row);
    await all([row], (one) => one.tab, `first ${row.name}`);
  });
  aspect("stream", async (row) => {
    assert.deepEqual(await row.caller.stream("Stream"), ["a", "b", "c"]);
    await row.caller.stop();
  });

  const count = (rows) => rows.forEach((row) => (row.opens = row.tab.opens));
  const back = async (row, title) => {
    await row.tab.up(row.opens + 1);
    await all([row], (one) => one.tab, `${title} ${row.name}`);
  };
  aspect(
    "reconnect",
    (row) => back(row, "after the line"),
    async (rows) => {
      count(rows);
      line.cut();
      await sleep(300);
      line.mend();
    },
  );
  aspect(
    "drain",
    (row) => back(row, "after the restart"),
    async (rows) => {
      await Promise.all(rows.filter((row) => row.tab.closed !== undefined).map(open));
      count(rows);
      const outcome = await node.stop();
      assert.equal(outcome.code, 0, JSON.stringify(outcome));
      await node.again();
    },
  );
  aspect(
    "expired",
    async (row) => {
      await (client.renews ? row.short.until("a renewal", () => row.short.told.includes("refreshed")) : row.short.up(2));
      assert.ok(row.asked >= 2, "a fresh token was asked for");
      await all([row], (one) => one.short, `fresh ${row.name}`);
      await row.short.stop();
    },
    async (rows) => {
      await Promise.all(rows.map((row) => row.tab?.stop()));
      for (const row of rows) {
        row.asked = 0;
        // Until it has reconnected once, every token has a short lifetime.
        const token = () => {
          row.asked += 1;
          return node.token("alice", Date.now() < row.until ? SHORT_TOKEN_SECONDS : 3600);
        };
        row.until = Date.now() + 2000;
        row.short = await connect(row, { url: node.hub(), token });
      }
    },
  );
}

function gap(client, row, aspect) {
  const reason = client.gaps?.[`${row.name}: ${aspect}`] ?? client.gaps?.[row.name] ?? client.gaps?.[aspect];
  if (reason !== undefined) {
    row.results[aspect] = { works: false, ...(typeof reason === "string" ? { reason } : reason) };
  }
  return reason !== undefined;
}

/** What the document is made of. */
function write(client, rows) {
  const folder = join(OUTPUT, "compatibility");
  mkdirSync(folder, { recursive: true });
  const { name, title, versions, reason } = client;
  const results = rows.map(({ combination, results }) => ({ ...combination, results }));
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ name, title, versions, skipped: reason, rows: results }, null, 2));
}
