// The HTTP side of a backend: JSON in and out, for pages of known origins.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { log } from "./log.mjs";

const MOST_BYTES = 64 * 1024;
const TRACE = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** An error answer: a status, and one sentence for the caller. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Serves until it is closed. A route is a method, a path such as `/tickets/{id}`, and what answers it: it takes the
 * request, with the values of the path, the JSON body and the ids to follow it by, and returns `{ status, body, headers }`.
 */
export async function serve({ listen, origins, routes }) {
  const compiled = routes.map(([method, path, answer]) => ({ method, pattern: pattern(path), answer }));
  const server = createServer((request, response) => {
    void handle(request, response, compiled, origins);
  });
  const { hostname, port } = new URL(`http://${listen}`);
  await new Promise((listening, failed) => {
    server.once("error", failed).listen(Number(port || 80), hostname, listening);
  });
  log.info("listening", { address: listen });
  return server;
}

function pattern(path) {
  const parts = path.split("/").map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    return name === undefined ? part.replaceAll(".", "\\.") : `(?<${name}>[^/]+)`;
  });
  return new RegExp(`^${parts.join("/")}$`);
}

async function handle(request, response, routes, origins) {
  const began = performance.now();
  const url = new URL(request.url, "http://backend");
  const correlation = request.headers["x-correlation-id"]?.slice(0, 128) || randomUUID();
  const cors = corsHeaders(request, origins);
  let answer;
  let asked;
  try {
    asked = await read(request, url, correlation, cors !== undefined);
    answer = await find(request, url, asked, routes);
  } catch (error) {
    answer = refused(error);
  }
  const { status, body, headers = {} } = answer;
  response.writeHead(status, {
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    "cache-control": "no-store",
    "x-correlation-id": correlation,
    ...cors,
    ...headers,
  });
  response.end(body === undefined ? undefined : JSON.stringify(body));
  if (url.pathname !== "/readyz") {
    const ms = Math.round(performance.now() - began);
    log.info("answered", { method: request.method, path: url.pathname, status, ms, correlation_id: correlation });
  }
}

async function find(request, url, asked, routes) {
  if (request.method === "OPTIONS") {
    return { status: 204 };
  }
  const fitting = routes.filter(({ pattern }) => pattern.test(url.pathname));
  if (fitting.length === 0) {
    throw new Refusal(404, `there is nothing at ${url.pathname}`);
  }
  const route = fitting.find(({ method }) => method === request.method);
  if (route === undefined) {
    throw new Refusal(405, `${url.pathname} takes ${fitting.map(({ method }) => method).join(", ")}`);
  }
  const values = route.pattern.exec(url.pathname).groups ?? {};
  const params = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, decode(value)]));
  return route.answer({ ...asked, params });
}

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new Refusal(400, "the path is not encoded as a URL");
  }
}

function refused(error) {
  if (error instanceof Refusal) {
    return { status: error.status, body: { error: error.message } };
  }
  log.error("a request failed", { error: error.stack });
  return { status: 500, body: { error: "this went wrong here; it is in the log" } };
}

/** The CORS headers for a page of a known origin; undefined if the page's origin is unknown. */
function corsHeaders(request, origins) {
  const { origin } = request.headers;
  if (origin === undefined) {
    return {};
  }
  if (!origins.includes(origin)) {
    return undefined;
  }
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": "authorization, content-type, x-correlation-id, traceparent, x-organization-id",
    "access-control-expose-headers": "x-correlation-id",
    "access-control-max-age": "600",
    vary: "origin",
  };
}

async function read(request, url, correlation, known) {
  // A cookie is sent with every request, so a page of an unknown origin is refused, and not only its answer hidden.
  if (!known) {
    throw new Refusal(403, `no page of ${request.headers.origin} may ask`);
  }
  const trace = request.headers.traceparent;
  return {
    headers: request.headers,
    query: url.searchParams,
    body: await json(request),
    correlation,
    traceparent: TRACE.test(trace) ? trace : undefined,
    cookies: cookies(request.headers.cookie),
  };
}

async function json(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) {
      throw new Refusal(413, `a body has at most ${MOST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  if (bytes === 0) {
    return {};
  }
  let value;
  try {
    value = JSON.parse(Buffer.concat(chunks));
  } catch {
    throw new Refusal(400, "the body is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, "the body is no JSON object");
  }
  return value;
}

function cookies(header = "") {
  const pairs = header.split(";").map((pair) => pair.trim().split("=", 2));
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}
