// Builds the pages' scripts: `node build.mjs [folder]`; the folders of the package by default.
//
// page.js is in each report, serve.js is what the server's pages load.
//
// The bundle holds the licence texts of the packages in it, for the page that it is copied into is
// itself a copy of them; `page.js.LICENSES.txt` beside it says which package has which.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "../src/fanfold/report/page/assets");

const serveFolder = process.argv[2] ?? join(here, "../src/fanfold/web/assets");

/** Takes `selection.html()` out of d3: nothing in the bundle can make elements of text. */
const noHtml = {
  name: "no-html",
  setup(bundler) {
    bundler.onLoad({ filter: /d3-selection\.mjs$/ }, ({ path }) => {
      const whole = readFileSync(path, "utf8");
      const contents = whole.replace(/^ *html: selection_html,\n/m, "");
      if (contents === whole) throw new Error("d3-selection has changed: where is html()?");
      return { contents };
    });
  },
};

const options = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "ascii",
  legalComments: "none",
  metafile: true,
  write: false,
  plugins: [noHtml],
};

const { outputFiles, metafile } = await build({ ...options, entryPoints: ["src/main.ts"] });
const serve = await build({ ...options, entryPoints: ["src/serve/main.ts"] });
if (Object.keys(serve.metafile.inputs).some((path) => path.includes("node_modules")))
  throw new Error("serve.js has packages in it: add their licences");

const packages = [
  ...new Set(
    Object.entries(Object.values(metafile.outputs)[0].inputs)
      .filter(([, input]) => input.bytesInOutput > 0)
      .map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter((name) => name !== undefined),
  ),
]
  .sort()
  .map((name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const text = readFileSync(join(folder, "LICENSE"), "utf8").replaceAll("\r\n", "\n").trim();
    return { name, version, license, text };
  });

/** Packages with the same licence text share one. */
const sharers = new Map();
for (const { name, text } of packages) sharers.set(text, [...(sharers.get(text) ?? []), name]);
const notice = [...sharers].map(([text, names]) => `${names.join(", ")}:\n\n${text}`).join("\n\n");
if (/\*\/|<\/script|<!--/i.test(notice)) throw new Error("a licence text would end the comment");

const listed = packages.map(
  ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`,
);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "page.js"), `/*! ${notice}\n*/\n${outputFiles[0].text}`);
writeFileSync(join(folder, "page.js.LICENSES.txt"), listed.join(`\n${"-".repeat(80)}\n\n`));
mkdirSync(serveFolder, { recursive: true });
writeFileSync(join(serveFolder, "serve.js"), serve.outputFiles[0].text);
