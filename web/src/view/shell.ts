import { isSuperadmin, type Session } from "../session/session.ts";
import { testid } from "../testids.ts";
import { DEMO_ORGS } from "./demo.ts";
import { h, type Child } from "./dom.ts";
import { greeting, nameOf } from "./format.ts";
import { icon, mark, type IconName } from "./icons.ts";
import { themeButton } from "./theme.ts";

export interface ShellActions {
  logout(scope: "everywhere" | "session"): void;
  otherAccount(): void;
  chooseOrg(org: string): void;
}

/** The bar at the top: logo, connection, theme and the signed-in user. */
export function topBar(session: Session, connection: HTMLElement, actions: ShellActions): HTMLElement {
  return h(
    "header",
    { class: "topbar" },
    h(
      "div",
      { class: "topbar-inner" },
      h("p", { class: "brand" }, mark(), h("span", { class: "wide" }, "Fanfare")),
      connection,
      h("div", { class: "topbar-end" }, themeButton(), userMenu(session, actions)),
    ),
  );
}

/** The text above the panels. */
export function welcome(session: Session, org: string, anotherTab: string, actions: ShellActions): HTMLElement {
  const tab = h(
    "a",
    { class: "button quiet", attrs: { target: "_blank", rel: "noopener" } },
    icon("tab"),
    h("span", {}, "Open another tab"),
  );
  tab.href = anotherTab;
  return h(
    "div",
    { class: "welcome" },
    h(
      "div",
      {},
      h("h1", {}, `${greeting(new Date().getHours())}, ${nameOf(session.user)}`),
      h(
        "p",
        { class: "muted" },
        "What happens in the services of ",
        h("strong", {}, org),
        " arrives here by itself, in every open tab.",
      ),
    ),
    h("div", { class: "welcome-end" }, isSuperadmin(session) && orgChoice(org, actions), tab),
  );
}

function orgChoice(org: string, actions: ShellActions): HTMLElement {
  const orgs = DEMO_ORGS.includes(org) ? DEMO_ORGS : [org, ...DEMO_ORGS];
  const options = orgs.map((one) => h("option", { attrs: { value: one, selected: one === org } }, one));
  const choice = h("select", { class: "input", testid: testid.actingOrg }, ...options);
  choice.addEventListener("change", () => actions.chooseOrg(choice.value));
  return h("label", { class: "acting" }, h("span", { class: "field-label" }, "Acting in"), choice);
}

function userMenu(session: Session, actions: ShellActions): HTMLElement {
  const menu = h(
    "div",
    { class: "menu", id: "user-menu", attrs: { popover: "auto" } },
    h(
      "div",
      { class: "menu-who" },
      avatar(session.user),
      h(
        "div",
        { testid: testid.signedInAs },
        h("strong", {}, nameOf(session.user)),
        h("span", { class: "muted" }, `${session.org} · ${session.roles.join(", ") || "no roles"}`),
      ),
    ),
    item("Use another account in this tab", "swap", testid.otherAccount, actions.otherAccount),
    item("Sign out of this session", "out", testid.logoutSession, () => actions.logout("session")),
    item("Sign out everywhere", "out", testid.logout, () => actions.logout("everywhere")),
  );
  const opener = h(
    "button",
    {
      class: "who",
      testid: testid.userMenu,
      attrs: { type: "button", popovertarget: "user-menu", "aria-label": `Account of ${session.user}` },
    },
    avatar(session.user),
    h("span", { class: "wide" }, nameOf(session.user)),
    icon("chevron"),
  );
  return h("div", { class: "who-box" }, opener, menu);
}

function avatar(user: string): HTMLElement {
  return h("span", { class: "avatar", attrs: { "aria-hidden": "true", "data-hue": user } }, user.charAt(0));
}

function item(label: string, name: IconName, id: string, action: () => void): Child {
  return h("button", { class: "menu-item", testid: id, attrs: { type: "button" }, onclick: action }, icon(name), label);
}
