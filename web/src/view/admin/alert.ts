import { SEVERITIES, type Severity } from "../../connection/notification.ts";
import type { Alert } from "../../services/auth.ts";
import { isSuperadmin } from "../../session/session.ts";
import { testid } from "../../testids.ts";
import { button, input, labelled, perform, select } from "../controls.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import type { AdminProps } from "./panel.ts";
import { userChoice } from "./users.ts";

/** Raises an alert: to the org, to one of its users, or platform-wide. */
export function alertForm({ auth, session, org }: AdminProps): HTMLFormElement {
  const says = h("output", { class: "outcome" });
  const title = input(testid.alertTitle, { required: true, maxlength: 120, value: "Planned maintenance" });
  const message = h("textarea", {
    class: "input",
    testid: testid.alertMessage,
    attrs: { rows: 2, maxlength: 1000, required: true },
  });
  message.value = "The platform restarts at 22:00 and is back a minute later.";
  const audiences: [string, string][] = [
    ["org", `Everyone in ${org}`],
    ["user", "One user"],
  ];
  if (isSuperadmin(session)) {
    audiences.push(["platform", "Every admin of the platform"]);
  }
  const audience = select(testid.alertAudience, audiences);
  const user = userChoice(testid.alertUser, org);
  const userField = labelled("User", user);
  const follow = () => (userField.hidden = audience.value !== "user");
  audience.addEventListener("change", follow);
  follow();

  const form = h(
    "form",
    { class: "admin-form", testid: testid.alertForm, attrs: { "aria-label": "Raise an alert" } },
    h("h3", {}, icon("bell"), "Raise an alert"),
    severityChoice(),
    labelled("Title", title),
    labelled("Message", message),
    h("div", { class: "pair" }, labelled("To", audience), userField),
    button("Raise the alert", { look: "primary", submit: true, testid: testid.alertSubmit }),
    says,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const severity = (new FormData(form).get("severity") ?? "info") as Severity;
    const alert = { severity, title: title.value, message: message.value };
    void perform(form, says, "The alert is on its way.", () =>
      auth.alert(session, addressed(alert, audience.value, org, user.value)),
    );
  });
  return form;
}

function addressed(alert: Alert, audience: string, org: string, user: string): Alert {
  switch (audience) {
    case "platform":
      return alert;
    case "user":
      return { ...alert, org, user };
    default:
      return { ...alert, org };
  }
}

function severityChoice(): HTMLElement {
  const choices = SEVERITIES.map((severity, index) =>
    h(
      "label",
      { class: "chip", attrs: { "data-severity": severity } },
      h("input", {
        testid: testid.alertSeverity(severity),
        attrs: { type: "radio", name: "severity", value: severity, checked: index === 0 },
      }),
      icon(severity),
      h("span", {}, severity.charAt(0).toUpperCase() + severity.slice(1)),
    ),
  );
  return h("fieldset", { class: "chips" }, h("legend", { class: "field-label" }, "Severity"), ...choices);
}
