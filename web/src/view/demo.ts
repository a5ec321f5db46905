/** The initial users, orgs and roles of the demo platform. */

export interface DemoUser {
  readonly user: string;
  readonly org: string;
  readonly role: string;
}

export const DEMO_PASSWORD = "demo";

export const DEMO_USERS: readonly DemoUser[] = [
  { user: "alice", org: "acme", role: "user" },
  { user: "bob", org: "acme", role: "admin" },
  { user: "carol", org: "globex", role: "user" },
  { user: "root", org: "platform", role: "superadmin" },
];

export const DEMO_ORGS: readonly string[] = ["acme", "globex", "platform"];

/** The flag that switches the reports panel to its new design. */
export const REPORTS_FLAG = "beta-reports";

/** The demo users of an org. */
export function usersOf(org: string): string[] {
  return DEMO_USERS.filter((one) => one.org === org).map((one) => one.user);
}
