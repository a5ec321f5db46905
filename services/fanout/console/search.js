// One box for a user, an org, a group, a session, a hub, a connection or an event: what there is, on all nodes.

import { ask } from "./api.js";
import { askFirst, copy } from "./ask-first.js";
import { Card, at, button, element, say } from "./element.js";
import { showEvent } from "./events.js";
import { momentText } from "./moments.js";
import { counted, number, plain, time } from "./words.js";

const PAGE = 50;
/** What each thing is called in a request, and what is closed by it. */
const CLOSES = {
  user: (id) => [`/users/${encodeURIComponent(id)}/connections`, `all connections of the user ${id}`],
  session: (id) => [`/sessions/${encodeURIComponent(id)}/connections`, `all connections of the session ${id}`],
};

let found = [];
let copied = "";
/** The cards of the connections that are shown, by their ids. */
let cards = new Map();
let mayChange = false;
let turn = 0;

export function allow(rights) {
  mayChange = rights === "change";
  at("close-all").hidden = true;
}

export function clearSearch() {
  turn += 1;
  [found, copied, cards] = [[], "", new Map()];
  at("connections").replaceChildren();
  at("refused").replaceChildren();
  say(at("found"), "", "");
  for (const id of ["more", "copy", "close-all"]) at(id).hidden = true;
}

async function look(after) {
  const mine = (turn += 1);
  const [by, value] = [at("by").value, at("value").value];
  if (by === "event") return lookForEvent(value, mine);
  const query = new URLSearchParams({ [by]: value, limit: PAGE });
  if (after !== undefined) query.set("continue", after);
  say(at("found"), "Looking…", "");
  if (after === undefined) at("refused").replaceChildren();
  try {
    const { connections, continue: next, missing = [] } = await ask(`/connections?${query}`);
    // What was asked for later counts.
    if (mine !== turn) return;
    found = after === undefined ? connections : [...found, ...connections];
    if (after === undefined) cards = new Map();
    const made = connections.map((connection) => [connection, card(connection)]);
    made.forEach(([{ id }, one]) => cards.set(id, one));
    const elements = made.map(([, one]) => one.element);
    if (after === undefined) at("connections").replaceChildren(...elements);
    else at("connections").append(...elements);
    const without = missing.length > 0 ? `; without those of ${missing.join(", ")}, which gave no answer` : "";
    say(at("found"), `${counted(found.length, "connection")}${next ? ", and more" : ""}${without}.`);
    if (by === "user" && after === undefined) await refused(value, mine);
    at("more").hidden = next === undefined;
    at("more").onclick = () => look(next);
    at("copy").hidden = found.length === 0;
    at("close-all").hidden = !(mayChange && by in CLOSES);
    at("close-all").onclick = () => close(...CLOSES[by](value));
    copied = JSON.stringify(found, null, 2);
    measure(connections, mine);
  } catch (error) {
    if (mine !== turn) return;
    if (after === undefined) clearSearch();
    say(at("found"), error.message, "fault");
  }
}

async function lookForEvent(id, mine) {
  clearSearch();
  turn = mine;
  say(at("found"), "Looking…", "");
  try {
    const text = await showEvent(id, () => mine === turn, find);
    if (mine !== turn) return;
    copied = text;
    at("copy").hidden = text === "";
  } catch (error) {
    if (mine === turn) say(at("found"), error.message, "fault");
  }
}

function find(by, value) {
  at("by").value = by;
  at("value").value = value;
  look();
}

/** How long clients take to answer a ping, once the page shows who they are: nobody waits for those that do not. */
async function measure(connections, mine) {
  const asked = connections.filter(({ transport }) => transport === "WebSockets");
  if (asked.length === 0) return;
  let told, fault;
  try {
    told = (await ask(`/connections/round-trips?ids=${asked.map(({ id }) => id).join(",")}`)).round_trips;
  } catch (error) {
    fault = error.message;
  }
  if (mine !== turn) return;
  for (const connection of asked) {
    const took = told?.[connection.id];
    const words = took === undefined ? (fault ?? "no answer to a ping within 2 s") : `${took} ms`;
    cards.get(connection.id)?.update(title(connection), rows(connection, words));
  }
}

/** Since when the tokens of a user are refused, if they are. */
async function refused(user, mine) {
  const { logouts, everyone } = await ask(`/users/${encodeURIComponent(user)}`);
  if (mine !== turn) return;
  const lines = logouts.map(({ at: when, session, realm }) => {
    const whose = realm === undefined ? "" : ` in the realm ${realm}`;
    const which = session === undefined ? `issued until ${time(when)}` : `of the session ${session}`;
    return `Tokens ${which}${whose} are refused: logged out at ${time(when)}.`;
  });
  if (everyone !== undefined) lines.push(`Tokens issued until ${time(everyone)} are refused, whoever they are for.`);
  at("refused").replaceChildren(...lines.map((line) => element("li", {}, plain(line))));
}

/** What a connection has been through, asked for when its card is opened. */
async function timeline(id, place) {
  try {
    const { connections } = await ask(`/connections?id=${encodeURIComponent(id)}`);
    const moments = connections[0]?.timeline ?? [];
    const text = moments.length > 0 ? moments.map(momentText).join("\n") : "It has ended meanwhile.";
    place.replaceChildren(element("pre", { tabindex: "0", "aria-label": `Timeline of ${id}` }, plain(text)));
  } catch (error) {
    place.replaceChildren(element("p", { class: "fault" }, plain(error.message)));
  }
}

const title = (connection) => connection.user ?? "nobody in particular";

function rows(connection, roundTrip) {
  const { id, groups = [], more_groups: more = 0 } = connection;
  return [
    ["hub", connection.hub],
    ["org", connection.named_org === undefined ? connection.org : `${connection.org}, looks into ${connection.named_org}`],
    ["realm", connection.realm],
    ["session", connection.session],
    ["transport", connection.transport],
    ["client", connection.client ?? "it does not say"],
    ["round trip", roundTrip],
    ["since", time(connection.since)],
    ["groups", `${groups.join(", ")}${more > 0 ? `, and ${number(more)} more` : ""}`],
    ["node", connection.node],
    ["id", id],
  ];
}

function card(connection) {
  const { id, transport } = connection;
  const act = () => close(`/connections/${encodeURIComponent(id)}`, `the connection ${id}`);
  const opened = element("div");
  const open = button("Timeline", () => timeline(id, opened));
  const below = element("p", { class: "row" }, open, mayChange ? button("Close…", act) : undefined);
  const roundTrip = transport === "WebSockets" ? "…" : "not measured: only a WebSocket can be pinged";
  return new Card(title(connection), rows(connection, roundTrip), below, opened);
}

async function close(path, what) {
  const text = `This closes ${what}, on every node. It lasts until the page is loaded again: it is no logout.`;
  if (!(await askFirst("Close connections?", text, "Close"))) return;
  try {
    const { id } = await ask(path, { method: "DELETE" });
    say(at("found"), `Every node closes ${what}; it is in the log as ${id}.`);
  } catch (error) {
    say(at("found"), error.message, "fault");
  }
}

at("search").addEventListener("submit", (event) => {
  event.preventDefault();
  look();
});
at("copy").addEventListener("click", () => copy(copied, at("found")));
document.addEventListener("keydown", (event) => {
  const types = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !types && !event.ctrlKey && !event.metaKey && !event.altKey && !at("inside").hidden) {
    event.preventDefault();
    at("value").focus();
  }
});
