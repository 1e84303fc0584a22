// SPDX-License-Identifier: Apache-2.0
// Bundles src/ into dist/waitgraph.js, or into the file given as first argument. Needs `npm ci` first.
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "none",
  absWorkingDir: here,
  charset: "utf8",
};
const dagre = JSON.parse(readFileSync(path.join(here, "node_modules/@dagrejs/dagre/package.json"), "utf8")).version;

// The worker is bundled first and carried as a string: one file to serve, no second address to know.
const workerAsText = {
  name: "worker-as-text",
  setup(b) {
    b.onResolve({ filter: /^worker:/ }, (a) => ({
      path: path.resolve(a.resolveDir, a.path.slice(7)),
      namespace: "worker",
    }));
    b.onLoad({ filter: /.*/, namespace: "worker" }, async (a) => {
      const made = await build({ ...common, entryPoints: [path.relative(here, a.path)], format: "iife", write: false });
      return { contents: made.outputFiles[0].text, loader: "text" };
    });
  },
};

await build({
  ...common,
  entryPoints: ["src/index.ts"],
  format: "esm",
  outfile: path.resolve(process.argv[2] ?? path.join(here, "dist/waitgraph.js")),
  plugins: [workerAsText],
  banner: {
    js:
      "// SPDX-License-Identifier: Apache-2.0 AND MIT\n" +
      "// Built from ../src by `npm ci && npm run build`: do not edit. " +
      `Contains @dagrejs/dagre ${dagre} and @dagrejs/graphlib (MIT), see THIRD-PARTY-NOTICES.txt.`,
  },
});
