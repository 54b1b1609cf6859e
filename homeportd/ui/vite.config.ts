import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";

// `npm run dev` shows this source against a real agent; its address is HOMEPORT_URL.
const agent = process.env.HOMEPORT_URL ?? "http://localhost:8080";

/** The built page carries its own policy, whatever stands in front of it; the dev server needs inline styles. */
const policy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: {
        "http-equiv": "Content-Security-Policy",
        content:
          "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
          "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'",
      },
      injectTo: "head-prepend",
    },
  ],
};

export default defineConfig({
  plugins: [tailwindcss(), policy],
  build: {
    outDir: "../src/homeportd/static",
    emptyOutDir: true,
    target: "es2022",
    // The page must hold under `script-src 'self'`: nothing inline, no data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/login", "/handoff"].map((path) => [
        path,
        // The agent compares Origin with its own, so the proxy speaks as the dashboard's origin.
        { target: agent, changeOrigin: true, ws: true, headers: { Origin: agent } },
      ]),
    ),
  },
  test: { include: ["tests/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0] & { test: { include: string[] } });
