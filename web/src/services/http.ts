/** One way to call the platform's services: JSON in and out, a deadline, plain error texts. */

const DEADLINE_MS = 15_000;

/** A service call's error; `status` is 0 if there was no answer. */
export class ServiceError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly token?: string;
  /** The org to act in, if it is not the token's own. */
  readonly org?: string;
  readonly body?: unknown;
}

/** Calls a service and returns the answer, whatever its body is. */
export async function call(service: string, url: string, call: Call = {}): Promise<Response> {
  const headers = new Headers({ accept: "application/json" });
  if (call.token !== undefined) {
    headers.set("authorization", `Bearer ${call.token}`);
  }
  if (call.org !== undefined) {
    headers.set("x-organization-id", call.org);
  }
  const init: RequestInit = { method: call.method ?? "GET", headers, credentials: "omit", cache: "no-store" };
  if (call.body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(call.body);
  }
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch {
    throw new ServiceError(0, `The ${service} service cannot be reached.`);
  }
  if (!response.ok) {
    throw new ServiceError(response.status, await reason(service, response));
  }
  return response;
}

/** Calls a service and reads its JSON answer; an empty body is `undefined`. */
export async function callJson(service: string, url: string, options: Call = {}): Promise<unknown> {
  const response = await call(service, url, options);
  const body = await response.text();
  try {
    return body === "" ? undefined : (JSON.parse(body) as unknown);
  } catch {
    throw new ServiceError(response.status, `The ${service} service gave an answer that is not JSON.`);
  }
}

async function reason(service: string, response: Response): Promise<string> {
  const said = field(await response.json().catch(() => undefined), "error");
  if (said !== undefined) {
    return said.slice(0, 300);
  }
  switch (response.status) {
    case 401:
      return "Your session is not accepted any more. Sign in again.";
    case 403:
      return "You are not allowed to do that.";
    default:
      return `The ${service} service answered ${response.status}.`;
  }
}

/** A string field of an answer, if it has one. */
export function field(answer: unknown, name: string): string | undefined {
  const value = typeof answer === "object" && answer !== null ? Reflect.get(answer, name) : undefined;
  return typeof value === "string" ? value : undefined;
}
