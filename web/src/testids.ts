/**
 * The `data-testid` values that the browser tests rely on, in one place.
 *
 * Attributes that go with them: `toast` and `activity-item` carry `data-severity`, a flag row carries
 * `data-enabled` ("true" or "false"), `reports` carries `data-design` ("classic" or "beta"), an
 * `export-job` carries `data-status` ("running", "done" or "failed") and `connection-state` carries
 * `data-state` beside its text ("Connected", "Reconnecting…").
 */
export const testid = {
  signIn: "sign-in",
  loginUser: "login-user",
  loginPassword: "login-password",
  loginSubmit: "login-submit",
  loginError: "login-error",
  quickPick: (user: string) => `user-${user}`,

  signedOut: "signed-out",
  signedOutReason: "signed-out-reason",
  signInAgain: "sign-in-again",

  connectionState: "connection-state",
  reconnect: "reconnect",
  notice: "notice",
  theme: "theme",
  userMenu: "user-menu",
  signedInAs: "signed-in-as",
  logout: "logout",
  logoutSession: "logout-session",
  otherAccount: "other-account",
  actingOrg: "acting-org",

  toast: "toast",
  toastTitle: "toast-title",
  toastMessage: "toast-message",
  toastLink: "toast-link",
  toastDismiss: "toast-dismiss",
  activity: "activity",
  activityItem: "activity-item",

  flag: (name: string) => `flag-${name}`,
  flagToggle: (name: string) => `flag-toggle-${name}`,
  flagRemove: (name: string) => `flag-remove-${name}`,
  flagName: "flag-name",
  flagCreate: "flag-create",
  reports: "reports",

  exportStart: "export-start",
  exportBroken: "export-broken",
  exportJob: "export-job",
  exportProgress: "export-progress",
  exportDownload: "export-download",

  adminPanel: "admin-panel",
  alertForm: "alert-form",
  alertSeverity: (severity: string) => `alert-severity-${severity}`,
  alertTitle: "alert-title",
  alertMessage: "alert-message",
  alertAudience: "alert-audience",
  alertUser: "alert-user",
  alertSubmit: "alert-submit",
  rolesForm: "roles-form",
  rolesUser: "roles-user",
  role: (role: string) => `role-${role}`,
  rolesSubmit: "roles-submit",
  licenseForm: "license-form",
  licensePlan: "license-plan",
  licenseSeats: "license-seats",
  licenseExpires: "license-expires",
  licenseSubmit: "license-submit",
} as const;
