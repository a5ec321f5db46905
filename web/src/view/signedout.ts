import { testid } from "../testids.ts";
import { button } from "./controls.ts";
import { h } from "./dom.ts";
import { moment } from "./format.ts";
import { icon, mark } from "./icons.ts";

export interface Ending {
  readonly user: string;
  readonly reason: string;
  readonly at: number;
}

/** A tab's last screen: it shows the reason, and keeps nothing of the session. */
export function signedOutScreen(ending: Ending, again: () => void): HTMLElement {
  const time = h("time", { attrs: { datetime: new Date(ending.at).toISOString() } }, moment(ending.at, Date.now()));
  const back = button("Sign in again", { look: "primary", testid: testid.signInAgain, onclick: again });
  return h(
    "main",
    { class: "farewell", testid: testid.signedOut, attrs: { tabindex: -1 } },
    h("p", { class: "brand" }, mark(), h("span", {}, "Fanfare")),
    h(
      "div",
      { class: "farewell-card", attrs: { role: "alert" } },
      h("span", { class: "farewell-icon" }, icon("out")),
      h("h1", {}, "You are signed out"),
      h("p", { class: "farewell-reason", testid: testid.signedOutReason }, reasonOf(ending.reason)),
      h("p", { class: "muted" }, ending.user, " · ", time),
      back,
    ),
    h("p", { class: "muted farewell-note" }, "This tab is closed to notifications; it does not try to connect again."),
  );
}

/** The reason as a sentence of its own. */
function reasonOf(reason: string): string {
  const text = reason.trim();
  if (text === "" || text === "signed out") {
    return "This session was signed out.";
  }
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
