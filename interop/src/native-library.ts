/**
 * The part of `@xmtp/node-bindings` that the scenarios use, restated so that this folder can be checked where the library
 * is not installed. Its own declarations use ambient const enums, which stripping of types cannot resolve.
 */
export interface NativeLibrary {
  readonly BackendBuilder: new (env: "Local") => NativeBackendBuilder;
  generateInboxId(identifier: NativeIdentifier, nonce: bigint): string;
  getInboxIdByIdentity(backend: NativeBackend, identifier: NativeIdentifier): Promise<string | null>;
  fetchInboxStatesByInboxIds(backend: NativeBackend, inboxIds: string[]): Promise<NativeInboxState[]>;
  isInstallationAuthorized(backend: NativeBackend, inboxId: string, installationId: Uint8Array): Promise<boolean>;
  isAddressAuthorized(backend: NativeBackend, inboxId: string, address: string): Promise<boolean>;
  revokeInstallationsSignatureRequest(
    backend: NativeBackend,
    recovery: NativeIdentifier,
    inboxId: string,
    installationIds: Uint8Array[],
  ): Promise<NativeSignatureRequest>;
  applySignatureRequest(backend: NativeBackend, request: NativeSignatureRequest): Promise<void>;
  createClientWithBackend(
    backend: NativeBackend,
    database: { readonly dbPath: string; readonly encryptionKey: Uint8Array },
    inboxId: string,
    identifier: NativeIdentifier,
    deviceSync: "Enabled" | "Disabled",
    workers: NativeWorkers | undefined,
    logging: { readonly level: "Off" | "Error" | "Warn" | "Info" | "Debug" },
    allowOffline: boolean,
    nonce: bigint,
  ): Promise<NativeClient>;
}

export interface NativeBackendBuilder {
  setApiUrl(url: string): this;
  build(): Promise<NativeBackend>;
}

export interface NativeBackend {
  readonly v3Host: string | null;
}

export interface NativeWorkers {
  readonly workerIntervalsNs: readonly { readonly kind: "CommitLog"; readonly intervalNs: bigint }[];
}

/** Kind 0 is an Ethereum address. */
export interface NativeIdentifier {
  readonly identifier: string;
  readonly identifierKind: number;
}

export interface NativeInboxState {
  readonly inboxId: string;
  readonly recoveryIdentifier: NativeIdentifier;
  readonly installations: readonly { readonly id: string; readonly bytes: Uint8Array }[];
  readonly identifiers: readonly NativeIdentifier[];
}

export interface NativeSignatureRequest {
  signatureText(): Promise<string>;
  addEcdsaSignature(signature: Uint8Array): Promise<void>;
}

export interface NativeClient {
  inboxId(): string;
  installationId(): string;
  installationIdBytes(): Uint8Array;
  inboxState(refresh: boolean): Promise<NativeInboxState>;
  fetchInboxStatesByInboxIds(inboxIds: string[], refresh: boolean): Promise<NativeInboxState[]>;
  fetchKeyPackageStatusesByInstallationIds(
    ids: string[],
  ): Promise<Record<string, { readonly lifetime?: unknown; readonly validationError?: string }>>;
  canMessage(identifiers: NativeIdentifier[]): Promise<Record<string, boolean>>;
  createInboxSignatureRequest(): Promise<NativeSignatureRequest | null>;
  registerIdentity(request: NativeSignatureRequest): Promise<void>;
  addIdentifierSignatureRequest(identifier: NativeIdentifier): Promise<NativeSignatureRequest>;
  revokeInstallationsSignatureRequest(ids: Uint8Array[]): Promise<NativeSignatureRequest>;
  applySignatureRequest(request: NativeSignatureRequest): Promise<void>;
  conversations(): NativeConversations;
  close(): Promise<void>;
}

export interface NativeStream {
  waitForReady(): Promise<void>;
  endAndWait(): Promise<void>;
}

type OnItem<T> = (error: Error | null, item: T) => void;

export interface NativeConversations {
  createGroup(inboxIds: string[], options?: { groupName?: string }): Promise<NativeGroup>;
  createDm(inboxId: string): Promise<NativeGroup>;
  getConversationById(id: string): NativeGroup;
  list(): { readonly conversation: NativeGroup }[];
  sync(): Promise<void>;
  syncAll(): Promise<{ readonly numEligible: number; readonly numSynced: number }>;
  stream(onItem: OnItem<NativeGroup>, onClose: (error: Error | null) => void): Promise<NativeStream>;
  streamAllMessages(onItem: OnItem<NativeMessage>, onClose: (error: Error | null) => void): Promise<NativeStream>;
}

export interface NativeMessage {
  readonly id: string;
  readonly convoId: string;
  readonly sentAtNs: bigint;
  readonly senderInboxId: string;
  readonly kind: number;
  readonly deliveryStatus: number;
  readonly content: {
    readonly type?: { readonly authorityId: string; readonly typeId: string };
    readonly content: Uint8Array;
  };
}

export interface NativeMember {
  readonly inboxId: string;
  readonly installationIds: readonly string[];
  readonly permissionLevel: number;
}

export interface NativeGroup {
  id(): string;
  isActive(): boolean;
  sync(): Promise<void>;
  sendText(text: string, options?: { readonly idempotencyKey?: string }): Promise<string>;
  listMessages(): Promise<NativeMessage[]>;
  listMembers(): Promise<NativeMember[]>;
  isAdmin(inboxId: string): boolean;
  isSuperAdmin(inboxId: string): boolean;
  addMembers(inboxIds: string[]): Promise<void>;
  removeMembers(inboxIds: string[]): Promise<void>;
  addAdmin(inboxId: string): Promise<void>;
  removeAdmin(inboxId: string): Promise<void>;
  addSuperAdmin(inboxId: string): Promise<void>;
  leaveGroup(): Promise<void>;
  membershipState(): number;
  addedByInboxId(): string;
  groupName(): string;
  groupDescription(): string;
  updateGroupName(name: string): Promise<void>;
  updateGroupDescription(description: string): Promise<void>;
  groupImageUrlSquare(): string;
  updateGroupImageUrlSquare(url: string): Promise<void>;
  appData(): string;
  updateAppData(options: { readonly value: string }): Promise<void>;
  updatePermissionPolicy(type: number, policy: number, field?: number): Promise<void>;
  proposalsEnabled(): boolean;
  pausedForVersion(): string | null;
  stream(onItem: OnItem<NativeMessage>, onClose: (error: Error | null) => void): Promise<NativeStream>;
  debugInfo(): Promise<NativeDebugInfo>;
  readonly unstable: { enableProposals(options: { force?: boolean; minVersion?: string }): Promise<void> };
}

export interface NativeDebugInfo {
  readonly epoch: bigint;
  readonly maybeForked: boolean;
  readonly isCommitLogForked?: boolean;
  readonly localCommitLog: string;
  readonly remoteCommitLog: string;
  readonly cursor: readonly { readonly originatorId: number; readonly sequenceId: number }[];
}

const NAME = "@xmtp/node-bindings";

/** Loads the native library; throws when it is not installed or not made for this machine. */
export async function loadNativeLibrary(): Promise<NativeLibrary> {
  return (await import(NAME)) as NativeLibrary;
}
