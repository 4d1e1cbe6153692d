/** A link that was given out. */
export interface Link {
  readonly url: string;
  readonly groupId: string;
}

/** Something that a call said was done, and that has to stay done. */
export type Claim =
  | {
      readonly kind: "sent";
      readonly device: string;
      readonly groupId: string;
      readonly id: bigint;
      readonly text: string;
    }
  | { readonly kind: "named"; readonly device: string; readonly groupId: string; readonly name: string }
  | { readonly kind: "added" | "removed"; readonly device: string; readonly groupId: string; readonly inboxId: string }
  | { readonly kind: "joined"; readonly device: string; readonly groupId: string };

/**
 * What honest people have set out to do, noted before they do it, and what they were told was done. Whatever a group
 * shows beyond the first is forged; whatever it lacks of the second is lost.
 */
export class Expectations {
  /** Text → who wrote it. */
  readonly texts = new Map<string, { readonly inboxId: string; readonly installationId: string }>();
  /** Texts of removed members. Only a parted device, in an epoch from before the removal, may show one. */
  readonly textsOfRemoved = new Set<string>();
  /** Inboxes of strangers and of members that turned: a Welcome of one leads anywhere. */
  readonly hostile = new Set<string>();
  readonly names = new Set<string>();
  /** Inboxes that somebody meant to add, to remove, or to make an admin. */
  readonly added = new Set<string>();
  readonly removed = new Set<string>();
  readonly promoted = new Set<string>();
  /** Inboxes that tried to join by invite. */
  readonly scanned = new Set<string>();
  readonly links: Link[] = [];
  readonly done: Claim[] = [];
  /** How many of them were from before everybody was back. */
  duringTrouble = 0;

  acknowledge(claim: Claim): void {
    this.done.push(claim);
  }

  /** An invite that people may scan from now on. */
  giveOut(url: string, groupId: string): void {
    if (this.links.at(-1)?.url !== url) this.links.push({ url, groupId });
  }
}
