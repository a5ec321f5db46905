// A test of the platform: if it fails, the services' logs are printed with it.

import { test } from "node:test";

/** `platform` is asked for late, since it is started in a `before` hook. */
export function cases(platform) {
  return (name, body, timeout = 120_000) =>
    test(name, { timeout }, async (t) => {
      const began = Date.now();
      try {
        await body(t);
      } catch (error) {
        console.error(
          `\n=== ${name}: the services logged\n${platform()?.logs(began) ?? "nothing: they did not start"}`,
        );
        throw error;
      }
    });
}

let serial = 0;

/** A word that no other test uses. */
export function unique(word) {
  serial += 1;
  return `${word}-${process.pid}-${serial}`;
}
