// Records that no node can use, as a producer with a fault would put them into NATS.

import { once } from "node:events";
import { connect } from "node:net";

const SUBJECT = "events.acme.system.Alert";

/** Publishes so many, each told from the others by its body; resolves once the server has them. */
export async function poison(url, count) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setEncoding("utf8");
  let said = "";
  socket.on("data", (text) => {
    said += text;
  });
  await once(socket, "data");
  socket.write(`CONNECT ${JSON.stringify({ verbose: false, headers: true })}\r\n`);
  for (let number = 0; number < count; number += 1) {
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": `poison-${number}`,
      "ce-source": "/tests",
      "ce-type": "system.Alert",
      "ce-time": "2026-01-02T03:04:05Z",
      "ce-org": "acme",
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `NATS/1.0\r\n${lines.join("")}\r\n`;
    const body = `<b>no record ${number}</b>`;
    socket.write(`HPUB ${SUBJECT} ${head.length} ${head.length + body.length}\r\n${head}${body}\r\n`);
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
