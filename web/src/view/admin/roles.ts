import { isSuperadmin } from "../../session/session.ts";
import { testid } from "../../testids.ts";
import { button, labelled, perform } from "../controls.ts";
import { DEMO_USERS } from "../demo.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import type { AdminProps } from "./panel.ts";
import { userChoice } from "./users.ts";

const ROLES = ["user", "admin", "billing", "auditor"] as const;

/** Changes the roles of a user; the user's open tabs join and leave the role groups at once. */
export function rolesForm({ auth, session, org }: AdminProps): HTMLFormElement {
  const says = h("output", { class: "outcome" });
  const user = userChoice(testid.rolesUser, org);
  const roles = isSuperadmin(session) ? [...ROLES, "superadmin"] : ROLES;
  const boxes = roles.map((role) =>
    h("input", { testid: testid.role(role), attrs: { type: "checkbox", name: "role", value: role } }),
  );
  const chips = boxes.map((box) => h("label", { class: "chip" }, box, h("span", {}, box.value)));

  // The initial roles of a demo user; later grants are not known here.
  const prefill = () => {
    const known = DEMO_USERS.find((one) => one.user === user.value.trim());
    if (known !== undefined) {
      boxes.forEach((box) => (box.checked = box.value === known.role));
    }
  };
  prefill();
  user.addEventListener("change", prefill);

  const form = h(
    "form",
    { class: "admin-form", testid: testid.rolesForm, attrs: { "aria-label": "Change roles" } },
    h("h3", {}, icon("people"), "Change roles"),
    labelled("User", user),
    h("fieldset", { class: "chips" }, h("legend", { class: "field-label" }, "Roles from now on"), ...chips),
    button("Set the roles", { submit: true, testid: testid.rolesSubmit }),
    says,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    void perform(form, says, "The roles are set.", () => auth.setRoles(session, user.value.trim(), chosen));
  });
  return form;
}
