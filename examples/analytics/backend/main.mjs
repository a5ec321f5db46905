// The analytics service: agents' reports become figures, and each report and figure an event.

import { randomUUID } from "node:crypto";
import { NAMES } from "../../backend/people.mjs";
import { Refusal } from "../../backend/server.mjs";
import { ids, signIn, signedIn } from "../../backend/sign-in.mjs";
import { start } from "../../backend/start.mjs";
import { Figures } from "./figures.mjs";

/** The demo's users, with their roles here. */
const ROLES = { alice: ["User"], bob: ["Admin"], carol: ["Manager"], root: ["SuperAdmin"] };

await start({
  source: "/services/analytics",
  publish: ["analytics.*", "auth.*"],
  routes({ store, issuer }) {
    const figures = new Figures(store);
    const as = (answer) => (request) => answer({ ...request, user: signedIn(request, { store, issuer }) });
    const tell = ({ user, ...request }, values, ...events) => {
      const told = events.map(([type, body]) => ({ type, org: user.org, body: { org: user.org, ...body }, ...ids(request) }));
      store.commit(values, told);
    };
    return [
      ...signIn({
        store,
        issuer,
        claims: ({ name, org }) => ({ sub: name, org, roles: rolesOf(store, name), subscription: planOf(store, org).state }),
        signedOut: ({ name, org, session }) => ({
          type: "auth.UserLoggedOut",
          body: { org, user: name, session, reason: "signed out" },
        }),
      }),
      // What dashboards polled every 30 seconds before they were notified.
      ["GET", "/dashboard", as(({ user }) => ({ status: 200, body: figures.of(user.org) }))],
      ["POST", "/sessions", as((request) => started(request, tell, figures))],
      ["POST", "/sessions/{id}/end", as((request) => ended(request, tell, figures))],
      ["POST", "/detections", as((request) => detected(request, tell, figures))],
      ["POST", "/exports", as((request) => exported(request, tell))],
      ["POST", "/alerts", as((request) => alert(request, tell))],
      ["PUT", "/subscription", as((request) => subscribe(request, tell, store))],
      ["PUT", "/users/{user}/roles", as((request) => setRoles(request, tell, store))],
    ];
  },
});

function rolesOf(store, name) {
  return store.get(`roles/${name}`)?.roles ?? ROLES[name];
}

function planOf(store, org) {
  return store.get(`plan/${org}`) ?? { plan: "Team", state: "active", revision: 0 };
}

function started(request, tell, figures) {
  const session = { sessionId: randomUUID(), userId: request.user.name, startTime: new Date().toISOString() };
  const values = figures.begin(request.user.org, session);
  tell(request, values, ["analytics.SessionStarted", session], figures.told(values));
  return { status: 201, body: session };
}

function ended(request, tell, figures) {
  const { org } = request.user;
  const ended = figures.end(org, request.params.id);
  if (ended === undefined) {
    throw new Refusal(404, "no such session runs");
  }
  tell(request, ended.values, ["analytics.SessionEnded", ended.session], figures.told(ended.values));
  return { status: 200, body: ended.session };
}

function detected(request, tell, figures) {
  const { tool, duration } = request.body;
  if (typeof tool !== "string" || tool.trim() === "" || !(duration > 0)) {
    throw new Refusal(400, "`tool` is a name, and `duration` a number of seconds above 0");
  }
  const values = figures.use(request.user.org, tool, duration);
  const detection = { tool, duration, userId: request.user.name };
  tell(request, values, ["analytics.AIDetected", detection], figures.told(values));
  return { status: 201, body: detection };
}

function exported(request, tell) {
  const jobId = randomUUID();
  const done = { userId: request.user.name, jobId, downloadUrl: `/exports/${jobId}/download` };
  tell(request, {}, ["analytics.ExportCompleted", done]);
  return { status: 202, body: { jobId } };
}

function alert(request, tell) {
  const { type = "notice", message, severity = "info", userId = null } = request.body;
  if (typeof message !== "string" || message.trim() === "") {
    throw new Refusal(400, "`message` is missing");
  }
  tell(request, {}, ["analytics.Alert", { type, message, severity, userId }]);
  return { status: 202, body: {} };
}

function subscribe(request, tell, store) {
  const { org, roles } = request.user;
  const { active } = request.body;
  if (!roles.includes("Admin") || typeof active !== "boolean") {
    throw new Refusal(roles.includes("Admin") ? 400 : 403, "an administrator says whether it is `active`");
  }
  const { plan, revision } = planOf(store, org);
  const next = { plan, state: active ? "active" : "expired", revision: revision + 1 };
  const type = active ? "analytics.SubscriptionRenewed" : "analytics.SubscriptionExpired";
  tell(request, { [`plan/${org}`]: next }, [type, { plan, revision: next.revision }]);
  return { status: 202, body: next };
}

function setRoles(request, tell, store) {
  const { user, params, body } = request;
  const known = store.get(`roles/${params.user}`) ?? { revision: 0 };
  const plain = Array.isArray(body.roles) && body.roles.every((role) => Object.values(ROLES).flat().includes(role));
  if (!user.roles.includes("Admin") || !plain || !NAMES.includes(params.user)) {
    throw new Refusal(user.roles.includes("Admin") ? 400 : 403, "an administrator gives a user `roles` of this platform");
  }
  const next = { roles: body.roles, revision: known.revision + 1 };
  tell(request, { [`roles/${params.user}`]: next }, ["auth.RolesChanged", { user: params.user, ...next }]);
  return { status: 202, body: next };
}
