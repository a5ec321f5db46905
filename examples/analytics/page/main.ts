// The dashboard: its figures are fetched once, and then updated by notifications.

import "../../page/base.css";
import "./analytics.css";
import { ask } from "../../page/backend.ts";
import { type Dashboard, RealtimeService } from "./realtime.ts";

interface Session {
  user: string;
  org: string;
  roles: string[];
  access_token: string;
}

const MOST_SHOWN = 15;
const byId = (id: string) => document.getElementById(id) as HTMLElement;
let service = new RealtimeService();
let requests = 0;

function show(session: Session | undefined, notice = "") {
  byId("signed-out").hidden = session !== undefined;
  byId("signed-in").hidden = session === undefined;
  byId("notice").textContent = notice;
  byId("who").textContent = session === undefined ? "" : `${session.user} of ${session.org}`;
  byId("watch").hidden = !session?.roles.includes("SuperAdmin");
}

function leave(why: string) {
  void service.stop();
  byId("activity").replaceChildren();
  show(undefined, why);
}

async function enter(session: Session) {
  service = new RealtimeService();
  try {
    await service.connect(() => session.access_token, { dashboard, feed, closed: leave, state });
    show(session);
    requests += 1;
    byId("requests").textContent = String(requests);
    dashboard(await ask<Dashboard>("GET", "/dashboard"));
  } catch (error) {
    const { message } = error as Error;
    leave(message.includes("403") ? "Dashboards are for administrators and managers with a subscription." : message);
  }
}

function dashboard({ metrics }: Dashboard) {
  for (const [name, value] of Object.entries(metrics)) {
    const shown = document.getElementById(name);
    if (shown !== null) {
      shown.textContent = String(value);
    }
  }
}

function feed(event: string, report: Record<string, unknown>) {
  const row = document.createElement("li");
  row.className = "changed";
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.textContent = event;
  const text = document.createElement("span");
  text.className = "grow";
  text.textContent = Object.entries(report)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
  row.append(badge, text);
  byId("activity").prepend(row);
  byId("activity").children[MOST_SHOWN]?.remove();
}

function state(now: string) {
  byId("state").dataset.state = now;
  byId("state").textContent = now;
}

async function attempt(what: Promise<unknown>) {
  byId("told").textContent = "";
  await what.catch((error: Error) => {
    byId("told").textContent = error.message.replace(/^.*HubException: /, "");
  });
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-user]")) {
  button.addEventListener("click", () => {
    void ask<Session>("POST", "/login", { user: button.dataset.user, password: "demo" }).then(enter, (error: Error) =>
      show(undefined, error.message),
    );
  });
}
byId("sign-out").addEventListener("click", () => void ask("POST", "/logout").finally(() => leave("")));
byId("begin").addEventListener("click", () => void attempt(ask("POST", "/sessions")));
byId("detect").addEventListener("click", () => void attempt(ask("POST", "/detections", { tool: "assistant", duration: 30 })));
byId("export").addEventListener("click", () => void attempt(ask("POST", "/exports")));
byId("watch").addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(service.watch((byId("org") as HTMLInputElement).value));
});
