import { isSuperadmin, type Session } from "../../session/session.ts";
import type { AuthService } from "../../services/auth.ts";
import type { LicenseService } from "../../services/license.ts";
import { testid } from "../../testids.ts";
import { panel } from "../controls.ts";
import { h } from "../dom.ts";
import { alertForm } from "./alert.ts";
import { licenseForm } from "./license.ts";
import { rolesForm } from "./roles.ts";

export interface AdminProps {
  readonly auth: AuthService;
  readonly license: LicenseService;
  readonly session: Session;
  /** The org that the admin acts in. */
  readonly org: string;
}

/** The actions of admins for their org, and of a superadmin for any. */
export function adminPanel(props: AdminProps): HTMLElement {
  const where = isSuperadmin(props.session)
    ? `You act in ${props.org}; choose another org at the top.`
    : `You act in ${props.org}.`;
  return panel(
    "Admin",
    "shield",
    { class: "admin", testid: testid.adminPanel },
    h("p", { class: "panel-lead muted" }, where),
    h(
      "div",
      { class: "admin-forms" },
      alertForm(props),
      h("div", { class: "admin-forms-side" }, rolesForm(props), licenseForm(props)),
    ),
  );
}
