import type { CipherSuite, KeyPair } from "@latchkey/mls";
import type { RatchetTree } from "ts-mls";

/** What every client of one history knows. */
export interface World {
  readonly cipherSuite: number;
  readonly groupId: Uint8Array;
  /** External PSKs, shared out of band, by the name that is their id. */
  readonly psks: Map<string, Uint8Array>;
}

/** A name with the signature key that speaks for it; whichever engine uses it. */
export interface Identity {
  readonly name: string;
  readonly suite: CipherSuite;
  readonly signatureKeyPair: KeyPair;
  /** Values that nobody supports, in its capabilities and as an extension of its key packages (RFC 9420 §13.5). */
  readonly grease: readonly number[];
}

/** How a group is followed by another one (RFC 9420 §11.2, §11.3). */
export type Succession = "reinit" | "branch";

/** A PSK that a commit brings. */
export type Psk =
  | { readonly kind: "external"; readonly name: string; readonly nonce: Uint8Array }
  | { readonly kind: "resumption"; readonly epoch: bigint; readonly nonce: Uint8Array };

/** A proposal in terms that both engines are given. */
export type Change =
  | { readonly kind: "add"; readonly keyPackage: Uint8Array }
  | { readonly kind: "remove"; readonly leaf: number }
  | { readonly kind: "update" }
  | { readonly kind: "psk"; readonly psk: Psk }
  | { readonly kind: "require_credentials"; readonly types: readonly number[] }
  | { readonly kind: "reinit"; readonly groupId: Uint8Array };

/** Something sent that becomes part of its sender's state only once everybody accepted it. */
export interface Sent {
  readonly message: Uint8Array;
  readonly welcome: Uint8Array | undefined;
  readonly accept: () => void;
}

/** How a commit is made. */
export interface CommitStyle {
  readonly asPublicMessage: boolean;
  /** Leave the path out; only where the proposals allow it, and only Latchkey can be asked to. */
  readonly withoutPath: boolean;
}

/** A group that follows another one, with its tree where the Welcome does not carry it: ts-mls has no decoder for it. */
export interface Founded {
  readonly welcome: Uint8Array;
  readonly tree: { readonly encoded: Uint8Array; readonly nodes: RatchetTree } | undefined;
}

/** One client of a history, whatever engine is behind it. Messages are MLSMessages, key packages bare. */
export interface Client {
  readonly engine: "latchkey" | "ts-mls";
  readonly name: string;
  readonly epoch: () => bigint;
  readonly epochAuthenticator: () => Uint8Array;
  /** MLS-Exporter (RFC 9420 §8.5). */
  readonly exported: (label: string, context: Uint8Array, length: number) => Promise<Uint8Array>;
  /** The leaf of every member by its name, as this client's tree has it. */
  readonly roster: () => ReadonlyMap<string, number>;
  readonly createGroup: () => Promise<void>;
  readonly keyPackage: () => Promise<Uint8Array>;
  readonly joinByWelcome: (welcome: Uint8Array) => Promise<void>;
  /** With `resync` the client's former leaf goes. */
  readonly joinExternally: (groupInfo: Uint8Array, resync: boolean, psks: readonly Psk[]) => Promise<Sent>;
  /** A GroupInfo; `bareExternalPub` as ts-mls 2.0.0-rc.10 reads it, without the length of `external_pub`. */
  readonly groupInfo: (bareExternalPub: boolean) => Promise<Uint8Array>;
  /** Proposes from outside that this client be added (RFC 9420 §12.1.8). */
  readonly proposeItself: (groupInfo: Uint8Array) => Promise<Uint8Array>;
  readonly propose: (change: Change, asPublicMessage: boolean) => Promise<Uint8Array>;
  /** Commits all proposals of the epoch by reference, and `changes` by value. */
  readonly commit: (changes: readonly Change[], style: CommitStyle) => Promise<Sent>;
  /** Takes in a proposal or a commit of the current epoch. */
  readonly takeIn: (message: Uint8Array) => Promise<void>;
  /** Makes the group that follows this one, with the owners of these key packages. */
  readonly found: (how: Succession, groupId: Uint8Array, keyPackages: readonly Uint8Array[]) => Promise<Founded>;
  /** Goes from this group to the one that follows it. */
  readonly follow: (how: Succession, founded: Founded) => Promise<void>;
  readonly encrypt: (data: Uint8Array) => Promise<Uint8Array>;
  readonly decrypt: (message: Uint8Array) => Promise<Uint8Array>;
}

/** The two engines disagree, or one of them refused what the other made. */
export class Disagreement extends Error {}

/** ts-mls refuses a legal tree that it is known to refuse; the client does not join. */
export class KnownRefusal extends Error {}
