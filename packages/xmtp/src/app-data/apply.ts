import {
  DecodeError,
  decodeUtf8,
  type AppData,
  type AppDataChanges,
  type AppDataOperation,
  type Proposal,
} from "@latchkey/mls";
import { CommitRejectedError } from "../errors.ts";
import { ComponentType } from "../proto.ts";
import { COMPONENT } from "./component.ts";
import { BYTES_KEY, COMPONENT_ID_KEY, INBOX_ID_KEY, type KeyCodec } from "./keys.ts";
import { decodeRegistry, type ComponentRegistry } from "./registry.ts";
import { applyMapDelta, decodeMapDelta } from "./tls-map.ts";
import { applySetDelta, decodeSetDelta, decodeTlsSet, encodeTlsSet } from "./tls-set.ts";

/** An AppDataUpdate: a component and what happens to it. */
export interface ComponentUpdate {
  readonly componentId: number;
  readonly operation: AppDataOperation;
}

/** One elementary change that an AppDataUpdate makes: what permissions are checked against. */
export interface ComponentChange {
  readonly op: "insert" | "update" | "delete";
  /** For maps keyed by inbox id or component id. */
  readonly key: string | number | undefined;
  readonly value: Uint8Array | undefined;
}

/** How the payloads of a component are read. */
interface ComponentFormat {
  /** Throws DecodeError. */
  changes(payload: Uint8Array): ComponentChange[];
  /** Throws DecodeError or CommitRejectedError. */
  apply(before: Uint8Array | undefined, payload: Uint8Array): Uint8Array;
}

function mapFormat<K extends string | number>(codec: KeyCodec<K>): ComponentFormat {
  return {
    changes: (payload) =>
      decodeMapDelta(codec, payload).map((mutation) => ({
        op: mutation.op,
        key: mutation.key,
        value: mutation.op === "delete" ? undefined : mutation.value,
      })),
    apply: (before, payload) => applyMapDelta(codec, before, decodeMapDelta(codec, payload)),
  };
}

function setFormat<K extends string | number>(codec: KeyCodec<K>): ComponentFormat {
  return {
    changes: (payload) =>
      decodeSetDelta(codec, payload).map((mutation) => ({
        op: mutation.op === "insert" ? "insert" : "delete",
        key: mutation.op === "removeByHash" ? undefined : mutation.key,
        value: undefined,
      })),
    apply: (before, payload) =>
      encodeTlsSet(codec, applySetDelta(codec, decodeTlsSet(codec, before), decodeSetDelta(codec, payload))),
  };
}

/** Values that are replaced as a whole; `check` throws DecodeError. */
function wholeFormat(check: (payload: Uint8Array) => void): ComponentFormat {
  return {
    changes(payload) {
      check(payload);
      return [{ op: "update", key: undefined, value: payload }];
    },
    apply(_before, payload) {
      check(payload);
      return payload;
    },
  };
}

function checkUtf8(payload: Uint8Array): void {
  try {
    decodeUtf8(payload);
  } catch (cause) {
    throw new DecodeError("a text component is not UTF-8", { cause });
  }
}

function fixedLength(length: number): ComponentFormat {
  return wholeFormat((payload) => {
    if (payload.length !== length) throw new DecodeError(`a component has ${payload.length} bytes, not ${length}`);
  });
}

const TEXT = wholeFormat(checkUtf8);
const BYTES = wholeFormat(() => undefined);
const INBOX_SET = setFormat(INBOX_ID_KEY);

const FORMATS = new Map<number, ComponentFormat>([
  [COMPONENT.componentRegistry, mapFormat(COMPONENT_ID_KEY)],
  [COMPONENT.superAdminList, INBOX_SET],
  [COMPONENT.adminList, INBOX_SET],
  [COMPONENT.groupMembership, mapFormat(INBOX_ID_KEY)],
  [COMPONENT.groupName, TEXT],
  [COMPONENT.groupDescription, TEXT],
  [COMPONENT.groupImageUrl, TEXT],
  [COMPONENT.messageDisappearFromNs, fixedLength(8)],
  [COMPONENT.messageDisappearInNs, fixedLength(8)],
  [COMPONENT.appData, TEXT],
  [COMPONENT.minSupportedProtocolVersion, TEXT],
  [COMPONENT.commitLogSigner, fixedLength(32)],
  [COMPONENT.externalCommitPolicy, BYTES],
  [COMPONENT.oneshotMessage, BYTES],
  [COMPONENT.dmMembers, INBOX_SET],
  [COMPONENT.creatorInboxId, fixedLength(33)],
  [COMPONENT.conversationType, fixedLength(4)],
]);

const FORMAT_OF_TYPE = new Map<ComponentType, ComponentFormat>([
  [ComponentType.BYTES, BYTES],
  [ComponentType.STRING, TEXT],
  [ComponentType.TLS_MAP_BYTES_BYTES, mapFormat(BYTES_KEY)],
  [ComponentType.TLS_MAP_INBOX_ID_BYTES, mapFormat(INBOX_ID_KEY)],
  [ComponentType.TLS_SET_BYTES, setFormat(BYTES_KEY)],
  [ComponentType.TLS_SET_INBOX_ID, INBOX_SET],
]);

function formatOf(componentId: number, registry: ComponentRegistry): ComponentFormat {
  const registered = registry.get(componentId)?.componentType;
  const format = FORMATS.get(componentId) ?? (registered === undefined ? undefined : FORMAT_OF_TYPE.get(registered));
  if (format === undefined) {
    throw new CommitRejectedError("InsufficientPermissions", "a commit writes a component that is not registered", {
      data: { componentId, reason: "NoRegistryEntry" },
    });
  }
  return format;
}

function malformed(componentId: number, cause: unknown): unknown {
  if (!(cause instanceof DecodeError)) return cause;
  const message = "the payload of an AppDataUpdate is malformed";
  return new CommitRejectedError("ComponentPayloadMalformed", message, { data: { componentId }, cause });
}

/**
 * The elementary changes of one AppDataUpdate, read by the registry as it was before the commit. Throws
 * CommitRejectedError `ComponentPayloadMalformed` or `InsufficientPermissions` (not registered).
 */
export function componentChanges(update: ComponentUpdate, registry: ComponentRegistry): ComponentChange[] {
  const { componentId, operation } = update;
  const format = formatOf(componentId, registry);
  if (operation.kind === "remove") return [{ op: "delete", key: undefined, value: undefined }];
  try {
    return format.changes(operation.update);
  } catch (cause) {
    throw malformed(componentId, cause);
  }
}

/**
 * New absolute values of the components that AppDataUpdates touch, in the order of the commit. The engine writes them
 * into the dictionary. Throws CommitRejectedError (`ComponentPayloadMalformed`, `KeyExists`, `KeyNotFound`,
 * `DuplicateHash`, `InsufficientPermissions` for a component that is not registered).
 */
export function applyAppDataUpdates(appData: AppData, updates: Iterable<ComponentUpdate>): AppDataChanges {
  const changes = new Map<number, Uint8Array | null>();
  let registry: ComponentRegistry | undefined;
  for (const { componentId, operation } of updates) {
    try {
      registry ??= decodeRegistry(appData.get(COMPONENT.componentRegistry));
      const format = formatOf(componentId, registry);
      const pending = changes.get(componentId);
      const before = pending === undefined ? appData.get(componentId) : (pending ?? undefined);
      changes.set(componentId, operation.kind === "remove" ? null : format.apply(before, operation.update));
    } catch (cause) {
      throw malformed(componentId, cause);
    }
  }
  return changes;
}

/** The dictionary with changes written into it. */
export function mergeAppData(appData: AppData, changes: AppDataChanges): AppData {
  const merged = new Map(appData);
  for (const [componentId, value] of changes) {
    if (value === null) merged.delete(componentId);
    else merged.set(componentId, value);
  }
  return merged;
}

/** The AppDataUpdates among a commit's proposals, in order: the input of `applyAppDataUpdates`. */
export function appDataUpdatesOf(commit: { readonly proposals: readonly { readonly proposal: Proposal }[] }) {
  return commit.proposals.flatMap(({ proposal }) => (proposal.kind === "app_data_update" ? [proposal] : []));
}

/** The AppDataUpdate proposal that carries a payload. */
export function appDataUpdate(componentId: number, update: Uint8Array): Proposal & { kind: "app_data_update" } {
  return { kind: "app_data_update", componentId, operation: { kind: "update", update } };
}
