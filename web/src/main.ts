import "./styles/base.css";
import "./styles/controls.css";
import "./styles/entrance.css";
import "./styles/workspace.css";
import "./styles/panels.css";
import "./styles/toasts.css";

import { addresses, overrides } from "./services/addresses.ts";
import { Auth } from "./services/auth.ts";
import { isSuperadmin, type Session } from "./session/session.ts";
import { SessionStore } from "./session/store.ts";
import { fill } from "./view/dom.ts";
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
    const screen = signInScreen(new Auth(this.#addresses.auth), (session) => {
      sessionStorage.removeItem(ORG_KEY);
      this.#store.signedIn(session, alone);
      this.#work(session);
    });
    fill(this.#root, screen);
  }

  #work(session: Session): void {
    this.#leave();
    const chosen = isSuperadmin(session) ? sessionStorage.getItem(ORG_KEY) : null;
    this.#workspace = new Workspace({
      session,
      org: chosen ?? session.org,
      addresses: this.#addresses,
      anotherTab: location.pathname + overrides(this.#query),
      ended: (reason, at) => this.#signedOut(session, reason, at),
      otherAccount: () => this.#signIn(true),
      chooseOrg: (org) => {
        sessionStorage.setItem(ORG_KEY, org);
        this.#work(session);
      },
    });
    fill(this.#root, this.#workspace.element);
  }

  #signedOut(session: Session, reason: string, at: number): void {
    this.#store.ended(session);
    this.#leave();
    fill(this.#root, signedOutScreen({ user: session.user, reason, at }, () => this.show()));
    window.scrollTo(0, 0);
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
