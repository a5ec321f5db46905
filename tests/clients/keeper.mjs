// Outlives the tests by a moment: it kills the processes that a killed test process could not.
// Each line of its input is `+pid` or `-pid`; the end of the input means the end of the tests.

import { createInterface } from "node:readline";

const pids = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => undefined);
}
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) {
    pids.add(pid);
  } else {
    pids.delete(pid);
  }
});
lines.on("close", () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
});
