import type { AuthService } from "../services/auth.ts";
import type { Session } from "../session/session.ts";
import { testid } from "../testids.ts";
import { button, input, labelled, wordsOf } from "./controls.ts";
import { DEMO_USERS, DEMO_PASSWORD, type DemoUser } from "./demo.ts";
import { h } from "./dom.ts";
import { nameOf } from "./format.ts";
import { icon, mark } from "./icons.ts";
import { themeButton } from "./theme.ts";

/** The screen that asks who you are. */
export function signInScreen(auth: AuthService, signedIn: (session: Session) => void): HTMLElement {
  const user = input(testid.loginUser, {
    name: "user",
    required: true,
    maxlength: 128,
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const password = input(testid.loginPassword, {
    name: "password",
    type: "password",
    required: true,
    maxlength: 256,
    autocomplete: "current-password",
  });
  const error = h("p", { class: "outcome bad", testid: testid.loginError, attrs: { role: "alert" } });
  const submit = button("Sign in", { look: "primary", submit: true, testid: testid.loginSubmit });

  const form = h("form", { class: "stack" }, labelled("User", user), labelled("Password", password), submit, error);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void enter();
  });

  async function enter(): Promise<void> {
    submit.disabled = true;
    error.textContent = "";
    try {
      signedIn(await auth.login(user.value.trim(), password.value));
    } catch (reason) {
      error.textContent = wordsOf(reason);
      submit.disabled = false;
    }
  }

  function pick(name: string): void {
    user.value = name;
    password.value = DEMO_PASSWORD;
    void enter();
  }

  return h(
    "main",
    { class: "entrance", testid: testid.signIn, attrs: { tabindex: -1 } },
    story(),
    h(
      "section",
      { class: "entrance-door" },
      h("div", { class: "entrance-tools" }, themeButton()),
      h(
        "div",
        { class: "entrance-card" },
        h("h1", {}, "Sign in"),
        h(
          "p",
          { class: "muted" },
          "Pick a demo user, or type one. The password is ",
          h("code", {}, DEMO_PASSWORD),
          ".",
        ),
        h("div", { class: "picks" }, ...DEMO_USERS.map((one) => quickPick(one, pick))),
        h("div", { class: "or", attrs: { "aria-hidden": "true" } }, h("span", {}, "or")),
        form,
      ),
    ),
  );
}

function quickPick(one: DemoUser, pick: (name: string) => void): HTMLButtonElement {
  return h(
    "button",
    { class: "pick", testid: testid.quickPick(one.user), attrs: { type: "button" }, onclick: () => pick(one.user) },
    h("span", { class: "avatar", attrs: { "aria-hidden": "true", "data-hue": one.user } }, one.user.charAt(0)),
    h(
      "span",
      { class: "pick-text" },
      h("strong", {}, nameOf(one.user)),
      h("span", { class: "muted" }, `${one.org} · ${one.role}`),
    ),
  );
}

/** The side that explains what this is; the pictures are decoration. */
function story(): HTMLElement {
  return h(
    "section",
    { class: "entrance-story" },
    h("p", { class: "brand" }, mark(), h("span", {}, "Fanfare")),
    h(
      "div",
      { class: "story-text" },
      h("h2", {}, h("span", {}, "Something happened."), " ", h("span", {}, "Every open tab knows.")),
      h(
        "p",
        {},
        "A service commits an event; toasts, feature flags and sign-outs reach everyone they are meant for, and no one else.",
      ),
    ),
    h(
      "div",
      { class: "story-toasts", attrs: { "aria-hidden": "true" } },
      sample("success", "Usage report is ready", "acme-usage.csv, 1.2 MB"),
      sample("info", "License updated", "Refresh your browser"),
      sample("warning", "Maintenance at 22:00", "About ten minutes"),
    ),
  );
}

function sample(severity: "success" | "info" | "warning", title: string, message: string): HTMLElement {
  return h(
    "div",
    { class: "toast sample", attrs: { "data-severity": severity } },
    h("span", { class: "toast-icon" }, icon(severity)),
    h(
      "div",
      { class: "toast-body" },
      h("p", { class: "toast-title" }, title),
      h("p", { class: "toast-message" }, message),
    ),
  );
}
