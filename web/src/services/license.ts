import type { Session } from "../session/session.ts";
import { callJson, ServiceError } from "./http.ts";

export interface FlagValue {
  readonly name: string;
  readonly enabled: boolean;
}

export interface License {
  readonly plan: string;
  readonly seats: number;
  /** RFC 3339. */
  readonly expires_at: string | null;
}

/** The license service: licenses and feature flags per org. */
export class LicenseService {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /** The flags of an org according to the service: the source of truth for a refetch. */
  async flags(session: Session, org: string): Promise<FlagValue[]> {
    const answer = await callJson("license", this.#url(org, "/flags"), { token: session.token });
    return readFlags(answer);
  }

  async setFlag(session: Session, org: string, flag: string, enabled: boolean): Promise<void> {
    await callJson("license", this.#url(org, `/flags/${encodeURIComponent(flag)}`), {
      method: "PUT",
      token: session.token,
      body: { enabled },
    });
  }

  async removeFlag(session: Session, org: string, flag: string): Promise<void> {
    await callJson("license", this.#url(org, `/flags/${encodeURIComponent(flag)}`), {
      method: "DELETE",
      token: session.token,
    });
  }

  async setLicense(session: Session, org: string, license: License): Promise<void> {
    await callJson("license", this.#url(org, "/license"), {
      method: "PUT",
      token: session.token,
      body: license,
    });
  }

  #url(org: string, path: string): string {
    return `${this.#base}/orgs/${encodeURIComponent(org)}${path}`;
  }
}

/** Reads the service's list, `{"flags": [{"flag", "enabled"}]}`. */
export function readFlags(answer: unknown): FlagValue[] {
  const list: unknown = Reflect.get(Object(answer), "flags");
  if (!Array.isArray(list)) {
    throw new ServiceError(200, "The license service gave no list of flags.");
  }
  return list.flatMap((entry: unknown) => {
    const name: unknown = Reflect.get(Object(entry), "flag");
    const enabled: unknown = Reflect.get(Object(entry), "enabled");
    return typeof name === "string" && typeof enabled === "boolean" ? [{ name, enabled }] : [];
  });
}
