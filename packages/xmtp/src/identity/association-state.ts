import { identifierKey, sameIdentifier, type Identifier, type RootIdentifier } from "./identifier.ts";

/** A member of an inbox and how it came in. */
export interface InboxMember {
  readonly identifier: Identifier;
  readonly addedBy: Identifier | undefined;
  readonly clientTimestampNs: bigint | undefined;
  readonly chainId: bigint | undefined;
}

interface StateFields {
  readonly inboxId: string;
  readonly members: ReadonlyMap<string, InboxMember>;
  readonly recoveryIdentifier: RootIdentifier;
  readonly seenSignatures: ReadonlySet<string>;
  readonly updateCount: number;
  readonly byteLength: number;
  readonly signatureCount: number;
}

/** Who belongs to an inbox after some of its updates; a value, never changed. */
export class AssociationState {
  readonly inboxId: string;
  /** By `identifierKey`. */
  readonly members: ReadonlyMap<string, InboxMember>;
  readonly recoveryIdentifier: RootIdentifier;
  readonly seenSignatures: ReadonlySet<string>;
  /** Updates that led here. */
  readonly updateCount: number;
  /** Bytes of those updates. */
  readonly byteLength: number;
  /** Distinct signatures of each of those updates, added up. */
  readonly signatureCount: number;

  constructor(fields: StateFields) {
    this.inboxId = fields.inboxId;
    this.members = fields.members;
    this.recoveryIdentifier = fields.recoveryIdentifier;
    this.seenSignatures = fields.seenSignatures;
    this.updateCount = fields.updateCount;
    this.byteLength = fields.byteLength;
    this.signatureCount = fields.signatureCount;
  }

  /** Installation ids in hex, in the order they were added. */
  installations(): string[] {
    return [...this.members.values()].flatMap(({ identifier }) =>
      identifier.kind === "installation" ? [identifier.value] : [],
    );
  }

  hasInstallation(installationId: string): boolean {
    return this.members.has(`installation:${installationId}`);
  }

  member(identifier: Identifier): InboxMember | undefined {
    return this.members.get(identifierKey(identifier));
  }

  with(change: Partial<StateFields>): AssociationState {
    const { inboxId, members, recoveryIdentifier, seenSignatures, updateCount, byteLength, signatureCount } = this;
    const same = { inboxId, members, recoveryIdentifier, seenSignatures, updateCount, byteLength, signatureCount };
    return new AssociationState({ ...same, ...change });
  }

  withMember(member: InboxMember): AssociationState {
    return this.with({ members: new Map(this.members).set(identifierKey(member.identifier), member) });
  }

  /** Without the member and without every installation it added. */
  withoutMember(revoked: Identifier): AssociationState {
    const goes = ({ identifier, addedBy }: InboxMember) =>
      sameIdentifier(identifier, revoked) ||
      (identifier.kind === "installation" && addedBy !== undefined && sameIdentifier(addedBy, revoked));
    return this.with({ members: new Map([...this.members].filter(([, member]) => !goes(member))) });
  }
}
