// One box for a user, an org, a group, a session, a hub or a connection: which tabs there are, on all nodes.

import { ask } from "./api.js";
import { askFirst, copy } from "./ask-first.js";
import { Card, at, button, element, say } from "./element.js";
import { counted, number, plain, time } from "./words.js";

const PAGE = 50;
/** What each thing is called in a request, and what is closed by it. */
const CLOSES = {
  user: (id) => [`/users/${encodeURIComponent(id)}/connections`, `all connections of the user ${id}`],
  session: (id) => [`/sessions/${encodeURIComponent(id)}/connections`, `all connections of the session ${id}`],
};

let found = [];
let mayChange = false;
let turn = 0;

export function allow(rights) {
  mayChange = rights === "change";
  at("close-all").hidden = true;
}

export function clearSearch() {
  turn += 1;
  found = [];
  at("connections").replaceChildren();
  at("refused").replaceChildren();
  say(at("found"), "", "");
  for (const id of ["more", "copy", "close-all"]) at(id).hidden = true;
}

async function look(after) {
  const mine = (turn += 1);
  const [by, value] = [at("by").value, at("value").value];
  const query = new URLSearchParams({ [by]: value, limit: PAGE });
  if (after !== undefined) query.set("continue", after);
  say(at("found"), "Looking…", "");
  if (after === undefined) at("refused").replaceChildren();
  try {
    const { connections, continue: next, missing = [] } = await ask(`/connections?${query}`);
    // What was asked for later counts.
    if (mine !== turn) return;
    found = after === undefined ? connections : [...found, ...connections];
    const cards = connections.map((connection) => card(connection).element);
    if (after === undefined) at("connections").replaceChildren(...cards);
    else at("connections").append(...cards);
    const without = missing.length > 0 ? `; without those of ${missing.join(", ")}, which gave no answer` : "";
    say(at("found"), `${counted(found.length, "connection")}${next ? ", and more" : ""}${without}.`);
    if (by === "user" && after === undefined) await refused(value, mine);
    at("more").hidden = next === undefined;
    at("more").onclick = () => look(next);
    at("copy").hidden = found.length === 0;
    at("close-all").hidden = !(mayChange && by in CLOSES);
    at("close-all").onclick = () => close(...CLOSES[by](value));
  } catch (error) {
    if (mine !== turn) return;
    if (after === undefined) clearSearch();
    say(at("found"), error.message, "fault");
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

function card(connection) {
  const { id, groups = [], more_groups: more = 0 } = connection;
  const rows = [
    ["hub", connection.hub],
    ["org", connection.named_org === undefined ? connection.org : `${connection.org}, looks into ${connection.named_org}`],
    ["realm", connection.realm],
    ["session", connection.session],
    ["transport", connection.transport],
    ["since", time(connection.since)],
    ["groups", `${groups.join(", ")}${more > 0 ? `, and ${number(more)} more` : ""}`],
    ["node", connection.node],
    ["id", id],
  ];
  const act = () => close(`/connections/${encodeURIComponent(id)}`, `the connection ${id}`);
  const below = mayChange ? element("p", { class: "row" }, button("Close…", act)) : undefined;
  return new Card(connection.user ?? "nobody in particular", rows, ...(below === undefined ? [] : [below]));
}

async function close(path, what) {
  const text = `This closes ${what}, on every node. It is no logout: whoever loads the page again comes back.`;
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
at("copy").addEventListener("click", () => copy(JSON.stringify(found, null, 2), at("found")));
document.addEventListener("keydown", (event) => {
  const types = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !types && !event.ctrlKey && !event.metaKey && !event.altKey && !at("inside").hidden) {
    event.preventDefault();
    at("value").focus();
  }
});
