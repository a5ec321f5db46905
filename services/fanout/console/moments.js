// The moments of a connection, in words. Pure.

import { counted, time } from "./words.js";

const WORDS = {
  opened: () => "opened",
  admitted: () => "shook hands and was let in",
  resumed: () => "caught up by a resume",
  asked: () => "caught up by asking for its cursor",
  quiet: () => "caught up by saying nothing",
  replayed: (count) => `was sent ${counted(count, "notification")} from the log`,
  behind: () => "had fallen behind, and read on from the log",
  socket_lost: () => "lost its socket",
  socket_replaced: () => "went on with another socket",
  token_refreshed: () => "went on with another token",
  left_out: (count) => `… ${counted(count, "moment")} left out …`,
};

export function momentText({ at, what, count = 0 }) {
  return `${time(at)}  ${(WORDS[what] ?? (() => what))(count)}`;
}
