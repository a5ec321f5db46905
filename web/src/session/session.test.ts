import assert from "node:assert/strict";
import { test } from "node:test";
import { isAdmin, isSuperadmin, sameSession, sessionOf } from "./session.ts";
import { SessionStore, type Shelf } from "./store.ts";

function token(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part(claims)}.signature`;
}

function shelf(): Shelf & { size(): number } {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
    size: () => values.size,
  };
}

const alice = { sub: "alice", org: "acme", roles: ["user"], sid: "s1", exp: 4_000_000_000 };

test("claims are read from the token", () => {
  const session = sessionOf(token({ ...alice, sub: "zoë" }));
  assert.equal(session?.user, "zoë");
  assert.equal(session?.org, "acme");
  assert.equal(session?.id, "s1");
  assert.equal(session?.expiresAt, 4_000_000_000_000);
});

test("a role that is a plain string counts as a list of one", () => {
  assert.deepEqual(sessionOf(token({ ...alice, roles: "admin" }))?.roles, ["admin"]);
  assert.deepEqual(sessionOf(token({ ...alice, roles: undefined }))?.roles, []);
});

test("what is not a token is no session", () => {
  for (const raw of [null, 7, "", "a.b", "a.!!.c", "a.bnVsbA.c", token({ org: "acme" })]) {
    assert.equal(sessionOf(raw), undefined);
  }
});

test("admin and superadmin are told apart", () => {
  const bob = sessionOf(token({ ...alice, roles: ["admin"] }))!;
  const root = sessionOf(token({ ...alice, roles: ["superadmin"] }))!;
  assert.deepEqual([isAdmin(bob), isSuperadmin(bob)], [true, false]);
  assert.deepEqual([isAdmin(root), isSuperadmin(root)], [true, true]);
});

test("the same session id of another user is another session", () => {
  const a = sessionOf(token(alice))!;
  assert.ok(sameSession(a, sessionOf(token({ ...alice, iat: 9 }))!));
  assert.ok(!sameSession(a, sessionOf(token({ ...alice, sub: "bob" }))!));
  assert.ok(!sameSession(a, sessionOf(token({ ...alice, sid: "s2" }))!));
});

test("a new tab adopts the browser's session and keeps it", () => {
  const browser = shelf();
  new SessionStore(shelf(), browser).signedIn(sessionOf(token(alice))!);
  const tab = new SessionStore(shelf(), browser);
  assert.equal(tab.current()?.user, "alice");
  browser.removeItem("fanfare.session");
  assert.equal(tab.current()?.user, "alice");
});

test("signing in alone leaves the session of the tabs to come", () => {
  const browser = shelf();
  new SessionStore(shelf(), browser).signedIn(sessionOf(token(alice))!);
  const tab = new SessionStore(shelf(), browser);
  tab.signedIn(sessionOf(token({ ...alice, sub: "bob", sid: "s2" }))!, true);
  assert.equal(tab.current()?.user, "bob");
  assert.equal(new SessionStore(shelf(), browser).current()?.user, "alice");
});

test("an ended session is forgotten, another one in the browser is not", () => {
  const browser = shelf();
  const first = sessionOf(token(alice))!;
  const tab = new SessionStore(shelf(), browser);
  tab.signedIn(first);
  new SessionStore(shelf(), browser).signedIn(sessionOf(token({ ...alice, sid: "s2" }))!);
  tab.ended(first);
  assert.equal(tab.current()?.id, "s2");
  tab.ended(sessionOf(token({ ...alice, sid: "s2" }))!);
  assert.equal(browser.size(), 0);
  assert.equal(tab.current(), undefined);
});

test("an expired session is not adopted", () => {
  const browser = shelf();
  const store = new SessionStore(shelf(), browser, () => 5_000_000_000_000);
  store.signedIn(sessionOf(token(alice))!);
  assert.equal(store.current(), undefined);
  assert.equal(browser.size(), 0);
});
