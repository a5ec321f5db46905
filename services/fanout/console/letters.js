// The dead letters: page by page, one of them opened, and published again after a dry run.

import { ask, token } from "./api.js";
import { askFirst, copy } from "./ask-first.js";
import { Card, at, button, element, say } from "./element.js";
import { number, plain, time } from "./words.js";

const PAGE = 10;
/** How much of a body that cannot be decoded is shown. */
const SHOWN_BYTES = 512;

let mayChange = false;

export function allowReplay(rights) {
  mayChange = rights === "change";
}

export function clearLetters() {
  at("letters").replaceChildren();
  say(at("letters-said"), "", "");
  at("letters-more").hidden = true;
}

/** Shows the last page, or the one before a letter. They are not asked for by themselves: Kafka is read from its begin. */
export async function showLetters(before) {
  say(at("letters-said"), "Reading…", "");
  try {
    const older = before === undefined ? "" : `&before=${encodeURIComponent(before)}`;
    const { letters } = await ask(`/deadletters?order=id&limit=${PAGE}${older}`);
    // The token may have been forgotten meanwhile, and what it showed with it.
    if (token() === null) return;
    const cards = letters.map(card);
    if (before === undefined) at("letters").replaceChildren(...cards);
    else at("letters").append(...cards);
    say(at("letters-said"), at("letters").childElementCount > 0 ? "" : "There are none.", "");
    at("letters-more").hidden = letters.length < PAGE;
    at("letters-more").onclick = () => showLetters(letters.at(-1).id);
  } catch (error) {
    say(at("letters-said"), error.message, "fault");
  }
}

function card(letter) {
  const said = element("p", { role: "status" });
  const opened = element("div");
  const open = button("Open", () => show(letter.id, opened, said));
  const again = mayChange ? button("Publish again…", () => replay(letter.id, said, again)) : undefined;
  const buttons = element("p", { class: "row" }, open, again);
  const rows = [
    ["when", time(letter.time)],
    ["because", letter.reason, "warn"],
    ["kind", letter.kind],
    ["org", letter.org],
    ["size", `${number(letter.size)} bytes`],
    ["id", letter.id],
  ];
  return new Card(letter.topic, rows, buttons, said, opened).element;
}

async function show(id, place, said) {
  try {
    const letter = await ask(`/deadletters/${encodeURIComponent(id)}`);
    if (token() === null) return;
    const headers = letter.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
    const body = letter.now.data === null ? undecoded(letter.body) : JSON.stringify(letter.now.data, null, 2);
    const fault = letter.now.fault === null ? "It could be used now." : `It could not be used now either: ${letter.now.fault}`;
    const whole = `${headers}\n\n${body}`;
    place.replaceChildren(
      element("pre", { tabindex: "0", "aria-label": `Headers and body of ${id}` }, plain(whole)),
      button("Copy as text", () => copy(whole, said)),
    );
    say(said, letter.complete ? fault : `${fault} The body was cut.`, letter.now.fault === null ? "" : "warn");
  } catch (error) {
    say(said, error.message, "fault");
  }
}

/** The begin of a body that no schema reads: as text if it is some, else in hexadecimal. */
function undecoded(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const rest = bytes.length > SHOWN_BYTES ? ` … (${number(bytes.length)} bytes)` : "";
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(shown) + rest;
  } catch {
    return Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join(" ") + rest;
  }
}

const FATES = {
  stored: ({ at: place }) => `It is in the log again, at ${place}.`,
  would_store: () => "It would be stored.",
  unusable: ({ reason }) => `No node could use it now either: ${reason}`,
  superseded: () => "Something newer was stored under its key.",
  unknown: () => "There is no such letter any more.",
  cut: ({ kept, size }) => `Only ${number(kept)} of its ${number(size)} bytes were kept.`,
  failed: ({ reason }) => `The broker did not take it: ${reason}`,
};

async function replay(id, said, offered) {
  try {
    const fate = async (dry) => (await ask("/deadletters/replay", { method: "POST", body: { ids: [id], dry_run: dry } })).letters[0];
    const would = await fate(true);
    if (would.result !== "would_store") {
      return say(said, FATES[would.result](would), "warn");
    }
    const text = "The dry run says: it would be stored. Nodes that know the event drop it; the others deliver it. It stays in the log for as long as the log keeps events.";
    if (await askFirst(`Publish ${id} again?`, text, "Publish")) {
      const done = await fate(false);
      say(said, FATES[done.result](done), done.result === "stored" ? "good" : "fault");
      // The letter stays where it is, as a record of what was; once more would be told to nobody.
      if (done.result === "stored") offered.remove();
    }
  } catch (error) {
    say(said, error.message, "fault");
  }
}

at("letters-again").addEventListener("click", () => showLetters());
