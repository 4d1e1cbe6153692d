/** A link of a device behind whose signatures it was not seen yet whether they count; there is one row, `name` is always "self". */
export interface DeviceLinkRecord {
  readonly name: "self";
  /** What this device is in the link: the one that adds, or the one that is added. */
  readonly role: "old" | "new";
  readonly inboxId: string;
  /** Of the new device, 32 bytes. */
  readonly installationKey: Uint8Array;
  /** The IdentityUpdate with all signatures; empty on the new device, which does not have the old one's. */
  readonly update: Uint8Array;
  /** The old device publishes nothing after this time of the node. */
  readonly deadlineNs: bigint;
}
