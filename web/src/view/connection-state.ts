import type { HubState } from "../connection/hub.ts";
import { testid } from "../testids.ts";
import { h } from "./dom.ts";

const WORDS: Readonly<Record<HubState, string>> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  disconnected: "Disconnected",
};

/** The dot and the text for the state of the connection. */
export function connectionState(reconnect: () => void): { element: HTMLElement; show(state: HubState): void } {
  const words = h(
    "span",
    { testid: testid.connectionState, attrs: { role: "status", "data-state": "connecting" } },
    WORDS.connecting,
  );
  const again = h(
    "button",
    { class: "link", testid: testid.reconnect, attrs: { type: "button" }, onclick: reconnect },
    "Connect again",
  );
  again.hidden = true;
  const element = h(
    "div",
    { class: "connection", attrs: { "data-state": "connecting" } },
    h("span", { class: "dot" }),
    words,
    again,
  );
  return {
    element,
    show(state) {
      element.dataset["state"] = state;
      words.dataset["state"] = state;
      words.textContent = WORDS[state];
      again.hidden = state !== "disconnected";
    },
  };
}
