export { Client, type Targets } from "./client.ts";
export { ConnectionLost, type ConnectionState, type End } from "./hub/end.ts";
export type { Envelope } from "./inbox/envelope.ts";
export type { Shelf } from "./inbox/place.ts";
export type { FeatureFlag, FixedTargets, Logout, Toast } from "./notifications.ts";
export type { ClientOptions, KeyOf } from "./options.ts";
export type { JoinOptions, Membership } from "./tabs/memberships.ts";
export type { Watch, WatchOptions } from "./watch.ts";
