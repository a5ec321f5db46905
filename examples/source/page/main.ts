// Signed-in users get notifications; a logout in one tab signs out all.

import "../../page/base.css";
import { BackendError, ask } from "../../page/backend.ts";
import { type FeatureFlag, NotificationService, type Toast } from "./notifications.ts";

interface Session {
  user: string;
  org: string;
  roles: string[];
  access_token: string;
}

/** All tabs of a browser share one session, as Entra ID's library stores it. */
const KEY = "source.session";
const MOST_SHOWN = 20;
const TOAST_MS = 6_000;

const byId = (id: string) => document.getElementById(id) as HTMLElement;
const element = <K extends keyof HTMLElementTagNameMap>(tag: K, text: string, className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
};

let service = new NotificationService();
const seen = new Set<string>();

function session(): Session | undefined {
  const kept = localStorage.getItem(KEY);
  return kept === null ? undefined : (JSON.parse(kept) as Session);
}

function show(current: Session | undefined, notice = "") {
  byId("signed-out").hidden = current !== undefined;
  byId("signed-in").hidden = current === undefined;
  byId("notice").textContent = notice;
  if (current !== undefined) {
    byId("who").textContent = `${current.user} of ${current.org}`;
    byId("admin").hidden = !current.roles.includes("admin");
  }
}

async function enter(current: Session) {
  show(current);
  service = new NotificationService();
  await service
    .start(() => session()?.access_token ?? "", {
      toast: once(tell),
      featureFlag: once(flag),
      logout: ({ reason }) => leave(`You were logged off: ${reason}`),
      refetch: () => void attempt(refetch()),
      state,
    })
    .catch((error: Error) => {
      if (error.message.includes("401")) {
        leave("Your session has ended; sign in again.");
      }
    });
}

/** The service knows what no replay can send any more: the features. */
async function refetch() {
  for (const { flag: name, enabled } of await ask<{ flag: string; enabled: boolean }[]>("GET", "/flags")) {
    flag({ id: "", cursor: "", at: "", flag: name, enabled });
  }
}

/** A duplicate, for instance after a resume, is shown once. */
function once<T extends { id: string }>(handle: (notification: T) => void) {
  return (notification: T) => {
    if (!seen.has(notification.id)) {
      seen.add(notification.id);
      handle(notification);
    }
  };
}

function leave(notice = "") {
  localStorage.removeItem(KEY);
  void service.stop();
  byId("flags").replaceChildren();
  byId("activity").replaceChildren();
  show(undefined, notice);
}

function state(now: string) {
  const shown = byId("state");
  shown.dataset.state = now;
  shown.textContent = now;
}

function tell(toast: Toast) {
  const line = `${toast.title}: ${toast.message}`;
  const popped = element("li", line);
  popped.dataset.testid = "toast";
  byId("toasts").append(popped);
  setTimeout(() => popped.remove(), TOAST_MS);
  const row = element("li", "", "changed");
  row.append(element("span", line, "grow"), element("span", toast.severity, "badge"));
  const activity = byId("activity");
  activity.prepend(row);
  activity.children[MOST_SHOWN]?.remove();
}

function flag({ flag: name, enabled }: FeatureFlag) {
  const list = byId("flags");
  const row = element("li", "", "changed");
  row.dataset.testid = `flag-${name}`;
  row.dataset.enabled = String(enabled);
  const badge = element("span", enabled ? "on" : "off", "badge");
  badge.dataset.tone = enabled ? "accent" : "";
  row.append(element("span", name, "grow"), badge);
  const old = [...list.children].find((one) => (one as HTMLElement).dataset.testid === row.dataset.testid);
  old === undefined ? list.append(row) : old.replaceWith(row);
  byId("no-flags").hidden = true;
}

async function attempt(what: Promise<unknown>) {
  await what.catch((error: Error) => {
    if (error instanceof BackendError && error.status === 401) {
      leave("Your session has ended; sign in again.");
    } else {
      tell({ id: "", cursor: "", severity: "error", title: "That did not work", message: error.message, at: "" });
    }
  });
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-user]")) {
  button.addEventListener("click", () => {
    void ask<Session>("POST", "/login", { user: button.dataset.user, password: "demo" }).then(
      (current) => {
        localStorage.setItem(KEY, JSON.stringify(current));
        return enter(current);
      },
      (error: Error) => show(undefined, error.message),
    );
  });
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-roles]")) {
  button.addEventListener("click", () => void attempt(ask("PUT", "/users/alice/roles", { roles: [button.dataset.roles] })));
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-flag]")) {
  button.addEventListener("click", () => {
    void attempt(ask("PUT", "/flags/reports", { enabled: button.dataset.flag === "true" }));
  });
}
byId("license").addEventListener("click", () => void attempt(ask("PUT", "/license", { plan: "Enterprise", seats: 500 })));
// The hub notifies every tab, including this one.
byId("sign-out").addEventListener("click", () => void attempt(ask("POST", "/logout")));
window.addEventListener("storage", ({ key }) => {
  const current = session();
  if (key === KEY && current !== undefined) {
    void enter(current);
  }
});

const current = session();
current === undefined ? show(undefined) : void enter(current);
