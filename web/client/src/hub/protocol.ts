import { JsonHubProtocol, MessageType, type HubMessage, type IHubProtocol, type ILogger } from "@microsoft/signalr";

/** The one handler for all of the hub's calls. */
export const EVERYTHING = "fanfare.everything";

/**
 * The official client calls only the handlers of registered targets, by name. Other tabs may have handlers for other
 * targets, and a handler may be added later, so each call is turned into one of `EVERYTHING` with the target before its
 * arguments.
 */
export class EveryTarget implements IHubProtocol {
  readonly #inner: IHubProtocol;

  constructor(inner: IHubProtocol = new JsonHubProtocol()) {
    this.#inner = inner;
  }

  get name() {
    return this.#inner.name;
  }

  get version() {
    return this.#inner.version;
  }

  get transferFormat() {
    return this.#inner.transferFormat;
  }

  parseMessages(input: string | ArrayBuffer, logger: ILogger): HubMessage[] {
    const messages = this.#inner.parseMessages(input, logger);
    const length = typeof input === "string" ? input.length : input.byteLength;
    const size = Math.ceil(length / Math.max(1, messages.length));
    return messages.map((message) => {
      // Answers that the hub waits for are the page's own matter.
      if (message.type !== MessageType.Invocation || message.invocationId) {
        return message;
      }
      return { ...message, target: EVERYTHING, arguments: [message.target, size, ...(message.arguments ?? [])] };
    });
  }

  writeMessage(message: HubMessage): string | ArrayBuffer {
    return this.#inner.writeMessage(message);
  }
}
