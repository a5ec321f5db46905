import { cpSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Plugin, defineConfig } from "vite";

const name = process.env.EXAMPLE;
if (name === undefined) {
  throw new Error("EXAMPLE=name says whose page is built");
}
const page = resolve(import.meta.dirname, name, "page");

/** A page without a build: its files stay as they are, and the client and the shared style are laid beside them. */
const plain: Plugin = {
  name: "plain-page",
  closeBundle() {
    const laid = {
      "base.css": "page/base.css",
      "signalr.min.js": "node_modules/@microsoft/signalr/dist/browser/signalr.min.js",
    };
    for (const [file, from] of Object.entries(laid)) {
      cpSync(join(import.meta.dirname, from), join(page, "dist", file));
    }
  },
};
const isPlain = existsSync(join(page, "static"));

// The page is served under a strict Content-Security-Policy, so nothing may end up inline:
// no data: URIs for small assets and no preload script.
export default defineConfig({
  root: page,
  // Paths within the page are relative, so that it may also be opened from a file.
  base: "./",
  publicDir: isPlain ? "static" : false,
  plugins: isPlain ? [plain] : [],
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
