import { JsonHubProtocol, MessageType, type HubMessage, type IHubProtocol, type ILogger } from "@microsoft/signalr";

/** The one handler that hears all that the hub calls. */
export const EVERYTHING = "fanfare.everything";

/**
 * The official client tells only the targets that have a handler, by name. Other tabs may listen to other targets, and a
 * handler may come later, so each call is turned into one of `EVERYTHING` with the target before its arguments.
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
