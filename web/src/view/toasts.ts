import type { Severity } from "../connection/notification.ts";
import type { SafeLink } from "../links.ts";
import { testid } from "../testids.ts";
import { iconButton } from "./controls.ts";
import { h } from "./dom.ts";
import { moment } from "./format.ts";
import { icon } from "./icons.ts";
import { linkOf, type Download } from "./link.ts";

export interface ToastContent {
  readonly severity: Severity;
  readonly title: string;
  readonly message: string;
  readonly link: SafeLink | undefined;
  readonly at: number;
}

// A phone has room for two beside the content they refer to.
const NARROW = matchMedia("(max-width: 34rem)");
const ON_SCREEN = { narrow: 2, wide: 4 };
const SHOWN_MS: Readonly<Record<Severity, number>> = { info: 7_000, success: 7_000, warning: 12_000, error: 20_000 };
const LEAVING_MS = 220;

/** The stack of toasts. It pauses while the pointer or the keyboard is on it, or the tab is hidden. */
export class Toasts {
  readonly element: HTMLElement;
  readonly #download: Download;
  readonly #shown: { element: HTMLElement; left: number }[] = [];
  #resting = false;
  #tick: ReturnType<typeof setInterval> | undefined;

  constructor(download: Download) {
    this.#download = download;
    this.element = h("section", { class: "toasts", attrs: { "aria-label": "Notifications", "aria-live": "polite" } });
    this.element.addEventListener("pointerenter", () => (this.#resting = true));
    this.element.addEventListener("pointerleave", () => (this.#resting = false));
    this.element.addEventListener("focusin", () => (this.#resting = true));
    this.element.addEventListener("focusout", () => (this.#resting = false));
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.#dismissNewest();
      }
    });
  }

  show(content: ToastContent): void {
    const element = this.#build(content);
    this.#shown.push({ element, left: SHOWN_MS[content.severity] });
    this.element.append(element);
    const most = NARROW.matches ? ON_SCREEN.narrow : ON_SCREEN.wide;
    while (this.#shown.length > most) {
      this.#leave(this.#shown[0]?.element);
    }
    this.#tick ??= setInterval(() => this.#pass(250), 250);
  }

  clear(): void {
    this.#shown.length = 0;
    this.element.replaceChildren();
    this.#rest();
  }

  #build(content: ToastContent): HTMLElement {
    const element = h("div", {
      class: "toast",
      testid: testid.toast,
      attrs: { "data-severity": content.severity, role: content.severity === "error" && "alert" },
    });
    const at = h("time", { attrs: { datetime: new Date(content.at).toISOString() } }, moment(content.at, Date.now()));
    const body = h(
      "div",
      { class: "toast-body" },
      h("p", { class: "toast-title", testid: testid.toastTitle }, content.title || content.message),
      content.title !== "" &&
        content.message !== "" &&
        h("p", { class: "toast-message", testid: testid.toastMessage }, content.message),
      h("p", { class: "toast-foot" }, at, content.link && linkOf(content.link, testid.toastLink, this.#download)),
    );
    const dismiss = iconButton("Dismiss", "close", {
      testid: testid.toastDismiss,
      onclick: () => this.#leave(element),
    });
    element.append(h("span", { class: "toast-icon" }, icon(content.severity, content.severity)), body, dismiss);
    return element;
  }

  #pass(ms: number): void {
    if (this.#resting || document.hidden) {
      return;
    }
    for (const toast of [...this.#shown]) {
      toast.left -= ms;
      if (toast.left <= 0) {
        this.#leave(toast.element);
      }
    }
  }

  #dismissNewest(): void {
    this.#leave(this.#shown.at(-1)?.element);
  }

  #leave(element: HTMLElement | undefined): void {
    const index = this.#shown.findIndex((toast) => toast.element === element);
    if (element === undefined || index < 0) {
      return;
    }
    this.#shown.splice(index, 1);
    const hadFocus = element.contains(document.activeElement);
    element.classList.add("leaving");
    setTimeout(() => element.remove(), LEAVING_MS);
    if (hadFocus) {
      // The next dismiss button, so that a keyboard user can go on dismissing.
      this.#shown.at(-1)?.element.querySelector("button")?.focus();
    }
    this.#resting = this.element.matches(":hover");
    this.#rest();
  }

  #rest(): void {
    if (this.#shown.length === 0) {
      clearInterval(this.#tick);
      this.#tick = undefined;
    }
  }
}
