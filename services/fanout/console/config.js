// The configuration of the node that is asked, with what waits for a start.

import { ask, token } from "./api.js";
import { copy } from "./ask-first.js";
import { at, element, say } from "./element.js";
import { counted, plain } from "./words.js";

export function clearConfig() {
  at("config").textContent = "";
  at("config-waits").replaceChildren();
  say(at("config-said"), "", "");
}

export async function showConfig() {
  try {
    const { text, restart_needed: waits } = await ask("/config");
    if (token() === null) return;
    at("config").textContent = text;
    at("config-waits").replaceChildren(...waits.map((key) => element("li", {}, plain(key))));
    const late = waits.length === 0 ? "" : ` ${counted(waits.length, "key")} of the file wait${waits.length === 1 ? "s" : ""} for a start, and still hold${waits.length === 1 ? "s" : ""} as shown:`;
    say(at("config-said"), `What the node that is asked runs with, beside the defaults; secrets are masked.${late}`, waits.length === 0 ? "" : "warn");
  } catch (error) {
    say(at("config-said"), error.message, "fault");
  }
}

at("config-copy").addEventListener("click", () => copy(at("config").textContent, at("config-said")));
at("config-again").addEventListener("click", showConfig);
