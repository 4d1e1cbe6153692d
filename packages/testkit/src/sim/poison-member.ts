import { LatchkeyError, toHex, type MlsGroup, type Proposal } from "@latchkey/mls";
import {
  adminListDelta,
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  encodeTextMessage,
  membershipDelta,
  readGroupState,
  stringUpdate,
  timeUpdate,
  type MembershipMutation,
} from "@latchkey/xmtp";
import { MemberVillain } from "./hostile-people.ts";
import { BORDERS, NEVER } from "./poison.ts";

/** Bytes at the borders of lengths. */
const LENGTHS = [0, 1, 8, 63, 64, 16_384] as const;

/** Inboxes in a commit that may name 1 024. */
const TOO_MANY = 1_100;

/** Settings by which no message disappears while the world lasts. */
const FAR = BORDERS.filter((border) => border >= 2n ** 53n);

type Update = readonly [componentId: number, payload: Uint8Array];

/** A member, or an admin, that commits and says whatever its keys allow, with any field at its border. */
export class PoisonMember extends MemberVillain {
  async act(): Promise<void> {
    if (!this.faults.has("poison") || !this.device.isWanted) return;
    const mls = (await this.lastEpochs()).at(-1);
    if (mls === undefined) return;
    await this.attempt(() => (this.random.chance(0.7) ? this.#commit(mls) : this.#speak(mls)));
  }

  async #commit(mls: MlsGroup): Promise<void> {
    const updates = this.#updates(mls).map(([componentId, payload]) => appDataUpdate(componentId, payload));
    const proposals: Proposal[] = [...updates];
    let appData: ReadonlyMap<number, Uint8Array | null>;
    try {
      appData = applyAppDataUpdates(mls.appData, updates);
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      // They lead nowhere: members stop before they compare.
      appData = new Map(
        updates.map(({ componentId }) => [componentId, mls.appData.get(componentId) ?? new Uint8Array(0)]),
      );
    }
    const { message, sent } = await mls.createCommit({ proposals, references: [], appData });
    mls.merge(sent);
    await this.publish("poisoned commits", message);
  }

  #updates(mls: MlsGroup): Update[] {
    const { random, crypto } = this;
    const { names, promoted } = this.scenario.claims;
    const border = random.pick(BORDERS);
    switch (random.int(8)) {
      case 0:
        return [[COMPONENT.groupMembership, membershipDelta([this.#ownEntry(mls)])]];
      case 1:
        return [[COMPONENT.groupMembership, membershipDelta(this.madeUp(TOO_MANY))]];
      case 2:
        return [[COMPONENT.groupMembership, membershipDelta([this.#strangersEntry()])]];
      case 3: {
        const name = "n".repeat(random.pick([1, 64, 20_000]));
        names.add(name);
        return [[COMPONENT.groupName, stringUpdate(name)]];
      }
      case 4:
        return [
          [COMPONENT.messageDisappearFromNs, timeUpdate(border)],
          [COMPONENT.messageDisappearInNs, timeUpdate(random.pick(FAR))],
        ];
      case 5: {
        const inboxId = toHex(crypto.randomBytes(32));
        promoted.add(inboxId);
        return [[COMPONENT.adminList, adminListDelta([{ op: "insert", inboxId }])]];
      }
      case 6:
        return [[random.pick(Object.values(COMPONENT)), crypto.randomBytes(random.pick(LENGTHS))]];
      default:
        return [[0x8000 + random.int(0x8000), crypto.randomBytes(random.pick(LENGTHS))]];
    }
  }

  /** The own entry, raised to an update that never was, or with hundreds of devices that are none. */
  #ownEntry(mls: MlsGroup): MembershipMutation {
    const inboxId = this.device.inboxId ?? "";
    const entry = readGroupState(mls.appData).members.get(inboxId);
    const tag = entry?.admittedViaExternalGroupId ?? new Uint8Array(0);
    const isLong = this.random.chance(0.4);
    const failedInstallations = Array.from({ length: isLong ? 300 : 0 }, () => toHex(this.crypto.randomBytes(32)));
    const sequenceId = isLong ? (entry?.sequenceId ?? 0n) : this.random.pick(NEVER);
    return { op: "update", inboxId, entry: { sequenceId, failedInstallations, admittedViaExternalGroupId: tag } };
  }

  /** An inbox that nobody has, at an update that nobody has. */
  #strangersEntry(): MembershipMutation {
    const inboxId = toHex(this.crypto.randomBytes(32));
    // At no update at all it has no devices: members may add such a one.
    this.scenario.claims.added.add(inboxId);
    const entry = {
      sequenceId: this.random.pick(BORDERS),
      failedInstallations: [],
      admittedViaExternalGroupId: new Uint8Array(0),
    };
    return { op: "insert", inboxId, entry };
  }

  /** A message whose content is none, or a genuine one under a message id that others have seen. */
  async #speak(mls: MlsGroup): Promise<void> {
    const { claims, checks } = this.scenario;
    const { inboxId, installationId } = this.device;
    if (inboxId === undefined || installationId === undefined) return;
    const isMember = checks.newest(toHex(mls.groupId))?.installations.has(installationId) === true;
    const text = `${this.device.name} repeats itself`;
    claims.texts.set(text, { inboxId, installationId });
    const isJunk = this.random.chance(0.6) || !isMember;
    const length = this.random.pick(LENGTHS);
    const data = isJunk ? this.crypto.randomBytes(length) : encodeTextMessage(mls.groupId, text, "again").plaintext;
    const { message, change } = await mls.encryptApplication(data, { despiteProposals: true });
    mls.merge(change);
    await this.publish("poisoned messages", message);
  }
}
