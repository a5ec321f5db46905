// Signing in: who asks, by a session cookie or a bearer token.

import { randomUUID } from "node:crypto";
import { PASSWORD, person } from "./people.mjs";
import { Refusal } from "./server.mjs";

const SESSION_SECONDS = 8 * 3600;
/** The cookie that carries the token; the hub's `cookie` names it too. */
const COOKIE = "session";

/** The routes to sign in and out by; `claims` says what a token tells of a person beside user, org, roles and session. */
export function signIn({ store, issuer, claims = () => ({}) }) {
  return [
    [
      "POST",
      "/login",
      ({ body }) => {
        const found = typeof body.user === "string" ? person(body.user) : undefined;
        if (found === undefined || body.password !== PASSWORD) {
          throw new Refusal(401, "there is no such user, or the password is another");
        }
        const { name, org, roles } = found;
        const token = issuer.userToken({ sub: name, org, roles, sid: randomUUID(), ...claims(found) }, SESSION_SECONDS);
        return {
          status: 200,
          body: { user: name, org, roles, access_token: token, token_type: "Bearer", expires_in: SESSION_SECONDS },
          headers: { "set-cookie": cookie(token, SESSION_SECONDS) },
        };
      },
    ],
    ["GET", "/me", (request) => ({ status: 200, body: publicClaims(signedIn(request, { store, issuer })) })],
    [
      "POST",
      "/logout",
      (request) => {
        const user = signedIn(request, { store, issuer });
        const ended = { [`ended/${user.session}`]: true };
        const body = { user: user.name, session: user.session, reason: "signed out" };
        store.commit(ended, [{ type: "auth.UserLoggedOut", org: user.org, body: { org: user.org, ...body }, ...ids(request) }]);
        return { status: 202, headers: { "set-cookie": cookie("", 0) } };
      },
    ],
  ];
}

/** Who asks. Without a good token, or after its session has ended, it is 401. */
export function signedIn({ headers, cookies }, { store, issuer }) {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  const claims = issuer.claims(bearer ?? cookies[COOKIE] ?? "");
  if (claims === undefined || store.get(`ended/${claims.sid}`)) {
    throw new Refusal(401, "sign in first");
  }
  const { sub, org, roles, sid, ...more } = claims;
  return { ...more, name: sub, org, roles, session: sid };
}

/** What an event takes of the request that caused it, so that one can be found by the other. */
export function ids({ correlation, traceparent }) {
  return { correlation, traceparent };
}

function publicClaims({ name, org, roles, teams }) {
  return { user: name, org, roles, teams };
}

/** The page's scripts never see it, and no request of another site brings it along. */
function cookie(value, seconds) {
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
}
