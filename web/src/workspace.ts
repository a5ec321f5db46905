import { Hub, type HubEvents } from "./connection/hub.ts";
import type { FeatureFlag, Logout, Toast } from "./connection/notification.ts";
import { safeLink, type LinkBases } from "./links.ts";
import type { Addresses } from "./services/addresses.ts";
import { AuthService } from "./services/auth.ts";
import { ExportService } from "./services/export.ts";
import { LicenseService } from "./services/license.ts";
import { isAdmin, type Session } from "./session/session.ts";
import { Activity } from "./state/activity.ts";
import { Flags } from "./state/flags.ts";
import { Jobs } from "./state/jobs.ts";
import { cursorShelf } from "./state/place.ts";
import { activityPanel } from "./view/activity.ts";
import { adminPanel } from "./view/admin/panel.ts";
import { connectionState } from "./view/connection-state.ts";
import { wordsOf } from "./view/controls.ts";
import { h } from "./view/dom.ts";
import { exportsPanel } from "./view/exports.ts";
import { flagsPanel } from "./view/flags.ts";
import { saveFile } from "./view/link.ts";
import { Notice } from "./view/notice.ts";
import { reportsPanel } from "./view/reports.ts";
import { topBar, welcome, type ShellActions } from "./view/shell.ts";
import { Toasts } from "./view/toasts.ts";
import { Unread } from "./view/unread.ts";

export interface WorkspaceProps {
  readonly session: Session;
  /** The org this tab acts in: the session's own, or the one a superadmin chose. */
  readonly org: string;
  readonly addresses: Addresses;
  /** The address of a further tab like this one. */
  readonly anotherTab: string;
  readonly ended: (reason: string, at: number) => void;
  readonly otherAccount: () => void;
  readonly chooseOrg: (org: string) => void;
}

// After a sign-out the hub's `logout` closes the tab; this is for a tab that is not connected then.
const LOGOUT_GRACE_MS = 2_000;

/** The signed-in page: it connects the hub's notifications with the views. */
export class Workspace {
  readonly element: HTMLElement;
  readonly #props: WorkspaceProps;
  readonly #auth: AuthService;
  readonly #license: LicenseService;
  readonly #exports: ExportService;
  readonly #hub: Hub;
  readonly #flags = new Flags();
  readonly #jobs = new Jobs();
  readonly #activity: Activity;
  readonly #toasts: Toasts;
  readonly #notice = new Notice();
  readonly #unread = new Unread();
  readonly #bases: LinkBases;
  readonly #connection = connectionState(() => void this.#hub.start());
  #flagsKnown = false;
  #over = false;

  constructor(props: WorkspaceProps) {
    this.#props = props;
    const { session, org, addresses } = props;
    const place = `${session.user} ${session.id} ${org}`;
    this.#auth = new AuthService(addresses.auth);
    this.#license = new LicenseService(addresses.license);
    this.#exports = new ExportService(addresses.export);
    this.#bases = { page: location.origin, exports: addresses.export };
    this.#activity = new Activity(sessionStorage, place);
    this.#toasts = new Toasts((url) => this.#download(url));
    const query = org === session.org ? "" : `?org=${encodeURIComponent(org)}`;
    this.#hub = new Hub(
      `/hubs/notifications${query}`,
      session.token,
      cursorShelf(sessionStorage, place),
      this.#events(),
    );
    this.element = this.#build();
    void this.#hub.start();
    void this.#refetchFlags();
  }

  /** Ends the connection and everything that still runs for this page. */
  close(): void {
    this.#over = true;
    this.#unread.stop();
    void this.#hub.stop();
  }

  #build(): HTMLElement {
    const { session, org, anotherTab } = this.#props;
    const download = (url: string) => this.#download(url);
    const actions: ShellActions = {
      logout: (scope) => void this.#logout(scope),
      otherAccount: this.#props.otherAccount,
      chooseOrg: this.#props.chooseOrg,
    };
    return h(
      "div",
      { class: "workspace" },
      topBar(session, this.#connection.element, actions),
      h(
        "main",
        { class: "page", attrs: { tabindex: -1 } },
        h("div", { class: "page-top" }, this.#notice.element, welcome(session, org, anotherTab, actions)),
        h(
          "div",
          { class: "columns" },
          h(
            "div",
            { class: "column" },
            reportsPanel(this.#flags),
            h(
              "div",
              { class: "duo" },
              exportsPanel({ jobs: this.#jobs, exports: this.#exports, session, org, download }),
              flagsPanel({ flags: this.#flags, license: this.#license, session, org }),
            ),
          ),
          activityPanel(this.#activity, this.#bases, download),
          isAdmin(session) && adminPanel({ auth: this.#auth, license: this.#license, session, org }),
        ),
      ),
      this.#toasts.element,
    );
  }

  #events(): HubEvents {
    return {
      state: (state) => this.#connection.show(state),
      toast: (toast) => this.#toast(toast),
      featureFlag: (flag, catchingUp, news) => this.#flag(flag, catchingUp, news),
      exportProgress: (step) => this.#jobs.progress(step),
      logout: ({ reason, at }: Logout) => this.#end(reason, at),
      caughtUp: (replayed) => {
        if (replayed > 0) {
          this.#notice.say(`${replayed} missed ${replayed === 1 ? "notification" : "notifications"} replayed.`);
        }
      },
      missed: () => {
        this.#notice.say("Some notifications were missed; refetching what is current.");
        void this.#refetchFlags();
        void this.#refetchJobs();
      },
      refused: (why) => {
        if (why === "token") {
          this.#end("Your session is not valid any more", Date.now());
        } else {
          this.#notice.say(`You may not act in ${this.#props.org}.`, "bad");
        }
      },
    };
  }

  #toast(toast: Toast): void {
    this.#toasts.show({ ...toast, link: safeLink(toast.link, this.#bases) });
    this.#activity.add({
      kind: "toast",
      severity: toast.severity,
      title: toast.title,
      message: toast.message,
      link: toast.link,
      at: toast.at,
    });
    this.#unread.add();
    // The end of an export is a toast; the service knows which of the running ones it was.
    void this.#refetchJobs();
  }

  #flag(flag: FeatureFlag, catchingUp: boolean, news: boolean): void {
    const change = this.#flags.push(flag, catchingUp);
    // Retained values are sent again with every connection: only a change is worth a line.
    const worth = change === "changed" || change === "removed" || (change === "added" && this.#flagsKnown);
    if (!news || !worth) {
      return;
    }
    const state = flag.removed ? "removed" : flag.enabled ? "switched on" : "switched off";
    this.#activity.add({
      kind: "flag",
      severity: "info",
      title: `${flag.flag} ${state}`,
      message: "",
      link: undefined,
      at: flag.at,
    });
    this.#unread.add();
  }

  async #refetchFlags(): Promise<void> {
    this.#flags.refetching();
    try {
      this.#flags.refetched(await this.#license.flags(this.#props.session, this.#props.org));
      this.#flagsKnown = true;
    } catch (error) {
      if (!this.#over) {
        this.#notice.say(wordsOf(error), "bad");
      }
    }
  }

  async #refetchJobs(): Promise<void> {
    for (const { id } of this.#jobs.running()) {
      // A job that cannot be fetched now stays unchanged; the next notification fetches it again.
      const status = await this.#exports.status(this.#props.session, id).catch(() => undefined);
      if (status !== undefined) {
        this.#jobs.ended(id, status);
      }
    }
  }

  async #download(url: string): Promise<void> {
    try {
      const { file, name } = await this.#exports.download(this.#props.session, url);
      saveFile(file, name);
    } catch (error) {
      this.#notice.say(wordsOf(error), "bad");
    }
  }

  async #logout(scope: "everywhere" | "session"): Promise<void> {
    try {
      await this.#auth.logout(this.#props.session, scope);
      setTimeout(() => this.#end("signed out", Date.now()), LOGOUT_GRACE_MS);
    } catch (error) {
      this.#notice.say(wordsOf(error), "bad");
    }
  }

  #end(reason: string, at: number): void {
    if (!this.#over) {
      this.close();
      this.#props.ended(reason, at);
    }
  }
}
