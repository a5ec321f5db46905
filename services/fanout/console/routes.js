// The routes of the node that is asked: who hears what.

import { ask, token } from "./api.js";
import { copy } from "./ask-first.js";
import { at, element, say } from "./element.js";
import { counted, plain } from "./words.js";

const PAGE = 50;

let lines = [];

export function clearRoutes() {
  lines = [];
  at("routes").replaceChildren();
  at("routes-more").hidden = true;
  say(at("routes-said"), "", "");
}

export async function showRoutes(after) {
  try {
    const from = after === undefined ? "" : `&continue=${encodeURIComponent(after)}`;
    const { digest, count, routes, continue: next } = await ask(`/routes?limit=${PAGE}${from}`);
    if (token() === null) return;
    lines = after === undefined ? routes : [...lines, ...routes];
    at("routes").replaceChildren(...lines.map((line) => element("li", {}, plain(line))));
    say(at("routes-said"), `${counted(count, "route")} at the node that is asked, digest ${digest}.`, "");
    at("routes-more").hidden = next === undefined;
    at("routes-more").onclick = () => showRoutes(next);
  } catch (error) {
    say(at("routes-said"), error.message, "fault");
  }
}

at("routes-copy").addEventListener("click", () => copy(lines.join("\n"), at("routes-said")));
