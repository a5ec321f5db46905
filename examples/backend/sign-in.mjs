// Signing in and out: identifies the caller by a session cookie or a bearer token.

import { randomUUID } from "node:crypto";
import { PASSWORD, person } from "./people.mjs";
import { Refusal } from "./server.mjs";

const SESSION_SECONDS = 8 * 3600;
/** The cookie with the token; the hub's `cookie` names it too. */
const COOKIE = "session";

/**
 * The routes to sign in and out by. `claims` says what a token tells of a person, `signedOut` makes the event that ends a
 * session, and with `everywhere` a logout ends all sessions of the user.
 */
export function signIn({ store, issuer, claims, signedOut, everywhere = false }) {
  return [
    ["POST", "/login", ({ body }) => login(body, { store, issuer, claims })],
    ["GET", "/me", (request) => ({ status: 200, body: told(signedIn(request, { store, issuer })) })],
    [
      "POST",
      "/logout",
      (request) => {
        const user = signedIn(request, { store, issuer });
        const ended = everywhere ? store.list(sessionsOf(user.name)) : [{ session: user.session }];
        const values = ended.map(({ session }) => [sessionsOf(user.name) + session, null]);
        const events = ended.map(({ session }) => ({ ...signedOut({ ...user, session }), org: user.org, ...ids(request) }));
        store.commit(Object.fromEntries(values), events);
        return { status: 202, headers: { "set-cookie": cookie("", 0) } };
      },
    ],
  ];
}

function login(body, { store, issuer, claims }) {
  const found = typeof body.user === "string" ? person(body.user) : undefined;
  if (found === undefined || body.password !== PASSWORD) {
    throw new Refusal(401, "there is no such user, or the password is another");
  }
  const session = randomUUID();
  const now = Math.floor(Date.now() / 1000);
  const past = store.list(sessionsOf(found.name)).filter(({ until }) => until < now);
  store.commit({
    ...Object.fromEntries(past.map((one) => [sessionsOf(found.name) + one.session, null])),
    [sessionsOf(found.name) + session]: { session, until: now + SESSION_SECONDS },
  });
  const token = issuer.userToken({ sid: session, ...claims(found) }, SESSION_SECONDS);
  return {
    status: 200,
    body: { ...told(whose(issuer.claims(token))), access_token: token, token_type: "Bearer", expires_in: SESSION_SECONDS },
    headers: { "set-cookie": cookie(token, SESSION_SECONDS) },
  };
}

/** The caller. Without a valid token, or after its session has ended, the answer is 401. */
export function signedIn({ headers, cookies }, { store, issuer }) {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  const claims = issuer.claims(bearer ?? cookies[COOKIE] ?? "");
  const user = claims && whose(claims);
  if (user === undefined || store.get(sessionsOf(user.name) + user.session) === undefined) {
    throw new Refusal(401, "sign in first");
  }
  return user;
}

/** The correlation of an event with the request that caused it. */
export function ids({ correlation, traceparent }) {
  return { correlation, traceparent };
}

/** User and org by the claim names of either kind of issuer. */
function whose({ sub, oid, org, tid, roles, sid, ...more }) {
  return { ...more, name: oid ?? sub, org: tid ?? org, roles, session: sid };
}

function told({ name, org, roles, teams, groups }) {
  return { user: name, org, roles, teams, groups };
}

function sessionsOf(name) {
  return `session/${name}/`;
}

/** The page's scripts never see it, and no request of another site sends it. */
function cookie(value, seconds) {
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
}
