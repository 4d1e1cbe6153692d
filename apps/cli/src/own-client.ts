import { codeOf, LatchkeyError, type Client, type Group } from "@latchkey/client";
import { createNodeClient, generatedSigner, type NodeClientOptions } from "@latchkey/client/node";
import type { CommandContext } from "./context.ts";
import { hasDatabase, readConfig } from "./data-dir.ts";
import { cliError } from "./errors.ts";
import { findGroup } from "./find-group.ts";
import { readKey, readKeyIfThere, readOrCreateKey } from "./key-file.ts";
import { addresses, type Settings } from "./settings.ts";

/** Opens the client of a data directory for as long as `work` takes. */
export async function withClient<T>(context: CommandContext, work: (client: Client) => Promise<T>): Promise<T> {
  const { settings } = context;
  const config = await readConfig(settings.dataDir);
  if (config === undefined) {
    throw cliError("NOT_INITIALISED", `nothing lives in ${settings.dataDir.path} yet; run "latchkey init" first`);
  }
  // A registered installation opens without the wallet's key, which may be kept elsewhere.
  const key = (await hasDatabase(settings.dataDir))
    ? await readKeyIfThere(config.keyFile)
    : await readKey(config.keyFile);
  const client = await openClient(context, key, addresses(settings, config));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Opens, and if need be registers, the installation whose database lies in the data directory. */
export async function openClient(
  { settings, signal }: CommandContext,
  walletKey: Uint8Array | undefined,
  { nodeUrl, inviteServiceUrl }: { readonly nodeUrl: string; readonly inviteServiceUrl: string },
): Promise<Client> {
  const options = await clientOptions(settings, { nodeUrl, inviteServiceUrl });
  return createNodeClient(walletKey && signerOf(walletKey), { ...options, signal });
}

/** How the client of a data directory is opened. */
export async function clientOptions(
  settings: Settings,
  { nodeUrl, inviteServiceUrl }: { readonly nodeUrl: string; readonly inviteServiceUrl: string },
): Promise<NodeClientOptions> {
  const dbEncryptionKey = await databaseKey(settings);
  const dbPath = settings.dataDir.databaseFile;
  return { dbPath, nodeUrl, inviteServiceUrl, ...(dbEncryptionKey === undefined ? {} : { dbEncryptionKey }) };
}

/** The key that the database has or, when there is none yet, will have; made when its file is missing for a new one. */
async function databaseKey({ dataDir, databaseKeyFile }: Settings): Promise<Uint8Array | undefined> {
  if (databaseKeyFile === undefined) return undefined;
  if (await hasDatabase(dataDir)) return readKey(databaseKeyFile, "database");
  return (await readOrCreateKey(databaseKeyFile, "database")).key;
}

/** The signer of a wallet's key; throws KEY_FILE_INVALID. */
export function signerOf(walletKey: Uint8Array): ReturnType<typeof generatedSigner> {
  try {
    return generatedSigner(walletKey);
  } catch (error) {
    throw cliError("KEY_FILE_INVALID", "the wallet key is not in the range of secp256k1 keys; use another one", error);
  }
}

/** Opens the client and one of its groups, as new as the node has it. */
export async function withGroup<T>(
  context: CommandContext,
  wanted: string,
  work: (group: Group, client: Client) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  return withClient(context, async (client) => {
    const failure = await syncAll(client, signal);
    const group = findSynced(client.conversations.list(), wanted, failure);
    // Another group than this one may be what failed.
    if (failure !== undefined) await group.sync({ signal });
    return work(group, client);
  });
}

/** The group that a user means; a history that another one took the place of is meant by its id only. */
export function findOwnGroup(groups: readonly Group[], wanted: string): Group {
  const lower = wanted.toLowerCase();
  return findGroup(
    groups.filter(({ isCurrent, id }) => isCurrent || id === lower),
    wanted,
  );
}

/** A group that is not here although the user names it may be what could not be fetched. */
function findSynced(groups: readonly Group[], wanted: string, failure: LatchkeyError | undefined): Group {
  try {
    return findOwnGroup(groups, wanted);
  } catch (error) {
    if (failure !== undefined && codeOf(error) === "GROUP_UNKNOWN") throw failure;
    throw error;
  }
}

async function syncAll(client: Client, signal: AbortSignal): Promise<LatchkeyError | undefined> {
  try {
    await client.conversations.sync({ signal });
    return undefined;
  } catch (error) {
    if (signal.aborted || !(error instanceof LatchkeyError)) throw error;
    return error;
  }
}
