import { testid } from "../testids.ts";
import { h } from "./dom.ts";

const SHOWN_MS = 8_000;

/** An unobtrusive line above the page's content, for messages of the page itself. */
export class Notice {
  readonly element = h("p", { class: "notice", testid: testid.notice, attrs: { role: "status" } });
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string, look: "plain" | "bad" = "plain"): void {
    clearTimeout(this.#timer);
    this.element.textContent = text;
    this.element.dataset["look"] = look;
    this.#timer = setTimeout(() => (this.element.textContent = ""), SHOWN_MS);
  }
}
