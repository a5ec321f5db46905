// The Java client from Maven Central.

import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { COMBINATIONS } from "./combinations.mjs";
import { Driver } from "./compatibility/driven.mjs";
import { matrix } from "./compatibility/matrix.mjs";

const JARS = process.env.FANFARE_JAVA ?? resolve(import.meta.dirname, "../../target/tools/java");
const jar = existsSync(JARS) ? readdirSync(JARS).find((name) => /^signalr-\d.*\.jar$/.test(name)) : undefined;
const notRun = "its package for MessagePack, com.microsoft.signalr.messagepack, cannot be fetched from Maven Central";
const again = "the application has to start it again: the client has no automatic reconnect";

let driver;
matrix({
  name: "java",
  title: "Java",
  versions: jar === undefined ? {} : { "com.microsoft.signalr": jar.slice("signalr-".length, -".jar".length) },
  reason: jar === undefined ? "the Java client could not be fetched from Maven Central" : undefined,
  // It lacks Server-Sent Events.
  combinations: COMBINATIONS.filter(({ transport }) => transport !== "ServerSentEvents"),
  gaps: { "WebSockets with messagepack": { notRun }, "LongPolling with messagepack": { notRun } },
  notes: { reconnect: again, drain: again, expired: again },
  async start() {
    const source = join(import.meta.dirname, "java/Driver.java");
    // Small and fast to start: these are a few tabs for a few seconds.
    const args = ["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", join(JARS, "*"), source];
    driver = await Driver.start("java", "java", args);
  },
  connect: (options) => driver.connect(options),
  stop: () => driver?.stop(),
});
