import { once } from "node:events";
import {
  createLogger,
  createNode,
  openPostgresStore,
  type DeliveryNode,
  type Logger,
  type NodeOptions,
  type NodeStore,
} from "@latchkey/node";
import { InvalidArgumentError } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { codeOfSystemError, createPrivateDir, DEFAULT_PORT } from "../data-dir.ts";
import { cliError } from "../errors.ts";
import type { CommandResult } from "../output.ts";
import { pageDir } from "../page-dir.ts";
import { printableLine } from "../text.ts";
import { parseDatabase } from "./database-url.ts";

interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly metricsPort?: number;
  readonly jsonLogs?: true;
  readonly publicUrl?: string;
  readonly invitePage?: true;
  readonly page: boolean;
  readonly database?: string;
}

/** `latchkey serve`: a node in this process until Ctrl-C. */
export const addServeCommand: AddCommands = (program, execute) => {
  program
    .command("serve")
    .description(
      "run a node: message delivery, identity log, key packages, invite slots; keeps them in <data-dir>/node",
    )
    .option(
      "--host <address>",
      "address to listen on; the port is cleartext, put a TLS proxy before it",
      parseHost,
      "127.0.0.1",
    )
    .option("--port <number>", "port to listen on, 0 for any free one", parsePort, DEFAULT_PORT)
    .option("--metrics-port <number>", "port for /metrics alone, on this machine only; else it is on --port", parsePort)
    .option(
      "--public-url <url>",
      "address under which others reach the node, stated at /.well-known/latchkey",
      parseUrl,
    )
    .option("--no-page", "do not serve the page that opens invites in browsers, though it was built")
    .option("--invite-page", "state that a proxy serves the page that opens invites, at /i of the same address")
    .option(
      "--database <url>",
      "keep the data in PostgreSQL, which many nodes may share: postgres://user@host/database; the password is better in $PGPASSWORD",
      parseDatabase,
    )
    .option("--json-logs", "write one JSON log line per event to standard error")
    .action((options: ServeOptions) => execute((context) => serve(context, options)));
};

async function serve({ out, settings, signal }: CommandContext, options: ServeOptions): Promise<CommandResult> {
  const place = await placeOf(options.database, settings.dataDir.nodeDir);
  const logger = options.jsonLogs === true ? createLogger("info") : warningsTo((text) => out.warn(text));
  const { host, port, metricsPort, publicUrl, invitePage = false } = options;
  const page = options.page ? pageDir() : undefined;
  const node = await startNode({
    ...place.options,
    host,
    port,
    logger,
    invitePage,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(metricsPort === undefined ? {} : { metricsPort }),
    ...(page === undefined ? {} : { pageDir: page }),
  });
  out.entry({ event: "listening", url: node.url, ...place.told }, `Node at ${node.url}, data in ${place.name}`);
  if (page !== undefined) out.line(`The page that opens invites is at ${publicUrl ?? node.url}.`);
  out.line(out.style.dim("Stop it with Ctrl-C."));
  if (!signal.aborted) await once(signal, "abort");
  await node.close();
  return { json: { url: node.url, stopped: true }, human: () => "Stopped; everything is on disk." };
}

/** Where the data of a node is. */
interface Place {
  readonly options: NodeStore;
  readonly name: string;
  readonly told: Readonly<Record<string, string>>;
}

/** The database, named without user and password; or the directory, created if missing. */
async function placeOf(database: string | undefined, nodeDir: string): Promise<Place> {
  if (database === undefined) {
    await createPrivateDir(nodeDir);
    return { options: { dataDir: nodeDir }, name: nodeDir, told: { dataDir: nodeDir } };
  }
  const { host, pathname } = new URL(database);
  const name = `${host}${pathname}`;
  return { options: { store: openPostgresStore(database) }, name, told: { database: name } };
}

type StartOptions = NodeOptions & Readonly<{ host: string; port: number }>;

async function startNode(options: StartOptions): Promise<DeliveryNode> {
  try {
    return await createNode(options);
  } catch (error) {
    switch (codeOfSystemError(error)) {
      case "EADDRINUSE":
        throw cliError("LISTEN_FAILED", `port ${options.port} is taken; choose another with --port`, error);
      case "EACCES":
        throw cliError("LISTEN_FAILED", `port ${options.port} is not for this user; choose one above 1023`, error);
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        throw cliError(
          "LISTEN_FAILED",
          `this machine has no address ${options.host}; choose another with --host`,
          error,
        );
      default:
        throw error;
    }
  }
}

/** A logger for people: warnings and errors only, as one sentence each. */
function warningsTo(warn: (text: string) => void): Logger {
  return createLogger("warn", {
    write(line: string) {
      const entry: unknown = JSON.parse(line);
      const text = typeof entry === "object" && entry !== null && "msg" in entry ? String(entry.msg) : line;
      warn(printableLine(text));
    },
  });
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("Expected a number between 0 and 65535.");
  return port;
}

function parseHost(text: string): string {
  if (text === "" || /\s/.test(text)) throw new InvalidArgumentError("Expected an address such as 127.0.0.1 or ::1.");
  return text;
}

/** Hidden fields of a URL would be shown to everybody who asks. */
function parseUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain = url !== null && `${url.username}${url.password}${url.search}${url.hash}` === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return text;
  throw new InvalidArgumentError("Expected an https address without credentials, query and fragment.");
}
