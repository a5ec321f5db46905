// Calls of an example's own backend. The page comes from the node and its data from the backend, like two services of
// one site: the session's cookie is sent to both.

/** The backend's address: beside the page, unless the page's URL has `?backend=`. */
export const BACKEND = new URLSearchParams(location.search).get("backend") ?? `http://${location.hostname}:8084`;

/** An error answer, with the backend's own text. */
export class BackendError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(BACKEND + path, {
    method,
    credentials: "include",
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const value = text === "" ? undefined : JSON.parse(text);
  if (!answer.ok) {
    throw new BackendError(answer.status, value?.error ?? `the backend answered ${answer.status}`);
  }
  return value as T;
}
