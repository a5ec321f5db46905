// Asks before anything is changed, and shows text to be copied where the browser does not copy by itself.

import { at, say } from "./element.js";

const dialog = at("ask");

/** Whether the reader wants it. Escape, and leaving, is no. */
export function askFirst(title, text, act) {
  say(at("ask-title"), title);
  say(at("ask-text"), text);
  say(at("ask-yes"), act);
  at("ask-yes").hidden = act === "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answered) => {
    dialog.addEventListener("close", () => answered(dialog.returnValue === "yes"), { once: true });
  });
}

at("ask-yes").addEventListener("click", () => dialog.close("yes"));
at("ask-no").addEventListener("click", () => dialog.close(""));

/** Puts a text into the clipboard; a page that is not from a safe origin may not, so it shows it. */
export async function copy(text, place) {
  try {
    await navigator.clipboard.writeText(text);
    say(place, "Copied.");
  } catch {
    await askFirst("Copy this", text, "");
  }
}
