import { resolve } from "node:path";
import { defineConfig } from "vite";

const name = process.env.EXAMPLE;
if (name === undefined) {
  throw new Error("EXAMPLE=name says whose page is built");
}

// The page is served under a strict Content-Security-Policy, so nothing may end up inline:
// no data: URIs for small assets and no preload script.
export default defineConfig({
  root: resolve(import.meta.dirname, name, "page"),
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
