import { input } from "../controls.ts";
import { usersOf } from "../demo.ts";
import { h } from "../dom.ts";

/** A field for a user's id that offers the demo users of the org. */
export function userChoice(testid: string, org: string): HTMLInputElement {
  const users = usersOf(org);
  const list = h("datalist", { id: `${testid}-list` }, ...users.map((user) => h("option", { attrs: { value: user } })));
  document.getElementById(list.id)?.remove();
  document.body.append(list);
  return input(testid, {
    required: true,
    maxlength: 128,
    value: users[0] ?? "",
    list: list.id,
    autocapitalize: "none",
    spellcheck: "false",
  });
}
