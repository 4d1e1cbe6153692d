import type { WalletSigner } from "@latchkey/xmtp";
import type { QrFormat } from "../invite/qr.ts";
import type { CallOptions } from "../public-calls.ts";

/** The code of a device, to be shown to one's own other device and to nobody else. It is valid once, for two minutes. */
export interface DeviceCode {
  /** To be copied where neither device has a camera. */
  readonly text: string;
  /** The same as a QR code: a PNG file, an SVG document, or text for a terminal. */
  toQR(format: "png"): Uint8Array;
  toQR(format: "svg" | "terminal"): string;
  toQR(format: QrFormat): Uint8Array | string;
}

/** Where a link is, for showing it to people. */
export type LinkProgress =
  /** The other device has to read this code. */
  | { readonly step: "code"; readonly code: DeviceCode }
  /** New device: a person has to type these six digits into the old one. */
  | { readonly step: "digits"; readonly digits: string }
  /** New device: the inbox that it is about to join, 64 hex digits. */
  | { readonly step: "inbox"; readonly inboxId: string }
  /** Old device: a wallet or this installation signs the addition. */
  | { readonly step: "signing" }
  /** The new installation is part of the inbox. */
  | { readonly step: "registered"; readonly installationId: string }
  /** Old device: in how many groups the new device is by now. */
  | { readonly step: "adding"; readonly added: number; readonly total: number }
  /** Messages that were brought to the new device by now. */
  | { readonly step: "history"; readonly messages: number };

/** Told of each step; what it throws is ignored. */
export type LinkProgressListener = (progress: LinkProgress) => void;

interface LinkOptions extends CallOptions {
  /** What the other device shows: the text of its code, or a picture of it. Without it this device shows one. */
  readonly code?: string | Uint8Array;
  readonly onProgress?: LinkProgressListener;
}

/** How a new device is linked to an inbox. */
export interface LinkNewDeviceOptions extends LinkOptions {
  /**
   * Asks a person whether this is the own inbox, 64 hex digits, before anything is signed; default: it is taken without a
   * question. Whoever swaps the code that this device reads could have it join another inbox.
   */
  readonly confirmInbox?: (inboxId: string, signal: AbortSignal) => boolean | Promise<boolean>;
}

/** How a device of the inbox links a new one. */
export interface LinkDeviceOptions extends LinkOptions {
  /**
   * Asks a person for the six digits that the new device shows; there is one try. Say beside it that the new device will
   * read everything and can act as its owner.
   */
  readonly readDigits: (signal: AbortSignal) => string | Promise<string>;
  /** Messages of each group that are brought to the new device, the last ones, up to 10 000; default: 100. 0 brings none. */
  readonly history?: number;
  /** A wallet of the inbox, which adds the installation itself; default: the signer that the client was opened with. */
  readonly signer?: WalletSigner;
}

/** A group that the new device could not be added to, and why. */
export interface MissedGroup {
  /** In hex. */
  readonly groupId: string;
  /** A code of `docs/errors.md`. */
  readonly code: string;
}

/** What was brought to a new device of what was written before it came. */
export interface BroughtHistory {
  /** Messages that the new device has confirmed. */
  readonly messages: number;
  /** False where the link broke off, or the new device ended before. */
  readonly isComplete: boolean;
}

/** What came of linking a device. */
export interface LinkedDevice {
  readonly installationId: string;
  /** Groups that the new device is in. */
  readonly addedTo: number;
  /** Those that it is not in yet; each sync of a device of this inbox tries again. */
  readonly missed: readonly MissedGroup[];
  readonly history: BroughtHistory;
}
