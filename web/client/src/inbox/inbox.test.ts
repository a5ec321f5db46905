import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, NotificationEntry } from "./entry.ts";
import { Inbox } from "./inbox.ts";
import type { Standing } from "./place.ts";

function notification(id: string, fields: Partial<NotificationEntry> = {}): NotificationEntry {
  return { kind: "notification", id, cursor: `after ${id}`, key: undefined, target: "toast", args: [id], size: 50, ...fields };
}

/** An inbox and what its page was told. */
function tab(standing?: Standing) {
  const told: string[] = [];
  const inbox = new Inbox(
    {
      deliver: (_, args) => told.push(String(args[0])),
      gap: () => told.push("gap"),
      moved: () => undefined,
    },
    standing,
  );
  return { inbox, told, hear: (...entries: Entry[]) => entries.forEach((entry) => inbox.hear(entry)) };
}

test("what comes twice is told once, and the place is behind the newest", () => {
  const { inbox, told, hear } = tab();
  hear(notification("a"), notification("b"), notification("a"));
  assert.deepEqual(told, ["a", "b"]);
  assert.equal(inbox.cursor, "after a");
});

test("during a replay the place stays where the replay began", () => {
  const { inbox, hear } = tab({ cursor: "before", ids: ["z"] });
  hear(notification("a", { cursor: undefined }));
  assert.equal(inbox.cursor, "before");
  hear({ kind: "stands", id: "1", cursor: "now" });
  assert.equal(inbox.cursor, "now");
});

test("a reloaded tab does not tell again what it had heard, and goes on behind it", () => {
  const before = tab();
  before.hear(notification("a"), notification("b"));
  const after = tab(before.inbox.standing);
  assert.equal(after.inbox.cursor, "after b");
  after.hear(notification("b"), notification("c"));
  assert.deepEqual(after.told, ["c"]);
});

test("a tab that is behind lacks what lies behind the first that both know", () => {
  const [leads, follows] = [tab(), tab()];
  const all = ["a", "b", "c", "d"].map((id) => notification(id));
  leads.hear(...all);
  follows.hear(all[0]!, all[2]!);
  assert.deepEqual(follows.inbox.compare(leads.inbox.ids()), { is: "behind", missing: ["b", "d"] });
  follows.hear(...leads.inbox.find(["b", "d"]));
  assert.deepEqual(follows.inbox.compare(leads.inbox.ids()), { is: "level" });
});

test("a tab that is ahead is level, and hears nothing again when the replay comes", () => {
  const [leads, follows] = [tab(), tab()];
  const all = ["a", "b", "c"].map((id) => notification(id));
  leads.hear(all[0]!);
  follows.hear(...all);
  assert.deepEqual(follows.inbox.compare(leads.inbox.ids()), { is: "level" });
  follows.hear(...all);
  assert.deepEqual(follows.told, ["a", "b", "c"]);
});

test("a tab that knows nothing of what another has heard is apart, unless it is new", () => {
  const [leads, old, fresh] = [tab(), tab({ cursor: "long ago", ids: ["x"] }), tab()];
  leads.hear(notification("a"));
  assert.deepEqual(old.inbox.compare(leads.inbox.ids()), { is: "apart" });
  assert.deepEqual(fresh.inbox.compare(leads.inbox.ids()), { is: "new" });
});

test("a tab that adopts a place can hand it on, and tells nothing from before", () => {
  const [leads, fresh] = [tab(), tab()];
  leads.hear(notification("a"), notification("b"));
  fresh.inbox.adopt(leads.inbox.ids(), leads.inbox.cursor, []);
  fresh.hear(notification("a"), notification("c"));
  assert.deepEqual(fresh.told, ["c"]);
  leads.hear(notification("c"));
  assert.deepEqual(leads.inbox.compare(fresh.inbox.ids()), { is: "level" });
});

test("what is retained is told to a new tab, the newest of each key, and known again later", () => {
  const [leads, fresh] = [tab(), tab()];
  leads.hear(notification("on", { key: "dark" }), notification("off", { key: "dark" }), notification("x", { key: "beta" }));
  const { entries, isWhole } = leads.inbox.retained();
  fresh.inbox.adopt(leads.inbox.ids(), leads.inbox.cursor, entries);
  assert.deepEqual([fresh.told, isWhole], [["off", "x"], true]);
  for (let i = 0; i < 6_000; i += 1) {
    fresh.hear(notification(`n${i}`));
  }
  fresh.told.length = 0;
  fresh.hear(notification("off", { key: "dark" }));
  assert.deepEqual(fresh.told, [], "a node tells it again to each new connection");
});

test("memory is bounded by number and by size", () => {
  const { inbox, hear } = tab();
  for (let i = 0; i < 5_000; i += 1) {
    hear(notification(`n${i}`, { key: `k${i}` }));
  }
  assert.equal(inbox.ids().length, 1_000);
  assert.equal(inbox.ids().at(-1), "n4999");
  assert.equal(inbox.retained().entries.length, 1_000);
  assert.equal(inbox.retained().isWhole, false);
  hear(notification("large", { size: 900_000 }), notification("larger", { size: 900_000 }));
  assert.deepEqual(inbox.ids(), ["larger"]);
});

test("tabs that heard any part of a stream in any order know the same after comparing", () => {
  // A small generator, so that a failure can be reproduced.
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 500; round += 1) {
    const all = Array.from({ length: 20 }, (_, i) => notification(`${round}/${i}`));
    const [leads, follows] = [tab(), tab()];
    leads.hear(...all.slice(0, 1 + random(20)));
    const heard = all.slice(1, 1 + random(20)).filter(() => random(4) > 0);
    follows.hear(all[0]!, ...heard.sort(() => random(3) - 1));
    const comparison = follows.inbox.compare(leads.inbox.ids());
    follows.hear(...leads.inbox.find(comparison.is === "behind" ? comparison.missing : []));
    assert.deepEqual(leads.told.filter((id) => !follows.told.includes(id)), [], `round ${round}`);
    assert.equal(new Set(follows.told).size, follows.told.length);
  }
});
