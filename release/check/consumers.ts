import { createNode } from "@latchkey/node";
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../root.ts";
import type { Workplace } from "./workplace.ts";

/** Somebody who uses the packed packages in a way of their own. */
export interface Consumer {
  readonly name: string;
  /** @throws Error when the packages do not work there. */
  readonly run: (workplace: Workplace) => Promise<void>;
}

const OWN = ["@latchkey/mls", "@latchkey/xmtp", "@latchkey/client", "@latchkey/node"];
const BROWSER_OWN = ["@latchkey/mls", "@latchkey/xmtp", "@latchkey/client"];

/** The types of Node.js that applications use; the version is the clone's own. */
const NODE_TYPES = "@types/node@26.6.6";

/** What a page needs beside the client to speak gRPC-web. */
const GRPC_WEB = "@connectrpc/connect-web@2.2.0";

/** The program of `programs/node-story.ts` in a Node.js, as ES module or CommonJS. */
function nodeConsumer(name: string, major: 24 | 26, flavour: "mjs" | "cjs", options: readonly string[] = []): Consumer {
  return {
    name,
    run: async (workplace) => {
      const folder = await workplace.project(name, OWN);
      const program = workplace.program(name, "node-story", flavour);
      const output = await workplace.run(folder, workplace.nodeBinary(major), [...options, program]);
      assert.match(output, /story ok/);
    },
  };
}

interface TypedProject {
  readonly name: string;
  readonly program: "node-story" | "web-story";
  readonly module: "nodenext" | "esnext";
  readonly moduleResolution: "nodenext" | "bundler";
  readonly types: readonly string[];
}

/** A strict TypeScript project that also checks the declarations of all packages it imports. */
function typedConsumer({ name, program, module, moduleResolution, types }: TypedProject): Consumer {
  return {
    name,
    run: async (workplace) => {
      const forNode = program === "node-story";
      const folder = await workplace.project(name, forNode ? OWN : BROWSER_OWN, [forNode ? NODE_TYPES : GRPC_WEB]);
      workplace.program(name, program, "ts");
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        target: "es2023",
        module,
        moduleResolution,
        types,
        outDir: "out",
        rootDir: ".",
      };
      workplace.write(`${name}/tsconfig.json`, JSON.stringify({ compilerOptions, files: [`${program}.ts`] }));
      workplace.write(`${name}/package.json`, JSON.stringify({ name, private: true, type: "module" }));
      await workplace.run(folder, process.execPath, [join(ROOT, "node_modules/typescript/lib/tsc.js"), "-p", "."]);
      if (!forNode) return;
      assert.match(await workplace.run(folder, process.execPath, [`out/${program}.js`]), /story ok/);
    },
  };
}

/** The story of `programs/web-story.ts`, bundled for browsers, against a node of this process. */
async function runBundle(path: string): Promise<void> {
  const { story } = (await import(pathToFileURL(path).href)) as { story: (url: string) => Promise<string | undefined> };
  const node = await createNode({ dataDir: `${path}.node`, port: 0 });
  try {
    assert.equal(await story(node.url), "hello from a bundle");
  } finally {
    await node.close();
  }
}

const viteConsumer: Consumer = {
  name: "vite",
  run: async (workplace) => {
    const folder = await workplace.project("vite", BROWSER_OWN, [GRPC_WEB]);
    workplace.program("vite", "web-story", "ts");
    const build = { lib: { entry: "web-story.ts", formats: ["es"], fileName: "bundle" }, outDir: "dist" };
    workplace.write("vite/vite.config.mjs", `export default ${JSON.stringify({ build, logLevel: "warn" })};\n`);
    await workplace.run(folder, workplace.tool("vite"), ["build"]);
    await runBundle(join(folder, "dist/bundle.mjs"));
  },
};

const esbuildConsumer: Consumer = {
  name: "esbuild",
  run: async (workplace) => {
    const folder = await workplace.project("esbuild", BROWSER_OWN, [GRPC_WEB]);
    workplace.program("esbuild", "web-story", "ts");
    const words = ["web-story.ts", "--bundle", "--format=esm", "--platform=browser", "--outfile=dist/bundle.mjs"];
    await workplace.run(folder, join(ROOT, "node_modules/.bin/esbuild"), [...words, "--log-level=warning"]);
    await runBundle(join(folder, "dist/bundle.mjs"));
  },
};

const commandConsumer: Consumer = {
  name: "latchkey-command",
  run: async (workplace) => {
    const folder = await workplace.project("latchkey-command", [...OWN, "@latchkey/page", "latchkey"]);
    const node = await createNode({ dataDir: join(folder, "node"), port: 0 });
    const latchkey = (home: string, ...words: string[]): Promise<string> =>
      workplace.run(folder, join(folder, "node_modules/.bin/latchkey"), [
        ...words,
        ...(words[0] === "--version" ? [] : ["--data-dir", join(folder, home), "--node", node.url]),
      ]);
    try {
      assert.match(await latchkey("ada", "--version"), /^\d+\.\d+\.\d+\n$/);
      await latchkey("ada", "init");
      await latchkey("ada", "group", "create", "Team");
      await latchkey("ada", "invite", "create", "Team", "--qr-png", "invite.png");
      await latchkey("cleo", "init");
      await latchkey("cleo", "join", "invite.png", "--yes");
      await latchkey("cleo", "send", "Team", "hello from the command");
      assert.match(await latchkey("ada", "read", "Team"), /hello from the command/);
    } finally {
      await node.close();
    }
  },
};

/** All consumers, in the order in which they run. */
export const CONSUMERS: readonly Consumer[] = [
  nodeConsumer("node24-esm", 24, "mjs"),
  nodeConsumer("node26-esm", 26, "mjs"),
  nodeConsumer("node24-cjs", 24, "cjs"),
  nodeConsumer("node26-cjs", 26, "cjs"),
  nodeConsumer("conditions-development", 26, "mjs", ["--conditions=development"]),
  nodeConsumer("conditions-production", 26, "mjs", ["--conditions=production"]),
  typedConsumer({
    name: "ts-nodenext",
    program: "node-story",
    module: "nodenext",
    moduleResolution: "nodenext",
    types: ["node"],
  }),
  typedConsumer({
    name: "ts-bundler",
    program: "node-story",
    module: "esnext",
    moduleResolution: "bundler",
    types: ["node"],
  }),
  typedConsumer({
    name: "ts-browser-nodenext",
    program: "web-story",
    module: "nodenext",
    moduleResolution: "nodenext",
    types: [],
  }),
  typedConsumer({
    name: "ts-browser-bundler",
    program: "web-story",
    module: "esnext",
    moduleResolution: "bundler",
    types: [],
  }),
  viteConsumer,
  esbuildConsumer,
  commandConsumer,
];
