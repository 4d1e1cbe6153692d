import { dataDirAt, DEFAULT_NODE_URL, type Config, type DataDir } from "./data-dir.ts";
import { cliError } from "./errors.ts";
import { quoted } from "./text.ts";

/** The options that every command takes, as commander hands them over. */
export interface GlobalOptions {
  readonly dataDir?: string;
  readonly node?: string;
  readonly inviteService?: string;
  readonly json?: boolean;
}

/** Where a command works: the directory, and the addresses given on the command line. */
export interface Settings {
  readonly dataDir: DataDir;
  readonly nodeUrl: string | undefined;
  readonly inviteServiceUrl: string | undefined;
  /** File with the key of the database, from `$LATCHKEY_DB_KEY_FILE`; undefined when it is not encrypted. */
  readonly databaseKeyFile: string | undefined;
}

/** Checks the global options; throws USAGE. */
export function settingsFrom(options: GlobalOptions, env: Readonly<Record<string, string | undefined>>): Settings {
  return {
    dataDir: dataDirAt(options.dataDir, env),
    nodeUrl: options.node === undefined ? undefined : serviceUrl("--node", options.node),
    inviteServiceUrl:
      options.inviteService === undefined ? undefined : serviceUrl("--invite-service", options.inviteService),
    databaseKeyFile: env["LATCHKEY_DB_KEY_FILE"] || undefined,
  };
}

/** The addresses in force: command line first, then `config.json`, then the default; the node serves invites as well. */
export function addresses(
  settings: Settings,
  config: Config | undefined,
): { nodeUrl: string; inviteServiceUrl: string } {
  const nodeUrl = settings.nodeUrl ?? config?.nodeUrl ?? DEFAULT_NODE_URL;
  return { nodeUrl, inviteServiceUrl: settings.inviteServiceUrl ?? config?.inviteServiceUrl ?? nodeUrl };
}

function serviceUrl(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw cliError("USAGE", `${option} expects an http or https address, not ${quoted(text)}`);
  }
  return text.replace(/\/+$/, "");
}
