import type { FlagValue, LicenseService } from "../services/license.ts";
import type { Session } from "../session/session.ts";
import { isAdmin } from "../session/session.ts";
import type { Flags } from "../state/flags.ts";
import { testid } from "../testids.ts";
import { button, iconButton, input, panel, perform, toggle } from "./controls.ts";
import { REPORTS_FLAG } from "./demo.ts";
import { h, KeyedList } from "./dom.ts";
import { icon } from "./icons.ts";

export interface FlagsPanelProps {
  readonly flags: Flags;
  readonly license: LicenseService;
  readonly session: Session;
  readonly org: string;
}

/** The org's feature flags; admins switch, create and remove them here. */
export function flagsPanel(props: FlagsPanelProps): HTMLElement {
  const { flags, session, org } = props;
  const admin = isAdmin(session);
  const says = h("output", { class: "outcome" });
  const list = h("ul", { class: "flags" });
  const panelElement = panel(
    "Feature flags",
    "flag",
    { class: "flags-panel" },
    h(
      "p",
      { class: "panel-lead muted" },
      admin ? `Everyone in ${org} sees a change at once.` : `Switched by the admins of ${org}.`,
    ),
    list,
    admin && createForm(props, says),
    says,
  );

  const change = (done: string, work: () => Promise<void>) => void perform(list, says, done, work);
  const rows = new KeyedList<FlagValue>(
    list,
    (flag) => flag.name,
    (flag) => row(flag, admin, props, change),
    (element, flag) => showState(element, flag.enabled),
  );
  const show = () => rows.show(flags.list(), nothing(admin));
  show();
  flags.changes.listen(show);
  return panelElement;
}

type Change = (done: string, work: () => Promise<void>) => void;

function row({ name, enabled }: FlagValue, admin: boolean, props: FlagsPanelProps, change: Change): HTMLElement {
  const { license, session, org } = props;
  const set = (on: boolean) => change("", () => license.setFlag(session, org, name, on));
  const remove = () => change(`Removed ${name}.`, () => license.removeFlag(session, org, name));
  return h(
    "li",
    { class: "flag", testid: testid.flag(name), attrs: { "data-enabled": String(enabled) } },
    h(
      "div",
      { class: "flag-text" },
      h("code", {}, name),
      name === REPORTS_FLAG && h("span", { class: "muted" }, "The new reports on this page"),
    ),
    h("span", { class: "badge flag-state" }),
    admin && toggle(name, enabled, testid.flagToggle(name), set),
    admin && iconButton(`Remove ${name}`, "trash", { testid: testid.flagRemove(name), onclick: remove }),
  );
}

function showState(element: Element, enabled: boolean): void {
  element.setAttribute("data-enabled", String(enabled));
  const state = element.querySelector(".flag-state");
  if (state !== null) {
    state.textContent = enabled ? "On" : "Off";
  }
  const control = element.querySelector<HTMLButtonElement>(".switch");
  if (control !== null) {
    control.setAttribute("aria-checked", String(enabled));
  }
}

function createForm({ flags, license, session, org }: FlagsPanelProps, says: HTMLOutputElement): HTMLFormElement {
  const name = input(testid.flagName, {
    "aria-label": "Name of a new flag",
    placeholder: "new-flag",
    required: true,
    pattern: "[A-Za-z0-9._\\-]{1,64}",
    maxlength: 64,
    title: "Letters, digits, dot, dash and underscore, at most 64",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const form = h(
    "form",
    { class: "row-form" },
    name,
    button("Create", { icon: "plus", submit: true, testid: testid.flagCreate }),
  );
  // Until it exists, suggest the flag whose effect this page shows.
  const suggest = () => {
    const known = flags.list().some((flag) => flag.name === REPORTS_FLAG);
    if (!known && name.value === "") {
      name.value = REPORTS_FLAG;
    } else if (known && name.value === REPORTS_FLAG) {
      name.value = "";
    }
  };
  suggest();
  flags.changes.listen(suggest);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const flag = name.value.trim();
    void perform(form, says, `Created ${flag}, switched on.`, async () => {
      await license.setFlag(session, org, flag, true);
      name.value = "";
    });
  });
  return form;
}

function nothing(admin: boolean): HTMLElement {
  return h(
    "li",
    { class: "empty" },
    icon("flag"),
    h("p", {}, "No flags yet."),
    h("p", { class: "muted" }, admin ? "Create the first one below." : "An admin of this org can create one."),
  );
}
