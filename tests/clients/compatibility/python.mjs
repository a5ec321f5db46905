// Python's clients: in their own environment, which scripts/setup.sh creates.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Driver } from "./driven.mjs";

const ENVIRONMENT = process.env.FANFARE_PYTHON ?? resolve(import.meta.dirname, "../../../target/tools/python");
const PYTHON = join(ENVIRONMENT, "bin/python");

/** What matrix() needs of a client whose driver is `python/{name}_driver.py`. */
export function pythonClient(name, client) {
  const versions = versionsOf(name);
  let driver;
  return {
    name,
    versions: versions ?? {},
    reason: versions === undefined ? `${name} could not be fetched from PyPI` : undefined,
    async start() {
      const script = resolve(import.meta.dirname, `../python/${name}_driver.py`);
      driver = await Driver.start(name, PYTHON, [script]);
    },
    connect: (options) => driver.connect(options),
    stop: () => driver?.stop(),
    ...client,
  };
}

function versionsOf(name) {
  if (!existsSync(PYTHON)) {
    return undefined;
  }
  const script = `import importlib.metadata; print(importlib.metadata.version("${name}"))`;
  try {
    return { [name]: execFileSync(PYTHON, ["-c", script], { encoding: "utf8", stdio: "pipe" }).trim() };
  } catch {
    return undefined;
  }
}
