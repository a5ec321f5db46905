import { testid } from "../../testids.ts";
import { button, input, labelled, perform, select } from "../controls.ts";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import type { AdminProps } from "./panel.ts";

const PLANS = [
  ["team", "Team"],
  ["business", "Business"],
  ["enterprise", "Enterprise"],
] as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Sets the org's license; everyone in the org is notified. */
export function licenseForm({ license, session, org }: AdminProps): HTMLFormElement {
  const says = h("output", { class: "outcome" });
  const plan = select(testid.licensePlan, PLANS);
  plan.value = "business";
  const seats = input(testid.licenseSeats, { type: "number", min: 1, max: 1_000_000, value: 50, required: true });
  const nextYear = new Date(Date.now() + YEAR_MS).toISOString().slice(0, 10);
  const expires = input(testid.licenseExpires, { type: "date", value: nextYear, required: true });

  const form = h(
    "form",
    { class: "admin-form", testid: testid.licenseForm, attrs: { "aria-label": "Set the license" } },
    h("h3", {}, icon("license"), "Set the license"),
    h("div", { class: "pair" }, labelled("Plan", plan), labelled("Seats", seats)),
    labelled("Expires", expires),
    button("Set the license", { submit: true, testid: testid.licenseSubmit }),
    says,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = { plan: plan.value, seats: seats.valueAsNumber, expires_at: `${expires.value}T00:00:00Z` };
    void perform(form, says, "The license is set.", () => license.setLicense(session, org, wanted));
  });
  return form;
}
