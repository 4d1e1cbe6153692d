/** Every bound of the engine, with its reason. Each is enforced before memory or time is spent. */
export const MLS_LIMITS = {
  /** Largest `<V>` vector: the varint of RFC 9420 §2.1.2 ends at 2^30, a delivery node at 25 MiB; no message needs more than 32 MiB. */
  maxVectorBytes: 32 * 1024 * 1024,
  /** Leaves of one tree; 2^17 is ten times the largest group that is measured. */
  maxLeaves: 131_072,
  /** Proposals in one commit: ten thousand Adds are one commit; more is an attack on time. */
  maxProposals: 16_384,
  /** Proposals of the current epoch held for a commit by reference; each is up to a key package in size. */
  maxPendingProposals: 1_024,
  /** Extensions in one list: real lists have below ten. */
  maxExtensions: 256,
  /** External senders of one group. */
  maxExternalSenders: 64,
  /** Entries in one capability list. */
  maxCapabilities: 512,
  /** Steps a ratchet is turned forward for one message, before its AEAD is tried (CVE-2026-59644). */
  maxRatchetSteps: 2_048,
  /**
   * Keys of skipped messages kept per ratchet, the oldest dropped first. Bounds the storage that a lossy sender can use
   * up.
   */
  maxSkippedKeys: 256,
  /** Epochs before the current one whose application messages still open. XMTP keeps 3. */
  maxPastEpochs: 3,
  /** Entries of the app-data dictionary. */
  maxAppDataEntries: 4_096,
  /** Groups whose verified tree is remembered across join attempts: an invite leads to one, or to few when it is abused. */
  maxVerifiedTrees: 4,
} as const;
