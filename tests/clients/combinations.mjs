// The combinations of transports and protocols, by SignalR's names.

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

/** The same, and those whose lost sockets can be replaced: WebSockets alone. */
export const COMBINATIONS_OF_JAVASCRIPT = [
  ...COMBINATIONS,
  { transport: "WebSockets", protocol: "json", stateful: true },
  { transport: "WebSockets", protocol: "messagepack", stateful: true },
];

export function protocolOf(name) {
  return name === "messagepack" ? new MessagePackHubProtocol() : new JsonHubProtocol();
}
