import type { Message, Saying } from "./message.ts";

/** How tabs of one user and hub speak to each other. */
export interface Channel {
  say(saying: Saying): void;
  close(): void;
}

/** Nobody else listens. */
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
