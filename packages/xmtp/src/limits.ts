/** Every bound of the package, with its reason. */
export const XMTP_LIMITS = {
  /** Largest id of an envelope, a commit or an identity update, and largest time: nodes and databases keep 63 bits. */
  maxInt64: (1n << 63n) - 1n,
  /** Largest epoch of a group that is opened: no group gets there, and none that is below can come to 2^63. */
  maxEpoch: (1n << 62n) - 1n,
  /** Entries of the membership that one commit of a member touches: XMTP's clients add 250 at most. */
  maxCommitInboxes: 1_024,
  /** Installations of one inbox that one commit of a member adds or removes: identity logs have 256 updates. */
  maxCommitInstallations: 256,
  /** Identity updates of one inbox; the identity log of the network refuses more. */
  maxIdentityUpdates: 256,
  /** Actions of one identity update: an inbox that reached its 256 updates revokes all its installations in one. */
  maxIdentityActions: 512,
  /** Bytes of one serialized identity update: 256 revocations by a smart-contract wallet, 3 KiB each, fit. */
  maxIdentityUpdateBytes: 1024 * 1024,
  /** Bytes of all updates of one inbox: 256 updates of passkeys or smart-contract wallets have about 2 MiB. */
  maxIdentityLogBytes: 4 * 1024 * 1024,
  /** Distinct signatures of all updates of one inbox, 2 ms each for every reader: 256 updates need two or three each. */
  maxIdentitySignatures: 1_024,
  /** Installations of an inbox that joins by external commit: clients hold at most ten, and 256 updates added no more. */
  maxJoinerInstallations: 256,
  /** Nesting of And/Any conditions in a policy: deeper ones are refused instead of recursed into. */
  maxPolicyDepth: 8,
  /** Conditions within one And/Any. */
  maxPolicyConditions: 32,
  /** Bytes of an invite payload: key, id and one pointer; a QR code ends below 3 KiB. */
  maxInvitePayloadBytes: 4 * 1024,
  /** Bytes of the URL of a service pointer. */
  maxServiceUrlBytes: 2 * 1024,
  /** Refresh pointers of a policy: a commit uploads to each of them. */
  maxRefreshPointers: 16,
  /** Shortest external_group_id, set by XIP-82. */
  minExternalGroupIdBytes: 4,
  /** Longest external_group_id: 16 is recommended; it is stored with every admitted member. */
  maxExternalGroupIdBytes: 64,
  /** Length of an invite key, set by XIP-82. */
  inviteKeyBytes: 32,
  /** Blobs looked at per join; a service keeps the last 4 or more, ours 8. */
  maxCandidates: 16,
  /** Bytes of one blob: a GroupInfo of 10 000 members has about 4 MiB. */
  maxBlobBytes: 8 * 1024 * 1024,
  /** Bytes of a wrapped welcome pointer, which clients keep while it leads nowhere: X-Wing and the pointer take 1 300. */
  maxWelcomePointerBytes: 4_096,
  /** Installation ids that a membership entry lists as failed: an inbox has 256 updates, and libxmtp lists none here. */
  maxFailedInstallations: 256,
  /** Bytes of credential, capabilities and extensions of a leaf: those of XMTP's clients have about 300. */
  maxLeafBytes: 8 * 1024,
  /** Bytes of one component beside the membership: XMTP's clients write at most 8 KiB, an admin list of 250 has 8 KiB. */
  maxComponentBytes: 128 * 1024,
  /** Bytes of a group's app data: with its tree a group of 10 000 members, of about 60 bytes each, fits into a blob. */
  appDataBaseBytes: 1024 * 1024,
  appDataBytesPerMember: 256,
  /** Bytes of GroupContext extensions beside the app data: required capabilities have 20. */
  maxContextExtensionBytes: 64 * 1024,
  /** Bytes of a group's name, description, image address and application data: what XMTP's clients write. */
  maxGroupNameBytes: 100,
  maxGroupDescriptionBytes: 1_000,
  maxGroupImageUrlBytes: 2_048,
  maxAppDataBytes: 8_192,
  /** Bytes of a text message after encoding; a delivery node takes 25 MiB at most. */
  maxContentBytes: 1024 * 1024,
  /** Longest lifetime of a key package (RFC 9420 §7.2): XMTP's clients state 84 days; one for ever would never be replaced. */
  maxKeyPackageLifetimeSeconds: 366n * 24n * 3600n,
} as const;
