// What the operator's port is asked. The token stays in this tab, and goes with it.

const KEY = "fanfare.operator";
const DEADLINE_MS = 8000;

/** Sealed tokens are base64url; anything else was copied wrongly, and could not be a header. */
const TOKEN = /^[\w-]{20,700}$/;

export function token() {
  return sessionStorage.getItem(KEY);
}

export function forget() {
  sessionStorage.removeItem(KEY);
}

/** Keeps a token; gives why not if it is none. */
export function keep(text) {
  const pasted = text.trim();
  if (!TOKEN.test(pasted)) {
    return "This is no token of an operator: paste the one line that the command prints.";
  }
  sessionStorage.setItem(KEY, pasted);
  return undefined;
}

/** The node does not take the token; its words are for the reader. */
export class NotLetIn extends Error {}

/** No node answers at all. */
export class Away extends Error {}

/** Asks for JSON; a fault is an error with the node's own words. */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = { authorization: `Bearer ${token()}` };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
  }
  const signal = AbortSignal.timeout(DEADLINE_MS);
  let answer, told;
  try {
    answer = await fetch(path, { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
    told = await answer.json().catch(() => ({}));
  } catch (error) {
    throw new Away(error.name === "TimeoutError" ? "no answer in time" : "it cannot be reached");
  }
  if (answer.ok) {
    return told;
  }
  const words = told.error ?? `The node answers ${answer.status}.`;
  throw answer.status === 401 ? new NotLetIn(words) : new Error(words);
}
