/**
 * Where an error arose. A log stops for `availability` only.
 *
 * - `availability`: a node, a service or the store did not serve, or the caller aborted; the same bytes may pass later.
 * - `message`: bytes that others wrote break a rule; the verdict is final.
 * - `caller`: the call itself makes no sense, or is not permitted.
 * - `defect`: this program is in a state that it should never reach.
 */
export type ErrorScope = "availability" | "message" | "caller" | "defect";

/** Options shared by every error of the family. */
export interface LatchkeyErrorOptions {
  /** Where the error arose; default: `availability` for a retryable error, else `message`. */
  readonly scope?: ErrorScope;
  /** True when the same call may succeed later without any change by the caller. */
  readonly retryable?: boolean;
  /** How long to wait before trying again, in milliseconds, where that is known. */
  readonly retryAfterMs?: number;
  /** Identifier of the broken protocol rule, as listed in `docs/rules.md`. */
  readonly rule?: string;
  /** Facts for programs; never key material, plaintext or full identifiers. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error family of the project: programs switch on `code`, people read `message`.
 *
 * It lives in the lowest package so that every package can extend it.
 */
export class LatchkeyError extends Error {
  readonly code: string;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly rule: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: LatchkeyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.scope = options.scope ?? (this.retryable ? "availability" : "message");
    this.retryAfterMs = options.retryAfterMs;
    this.rule = options.rule;
    this.data = options.data ?? {};
  }
}

/** The bytes are not a well-formed encoding of the expected type (code `DECODE`). */
export class DecodeError extends LatchkeyError {
  constructor(message: string, options: LatchkeyErrorOptions = {}) {
    super("DECODE", message, options);
  }
}

/** A well-formed message breaks a rule of RFC 9420 or of the extensions draft (code `MLS_INVALID`, see `rule`). */
export class ValidationError extends LatchkeyError {
  declare readonly rule: string;

  constructor(rule: string, message: string, options: Omit<LatchkeyErrorOptions, "rule"> = {}) {
    super("MLS_INVALID", message, { ...options, rule });
  }
}

/** A cryptographic operation failed: an AEAD did not open, or a key has the wrong size (code `CRYPTO`). */
export class CryptoError extends LatchkeyError {
  constructor(message: string, options: LatchkeyErrorOptions = {}) {
    super("CRYPTO", message, options);
  }
}

/** The caller used the engine in a way its state does not allow (code `MLS_STATE`). */
export class StateError extends LatchkeyError {
  constructor(message: string, options: LatchkeyErrorOptions = {}) {
    super("MLS_STATE", message, { scope: "defect", ...options });
  }
}

/** The message is legal MLS but needs a part of the protocol this build does not carry (code `MLS_UNSUPPORTED`). */
export class UnsupportedError extends LatchkeyError {
  constructor(message: string, options: LatchkeyErrorOptions = {}) {
    super("MLS_UNSUPPORTED", message, options);
  }
}
