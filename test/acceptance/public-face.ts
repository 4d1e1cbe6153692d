import * as client from "@latchkey/client";
import * as clientNode from "@latchkey/client/node";
import { nodeCrypto } from "@latchkey/mls/node";
import { generatedSigner } from "@latchkey/client/node";
import {
  isText,
  isWholeText,
  isBytes,
  isPosition,
  isFunction,
  isPositive,
  isFuture,
  isCount,
  isUses,
  isPath,
  signal,
  flag,
  text,
  maybeText,
  bytes,
  inboxId,
  CONTENT,
  codec,
  inboxIds,
  options,
  isPlainEmpty,
  listOptions,
  pointer,
  refreshPointers,
  invite,
  joinOptions,
  blobs,
  role,
  wallet,
  maybeWallet,
  address,
  installationIds,
  keep,
  linkNewOptions,
  linkDeviceOptions,
  type Argument,
  type Rows,
} from "./public-arguments.ts";
import type { Device, World } from "./support.ts";

/** A call of the public face, with arguments of which one may make no sense. */
type Call = (...args: unknown[]) => unknown;

/** Rows for the methods of `Client`. */
export const CLIENT_ROWS: Rows = {
  joinGroupByExternalInvite: [bytes, blobs, joinOptions],
  keepInvitesFresh: [
    {
      good: { signal: AbortSignal.abort() },
      fields: {
        signal: { good: AbortSignal.abort() },
        intervalMs: { good: 1_000, optional: true, takes: (odd) => isCount(odd) },
        deepEvery: { good: 2, optional: true, takes: (odd) => Number.isSafeInteger(odd) && (odd as number) > 0 },
        onError: { good: () => undefined, optional: true, takes: isFunction },
      },
    },
  ],
  close: [],
  inboxId: [],
  installationId: [],
  linkDevice: [linkDeviceOptions],
  inboxState: [options()],
  installations: [options()],
  previewRevocation: [installationIds, options({ keep })],
  revokeInstallations: [{ ...installationIds, good: [] }, options({ keep, signer: maybeWallet })],
  revokeAllOtherInstallations: [options({ keep, signer: maybeWallet })],
  addAccount: [wallet, options()],
  removeAccount: [address, options({ signer: maybeWallet })],
  changeRecovery: [address, options({ signer: maybeWallet })],
};

/** Rows for the methods of `Conversations`. */
export const CONVERSATIONS_ROWS: Rows = {
  list: [],
  listUnsupported: [],
  listPendingJoins: [],
  conflicts: [options()],
  choose: [{ good: "00", takes: isText }, options()],
  get: [{ good: "00", takes: isText }],
  sync: [options()],
  createGroup: [
    { ...inboxIds, optional: true },
    options({
      name: maybeText,
      description: maybeText,
      imageUrl: maybeText,
      permissions: { good: "admin_only", optional: true },
      allOrNothing: flag,
    }),
  ],
  joinByInvite: [invite, joinOptions],
  previewInvite: [invite, options()],
  joinByExternalInvite: [bytes, blobs, joinOptions],
};

const GROUP_GETTERS = [
  "id",
  "name",
  "description",
  "imageUrl",
  "appData",
  "messageDisappearingSettings",
  "permissions",
  "epoch",
  "epochAuthenticator",
  "treeHash",
  "isActive",
  "isCurrent",
  "status",
  "installationCount",
  "waitsUntilNs",
  "lastAddition",
];

/** Rows for the methods of `GroupInvites`. */
export const INVITES_ROWS: Rows = {
  create: [
    options({
      expiresAtNs: { good: (1n << 62n) + 1n, optional: true, takes: isFuture },
      staleAfterNs: { good: 1n, optional: true, takes: isPositive },
      maxUses: { good: 1, optional: true, takes: isUses },
      refreshPointers,
      service: { good: "https://example.org", optional: true },
      force: flag,
    }),
  ],
  rotate: [options({ slot: flag })],
  change: [
    {
      ...options({
        expiresAtNs: { good: 0n, optional: true, takes: (odd) => odd === 0n || isFuture(odd) },
        staleAfterNs: { good: 0n, optional: true, takes: isPosition },
        maxUses: { good: 0, optional: true, takes: (odd) => odd === 0 || isUses(odd) },
        refreshPointers,
      }),
      optional: false,
    },
  ],
  revoke: [options()],
  refresh: [options({ deep: flag })],
  load: [options()],
  export: [
    options({
      servicePointer: { ...pointer, optional: true },
      blobExpiresAtNs: { good: 1n, optional: true, takes: isPositive },
    }),
  ],
  current: [],
  joins: [listOptions],
};

/** The names that methods of `GroupInvites` had on `Group`. */
const OLD_NAMES: Rows = {
  createInvite: INVITES_ROWS["create"] ?? [],
  rotateInvite: INVITES_ROWS["rotate"] ?? [],
  changeInvite: INVITES_ROWS["change"] ?? [],
  revokeInvite: INVITES_ROWS["revoke"] ?? [],
  refreshInvite: INVITES_ROWS["refresh"] ?? [],
  loadInvite: INVITES_ROWS["load"] ?? [],
  createExternalInvite: INVITES_ROWS["export"] ?? [],
  joins: INVITES_ROWS["joins"] ?? [],
  invite: [],
};

/** Rows for the methods of `Group`. */
export const GROUP_ROWS: Rows = {
  ...Object.fromEntries(GROUP_GETTERS.map((name) => [name, []])),
  members: [],
  rejections: [],
  hints: [],
  gaps: [],
  absentRoles: [],
  messages: [listOptions],
  sync: [options()],
  send: [text, options({ idempotencyKey: maybeText })],
  sendContent: [codec, text, options({ idempotencyKey: maybeText })],
  queue: [],
  cancel: [{ good: "00", takes: isText }, options()],
  stream: [options()],
  streamJoins: [options()],
  addMembers: [inboxIds, options({ allOrNothing: flag, force: flag })],
  removeMembers: [inboxIds, options({ rotateInvite: { good: "key", optional: true, takes: (odd) => odd === false } })],
  updateInstallations: [options()],
  updateName: [text, options()],
  updateDescription: [text, options()],
  updateImageUrl: [text, options()],
  updateAppData: [text, options()],
  updateMessageDisappearingSettings: [
    {
      good: { fromNs: 1n, inNs: 1n },
      optional: true,
      fields: { fromNs: { good: 1n, takes: isPositive }, inNs: { good: 1n, takes: (odd) => odd === 1n } },
    },
    options(),
  ],
  updatePermission: [{ good: "addMember" }, { good: "admin" }, options()],
  rotateKeys: [options()],
  leave: [options()],
  forget: [options()],
  promote: [inboxId, role, options()],
  demote: [inboxId, role, options()],
  ...OLD_NAMES,
};

/** The part of an environment that a look at an invite needs. */
const previewParts = { crypto: nodeCrypto, slots: client.httpSlots, clock: client.systemClock };
/** What looks at an inbox without an installation, and reaches no node. */
const identityParts = { transport: clientNode.grpcTransport("http://127.0.0.1:9"), clock: client.systemClock };
const slot = { serviceUrl: "https://127.0.0.1:9", externalGroupId: new Uint8Array(16) };
const credentials = { current: new Uint8Array(32), currentHash: new Uint8Array(32), earlier: [] };

/** Rows for the functions of `@latchkey/client`, and `Client.create`. `path` names files that are not there. */
export function functionRows(environment: () => client.Environment, path: (name: string) => string): Rows {
  const signer = { good: generatedSigner() };
  const nodeOptions: Argument = {
    good: { dbPath: path("node-options.db"), nodeUrl: "http://127.0.0.1:9" },
    fields: {
      signal,
      dbPath: { good: path("db-path.db"), takes: isPath },
      nodeUrl: { good: "http://127.0.0.1:9", takes: isWholeText },
      dbEncryptionKey: { good: new Uint8Array(32), optional: true, takes: isBytes },
      inviteServiceUrl: maybeText,
      inviteBaseUrl: maybeText,
      resolvePointer: { good: () => undefined, optional: true, takes: isFunction },
      onMessageFailed: { good: () => undefined, optional: true, takes: isFunction },
      onDefect: { good: () => undefined, optional: true, takes: isFunction },
      loopbackHttp: flag,
      keepInvitesFresh: flag,
      joinReceipts: flag,
      slotCredentials: flag,
      padBlobs: flag,
      renewOnRemoval: flag,
    },
  };
  const file: Argument = { good: path("other.db"), takes: isPath };
  const key: Argument = { good: new Uint8Array(32), optional: true, takes: isBytes };
  return {
    "Client.create": [{ ...signer, optional: true }, { good: environment() }, options()],
    "Client.linkNewDevice": [{ good: environment() }, linkNewOptions],
    "Client.inboxState": [address, { good: { ...identityParts } }, options()],
    "Client.previewRevocation": [address, installationIds, { good: { ...identityParts } }, options({ keep })],
    "Client.revokeInstallations": [signer, installationIds, { good: { ...identityParts } }, options({ keep })],
    newRecoveryWords: [],
    recoverySigner: [{ good: `${"test ".repeat(11)}junk` }],
    inspectInvite: [invite],
    imageKind: [bytes],
    decodeContent: [codec, { good: CONTENT, takes: isBytes }],
    encodeContent: [codec, text],
    encryptAttachment: [{ good: { mimeType: "text/plain", content: new Uint8Array(3) } }],
    decryptAttachment: [
      bytes,
      { good: { contentDigest: "00", secret: key.good, salt: key.good, nonce: new Uint8Array(12) } },
    ],
    previewInvite: [invite, { good: previewParts }, options()],
    // These two are for what was caught, which can be anything.
    codeOf: [{ good: new Error("text"), optional: true, takes: () => true }],
    isRetryable: [{ good: new Error("text"), optional: true, takes: () => true }],
    inviteEndOf: [{ good: new Error("text"), optional: true, takes: () => true }],
    slotKeys: [{ good: credentials }],
    connectTransport: [
      { good: { unary: () => undefined, stream: () => undefined } },
      { good: () => undefined, takes: isFunction },
    ],
    "httpSlots.upload": [{ good: slot }, bytes, signal],
    "httpSlots.fetch": [{ good: slot }, { good: {}, optional: true, takes: isPlainEmpty }],
    "httpSlots.exists": [{ good: slot }, { good: 1n, takes: isPosition }, bytes, signal],
    "httpSlots.describe": [{ good: "https://127.0.0.1:9", takes: isWholeText }, signal],
    createNodeClient: [{ ...signer, optional: true }, nodeOptions],
    linkNodeDevice: [nodeOptions, linkNewOptions],
    nodeEnvironment: [nodeOptions],
    grpcTransport: [{ good: "http://127.0.0.1:9", takes: isWholeText }],
    encodePng: [{ good: [[true]] }, { good: 1, optional: true, takes: (odd) => isCount(odd) && (odd as number) <= 64 }],
    readQrFromImage: [bytes, signal],
    generatedSigner: [{ good: new Uint8Array(32).fill(1), optional: true }],
    judgeInWorkers: [{ good: [[new Uint8Array(1)]], takes: (odd) => Array.isArray(odd) && odd.length === 0 }],
    walletSigner: [{ good: { address: `0x${"ab".repeat(20)}`, signMessage: () => undefined } }],
    openSqliteStore: [file, { good: {}, optional: true, takes: isPlainEmpty, fields: { encryptionKey: key } }],
    changeDatabaseKey: [file, { good: {}, takes: isPlainEmpty, fields: { from: key, to: key } }],
  };
}

/** Exports that are no calls: constructors of errors, constants, classes with rows of their own. */
export const NO_CALLS: ReadonlySet<string> = new Set([
  "ClientError",
  "LatchkeyError",
  "Client",
  "Conversations",
  "Group",
  "GroupInvites",
  "MemoryDatabase",
]);

/** Every exported function, by the name of its rows. */
export function exportedFunctions(): Map<string, Call> {
  const found = new Map<string, Call>();
  for (const name of publicNames(client.Client)) {
    if (name === "length" || name === "name" || name === "prototype") continue;
    found.set(`Client.${name}`, callOf(client.Client, name));
  }
  for (const [name, value] of Object.entries({ ...client, ...clientNode })) {
    if (typeof value === "function" && !NO_CALLS.has(name)) found.set(name, value as Call);
  }
  for (const [name, method] of Object.entries(client.httpSlots)) found.set(`httpSlots.${name}`, method as Call);
  return found;
}

/** Names of the methods and getters of a class. */
export function publicNames(prototype: object): string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
}

/** A method or getter of an object as a call. */
export function callOf(target: object, name: string): Call {
  return (...args) => {
    const member = (target as Record<string, unknown>)[name];
    return typeof member === "function" ? (Reflect.apply(member, target, args) as unknown) : member;
  };
}

const throwing = () => {
  throw new RangeError("made up by a test");
};

/** An object that throws whatever is done with it. */
function hostile(): object {
  const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, throwing]));
  return new Proxy({}, traps);
}

const getter = Object.defineProperty({}, "signal", { enumerable: true, get: throwing });

/** Values that make no sense in most places, by what they are called. */
const ODD_VALUES: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["undefined", undefined],
  ["null", null],
  ["a number", 5],
  ["NaN", Number.NaN],
  ["-1", -1],
  ["a half", 0.5],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["2^31", 2 ** 31],
  ["2^53", 2 ** 53],
  ["-1n", -1n],
  ["0n", 0n],
  ["2^63 - 1", (1n << 63n) - 1n],
  ["2^63", 1n << 63n],
  ["2^64", 1n << 64n],
  ["true", true],
  ["an empty text", ""],
  ["a text", "nonsense"],
  ["an id in upper case", "AB".repeat(32)],
  ["a lone surrogate", "a\ud800b"],
  ["NUL", "a\0b"],
  ["a huge text", "x".repeat(2_000_000)],
  ["an empty object", {}],
  ["an object with an unknown field", { nonsense: 1 }],
  ["a getter that throws", getter],
  ["a proxy that throws", hostile()],
  ["an empty array", []],
  ["an array with a hole", Array(2)],
  ["an array of many", Array(100_000).fill(5)],
  ["bytes", new Uint8Array(5)],
  ["no bytes", new Uint8Array(0)],
  ["a symbol", Symbol("nonsense")],
  ["a function", () => undefined],
  ["a date", new Date(0)],
]);

/** One call with one odd argument. */
export interface OddCall {
  readonly title: string;
  readonly args: readonly unknown[];
  /** Whether the value makes sense in this place, so that the call has an outcome of its own. */
  readonly isTaken: boolean;
}

function takes({ good, optional, takes: accepts }: Argument, odd: unknown): boolean {
  if (odd === undefined) return optional === true;
  try {
    return odd === good || (accepts?.(odd) ?? false);
  } catch {
    // What throws when it is looked at makes sense nowhere.
    return false;
  }
}

/** The odd values of one argument, those of its fields and elements included. */
function* oddArguments(argument: Argument): Generator<{ what: string; odd: unknown; isTaken: boolean }> {
  for (const [what, odd] of ODD_VALUES) {
    yield { what, odd, isTaken: takes(argument, odd) };
    if (argument.elements !== undefined) {
      const list = [argument.elements.good, odd];
      yield {
        what: `an element that is ${what}`,
        odd: list,
        isTaken: odd !== undefined && takes(argument.elements, odd),
      };
    }
    for (const [name, field] of Object.entries(argument.fields ?? {})) {
      const given = { ...(argument.good as object), [name]: odd };
      yield { what: `\`${name}\` that is ${what}`, odd: given, isTaken: takes(field, odd) };
    }
  }
}

/** Every call of a row with one odd argument; the others make sense. */
export function* oddCalls(name: string, row: readonly Argument[]): Generator<OddCall> {
  for (const [index, argument] of row.entries()) {
    for (const { what, odd, isTaken } of oddArguments(argument)) {
      const args = row.map(({ good }, at) => (at === index ? odd : good));
      yield { title: `${name}, argument ${index + 1}: ${what}`, args, isTaken };
    }
  }
}

/** A world's parts with their requests counted: to the node, to invite services, and writes to the database. */
export function counted(
  environment: client.Environment,
  counts: { requests: number; writes: number },
): client.Environment {
  const counting = <T extends object>(part: T, count: () => void, isCounted: (name: string) => boolean): T =>
    new Proxy(part, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== "function" || !isCounted(String(name))) return value;
        return (...args: unknown[]): unknown => {
          count();
          return Reflect.apply(value, target, args);
        };
      },
    });
  const request = () => {
    counts.requests++;
  };
  const write = () => {
    counts.writes++;
  };
  return {
    ...environment,
    transport: counting(environment.transport, request, (name) => name !== "close"),
    slots: counting(environment.slots, request, () => true),
    store: counting(environment.store, write, (name) => name === "transaction"),
  };
}

/** A device of which every request and every write is counted. */
export async function countedDevice(
  world: World,
  name: string,
): Promise<{ device: Device; counts: { requests: number; writes: number } }> {
  const counts = { requests: 0, writes: 0 };
  const device = await world.device(name, { wrap: (environment) => counted(environment, counts) });
  return { device, counts };
}
