export { createNode } from "./node.ts";
export type { DeliveryNode } from "./node.ts";
export type { NodeOptions, NodeSettings, NodeStore } from "./options.ts";
export type { Clocks } from "./clock.ts";
export { NODE_LIMITS } from "./limits.ts";
export type { NodeLimits } from "./limits.ts";
export { NodeError } from "./errors.ts";
export type { NodeErrorCode } from "./errors.ts";
export { sqliteStore } from "./storage/sqlite/store.ts";
export { openPostgresStore } from "./storage/postgres/store.ts";
export { bumpIds, exportFromPostgres, importToPostgres } from "./storage/transfer/transfer.ts";
export type { TransferOptions, TransferProgress } from "./storage/transfer/transfer.ts";
export { Notifier } from "./storage/notifier.ts";
export { servedUntilNs } from "./storage/storage.ts";
export type {
  Envelope,
  EnvelopeHead,
  EnvelopeKind,
  IdentityStore,
  IndexedIdentifier,
  KeyPackageStore,
  NewEnvelope,
  NewIdentityUpdate,
  Page,
  PageRequest,
  SlotBlob,
  SlotBounds,
  SlotPage,
  SlotPutOutcome,
  SlotQuery,
  SlotStore,
  SlotWriter,
  Store,
  StoreContext,
  StoreFactory,
  TopicLog,
  Wake,
} from "./storage/storage.ts";
export { createLogger } from "./logging.ts";
export type { Logger, LogLevel } from "./logging.ts";
