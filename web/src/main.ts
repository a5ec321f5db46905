import "./styles/base.css";
import "./styles/controls.css";
import "./styles/entrance.css";
import "./styles/workspace.css";
import "./styles/panels.css";
import "./styles/reports.css";
import "./styles/activity.css";
import "./styles/toasts.css";

import { addresses, overrides } from "./services/addresses.ts";
import { AuthService } from "./services/auth.ts";
import { isSuperadmin, type Session } from "./session/session.ts";
import { SessionStore } from "./session/store.ts";
import { Activity } from "./state/activity.ts";
import { forgetCursor } from "./state/place.ts";
import { fill } from "./view/dom.ts";
import { nameOf } from "./view/format.ts";
import { signedOutScreen } from "./view/signedout.ts";
import { signInScreen } from "./view/signin.ts";
import { applyTheme } from "./view/theme.ts";
import { Workspace } from "./workspace.ts";

const ORG_KEY = "fanfare.org";

/** Shows one of three screens: sign-in, the workspace, or the signed-out one. */
class Page {
  readonly #root: HTMLElement;
  readonly #query = new URLSearchParams(location.search);
  readonly #addresses = addresses(new URL(location.href), this.#query);
  readonly #store = new SessionStore(sessionStorage, localStorage);
  #workspace: Workspace | undefined;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  show(): void {
    const session = this.#store.current();
    if (session === undefined) {
      this.#signIn(false);
    } else {
      this.#work(session);
    }
  }

  /** `alone`: the sign-in counts for this tab only. */
  #signIn(alone: boolean): void {
    this.#leave();
    const screen = signInScreen(new AuthService(this.#addresses.auth), (session) => {
      this.#forget();
      this.#store.signedIn(session, alone);
      this.#work(session);
    });
    this.#put("Sign in", screen);
  }

  #work(session: Session): void {
    this.#leave();
    const chosen = isSuperadmin(session) ? sessionStorage.getItem(ORG_KEY) : null;
    const org = chosen ?? session.org;
    const workspace = new Workspace({
      session,
      org,
      addresses: this.#addresses,
      anotherTab: location.pathname + overrides(this.#query),
      ended: (reason, at) => this.#signedOut(session, reason, at),
      otherAccount: () => this.#signIn(true),
      chooseOrg: (org) => {
        sessionStorage.setItem(ORG_KEY, org);
        this.#work(session);
      },
    });
    this.#put(`${nameOf(session.user)} at ${org}`, workspace.element);
    this.#workspace = workspace;
  }

  #signedOut(session: Session, reason: string, at: number): void {
    this.#leave();
    this.#store.ended(session);
    this.#forget();
    this.#put(
      "Signed out",
      signedOutScreen({ user: session.user, reason, at }, () => this.show()),
    );
  }

  /** Shows a screen; the title distinguishes tabs, and the keyboard focus starts at the screen's top. */
  #put(title: string, screen: HTMLElement): void {
    document.title = `${title} · Fanfare`;
    fill(this.#root, screen);
    this.#root.querySelector<HTMLElement>("main")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  /** Nothing that one session received or chose is left for the next. */
  #forget(): void {
    forgetCursor(sessionStorage);
    Activity.forget(sessionStorage);
    sessionStorage.removeItem(ORG_KEY);
  }

  #leave(): void {
    this.#workspace?.close();
    this.#workspace = undefined;
  }
}

applyTheme();
const root = document.getElementById("app");
if (root !== null) {
  new Page(root).show();
}
