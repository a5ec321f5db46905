/** Form parts that the page uses more than once. */

import { h, type Child } from "./dom.ts";
import { icon, type IconName } from "./icons.ts";

export interface ButtonProps {
  readonly testid?: string;
  readonly look?: "primary" | "quiet" | "danger";
  readonly icon?: IconName;
  readonly submit?: boolean;
  readonly onclick?: (event: MouseEvent) => void;
}

export function button(label: string, props: ButtonProps = {}): HTMLButtonElement {
  return h(
    "button",
    {
      class: `button ${props.look ?? ""}`.trim(),
      attrs: { type: props.submit === true ? "submit" : "button" },
      ...(props.testid !== undefined && { testid: props.testid }),
      ...(props.onclick !== undefined && { onclick: props.onclick }),
    },
    props.icon !== undefined && icon(props.icon),
    h("span", {}, label),
  );
}

/** A button that is only an icon; screen readers and a tooltip use the label. */
export function iconButton(label: string, name: IconName, props: ButtonProps = {}): HTMLButtonElement {
  return h(
    "button",
    {
      class: "icon-button",
      attrs: { type: "button", "aria-label": label, title: label },
      ...(props.testid !== undefined && { testid: props.testid }),
      ...(props.onclick !== undefined && { onclick: props.onclick }),
    },
    icon(name),
  );
}

/** A switch with its label and state. It requests a change; the true state is shown once it arrives. */
export function toggle(label: string, on: boolean, testid: string, change: (on: boolean) => void): HTMLButtonElement {
  return h(
    "button",
    {
      class: "switch",
      testid,
      attrs: { type: "button", role: "switch", "aria-checked": String(on), "aria-label": label },
      onclick: (event) => change((event.currentTarget as Element).getAttribute("aria-checked") !== "true"),
    },
    h("span", { class: "switch-thumb" }),
  );
}

/** A labelled field. */
export function labelled(label: string, control: HTMLElement, hint?: string): HTMLLabelElement {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    control,
    hint !== undefined && h("span", { class: "field-hint" }, hint),
  );
}

export function input(
  testid: string,
  attrs: Readonly<Record<string, string | number | boolean | undefined>>,
): HTMLInputElement {
  return h("input", { class: "input", testid, attrs: { autocomplete: "off", ...attrs } });
}

/** A choice of texts; each value is shown as its label. */
export function select(
  testid: string,
  options: readonly (readonly [value: string, label: string])[],
): HTMLSelectElement {
  const items = options.map(([value, label]) => h("option", { attrs: { value } }, label));
  return h("select", { class: "input", testid }, ...items);
}

/** A panel of the page with its heading. */
export function panel(
  title: string,
  name: IconName,
  props: { class?: string; testid?: string },
  ...children: Child[]
): HTMLElement {
  return h(
    "section",
    {
      class: `panel ${props.class ?? ""}`.trim(),
      ...(props.testid !== undefined && { testid: props.testid }),
      attrs: { "aria-label": title },
    },
    h("header", { class: "panel-head" }, icon(name), h("h2", {}, title)),
    ...children,
  );
}

/**
 * Runs a form's action: its buttons are disabled meanwhile, and the line below shows the result. The text of a failure
 * comes from a service and is shown as plain text.
 */
export async function perform(
  form: HTMLElement,
  says: HTMLOutputElement,
  done: string,
  work: () => Promise<void>,
): Promise<void> {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((one) => (one.disabled = true));
  says.className = "outcome";
  says.textContent = "";
  try {
    await work();
    says.textContent = done;
    says.classList.add("good");
  } catch (error) {
    says.textContent = wordsOf(error);
    says.classList.add("bad");
  } finally {
    buttons.forEach((one) => (one.disabled = false));
  }
}

/** The text for a failure. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : "That did not work.";
}
