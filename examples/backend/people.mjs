// The users of the demo platform, whom every example has; their password is `demo`.

export const PASSWORD = "demo";

const PEOPLE = {
  alice: { org: "acme", roles: ["user"] },
  bob: { org: "acme", roles: ["admin"] },
  carol: { org: "globex", roles: ["user"] },
  root: { org: "platform", roles: ["superadmin"] },
};

/** The user with this name, or undefined. */
export function person(name) {
  return Object.hasOwn(PEOPLE, name) ? { name, ...PEOPLE[name] } : undefined;
}

export const NAMES = Object.keys(PEOPLE);
