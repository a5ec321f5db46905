// Judges a run of the Autobahn suite: what failed must be an exception, and every exception must still fail.

import { readFileSync } from "node:fs";

const [index, known] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
const results = Object.entries(index.fanfare);
const patterns = known.flatMap((exception) => exception.cases);
const fits = (pattern, name) =>
  pattern.endsWith(".*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
const isGood = ({ behavior, behaviorClose }) =>
  [behavior, behaviorClose].every((one) => one === "OK" || one === "NON-STRICT" || one === "INFORMATIONAL");

let passed = 0;
let excepted = 0;
const faults = [];
for (const [name, result] of results) {
  const exception = patterns.some((pattern) => fits(pattern, name));
  if (isGood(result)) {
    passed += 1;
    if (exception) {
      faults.push(`${name} passes: it is no exception any more`);
    }
  } else if (exception) {
    excepted += 1;
  } else {
    faults.push(`${name}: ${result.behavior}, closed: ${result.behaviorClose} (${result.remoteCloseCode})`);
  }
}
for (const fault of faults) {
  console.error(fault);
}
for (const { why, cases } of known) {
  console.log(`${cases.join(" ")}: ${why}`);
}
console.log(`${passed} passed, ${faults.length} failed, ${excepted} skipped`);
process.exitCode = faults.length > 0 || passed === 0 ? 1 : 0;
