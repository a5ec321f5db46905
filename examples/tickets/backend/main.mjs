// The ticketing service: tickets of orgs and their teams, their watchers, and notifications of their changes.

import { person } from "../../backend/people.mjs";
import { Refusal } from "../../backend/server.mjs";
import { ids, signIn, signedIn } from "../../backend/sign-in.mjs";
import { start } from "../../backend/start.mjs";

/** The teams of each user; bob is in both of acme's. Another org may have a team with the same name. */
const TEAMS = { alice: ["support"], bob: ["support", "billing"], carol: ["support"], root: [] };

const FIRST_TICKETS = [
  { ticketId: "41", org: "acme", team: null, title: "The office has no coffee" },
  { ticketId: "42", org: "acme", team: "support", title: "The printer prints blank pages" },
  { ticketId: "43", org: "acme", team: "billing", title: "The invoice of May came twice" },
  { ticketId: "77", org: "globex", team: "support", title: "The door opens by itself" },
];

await start({
  source: "/services/tickets",
  publish: ["tickets.*", "auth.UserLoggedOut"],
  routes({ store, issuer }) {
    seed(store);
    const context = { store, issuer };
    return [
      ...signIn({
        ...context,
        claims: ({ name, org, roles }) => ({ sub: name, org, roles, teams: TEAMS[name] }),
        signedOut: ({ name, org, session }) => ({
          type: "auth.UserLoggedOut",
          body: { org, user: name, session, reason: "signed out" },
        }),
      }),
      ["GET", "/tickets", (request) => ({ status: 200, body: seen(store, signedIn(request, context)) })],
      ["GET", "/tickets/{id}", (request) => ({ status: 200, body: ticketOf(request, context).ticket })],
      ["POST", "/tickets/{id}/assign", (request) => assign(request, context)],
      ["POST", "/tickets/{id}/close", (request) => setState(request, context, "closed")],
      ["POST", "/tickets/{id}/reopen", (request) => setState(request, context, "open")],
      ["PUT", "/tickets/{id}/watchers/{user}", (request) => watch(request, context, true)],
      ["DELETE", "/tickets/{id}/watchers/{user}", (request) => watch(request, context, false)],
    ];
  },
});

function seed(store) {
  const missing = FIRST_TICKETS.filter(({ ticketId }) => store.get(`ticket/${ticketId}`) === undefined);
  const tickets = missing.map((ticket) => [
    `ticket/${ticket.ticketId}`,
    { ...ticket, state: "open", assignee: null, watchers: [], revision: 0 },
  ]);
  store.commit(Object.fromEntries(tickets));
}

/** The API uses the same claims and grants as the hub: a user who may see a ticket is notified of it. */
function maySee(ticket, { name, org, teams }) {
  const ofOrg = ticket.org === org;
  const ofTeam = ticket.team === null || teams.includes(ticket.team);
  return ofOrg && (ofTeam || ticket.assignee === name || ticket.watchers.includes(name));
}

function seen(store, user) {
  return store.list("ticket/").filter((ticket) => maySee(ticket, user));
}

function ticketOf(request, { store, issuer }) {
  const user = signedIn(request, { store, issuer });
  const ticket = store.get(`ticket/${request.params.id}`);
  // Not 403: whether the ticket exists must not be revealed.
  if (ticket === undefined || !maySee(ticket, user)) {
    throw new Refusal(404, "there is no such ticket");
  }
  return { ticket, user };
}

function colleague(name, org) {
  const found = typeof name === "string" ? person(name) : undefined;
  if (found?.org !== org) {
    throw new Refusal(400, "there is no such user in this org");
  }
  return found;
}

/** Without a body the caller takes the ticket. */
function assign(request, context) {
  const { ticket, user } = ticketOf(request, context);
  const { assignee = user.name } = request.body;
  return change(request, context, ticket, { assignee: colleague(assignee, ticket.org).name }, "TicketAssigned");
}

function setState(request, context, state) {
  const { ticket } = ticketOf(request, context);
  return change(request, context, ticket, { state }, "TicketChanged");
}

function change(request, { store }, ticket, values, type) {
  const next = { ...ticket, ...values, revision: ticket.revision + 1 };
  // The previous assignee must be notified, too.
  const { org, team, ticketId, assignee, state } = next;
  const told = { TicketAssigned: { assignee, previousAssignee: ticket.assignee }, TicketChanged: { assignee, state } };
  const body = { org, ticketId, team, ...told[type] };
  store.commit({ [`ticket/${ticketId}`]: next }, [{ type: `tickets.${type}`, org, body, ...ids(request) }]);
  return { status: 200, body: next };
}

function watch(request, context, on) {
  const { ticket } = ticketOf(request, context);
  const { name } = colleague(request.params.user, ticket.org);
  const others = ticket.watchers.filter((one) => one !== name);
  const next = { ...ticket, watchers: on ? [...others, name] : others, revision: ticket.revision + 1 };
  const body = { org: ticket.org, ticketId: ticket.ticketId, user: name, revision: next.revision };
  const type = on ? "tickets.WatcherAdded" : "tickets.WatcherRemoved";
  context.store.commit({ [`ticket/${ticket.ticketId}`]: next }, [{ type, org: ticket.org, body, ...ids(request) }]);
  return { status: 200, body: next };
}
