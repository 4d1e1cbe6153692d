import type { SlotBounds } from "./storage/storage.ts";

const MIB = 1024 * 1024;

/** Every bound of the node, with its reason. Each can be set in `createNode({ limits })`. */
export const NODE_LIMITS = {
  /** Largest request that publishes messages, and largest answer, in bytes: what XMTP's clients send or accept. */
  rpcMessageBytes: 25 * MIB,
  /** Largest request in JSON, in bytes: clients speak protobuf, and JSON takes the node forty times as long. */
  jsonRequestBytes: 4 * MIB,
  /** Bytes of one answer in JSON, and of one envelope in it: larger ones would hold the event loop for a fifth of a second. */
  jsonAnswerBytes: 4 * MIB,
  /** Largest envelope, in bytes: leaves room so that an answer with this one envelope still fits `rpcMessageBytes`. */
  envelopeBytes: 25 * MIB - 16 * 1024,
  /** Bytes of envelopes in one answer, unless a single one is larger: the answer must fit `rpcMessageBytes`. */
  pageBytes: 24 * MIB,
  /** Entries of one page: clients ask for at most 100 and go on where a page ended. */
  pageEntries: 100,
  /** Bytes of envelopes a stream reads ahead, unless a single one is larger: a slow reader holds them in memory. */
  streamPageBytes: MIB,
  /** Envelopes in one publish call, which is one transaction. Clients send Welcomes in chunks of 50. */
  batchEntries: 1_000,
  /** Topics, inboxes, identifiers or installations asked for in one call: bounds the time of one request. */
  lookupEntries: 4_096,
  /** Bytes that one call may have read for looking up newest messages, whose contents it may leave out of the answer. */
  lookupBytes: 256 * MIB,
  /** Filters of one stream: one per group of a very busy client. */
  streamFilters: 16_384,
  /** Filters of all streams of one client address: a thousand people behind a gateway with 128 groups each. */
  filtersPerAddress: 131_072,
  /** Filters of all streams, each of which takes about 400 bytes of memory. */
  filters: 393_216,
  /** Open streams of one client address, which may be shared by many people behind a gateway. */
  streamsPerAddress: 2_048,
  /** Bytes of a group id, an installation key or a welcome destination. XMTP uses 16 and 32. */
  topicBytes: 64,
  /** Largest key package, in bytes: one with a post-quantum key has about 2 KiB. */
  keyPackageBytes: 64 * 1024,
  /** Signatures of smart-contract wallets in one call: their answer is always no. */
  walletSignatureBytes: MIB,
  /** Largest identity update, in bytes: the heaviest that the protocol allows, 256 revocations with long signatures. */
  identityUpdateBytes: MIB,
  /** Identity updates of one inbox, as on XMTP's network: everybody replays all of them. */
  identityUpdatesPerInbox: 256,
  /** Of those, the last ones that take only what the recovery identifier signs, so that a thief cannot use all up. */
  identityUpdatesReserved: 32,
  /** Installations of one inbox at once: clients stop at 10, and devices that register at once see each other too late. */
  installationsPerInbox: 10,
  /** Microseconds of verification that one address may cause at once: five thousand signatures. */
  workBurstMicros: 10_000_000,
  /** Microseconds of verification that one address may cause per second, over time: a quarter of a core. */
  workMicrosPerSecond: 250_000,
  /** Refused identity updates that are remembered: the same bytes are refused again at once. */
  refusalsRemembered: 4_096,
  /** Characters of an identifier in a look-up: an address has 42, a passkey 130. */
  identifierCharacters: 512,

  /** Shortest id of a slot, in bytes (XIP-82). */
  slotIdMinBytes: 4,
  /** Longest id of a slot, in bytes. 16 are recommended. */
  slotIdMaxBytes: 64,
  /** Largest blob, in bytes: the GroupInfo of ten thousand members has about 6 MiB. */
  slotBlobBytes: 8 * MIB,
  /** Blobs kept per slot, the oldest dropped first; XIP-82 demands at least 4. */
  slotBlobs: 8,
  /** Milliseconds for which the credential of a slot that holds nothing is remembered: an invite may rest for a month. */
  slotCredentialMs: 30 * 86_400_000,
  /** Milliseconds that a blob lives at most, from its last upload: an invite that nobody used for a year is forgotten. */
  slotBlobMs: 400 * 86_400_000,
  /** Slots in all: bounds what anonymous uploads can make the node index. */
  slotsTotal: 1_000_000,
  /** Bytes of all blobs in all slots: bounds what anonymous uploads can make the node store. */
  slotBytesTotal: 16 * 1024 * MIB,

  /** RPCs of one client address at once, without waiting. */
  rpcBurst: 5_000,
  /** RPCs per second of one client address, over time. */
  rpcPerSecond: 1_000,
  /** Slot requests of one client address at once. */
  slotAddressBurst: 1_000,
  /** Slot requests per second of one client address, over time. */
  slotAddressPerSecond: 100,
  /** Bytes of blobs that one address may have stored at once, each counted as `slotMinBytes` at least: 8 192 uploads. */
  slotBytesBurst: 512 * MIB,
  /** The same per second, over time: one address needs 18 hours to fill `slotBytesTotal`, and days for `slotsTotal`. */
  slotBytesPerSecond: 256 * 1024,
  /** Bytes that the smallest blob counts as: a slot takes more than its bytes. */
  slotMinBytes: 64 * 1024,
  /** Uploads to one slot at once: a crowd that joins by one invite uploads a blob each. */
  slotUploadBurst: 240,
  /** Uploads per second to one slot, over time: a flood evicts the genuine blobs more slowly. */
  slotUploadPerSecond: 4,
  /**
   * Milliseconds after which half of those who looked at a slot and did not upload are no longer said to be waiting: about
   * as long as a join takes at most.
   */
  slotWaitingHalfLifeMs: 15_000,
  /** Clients or slots remembered by each rate limiter, the least recent forgotten first. */
  rateLimiterKeys: 65_536,

  /** Connections at once: one of HTTP/2 takes 25 KiB of memory before it says anything. */
  connections: 4_096,
  /** Connections at once of one address; not counted behind a proxy, whose address all of them have. */
  connectionsPerAddress: 1_024,
  /** Bytes that connections of one address may carry beside requests at once: uploads given up half-way, keep-alives. */
  overheadBurst: 4 * MIB,
  /** The same per second, over time. */
  overheadPerSecond: 256 * 1024,
  /** New connections per second of an address that is over that budget: each may make Node read 64 KiB before it is seen. */
  overheadEntriesPerSecond: 4,
  /** Requests at once, open streams included, each of which takes about 30 KiB of memory. */
  requests: 8_192,
  /** Requests at once of one address, twice as many as it may have streams. */
  requestsPerAddress: 4_096,
  /** Requests at once on one HTTP/2 connection. */
  streamsPerConnection: 1_024,
  /** Bytes of request bodies in memory at once, and as many of answers: about three times this is allocated. */
  bodyBytesInFlight: 128 * MIB,
  /** The same of one address: two of the largest messages under way. */
  bodyBytesPerAddress: 64 * MIB,
  /** Bodies up to this size are small: the last eighth of the bytes in flight is theirs, and no rate counts them. */
  smallBodyBytes: 64 * 1024,
  /** Bytes of larger bodies, in both directions, of one address at once. */
  transferBurst: 256 * MIB,
  /** The same per second, over time: 256 Mbit/s, a seventh of what one core can move. */
  transferPerSecond: 32 * MIB,
  /** Milliseconds without progress after which a body is given up, if others need its memory. */
  stalledMs: 5_000,
  /** Milliseconds without a request after which a connection is closed, if others need its place. */
  restingMs: 500,
  /** Milliseconds for a connection to say which protocol it speaks. */
  greetingMs: 10_000,
  /** Milliseconds for a request to arrive completely: 25 MiB in this time is 1.7 Mbit/s. */
  receiveMs: 120_000,
  /** Milliseconds for which the rest of a refused request is thrown away, so that its sender can read the answer. */
  lingerMs: 2_000,
  /** Milliseconds for an answer to be taken, streams left out: 25 MiB in this time is 1.7 Mbit/s. */
  answerMs: 120_000,
  /** Milliseconds after which a connection without any request is closed. */
  idleMs: 300_000,
  /** Milliseconds that running requests get to finish when the node stops. */
  stopMs: 10_000,
  /** Milliseconds between two sweeps that delete expired blobs nobody asks for. */
  sweepMs: 600_000,
  /** Milliseconds between two looks through the database for damage that nothing has read: a second of one core for 1 GiB. */
  inspectMs: 3_600_000,
  /** Bytes of the database, 0 for no bound but the disk. A full database refuses writes with STORE_FULL. */
  databaseBytes: 0,
} as const;

/** The bounds of one node; the defaults are `NODE_LIMITS`. */
export type NodeLimits = { readonly [K in keyof typeof NODE_LIMITS]: number };

/** Bounds of a request, looked at before it is decoded. */
export interface RequestBounds {
  /** Bytes of the message, packed and unpacked. */
  readonly bytes: number;
  /** Fields of the message, nested ones included: each costs the decoder about a microsecond and an object. */
  readonly fields: number;
}

/** Bytes beside the lists: paging, and what later versions of a client may add. */
const SPARE_BYTES = 4 * 1024;

/** Bytes that tags and lengths take around one entry of a list, generously. */
const ENTRY_FRAME_BYTES = 64;

/** Fields of one entry of each list, with room for what later versions add: twice what clients send today. */
const FIELDS = { envelope: 16, lookup: 8, filter: 4, identityUpdate: 16_384, small: 64 };

/** Bounds of every method that takes more than a few fields, by its path's last part. */
export function requestBounds(limits: NodeLimits): ReadonlyMap<string, RequestBounds> {
  const { batchEntries, lookupEntries, streamFilters, topicBytes } = limits;
  const list = (entries: number, entryBytes: number, fields: number): RequestBounds => ({
    bytes: entries * (entryBytes + ENTRY_FRAME_BYTES) + SPARE_BYTES,
    fields: entries * fields + FIELDS.small,
  });
  const envelopes = { bytes: limits.rpcMessageBytes, fields: batchEntries * FIELDS.envelope };
  const topics = list(lookupEntries, topicBytes, FIELDS.lookup);
  const filters = list(streamFilters, topicBytes, FIELDS.filter);
  return new Map([
    // 1 000 entries may have 25 MiB in all: an attachment sent in line is one message.
    ["SendGroupMessages", envelopes],
    ["SendWelcomeMessages", envelopes],
    // An entry and its signature have at most 2 KiB each.
    ["BatchPublishCommitLog", list(batchEntries, 4 * 1024, FIELDS.envelope)],
    ["BatchQueryCommitLog", topics],
    ["GetNewestGroupMessage", topics],
    ["FetchKeyPackages", topics],
    ["SubscribeGroupMessages", filters],
    ["SubscribeWelcomeMessages", filters],
    ["UploadKeyPackage", { bytes: limits.keyPackageBytes + SPARE_BYTES, fields: FIELDS.small }],
    // 512 actions of two signatures each have about 7 000 fields.
    ["PublishIdentityUpdate", { bytes: limits.identityUpdateBytes + SPARE_BYTES, fields: FIELDS.identityUpdate }],
    ["GetIdentityUpdates", list(lookupEntries, 64, FIELDS.lookup)],
    ["GetInboxIds", list(lookupEntries, limits.identifierCharacters, FIELDS.lookup)],
    [
      "VerifySmartContractWalletSignatures",
      { bytes: limits.walletSignatureBytes, fields: lookupEntries * FIELDS.lookup },
    ],
  ]);
}

/** Bounds of the methods that ask for one thing, such as a page of a group: a topic and where to go on. */
export const SMALL_REQUEST: RequestBounds = { bytes: 2 * SPARE_BYTES, fields: FIELDS.small };

/** Bounds of the slots, as the store applies them. */
export function slotBounds(limits: NodeLimits): SlotBounds {
  const { slotBlobs: blobsPerSlot, slotsTotal, slotBytesTotal: bytesTotal, slotBlobMs } = limits;
  return { blobsPerSlot, slotsTotal, bytesTotal, lifeNs: BigInt(slotBlobMs) * 1_000_000n };
}
