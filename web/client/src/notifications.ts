/** The notifications of fixed shape. `at` is ISO 8601 text in JSON and a `Date` in MessagePack. */

export interface Toast {
  readonly id: string;
  readonly cursor: string;
  readonly severity: "info" | "success" | "warning" | "error";
  readonly title: string;
  readonly message: string;
  readonly link?: string;
  readonly at: string | Date;
}

export interface FeatureFlag {
  readonly id: string;
  readonly cursor: string;
  readonly flag: string;
  readonly enabled: boolean;
  readonly removed?: boolean;
  readonly at: string | Date;
}

export interface Logout {
  readonly id: string;
  readonly cursor: string;
  readonly reason: string;
  readonly at: string | Date;
}

/** Their targets. */
export interface FixedTargets {
  toast: [toast: Toast];
  featureFlag: [flag: FeatureFlag];
  logout: [logout: Logout];
}
