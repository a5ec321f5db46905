// The paths of an event, found by its id or its place in the log.

import { ask } from "./api.js";
import { Card, at, button, element, say } from "./element.js";
import { asText, eventRows, unknownEvent } from "./path.js";
import { counted } from "./words.js";

/** Shows what became of an event; gives it as text. `find` shows a connection. */
export async function showEvent(id, isWanted, find) {
  const answer = await ask(`/events/${encodeURIComponent(id)}`);
  if (!isWanted()) return undefined;
  const { events, missing = [] } = answer;
  at("connections").replaceChildren(...events.map((event) => card(event, find)));
  const without = missing.length > 0 ? `; without ${missing.join(", ")}, which gave no answer` : "";
  say(at("found"), events.length === 0 ? unknownEvent(answer) : `${counted(events.length, "record")}${without}.`);
  return events.map((event) => asText(event.type, eventRows(event))).join("\n\n");
}

function card(event, find) {
  const { slowest } = event;
  const open = slowest === undefined ? undefined : button("Show the slowest", () => find("id", slowest.connection));
  const below = open === undefined ? [] : [element("p", { class: "row" }, open)];
  const made = new Card(event.type, eventRows(event), ...below).element;
  made.classList.add("wide");
  return made;
}
