// The operator's console: what all nodes say, looked at every two seconds while somebody looks at the page.

import { NotLetIn, ask, forget, keep, token } from "./api.js";
import { copy } from "./ask-first.js";
import { clearConfig, showConfig } from "./config.js";
import { at, element, say } from "./element.js";
import { chart, draw, remember } from "./history.js";
import { clearLetters, allowReplay, showLetters } from "./letters.js";
import { showNodes } from "./nodes.js";
import { clearRoutes, showRoutes } from "./routes.js";
import { allow, clearSearch } from "./search.js";
import { pipeline, verdict } from "./state.js";
import { time } from "./words.js";

const LOOK_EVERY_MS = 2000;

let timer;
let looking = false;
let before;
/** The last minutes of each step. */
let histories = [];

/** Asks who this is, and shows everything else only to whom a node lets in. */
async function enter() {
  try {
    const { rights, until } = await ask("/whoami");
    allow(rights);
    allowReplay(rights);
    const may = rights === "change" ? "may change things" : "may only look";
    say(at("rights"), `This token ${may}, until ${time(until)}.`);
    at("read-only").hidden = rights === "change";
    at("enter").hidden = true;
    at("inside").hidden = false;
    at("who").hidden = false;
    at("verdict-title").focus();
    await Promise.all([look(), showLetters(), showRoutes(), showConfig()]);
  } catch (error) {
    if (error instanceof NotLetIn) return leave(error.message);
    say(at("verdict"), `No answer: ${error.message}. This page tries again.`, "bad");
    later();
  }
}

/** Back to the begin, without the token and without what it showed. */
function leave(words) {
  forget();
  clearTimeout(timer);
  before = undefined;
  histories = [];
  say(at("state-said"), "");
  at("faults").replaceChildren();
  at("pipeline").replaceChildren();
  showNodes({ nodes: [] });
  clearSearch();
  clearLetters();
  clearRoutes();
  clearConfig();
  at("inside").hidden = true;
  at("who").hidden = true;
  at("enter").hidden = false;
  say(at("entered"), words, "fault");
  say(at("verdict"), "A token is needed to look.", "");
  at("token").focus();
}

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(timer);
  try {
    const now = { ...(await ask("/nodes")), at: performance.now() };
    // The token may have been forgotten meanwhile.
    if (token() === null) return;
    show(now);
    before = now;
  } catch (error) {
    if (error instanceof NotLetIn) return leave(error.message);
    at("inside").classList.add("stale");
    say(at("verdict"), `No answer from the node that this page asks: ${error.message}. What is below is from ${at("looked").textContent || "nowhere"}.`, "bad");
  } finally {
    looking = false;
  }
  later();
}

function show(now) {
  const { text, kind, faults } = verdict(now);
  at("inside").classList.remove("stale");
  say(at("verdict"), text, kind);
  document.title = `${kind === "good" ? "" : "! "}Fanfare: operator's console`;
  list("faults", faults, ([kind, fault], row) => say(row, fault, kind), () => element("li"));
  const step = () => element("li", {}, element("b"), element("span"), element("small"), chart());
  const steps = pipeline(now, before);
  histories = steps.map(({ amount }, number) => remember(histories[number] ?? [], now.at, amount));
  list("pipeline", steps, ({ title, value, note, kind }, row, number) => {
    const [figure, name, more, line] = row.children;
    draw(line, histories[number], now.at);
    say(figure, value);
    say(name, title);
    say(more, note);
    row.className = kind;
  }, step);
  showNodes(now);
  say(at("looked"), time(Date.now()));
}

/** As many rows as there are entries, each filled. */
function list(id, entries, fill, make) {
  const rows = at(id).children;
  while (rows.length > entries.length) rows[rows.length - 1].remove();
  while (rows.length < entries.length) at(id).append(make());
  entries.forEach((entry, number) => fill(entry, rows[number], number));
}

/** Nothing is asked for a page that nobody sees. */
function later() {
  clearTimeout(timer);
  if (!document.hidden && token() !== null) {
    timer = setTimeout(again, LOOK_EVERY_MS);
  }
}

function again() {
  if (token() === null) return;
  if (at("inside").hidden) enter();
  else look();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else again();
});
at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const fault = keep(at("token").value);
  at("token").value = "";
  say(at("entered"), fault ?? "", "fault");
  if (fault === undefined) enter();
});
at("state-copy").addEventListener("click", () => {
  const text = ["verdict", "faults", "pipeline", "nodes"].map((id) => at(id).innerText);
  copy(text.filter((part) => part !== "").join("\n\n"), at("state-said"));
});
at("leave").addEventListener("click", () => leave(""));
if (token() === null) leave("");
else enter();
