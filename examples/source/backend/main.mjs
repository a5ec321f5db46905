// The services behind the interface: sign-in in the shape of Microsoft Entra ID, roles, licence and feature flags.

import { NAMES, person } from "../../backend/people.mjs";
import { Refusal } from "../../backend/server.mjs";
import { ids, signIn, signedIn } from "../../backend/sign-in.mjs";
import { start } from "../../backend/start.mjs";

/** Groups of the directory, which are in a separate claim beside the application's roles. */
const GROUPS = { alice: ["finance"], bob: ["finance", "it"], carol: ["it"], root: [] };
/** Entra backdates its tokens by this much, for clocks that are behind. */
const DATED_BACK_SECONDS = 300;
const ADMINS = ["admin", "superadmin"];

await start({
  source: "/services/source",
  publish: ["source.*"],
  audience: "api://source",
  routes({ store, issuer }) {
    seed(store);
    const context = { store, issuer };
    return [
      // A logout ends every session of the user, each by its id: so a sign-in right after it works, whatever its `iat`.
      ...signIn({
        ...context,
        everywhere: true,
        claims: (found) => claims(found, context),
        signedOut: ({ name, org, session }) => ({
          type: "source.LogOffInitiated",
          body: { org, user: name, session, reason: "log_off_initiated" },
        }),
      }),
      ["GET", "/common/v2.0/.well-known/openid-configuration", () => ({ status: 200, body: discovery(issuer) })],
      ["PUT", "/users/{user}/roles", (request) => setRoles(request, context)],
      ["PUT", "/users/{user}/permissions", (request) => setPermissions(request, context)],
      ["PUT", "/license", (request) => setLicense(request, context)],
      ["GET", "/flags", (request) => ({ status: 200, body: flagsOf(store, signedIn(request, context).org) })],
      ["PUT", "/flags/{flag}", (request) => setFlag(request, context)],
      ["POST", "/notifications", (request) => notify(request, context)],
    ];
  },
});

function seed(store) {
  const missing = NAMES.filter((name) => store.get(`roles/${name}`) === undefined);
  const roles = missing.map((name) => [`roles/${name}`, { roles: person(name).roles, groups: GROUPS[name], revision: 0 }]);
  store.commit(Object.fromEntries(roles));
}

function claims({ name, org }, { store, issuer }) {
  const { roles, groups } = store.get(`roles/${name}`);
  const dated = Math.floor(Date.now() / 1000) - DATED_BACK_SECONDS;
  const iss = `${issuer.name}/${org}/v2.0`;
  return { iss, oid: name, sub: `subject-of-${name}`, tid: org, roles, groups, ver: "2.0", iat: dated, nbf: dated };
}

/** Like Entra's document for all tenants: the issuer is a pattern. */
function discovery({ name }) {
  return { issuer: `${name}/{tenantid}/v2.0`, jwks_uri: `${name}/.well-known/jwks.json` };
}

function admin(request, context) {
  const user = signedIn(request, context);
  // By the service's current state, and not by the token.
  const { roles } = context.store.get(`roles/${user.name}`);
  if (!roles.some((role) => ADMINS.includes(role))) {
    throw new Refusal(403, "an administrator may do this");
  }
  return user;
}

function texts(value, name) {
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string" || one.trim() === "")) {
    throw new Refusal(400, `\`${name}\` is a list of names`);
  }
  return [...new Set(value)];
}

function colleague(name, org) {
  const found = person(name);
  if (found?.org !== org) {
    throw new Refusal(404, "there is no such user in this tenant");
  }
  return found;
}

function setRoles(request, context) {
  const { org } = admin(request, context);
  const { name } = colleague(request.params.user, org);
  const known = context.store.get(`roles/${name}`);
  const next = { ...known, roles: texts(request.body.roles, "roles"), revision: known.revision + 1 };
  // The hub has one list of both; so the event contains both, or the groups would be gone.
  const body = { org, user: name, roles: [...next.roles, ...next.groups], revision: next.revision };
  context.store.commit({ [`roles/${name}`]: next }, [{ type: "source.RoleChanged", org, body, ...ids(request) }]);
  return { status: 202, body: next };
}

function setPermissions(request, context) {
  const { org } = admin(request, context);
  const { name } = colleague(request.params.user, org);
  const permissions = texts(request.body.permissions, "permissions");
  const event = { type: "source.PermissionsChanged", org, body: { org, user: name, permissions }, ...ids(request) };
  context.store.commit({ [`permissions/${name}`]: permissions }, [event]);
  return { status: 202, body: { permissions } };
}

function setLicense(request, context) {
  const { org } = admin(request, context);
  const { plan, seats = null } = request.body;
  if (typeof plan !== "string" || plan.trim() === "" || !(seats === null || Number.isInteger(seats))) {
    throw new Refusal(400, "`plan` is a name, and `seats` a whole number or missing");
  }
  const event = { type: "source.LicenseUpdated", org, body: { org, plan, seats }, ...ids(request) };
  context.store.commit({ [`license/${org}`]: { plan, seats } }, [event]);
  return { status: 202, body: { plan, seats } };
}

function flagsOf(store, org) {
  return store.list(`flag/${org}/`).map(({ flag, enabled }) => ({ flag, enabled }));
}

function setFlag(request, context) {
  const { org } = admin(request, context);
  const { flag } = request.params;
  const { enabled } = request.body;
  if (typeof enabled !== "boolean") {
    throw new Refusal(400, "`enabled` is true or false");
  }
  const key = `flag/${org}/${flag}`;
  const revision = (context.store.get(key)?.revision ?? 0) + 1;
  const event = { type: "source.FeatureFlagToggled", org, body: { org, flag, enabled, revision }, ...ids(request) };
  context.store.commit({ [key]: { flag, enabled, revision } }, [event]);
  return { status: 202, body: { flag, enabled } };
}

function notify(request, context) {
  const { org } = admin(request, context);
  const { user = null, role = null, severity = "info", title, message = "", link = null } = request.body;
  if (typeof title !== "string" || title.trim() === "") {
    throw new Refusal(400, "`title` is missing");
  }
  const body = { org, user, role, severity, title, message, link };
  const [id] = context.store.commit({}, [{ type: "source.Notification", org, body, ...ids(request) }]);
  return { status: 202, body: { id } };
}
