// The start of every backend here: its options, its store, its issuer and the relay of its outbox.

import { parseArgs } from "node:util";
import { Issuer } from "./issuer.mjs";
import { log } from "./log.mjs";
import { Relay } from "./relay.mjs";
import { serve } from "./server.mjs";
import { Store } from "./store.mjs";

/**
 * Starts the backend of an example; `publish` lists the types of its events, `audience` is that of its users' tokens,
 * `fromFiles` lets pages ask that were opened from a file, and `routes` makes its routes of `{ store, issuer }`.
 */
export async function start({ source, publish, audience, fromFiles = false, routes }) {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", default: "127.0.0.1:8084" },
      data: { type: "string" },
      "fanout-url": { type: "string", default: "http://127.0.0.1:8080" },
      "page-origin": { type: "string", default: "http://127.0.0.1:8080,http://localhost:8080" },
    },
  });
  if (values.data === undefined) {
    throw new Error("--data=FOLDER is missing: where this backend keeps its state and its key");
  }
  const store = Store.open(values.data);
  const issuer = new Issuer(`http://${values.listen}`, values.data, { publish, audience });
  const common = [
    ["GET", "/readyz", () => ({ status: 200, body: { status: "ready" } })],
    ["GET", "/.well-known/jwks.json", () => ({ status: 200, body: issuer.jwks() })],
  ];
  const server = await serve({
    listen: values.listen,
    origins: [...values["page-origin"].split(","), ...(fromFiles ? ["null"] : [])],
    routes: [...common, ...routes({ store, issuer })],
  });
  const relay = new Relay({ store, url: values["fanout-url"], token: (org) => issuer.producerToken(org), source });
  let stopping = false;
  const stop = async () => {
    if (stopping) {
      return;
    }
    stopping = true;
    server.close();
    server.closeAllConnections();
    await relay.stop();
    store.close();
    log.info("stopped");
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
}
