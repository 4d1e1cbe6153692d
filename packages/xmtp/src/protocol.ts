import { CIPHER_SUITE } from "@latchkey/mls";

/** Cipher suite of every XMTP group. */
export const XMTP_CIPHER_SUITE: 3 = CIPHER_SUITE.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;

/** The libxmtp version whose formats this build speaks. A group's version floor is compared with it. */
export const XMTP_PROTOCOL_VERSION = "1.12.0";

/** The floor of new groups: the first version that reads app-data groups. */
export const APP_DATA_PROTOCOL_VERSION = "1.11.0-dev";

/** Extension ids of XMTP (RFC 9420's are in `@latchkey/mls`). */
export const XMTP_EXTENSION_TYPE = {
  immutableMetadata: 0xf000,
  mutableMetadata: 0xff00,
  groupMembership: 0xff01,
  groupPermissions: 0xff02,
} as const;

/** Extensions that only groups of the form before app data carry. */
export const LEGACY_EXTENSION_TYPES: ReadonlySet<number> = new Set(Object.values(XMTP_EXTENSION_TYPE));

/** Extensions of key packages that say how their owners take Welcomes. */
export const WELCOME_EXTENSION_TYPE = {
  wrapperEncryption: 0xff03,
  pointeeAeadTypes: 0xff04,
} as const;

/**
 * An extension type for private use (RFC 9420 §17.3) that never appears as an extension: a leaf lists it in its
 * capabilities to say that its client follows external commits of XIP-82, for which neither MLS nor XMTP has a sign.
 */
export const FOLLOWS_EXTERNAL_COMMITS = 0xf082;

/** A GroupInfo extension for private use; see `invite/group-info-hints.ts`. */
export const LOG_CURSOR_HINT = 0xf083;

/** A GroupInfo extension for private use; see `invite/group-info-padding.ts`. */
export const GROUP_INFO_PADDING = 0xf084;

/**
 * Header on answers to GetIdentityUpdates: nanoseconds since 1970 in decimal. Every update with an
 * earlier stamp of the node is in the answer.
 */
export const IDENTITY_AS_OF_HEADER = "x-latchkey-identity-as-of";
