import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { allSnippets, moduleOf, type Snippet } from "../snippets/extract.ts";
import type { Workplace } from "./workplace.ts";

/** Address of the node in the pages. The blocks run with the address of a node of their own. */
const DOCUMENTED_PORT = "5556";

/** Longest time of one block, in milliseconds. */
const BLOCK_TIMEOUT_MS = 120_000;

/** What makes a block of shell commands run as in several terminals: the node in the background. */
const SHELL_PRELUDE = `set -euo pipefail
trap 'running=$(jobs -pr); if [ -n "$running" ]; then kill $running; fi' EXIT
latchkey() {
  case "$1" in
    serve)
      "$BIN/latchkey" "$@" --port "$PORT" &
      until node -e "fetch('http://127.0.0.1:$PORT/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
      do kill -0 $!; done ;;
    init) "$BIN/latchkey" "$@" --node "http://127.0.0.1:$PORT" ;;
    *) "$BIN/latchkey" "$@" ;;
  esac
}
npx() { "$@"; }
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Runs a program to its end. One that says it ends by SIGTERM gets it behind its first output. */
async function runToEnd(
  folder: string,
  command: string,
  words: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly endsBySignal: boolean },
): Promise<void> {
  const child = spawn(command, words, { cwd: folder, env: options.env, timeout: BLOCK_TIMEOUT_MS });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  if (options.endsBySignal) child.stdout.once("data", () => child.kill("SIGTERM"));
  child.stdin.end();
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`exit status ${String(status)}\n${output}`);
}

/** An invite as the picture that the blocks scan. */
async function writeInvite(folder: string, nodeUrl: string): Promise<void> {
  const signer = generatedSigner();
  const client = await createNodeClient(signer, { dbPath: join(folder, `inviter-${signer.identifier}.db`), nodeUrl });
  const group = await client.conversations.createGroup([], { name: "Reading circle" });
  const invite = await group.invites.create();
  writeFileSync(join(folder, "invite.png"), invite.toQR("png"));
  client.close();
}

/** Blocks of commands of the clone run in the clone: they are not for those who install the packages. */
function isForClone({ code }: Snippet): boolean {
  return /^(npm|node|git|docker) /m.test(code);
}

/**
 * Runs every `ts` and `sh` block of the pages from the installed packages. Returns how many ran.
 *
 * @throws Error with the place and the output of each block that fails.
 */
export async function runSnippets(workplace: Workplace): Promise<number> {
  const own = [...workplace.tarballs.keys()];
  const folder = await workplace.project("snippets", own);
  workplace.write("snippets/package.json", JSON.stringify({ name: "snippets", private: true, type: "module" }));
  const node = await createNode({ dataDir: join(folder, "harness-node"), port: 0 });
  const failures: string[] = [];
  let ran = 0;
  const attempt = async ({ page, line }: Snippet, work: () => Promise<void>): Promise<void> => {
    ran += 1;
    try {
      await work();
    } catch (error) {
      failures.push(`${page}:${line}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  try {
    for (const snippet of allSnippets("ts").filter(({ use }) => use === "run")) {
      await attempt(snippet, async () => {
        const home = `snippets/${snippet.page.replaceAll(/\W/g, "-")}-${snippet.line}`;
        const text = moduleOf(snippet)
          .replaceAll(`http://127.0.0.1:${DOCUMENTED_PORT}`, node.url)
          .replaceAll(`port: ${DOCUMENTED_PORT}`, "port: 0");
        workplace.write(`${home}/main.ts`, text);
        const at = join(workplace.folder, home);
        await writeInvite(at, node.url);
        const endsBySignal = snippet.code.includes("SIGTERM");
        await runToEnd(at, process.execPath, ["main.ts"], { env: process.env, endsBySignal });
      });
    }
    for (const snippet of allSnippets("sh").filter((one) => one.use === "run" && !isForClone(one))) {
      await attempt(snippet, async () => {
        const home = `snippets/${snippet.page.replaceAll(/\W/g, "-")}-${snippet.line}`;
        workplace.write(`${home}/block.sh`, `${SHELL_PRELUDE}\n${snippet.code}`);
        const at = join(workplace.folder, home);
        const bin = join(folder, "node_modules/.bin");
        const env = { ...process.env, HOME: at, BIN: bin, PORT: String(await freePort()) };
        await runToEnd(at, "bash", ["block.sh"], { env, endsBySignal: false });
      });
    }
  } finally {
    await node.close();
  }
  if (failures.length > 0) throw new Error(failures.join("\n"));
  return ran;
}
