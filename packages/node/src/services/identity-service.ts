import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { equalBytes, utf8 } from "@latchkey/mls";
import {
  applyVerifiedUpdate,
  IDENTITY_AS_OF_HEADER,
  isInboxId,
  verifyIdentityUpdate,
  type AssociationState,
  type VerifiedIdentityUpdate,
} from "@latchkey/xmtp";
import { IdentifierKind, IdentityUpdateSchema, type IdentityApi, type IdentityUpdate } from "@latchkey/xmtp/proto";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import type { Envelope, IndexedIdentifier } from "../storage/storage.ts";
import { createIdentityReplay } from "./identity-replay.ts";
import { ANSWER, answerSize, envelopeDigest, mapInTurns, type NodeRuntime } from "./runtime.ts";

/** Other updates of the same inbox that may come in between before the publisher is told to try again. */
const MAX_ATTEMPTS = 8;

function indexed(state: AssociationState | undefined): Map<string, IndexedIdentifier> {
  const identifiers = new Map<string, IndexedIdentifier>();
  for (const [key, { identifier }] of state?.members ?? []) {
    const { kind, value } = identifier;
    if (kind !== "installation") identifiers.set(key, { kind, identifier: value });
  }
  return identifiers;
}

function difference(from: ReadonlyMap<string, IndexedIdentifier>, without: ReadonlyMap<string, unknown>) {
  return [...from].flatMap(([key, identifier]) => (without.has(key) ? [] : [identifier]));
}

function indexedKind(kind: IdentifierKind): IndexedIdentifier["kind"] | undefined {
  // Older clients do not set the kind and mean a wallet address.
  if (kind === IdentifierKind.UNSPECIFIED || kind === IdentifierKind.ETHEREUM) return "ethereum";
  return kind === IdentifierKind.PASSKEY ? "passkey" : undefined;
}

/**
 * `xmtp.identity.api.v1.IdentityApi`: one append-only log per inbox. An update is stored only when its signatures hold
 * and the log so far allows it, because every client replays the log and refuses all of it for one bad update.
 */
export function createIdentityService(runtime: NodeRuntime): ServiceImpl<typeof IdentityApi> {
  const { store, limits } = runtime;
  const replay = createIdentityReplay();

  async function publish(update: IdentityUpdate): Promise<void> {
    const { inboxId } = update;
    const payload = toBinary(IdentityUpdateSchema, update);
    requireAtMost("the identity update", payload.length, limits.identityUpdateBytes);
    const digest = envelopeDigest(utf8(inboxId), payload);

    let verified: VerifiedIdentityUpdate | undefined;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const log = await store.identity.read(inboxId, 0n);
      if (log.some((entry) => equalBytes(entry.payload, payload))) return;
      if (log.length >= limits.identityUpdatesPerInbox) {
        const text = `the inbox has ${log.length} identity updates, the most there may be`;
        throw new NodeError("IDENTITY_LOG_FULL", text);
      }
      verified ??= verifyIdentityUpdate(update);
      const before = replay(inboxId, log);
      const after = applyVerifiedUpdate(before, verified);
      const [old, now] = [indexed(before), indexed(after)];
      const outcome = await store.identity.append({
        inboxId,
        payload,
        digest,
        expectedLastId: log.at(-1)?.id ?? 0n,
        added: difference(now, old),
        removed: difference(old, now),
      });
      if (outcome !== "conflict") return;
    }
    throw new NodeError("IDENTITY_CONFLICT", "other updates of this inbox came in between; try again", {
      retryable: true,
    });
  }

  return {
    async publishIdentityUpdate({ identityUpdate }) {
      if (identityUpdate === undefined) throw invalidRequest("the identity update is missing");
      if (!isInboxId(identityUpdate.inboxId)) throw invalidRequest("an inbox id has 64 lower-case hex digits");
      await publish(identityUpdate);
      return {};
    },

    async getIdentityUpdates({ requests }, { responseHeader, values }) {
      requireAtMost("the request", requests.length, limits.lookupEntries, "inboxes");
      // Taken before the first log is read: each update with an earlier stamp is in the answer.
      responseHeader.set(IDENTITY_AS_OF_HEADER, runtime.nowNs().toString());
      const count = answerSize(limits.pageBytes, values.get(ANSWER));
      const responses = await mapInTurns(requests, async ({ inboxId, sequenceId }, read) => {
        const entries = await store.identity.read(inboxId, sequenceId, (bytes) => {
          read(bytes);
          count(bytes);
        });
        return { inboxId, updates: entries.map(toLogEntry) };
      });
      return { responses };
    },

    async getInboxIds({ requests }) {
      requireAtMost("the request", requests.length, limits.lookupEntries, "identifiers");
      const responses = await mapInTurns(requests, async ({ identifier, identifierKind }) => {
        requireAtMost("an identifier", identifier.length, limits.identifierCharacters, "characters");
        const kind = indexedKind(identifierKind);
        const found = kind && (await store.identity.findInbox({ kind, identifier: identifier.toLowerCase() }));
        return { identifier, identifierKind, ...(found === undefined ? {} : { inboxId: found }) };
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

function toLogEntry({ id, createdNs, payload }: Envelope) {
  return { sequenceId: id, serverTimestampNs: createdNs, update: fromBinary(IdentityUpdateSchema, payload) };
}
