import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { ServiceImpl } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import {
  deriveInboxId,
  IDENTITY_AS_OF_HEADER,
  IdentityError,
  isInboxId,
  readIdentityUpdate,
  rootIdentifier,
} from "@latchkey/xmtp";
import {
  GetIdentityUpdatesResponse_IdentityUpdateLogSchema,
  IdentifierKind,
  IdentityUpdateSchema,
  type IdentityApi,
  type IdentityUpdate,
} from "@latchkey/xmtp/proto";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import type { Envelope, IndexedIdentifier } from "../storage/storage.ts";
import { createJudge } from "./judge.ts";
import {
  ANSWER,
  answerBytes,
  answerSize,
  envelopeDigest,
  FORMAT,
  mapInTurns,
  PEER,
  type NodeRuntime,
} from "./runtime.ts";

/** Other updates of the same inbox that may come in between before the publisher is told to try again. */
const MAX_ATTEMPTS = 8;

function indexedKind(kind: IdentifierKind): IndexedIdentifier["kind"] | undefined {
  // Older clients do not set the kind and mean a wallet address.
  if (kind === IdentifierKind.UNSPECIFIED || kind === IdentifierKind.ETHEREUM) return "ethereum";
  return kind === IdentifierKind.PASSKEY ? "passkey" : undefined;
}

/** Throws what the replay would throw, before any signature is verified: the first update of an inbox creates it. */
function requireBeginning({ inboxId, actions: [first] }: IdentityUpdate): void {
  if (first?.kind.case !== "createInbox") {
    throw new IdentityError("IDENTITY_NOT_CREATED", "the first action of an inbox must create it");
  }
  const { initialIdentifier, initialIdentifierKind, nonce } = first.kind.value;
  if (deriveInboxId(rootIdentifier(initialIdentifier, initialIdentifierKind).value, nonce) !== inboxId) {
    throw new IdentityError(
      "IDENTITY_WRONG_INBOX_ID",
      "an update names another inbox than the one its actions lead to",
    );
  }
}

/**
 * `xmtp.identity.api.v1.IdentityApi`: one append-only log per inbox. An update is stored only when its signatures hold
 * and the log so far allows it, because every client replays the log and refuses all of it for one bad update.
 */
export function createIdentityService(runtime: NodeRuntime): ServiceImpl<typeof IdentityApi> {
  const { store, limits } = runtime;
  const judge = createJudge(runtime);

  async function publish(update: IdentityUpdate, address: string): Promise<void> {
    const { inboxId } = update;
    const payload = toBinary(IdentityUpdateSchema, update);
    requireAtMost("the identity update", payload.length, limits.identityUpdateBytes);
    const digest = envelopeDigest(utf8(inboxId), payload);
    const signatureCount = readIdentityUpdate(update).signatures.length;

    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await store.identity.has(digest)) return;
      const lastId = await store.identity.lastId(inboxId);
      if (lastId === 0n) requireBeginning(update);
      const changes = await judge({ inboxId, payload, digest, lastId, signatureCount, address });
      const outcome = await store.identity.append({ inboxId, payload, digest, expectedLastId: lastId, ...changes });
      if (outcome !== "conflict") return;
    }
    throw new NodeError("IDENTITY_CONFLICT", "other updates of this inbox came in between; try again", {
      retryable: true,
    });
  }

  return {
    async publishIdentityUpdate({ identityUpdate }, { values }) {
      if (identityUpdate === undefined) throw invalidRequest("the identity update is missing");
      if (!isInboxId(identityUpdate.inboxId)) throw invalidRequest("an inbox id has 64 lower-case hex digits");
      await publish(identityUpdate, values.get(PEER));
      return {};
    },

    async getIdentityUpdates({ requests }, { responseHeader, values }) {
      requireAtMost("the request", requests.length, limits.lookupEntries, "inboxes");
      // Taken before the first log is read: each update with an earlier stamp is in the answer.
      responseHeader.set(IDENTITY_AS_OF_HEADER, (await store.identity.asOfNs()).toString());
      const count = answerSize(answerBytes(limits, values), values.get(ANSWER));
      const isJson = values.get(FORMAT) === "json";
      const responses = await mapInTurns(requests, async ({ inboxId, sequenceId }, read) => {
        const entries = await store.identity.read(inboxId, sequenceId, (bytes) => {
          read(bytes);
          count(bytes);
        });
        return { inboxId, updates: entries.map(isJson ? toReadLogEntry : toLogEntry) };
      });
      return { responses };
    },

    async getInboxIds({ requests }) {
      requireAtMost("the request", requests.length, limits.lookupEntries, "identifiers");
      for (const { identifier } of requests) {
        requireAtMost("an identifier", identifier.length, limits.identifierCharacters, "characters");
      }
      const asked = requests.flatMap(({ identifier, identifierKind }, index) => {
        const kind = indexedKind(identifierKind);
        return kind === undefined ? [] : [{ index, kind, identifier: identifier.toLowerCase() }];
      });
      const found = await store.identity.findInboxes(asked);
      const inboxIds = new Map(asked.map(({ index }, at) => [index, found[at]]));
      const responses = requests.map(({ identifier, identifierKind }, index) => {
        const inboxId = inboxIds.get(index);
        return { identifier, identifierKind, ...(inboxId === undefined ? {} : { inboxId }) };
      });
      return { responses };
    },

    async verifySmartContractWalletSignatures({ signatures }) {
      requireAtMost("the request", signatures.length, limits.lookupEntries, "signatures");
      const error = "this node asks no blockchain, so it cannot verify signatures of smart-contract wallets";
      return { responses: signatures.map(() => ({ isValid: false, error })) };
    },
  };
}

/** Number and wire type of the update in an entry of the log. */
const UPDATE_FIELD = {
  no: GetIdentityUpdatesResponse_IdentityUpdateLogSchema.field.update.number,
  wireType: WireType.LengthDelimited,
};

/** An entry with the update as it was stored: reading it, and writing it anew, would take a microsecond for each field. */
function toLogEntry({ id, createdNs, payload }: Envelope) {
  const entry = create(GetIdentityUpdatesResponse_IdentityUpdateLogSchema, {
    sequenceId: id,
    serverTimestampNs: createdNs,
  });
  entry.$unknown = [{ ...UPDATE_FIELD, data: new BinaryWriter().bytes(payload).finish() }];
  return entry;
}

function toReadLogEntry({ id, createdNs, payload }: Envelope) {
  return create(GetIdentityUpdatesResponse_IdentityUpdateLogSchema, {
    sequenceId: id,
    serverTimestampNs: createdNs,
    update: fromBinary(IdentityUpdateSchema, payload),
  });
}
