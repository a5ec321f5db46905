// The .NET clients beyond the matrix: classes of an application, kills, logouts, many calls at once, and tokens that
// the client renews on the open connection.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { COMBINATIONS_OF_JAVASCRIPT } from "./combinations.mjs";
import { VERSIONS, dotnetClient } from "./compatibility/dotnet.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"];
const CALLS = 100;
/** A short lifetime: the client renews its token at half of it. */
const LIFE_SECONDS = 6;

/** A method whose arguments have .NET types that JSON lacks, and the notification to its caller. */
const TYPED = {
  hub: `method.Typed = { arguments = [
    { name = "at", type = "time" }, { name = "there", type = "time" }, { name = "sum", type = "number" },
    { name = "count", type = "integer" }, { name = "id", type = "uuid" }, { name = "blob", type = "bytes" },
  ], allow = true, publish = { event = "tests.Typed", fields = { org = "{org}", user = "{user}", at = "{at}",
    there = "{there}", sum = "{sum}", count = "{count}", id = "{id}", blob = "{blob}" } } }`,
  routes: `[event."tests.Typed"]
fields = { org = "string", user = "string", at = "timestamp", there = "timestamp", sum = "double", count = "long", id = "uuid", blob = "string" }
[[route]]
name = "typed"
event = "tests.Typed"
groups = ["user:{user}"]
send = { target = "Message", arguments = ["{at} {there} {sum} {count} {id} {blob}"] }
`,
};
const TAKEN = "2026-01-02T03:04:05.678Z 2026-01-02T03:04:05.678Z 12.5 7 067e6162-3b6f-4ae2-a171-2470b63dff00 AQL/";

const all = (combinations, check) => Promise.all(combinations.map(check));
const nameOf = ({ transport, protocol, stateful }) => `${transport} ${protocol}${stateful ? " stateful" : ""}`;

for (const version of VERSIONS) {
  const client = dotnetClient(version);
  const skip = client.reason ?? false;

  describe(`.NET ${version}`, { skip, timeout: 60_000 }, () => {
    let node;
    before(async () => {
      if (skip === false) {
        [node] = await Promise.all([FanfareNode.start(`dotnet-${version}`, TYPED), client.start()]);
      }
    });
    after(async () => {
      await client.stop();
      await node?.end();
    });
    const open = (combination, user, token = () => node.token(user)) =>
      client.connect({ ...combination, url: node.hub(), token });

    test("notifications and answers are bound to classes", async () => {
      await all(COMBINATIONS_OF_JAVASCRIPT, async (combination) => {
        const tab = await open(combination, "alice");
        assert.match(await tab.invoke("Cursor"), /./);
        const title = `typed ${nameOf(combination)}`;
        await node.alert(title);
        await tab.toast(title);
        const toast = tab.received.find((one) => one.arguments[0].title === title).arguments[0];
        assert.ok(Math.abs(Date.parse(toast.at) - Date.now()) < 60_000, `${nameOf(combination)}: ${toast.at}`);
        assert.equal(toast.severity, "info");
        const flag = { org: "acme", flag: `f-${randomUUID()}`, enabled: true, changed_by: "tests", revision: 1 };
        await node.publish("license.FlagToggled", flag.flag, flag);
        const isIt = (one) => one.target === "featureFlag" && one.arguments[0].flag === flag.flag;
        await tab.until("the flag", () => tab.received.some(isIt));
        assert.equal(tab.received.find(isIt).arguments[0].enabled, true);
        const resumed = await tab.invoke("Resume", toast.cursor);
        assert.deepEqual([resumed.complete, resumed.more], [true, false], nameOf(combination));
        await tab.stop();
      });
    });

    test("arguments are read as the client writes the types of .NET", async () => {
      await all(COMBINATIONS_OF_JAVASCRIPT, async (combination, at) => {
        const tab = await open(combination, `typed-${at}`);
        assert.match(await tab.ask({ do: "typed", number: "decimal" }), /./, nameOf(combination));
        const isIt = (one) => one.target === "Message";
        await tab.until("what was taken", () => tab.received.some(isIt));
        assert.deepEqual(tab.received.find(isIt).arguments, [TAKEN], nameOf(combination));
        // JSON has none, so the client itself reports the error.
        const told = combination.protocol === "messagepack" ? /`sum` must be a number; what came is not-a-number/ : /JSON/;
        await assert.rejects(tab.ask({ do: "typed", number: "none" }), told, nameOf(combination));
        await tab.stop();
      });
    });

    test(`${CALLS} calls at once are all answered`, async () => {
      await all(TRANSPORTS, async (transport) => {
        const tab = await open({ transport, protocol: "json" }, `busy-${transport}`);
        assert.equal(await tab.ask({ do: "many", target: "Cursor", count: CALLS }), CALLS);
        await tab.stop();
      });
    });

    test("a logout closes tabs for good", async () => {
      await all(COMBINATIONS_OF_JAVASCRIPT, async (combination, at) => {
        const user = `leaves-${at}`;
        const tab = await open(combination, user);
        // It waits until it receives notifications: before that it would be closed silently.
        assert.match(await tab.invoke("Cursor"), /./);
        await node.publish("auth.UserLoggedOut", user, { user, org: "acme", session: null, reason: "bye" });
        // A client may report that it was closed before it reports its first notification of a kind.
        const isTold = () => tab.received.some((one) => one.target === "logout");
        for (const deadline = Date.now() + 10_000; Date.now() < deadline && !(tab.closed && isTold()); ) {
          await sleep(20);
        }
        assert.deepEqual([tab.closed, tab.opens], ["without an error", 1], nameOf(combination));
        const { target, arguments: given } = tab.received.at(-1);
        assert.deepEqual([target, given[0].reason], ["logout", "bye"], nameOf(combination));
      });
    });

    test("tabs come back when their node is killed", async () => {
      const tabs = await all(COMBINATIONS_OF_JAVASCRIPT, (combination) => open(combination, "alice"));
      await node.kill();
      await node.again();
      await Promise.all(tabs.map((tab) => tab.up(2)));
      await node.alert("after the kill");
      await Promise.all(tabs.map((tab) => tab.toast("after the kill")));
      await Promise.all(tabs.map((tab) => tab.stop()));
    });

    test("a token is renewed on the open connection", { skip: !client.renews }, async () => {
      await all(COMBINATIONS_OF_JAVASCRIPT, async (combination) => {
        const what = nameOf(combination);
        const tab = await open(combination, "alice", () => node.token("alice", LIFE_SECONDS));
        await sleep(LIFE_SECONDS * 1000 + 2500);
        await node.alert(`renewed ${what}`);
        await tab.toast(`renewed ${what}`);
        assert.ok(tab.told.filter((told) => told === "refreshed").length >= 2, `${what}: ${tab.told}`);
        assert.deepEqual([tab.opens, tab.told.includes("refreshFailed")], [1, false], what);
        // Also when the application asks for it, to a token valid for an hour.
        tab.token = () => node.token("alice");
        const seconds = await tab.ask({ do: "refresh" });
        assert.ok(seconds > 3500 && seconds <= 3600, `${what}: ${seconds}`);
        await tab.stop();
      });
    });

    test("a token of another user is not taken, and the connection goes on", { skip: !client.renews }, async () => {
      await all(TRANSPORTS, async (transport) => {
        const tab = await open({ transport, protocol: "json" }, "alice");
        const id = await tab.ask({ do: "id" });
        tab.token = () => node.token("bob");
        await assert.rejects(tab.ask({ do: "refresh" }), /403/, transport);
        tab.token = () => node.token("alice");
        await node.alert(`still ${transport}`);
        await tab.toast(`still ${transport}`);
        assert.equal(await tab.ask({ do: "id" }), id);
        await tab.stop();
      });
    });
  });
}
