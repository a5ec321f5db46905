import { sessionOf, type Session } from "../session/session.ts";
import type { Severity } from "../connection/notification.ts";
import { callJson, field, ServiceError } from "./http.ts";

export interface Alert {
  readonly severity: Severity;
  readonly title: string;
  readonly message: string;
  readonly org?: string;
  readonly user?: string;
}

/** The auth service: sessions, roles and alerts. */
export class AuthService {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async login(user: string, password: string): Promise<Session> {
    const answer = await callJson("auth", `${this.#base}/login`, {
      method: "POST",
      body: { user, password },
    }).catch((error: unknown) => {
      const wrong = error instanceof ServiceError && error.status === 401;
      throw wrong ? new ServiceError(401, "That user and password do not match.") : error;
    });
    const session = sessionOf(field(answer, "access_token"));
    if (session === undefined) {
      throw new ServiceError(200, "The auth service gave no usable token.");
    }
    return session;
  }

  async logout(session: Session, scope: "everywhere" | "session"): Promise<void> {
    await this.#send("POST", "/logout", session, { scope });
  }

  async setRoles(session: Session, user: string, roles: readonly string[]): Promise<void> {
    await this.#send("PUT", `/users/${encodeURIComponent(user)}/roles`, session, { roles });
  }

  async alert(session: Session, alert: Alert): Promise<void> {
    await this.#send("POST", "/alerts", session, alert);
  }

  async #send(method: "POST" | "PUT", path: string, session: Session, body: unknown): Promise<void> {
    await callJson("auth", this.#base + path, { method, token: session.token, body });
  }
}
