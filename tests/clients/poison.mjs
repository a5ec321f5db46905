// Records that producers write directly into NATS: some that no node can use, and some that no node can use yet.

import { once } from "node:events";
import { connect } from "node:net";

const SUBJECT = "events.acme.system.Alert";

/** Publishes this many, each with a unique body; resolves once the server has them. */
export function poison(url, count) {
  const one = (_, number) => {
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": `poison-${number}`,
      "ce-source": "/tests",
      "ce-type": "system.Alert",
      "ce-time": "2026-01-02T03:04:05Z",
      "ce-org": "acme",
    };
    return { subject: SUBJECT, headers, body: `<b>no record ${number}</b>` };
  };
  return put(url, Array.from({ length: count }, one));
}

/** Publishes an event of acme in structured mode, whether or not a node knows its type. */
export function event(url, type, data) {
  const attributes = { specversion: "1.0", id: `${type}-${Date.now()}`, source: "/tests", type };
  const body = JSON.stringify({ ...attributes, data: { org: "acme", ...data } });
  return put(url, [{ subject: `events.acme.${type}`, headers: { "content-type": "application/cloudevents+json" }, body }]);
}

async function put(url, messages) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setEncoding("utf8");
  let said = "";
  socket.on("data", (text) => {
    said += text;
  });
  await once(socket, "data");
  socket.write(`CONNECT ${JSON.stringify({ verbose: false, headers: true })}\r\n`);
  for (const { subject, headers, body } of messages) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `NATS/1.0\r\n${lines.join("")}\r\n`;
    socket.write(`HPUB ${subject} ${head.length} ${head.length + Buffer.byteLength(body)}\r\n${head}${body}\r\n`);
  }
  socket.write("PING\r\n");
  while (!said.includes("PONG")) {
    await once(socket, "data");
  }
  socket.end();
  if (said.includes("-ERR")) {
    throw new Error(said);
  }
}
