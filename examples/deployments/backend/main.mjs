// The orchestrator: it runs deployments through their stages, and publishes what happens to them.

import { Refusal } from "../../backend/server.mjs";
import { ids, signIn, signedIn } from "../../backend/sign-in.mjs";
import { start } from "../../backend/start.mjs";
import { Pipeline } from "./pipeline.mjs";

await start({
  source: "/services/deployments",
  publish: ["deployments.*", "auth.UserLoggedOut"],
  fromFiles: true,
  routes({ store, issuer }) {
    const pipeline = new Pipeline(store);
    pipeline.goOn();
    const context = { store, issuer };
    return [
      ...signIn({
        ...context,
        claims: ({ name, org, roles }) => ({ sub: name, org, roles }),
        signedOut: ({ name, org, session }) => ({
          type: "auth.UserLoggedOut",
          body: { org, user: name, session, reason: "signed out" },
        }),
      }),
      // The hub calls this at a subscription, and again while it lasts.
      ["GET", "/users/{user}/orgs/{org}/deployments/{id}/access", ({ params }) => access(pipeline, params)],
      ["GET", "/api/deployments", (request) => ({ status: 200, body: pipeline.of(signedIn(request, context).org) })],
      ["GET", "/api/deployments/{id}", (request) => ({ status: 200, body: own(request, context, pipeline) })],
      ["POST", "/api/deployments", (request) => deploy(request, context, pipeline)],
      ["PUT", "/api/deployments/{id}/hidden", (request) => hide(request, context, pipeline)],
    ];
  },
});

/** A page subscribes before it starts a deployment, so an unused id is admitted. */
function access(pipeline, { org, id }) {
  const found = pipeline.find(id);
  return { status: found === undefined || (found.org === org && !found.hidden) ? 204 : 403 };
}

function own(request, context, pipeline) {
  const { org } = signedIn(request, context);
  const found = pipeline.find(request.params.id);
  if (found?.org !== org || found.hidden) {
    throw new Refusal(404, "there is no such deployment");
  }
  return found.state;
}

function deploy(request, context, pipeline) {
  const { org } = signedIn(request, context);
  const { module, targetEnvironment = "Development", executionId, failsAt = null } = request.body;
  const named = [module?.name, module?.version, targetEnvironment];
  if (named.some((text) => typeof text !== "string" || text.trim() === "")) {
    throw new Refusal(400, "`module` has a `name` and a `version`, and `targetEnvironment` is a name");
  }
  if (executionId !== undefined && (typeof executionId !== "string" || !/^[0-9a-f-]{36}$/.test(executionId))) {
    throw new Refusal(400, "`executionId` is a GUID in lower case");
  }
  if (executionId !== undefined && pipeline.find(executionId) !== undefined) {
    throw new Refusal(409, "there is a deployment of this id");
  }
  const state = pipeline.start({ org, module, targetEnvironment, executionId, failsAt }, ids(request));
  return { status: 202, body: { executionId: state.ExecutionId } };
}

/** Revokes the permission to watch a deployment: its subscriptions end at the next check. */
function hide(request, context, pipeline) {
  const { org, roles } = signedIn(request, context);
  const found = pipeline.find(request.params.id);
  if (!roles.includes("admin") || found?.org !== org) {
    throw new Refusal(403, "an administrator may do this");
  }
  pipeline.hide(request.params.id);
  return { status: 204 };
}
