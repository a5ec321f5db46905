// The service for shopping lists: lists and items, who may see and change them, and who is notified of changes.

import { NAMES, person } from "../../backend/people.mjs";
import { Refusal } from "../../backend/server.mjs";
import { signIn, signedIn } from "../../backend/sign-in.mjs";
import { start } from "../../backend/start.mjs";
import { Lists } from "./lists.mjs";

const DISPLAY = { alice: "Alice Adams", bob: "Bob Brown", carol: "Carol Clark", root: "Root" };

/** How a user is shown to others. */
function shown(name) {
  return { id: name, displayName: DISPLAY[name], avatarUrl: `/avatars/${name}.svg` };
}

function known(name) {
  if (!NAMES.includes(name)) {
    throw new Refusal(400, "there is no such user");
  }
  return name;
}

await start({
  source: "/services/lists",
  publish: ["lists.*", "auth.UserLoggedOut"],
  routes({ store, issuer }) {
    const lists = new Lists(store, shown);
    const as = (answer) => (request) => {
      const { name } = signedIn(request, { store, issuer });
      return answer({ ...request, user: name });
    };
    const ok = (body) => ({ status: 200, body });
    return [
      ...signIn({
        store,
        issuer,
        // Whatever orgs the demo's users belong to elsewhere: here there is one.
        claims: ({ name, roles }) => {
          const { displayName, avatarUrl } = shown(name);
          return { sub: name, org: "acme", roles, name: displayName, picture: avatarUrl };
        },
        signedOut: ({ name, session }) => ({
          type: "auth.UserLoggedOut",
          body: { org: "acme", user: name, session, reason: "signed out" },
        }),
      }),
      // The hub calls this on every call. Only the node can reach it; outside a demo it would authenticate.
      [
        "GET",
        "/users/{user}/lists/{list}/access",
        ({ params }) => ({ status: person(params.user) && lists.permission(params.user, params.list) ? 204 : 403 }),
      ],
      ["GET", "/api/lists", as(({ user }) => ok(lists.of(user)))],
      ["GET", "/api/lists/{list}", as(({ user, params }) => ok(lists.view(user, params.list)))],
      ["PATCH", "/api/lists/{list}", as((request) => ok(lists.change(request)))],
      ["GET", "/api/lists/{list}/items", as(({ user, params }) => ok({ items: lists.items(user, params.list) }))],
      ["POST", "/api/lists/{list}/items", as((request) => ({ status: 201, body: lists.add(request) }))],
      ["PATCH", "/api/lists/{list}/items/{item}", as((request) => ok(lists.edit(request)))],
      ["DELETE", "/api/lists/{list}/items/{item}", as((request) => lists.remove(request))],
      ["PATCH", "/api/lists/{list}/items/{item}/purchased", as((request) => ok(lists.purchase(request)))],
      [
        "PUT",
        "/api/lists/{list}/collaborators/{user}",
        as((request) => ok(lists.invite(request, known(request.params.user)))),
      ],
      [
        "DELETE",
        "/api/lists/{list}/collaborators/{user}",
        as((request) => lists.exclude(request, known(request.params.user))),
      ],
    ];
  },
});
