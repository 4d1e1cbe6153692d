import { fromHex } from "@latchkey/mls";
import type { PrivateKeyAccount } from "viem/accounts";
import type {
  NativeBackend,
  NativeClient,
  NativeGroup,
  NativeIdentifier,
  NativeLibrary,
  NativeMessage,
  NativeSignatureRequest,
  NativeStream,
} from "./native-library.ts";

/** A registered client of the native library. */
export interface Native {
  readonly client: NativeClient;
  readonly backend: NativeBackend;
  readonly wallet: PrivateKeyAccount;
  readonly identifier: NativeIdentifier;
  readonly inboxId: string;
  /** Opens what is new on the node and returns the group with that id. */
  group(id: string): Promise<NativeGroup>;
}

interface OpenOptions {
  readonly library: NativeLibrary;
  readonly url: string;
  readonly dbPath: string;
  readonly wallet: PrivateKeyAccount;
  readonly logLevel: "Off" | "Error" | "Warn" | "Info" | "Debug";
  readonly commitLogEveryMs?: number;
}

/** The library looks for new installations of a group's members before a send, at most once in this time. */
export const INSTALLATION_CHECK_MS = 5_000;

/** Inbox ids depend on it; 1 is what XMTP's SDKs use. */
const NONCE = 1n;

/** The library encrypts its database; the key of a database that is thrown away need not be secret. */
const DATABASE_KEY = new Uint8Array(32).fill(1);

/** How a wallet is named in XMTP: kind 0, lower case. */
export function identifierOf(wallet: PrivateKeyAccount): NativeIdentifier {
  return { identifier: wallet.address.toLowerCase(), identifierKind: 0 };
}

/** Adds the wallet's signature to what the library asks for. */
export async function sign(request: NativeSignatureRequest, wallet: PrivateKeyAccount): Promise<void> {
  const signature = await wallet.signMessage({ message: await request.signatureText() });
  await request.addEcdsaSignature(fromHex(signature.slice(2)));
}

/** A database from earlier is opened again; otherwise the installation is registered, with the inbox if need be. */
export async function openNative(options: OpenOptions): Promise<Native> {
  const { library, wallet, commitLogEveryMs } = options;
  const backend = await new library.BackendBuilder("Local").setApiUrl(options.url).build();
  const identifier = identifierOf(wallet);
  const known = await library.getInboxIdByIdentity(backend, identifier);
  const inboxId = known ?? library.generateInboxId(identifier, NONCE);
  const workers =
    commitLogEveryMs === undefined
      ? undefined
      : { workerIntervalsNs: [{ kind: "CommitLog" as const, intervalNs: BigInt(commitLogEveryMs) * 1_000_000n }] };
  const client = await library.createClientWithBackend(
    backend,
    { dbPath: options.dbPath, encryptionKey: DATABASE_KEY },
    inboxId,
    identifier,
    "Disabled",
    workers,
    { level: options.logLevel },
    false,
    NONCE,
  );
  const registration = await client.createInboxSignatureRequest();
  if (registration !== null) {
    await sign(registration, wallet);
    await client.registerIdentity(registration);
  }
  return {
    client,
    backend,
    wallet,
    identifier,
    inboxId,
    async group(id) {
      await client.conversations().sync();
      const group = client.conversations().getConversationById(id);
      await group.sync();
      return group;
    },
  };
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a text message. */
export function textOf({ content }: NativeMessage): string | undefined {
  const isText = content.type?.authorityId === "xmtp.org" && content.type.typeId === "text";
  return isText ? DECODER.decode(content.content) : undefined;
}

/** Reads up to the removal; the library then refuses to sync the group. Throws when the client is still a member. */
export async function syncToRemoval(group: NativeGroup): Promise<void> {
  await group.sync().catch((error: unknown) => {
    if (!String(error).includes("Group is inactive")) throw error;
  });
  if (group.isActive()) throw new Error("the client is still a member of the group");
}

/** Texts of a group that are on this client already. */
export async function storedTextsOf(group: NativeGroup): Promise<string[]> {
  return (await group.listMessages()).flatMap((message) => textOf(message) ?? []);
}

/** All texts of a group in the library's order, after a sync. */
export async function textsOf(group: NativeGroup): Promise<string[]> {
  await group.sync();
  return storedTextsOf(group);
}

/** The group's epoch as this client sees it after a sync. */
export async function epochOf(group: NativeGroup): Promise<bigint> {
  await group.sync();
  return (await group.debugInfo()).epoch;
}

/** First three bytes of the epoch authenticator in hex: all that the library shows, in its log of applied commits. */
export async function epochAuthenticatorStart(group: NativeGroup): Promise<string> {
  await group.sync();
  const { localCommitLog } = await group.debugInfo();
  const shown = [...localCommitLog.matchAll(/applied_epoch_authenticator: "([0-9a-f]*)/g)].map((match) => match[1]);
  const last = shown.at(-1);
  if (last === undefined || last === "") throw new Error("the library shows no epoch authenticator");
  return last;
}

/** Inbox ids of the members, sorted, after a sync. */
export async function membersOf(group: NativeGroup): Promise<string[]> {
  await group.sync();
  return (await group.listMembers()).map(({ inboxId }) => inboxId).sort();
}

/** Installations of one member, after a sync. */
export async function installationsOf(group: NativeGroup, inboxId: string): Promise<readonly string[]> {
  await group.sync();
  return (await group.listMembers()).find((member) => member.inboxId === inboxId)?.installationIds ?? [];
}

/** The library gives up a commit after three lost races, and leaves it to the application to repeat it. */
export async function afterLostRaces(commit: () => Promise<void>): Promise<void> {
  await commit().catch(async (error: unknown) => {
    if (!String(error).includes("SyncFailedToWait")) throw error;
    await commit();
  });
}

/** What a native stream has delivered, and a way to wait for more. */
export interface Collected<T> {
  readonly items: readonly T[];
  /** Resolves when an item arrived that fits, also an earlier one; throws after `ms`. */
  until(fits: (item: T) => boolean, what: string, ms?: number): Promise<T>;
  end(): Promise<void>;
}

/** Opens a stream and collects what it delivers. */
export async function collect<T>(
  open: (
    onItem: (error: Error | null, item: T) => void,
    onClose: (error: Error | null) => void,
  ) => Promise<NativeStream>,
): Promise<Collected<T>> {
  const items: T[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of waiting) look();
  };
  let failure: Error | undefined;
  const stream = await open(
    (error, item) => {
      if (error === null) items.push(item);
      else failure = error;
      wake();
    },
    (error) => {
      if (error !== null) failure = error;
      wake();
    },
  );
  await stream.waitForReady();
  return {
    items,
    until(fits, what, ms = 20_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle(() => reject(new Error(`the stream did not deliver ${what}`))), ms);
        function settle(act: () => void): void {
          clearTimeout(timer);
          waiting.delete(look);
          act();
        }
        function look(): void {
          const found = items.find(fits);
          const error = failure;
          if (found !== undefined) settle(() => resolve(found));
          else if (error !== undefined) settle(() => reject(error));
        }
        waiting.add(look);
        look();
      });
    },
    end: () => stream.endAndWait(),
  };
}
