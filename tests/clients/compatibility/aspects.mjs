// The abilities that every client must have, in the order of the matrix.

export const ASPECTS = {
  connect: "connects",
  receive: "receives notifications",
  invoke: "calls methods",
  stream: "takes a stream",
  reconnect: "comes back after a lost line",
  drain: "comes back when its node restarts",
  expired: "comes back with a fresh token when its own expires",
};
