// What can be combined: transports and protocols, as SignalR names them.

import { JsonHubProtocol } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";

/** Every transport with every protocol that it carries. */
export const COMBINATIONS = [
  { transport: "WebSockets", protocol: "json" },
  { transport: "WebSockets", protocol: "messagepack" },
  { transport: "ServerSentEvents", protocol: "json" },
  { transport: "LongPolling", protocol: "json" },
  { transport: "LongPolling", protocol: "messagepack" },
];

export function protocolOf(name) {
  return name === "messagepack" ? new MessagePackHubProtocol() : new JsonHubProtocol();
}
