import type { Message, Saying } from "./message.ts";

/** The channel between tabs of one user and hub. */
export interface Channel {
  say(saying: Saying): void;
  close(): void;
}

/** A channel without listeners. */
export const alone: Channel = { say: () => undefined, close: () => undefined };

export function openChannel(name: string, tab: string, receive: (message: Message) => void): Channel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (!("to" in data) || data.to === undefined || data.to === tab) {
      receive(data);
    }
  };
  return {
    say: (saying) => channel.postMessage({ ...saying, from: tab }),
    close: () => {
      channel.onmessage = null;
      channel.close();
    },
  };
}
