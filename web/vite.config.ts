import { defineConfig } from "vite";

// The page is served under a strict Content-Security-Policy, so nothing may end up inline:
// no data: URIs for small assets and no preload script.
export default defineConfig({
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
