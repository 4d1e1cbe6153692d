import {
  createExternalCommit,
  decodeKeyPackage,
  decodeExact,
  decodeMlsMessage,
  encodeMlsMessage,
  fromHex,
  LatchkeyError,
  MlsGroup,
  toHex,
  utf8,
  verifyGroupInfo,
  XIP_82_EXTERNAL_COMMITS,
  type CryptoProvider,
  type GroupConfig,
  type KeyPackage,
  type Proposal,
} from "@latchkey/mls";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  encodeMlsCredential,
  encodeTextMessage,
  enablePolicy,
  installationLeaf,
  membershipDelta,
  membershipInsert,
  parseInviteUrl,
  policyUpdate,
  selectCandidates,
  serviceOrigin,
  slotCredential,
  slotWriteSecret,
  stringUpdate,
  superAdminListDelta,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
  type MembershipMutation,
} from "@latchkey/xmtp";
import type { Slot } from "@latchkey/client";
import type { SeededRandom } from "../random.ts";
import { seededCrypto } from "../seeded-crypto.ts";
import type { Scenario } from "./actions.ts";
import type { Device } from "./device.ts";
import type { Faults } from "./faults.ts";
import { byteSource } from "./process.ts";
import type { World } from "./world.ts";

type AppDataUpdate = Proposal & { kind: "app_data_update" };

/** What somebody needs who breaks the rules: a device with an inbox of its own, and the way to the node. */
export abstract class Villain {
  readonly device: Device;
  protected readonly world: World;
  protected readonly scenario: Scenario;
  protected readonly faults: Faults;
  protected readonly random: SeededRandom;
  protected readonly crypto: CryptoProvider;

  constructor(device: Device, scenario: Scenario) {
    this.device = device;
    this.world = device.world;
    this.faults = device.faults;
    this.scenario = scenario;
    this.random = scenario.scheduler.randomFor(`${device.name}/villainy`);
    this.crypto = seededCrypto(byteSource(`${scenario.scheduler.seed}/${device.name}/villainy`));
  }

  /** The device's keys, under its own name or a borrowed one. */
  protected config(inboxId?: string): GroupConfig | undefined {
    const self = this.device.disk.look().identity.get("self");
    if (self === undefined) return undefined;
    return {
      crypto: this.crypto,
      identity: {
        credential: encodeMlsCredential(inboxId ?? self.inboxId),
        signatureKeyPair: { privateKey: self.signaturePrivateKey, publicKey: self.signaturePublicKey },
      },
      externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
    };
  }

  protected async publish(what: string, data: Uint8Array): Promise<void> {
    this.note(what);
    const message = { data, senderHmac: new Uint8Array(32), shouldPush: false };
    await this.world.publish(this.device.name, [message]).catch((error: unknown) => {
      // What the node does not even take harms nobody.
      if (!(error instanceof LatchkeyError)) throw error;
    });
  }

  /** The newest state that the link's slot leads to. */
  protected async groupInfo(url: string) {
    const { externalGroupId, symmetricKey: key } = parseInviteUrl(url);
    const { blobs } = await this.world.slot({ serviceUrl: "", externalGroupId }, false);
    const suite = this.crypto.suite(XMTP_CIPHER_SUITE);
    const [best] = selectCandidates({ suite, blobs, key, nowNs: this.scenario.scheduler.nowNs }).candidates;
    return best === undefined ? undefined : verifyGroupInfo({ crypto: this.crypto }, best.groupInfo);
  }

  /** Whoever holds the link has what admits to the slot as well. */
  protected slotOf(url: string): Slot | undefined {
    const { externalGroupId, symmetricKey, servicePointer } = parseInviteUrl(url);
    if (servicePointer === undefined) return undefined;
    const suite = this.crypto.suite(XMTP_CIPHER_SUITE);
    const secret = slotWriteSecret(suite, symmetricKey, externalGroupId);
    const current = slotCredential(suite, secret, serviceOrigin(servicePointer));
    return { serviceUrl: "", externalGroupId, credentials: { current, currentHash: suite.hash(current), earlier: [] } };
  }

  protected note(what: string): void {
    this.faults.count(what);
    this.scenario.scheduler.note(`${this.device.name}: ${what}`);
  }

  /** Entries of inboxes that nobody has; what names them has a forbidden shape, so that nobody honest looks them up. */
  protected madeUp(count: number): MembershipMutation[] {
    return Array.from({ length: count }, () => {
      const inboxId = toHex(this.crypto.randomBytes(32));
      this.world.madeUp.add(inboxId);
      const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
      return { op: "insert", inboxId, entry };
    });
  }

  /** Whoever breaks rules meets refusals: they end the act and nothing else. */
  protected async attempt(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
    }
  }
}

/** Holds a link, and uses it for everything but joining as the rules say. */
export class HostileScanner extends Villain {
  async act(): Promise<void> {
    const { links } = this.scenario.claims;
    if (!this.faults.has("hostile-scanner") || links.length === 0) return;
    const { url } = this.random.chance(0.8) ? (links.at(-1) ?? this.random.pick(links)) : this.random.pick(links);
    const action = this.random.pick([
      () => this.#forgeJoin(url),
      () => this.#litterSlot(url),
      () => this.#pretend(url),
    ]);
    await this.attempt(action);
  }

  /** Posts what looks to strangers like a member's commit of the present epoch; no key of the group opens it. */
  async #pretend(url: string): Promise<void> {
    const info = await this.groupInfo(url);
    if (info === undefined) return;
    const { groupId, epoch } = info.context;
    const message = {
      groupId,
      epoch,
      contentKind: "commit",
      authenticatedData: new Uint8Array(0),
      encryptedSenderData: this.crypto.randomBytes(28),
      ciphertext: this.crypto.randomBytes(300),
    } as const;
    await this.publish("commits made up", encodeMlsMessage({ wireFormat: "private_message", message }));
  }

  /** Somebody else's inbox and one of its devices. */
  async #somebodyElse(): Promise<{ inboxId: string; keyPackage: KeyPackage } | undefined> {
    const { inboxId, installationId } = this.random.pick(
      this.scenario.devices.filter((other) => other !== this.device),
    );
    if (inboxId === undefined || installationId === undefined) return undefined;
    const [bytes] = await this.world.transport.fetchKeyPackages([fromHex(installationId)]);
    return bytes === undefined ? undefined : { inboxId, keyPackage: decodeExact(bytes, decodeKeyPackage) };
  }

  async #forgeJoin(url: string): Promise<void> {
    const info = await this.groupInfo(url);
    const other = await this.#somebodyElse();
    const own = this.device.inboxId;
    if (info === undefined || other === undefined || own === undefined) return;
    const { externalGroupId } = parseInviteUrl(url);
    const choice = this.random.int(6);
    const inboxId = choice === 0 ? other.inboxId : own;
    const config = this.config(inboxId);
    if (config === undefined) return;
    const slot = choice === 1 ? this.crypto.randomBytes(externalGroupId.length) : externalGroupId;
    const entry = { inboxId, sequenceId: 1n, failedInstallations: [], externalGroupId: slot };
    const updates: AppDataUpdate[] = [appDataUpdate(COMPONENT.groupMembership, membershipInsert(entry))];
    if (choice === 2) updates.push(appDataUpdate(COMPONENT.groupName, stringUpdate("forged")));
    if (choice === 3) updates.splice(0);
    const { message } = await createExternalCommit(config, info, {
      leaf: installationLeaf(inboxId),
      adds: choice === 4 ? [other.keyPackage] : [],
      appDataUpdates: updates.flatMap(({ componentId, operation }) =>
        operation.kind === "update" ? [{ componentId, update: operation.update }] : [],
      ),
      appData: applyAppDataUpdates(info.appData, updates),
    });
    await this.publish("joins forged", choice === 5 ? withOtherTag(message) : message);
  }

  async #litterSlot(url: string): Promise<void> {
    const { symmetricKey } = parseInviteUrl(url);
    const slot = this.slotOf(url);
    if (slot === undefined) return;
    const info = await this.groupInfo(url);
    const suite = this.crypto.suite(XMTP_CIPHER_SUITE);
    const pieces = this.random.chance(0.1) ? 8 : 1;
    for (let piece = 0; piece < pieces; piece++) {
      const blob = wrapGroupInfo({
        suite,
        key: this.random.chance(0.5) ? symmetricKey : this.crypto.randomBytes(symmetricKey.length),
        groupInfo: this.crypto.randomBytes(300),
        epoch: (info?.context.epoch ?? 0n) + BigInt(this.random.int(3)),
        groupStateHash: this.crypto.randomBytes(32),
        expiresAtNs: 0n,
      });
      if (await this.world.uploadBlob(slot, blob)) this.faults.count("slots littered");
    }
  }
}

/** The same commit with another confirmation tag: the signature does not cover it. */
function withOtherTag(bytes: Uint8Array): Uint8Array {
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "public_message") return bytes;
  const { message } = decoded;
  const { confirmationTag } = message.auth;
  if (confirmationTag === undefined) return bytes;
  const other = confirmationTag.slice();
  other[0] = (other[0] ?? 0) ^ 1;
  const auth = { ...message.auth, confirmationTag: other };
  return encodeMlsMessage({ wireFormat: "public_message", message: { ...message, auth } });
}

/** Was let in fairly, and then turns: signs and encrypts with real keys what it likes. */
export abstract class MemberVillain extends Villain {
  /** The group as it stood in every epoch, also in those after which it was removed. */
  readonly #past: MlsGroup[] = [];

  /** The newest four of them. From now on the device only reads. */
  protected async lastEpochs(): Promise<readonly MlsGroup[]> {
    this.device.isHostile = true;
    await this.device.run("syncs, to do harm", (client) => client.conversations.sync());
    const store = this.device.disk.look();
    const config = this.config();
    if (config === undefined) return [];
    for (const { groupId, active } of store.groups.list()) {
      if (active !== 1n) continue;
      const rows = store.groupRows.list(groupId).map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]);
      const mls = MlsGroup.load(config, rows);
      if (this.#past.at(-1)?.epoch !== mls.epoch) this.#past.push(mls);
    }
    return this.#past.slice(-4);
  }
}

/** A member that signs and encrypts with real keys what the rules forbid. */
export class HostileMember extends MemberVillain {
  async act(): Promise<void> {
    if (!this.faults.has("hostile-member")) return;
    const epochs = await this.lastEpochs();
    const present = epochs.at(-1);
    if (present === undefined) return;
    await this.attempt(() => (this.random.chance(0.6) ? this.#forbiddenCommit(present) : this.#speak(epochs)));
  }

  async #forbiddenCommit(mls: MlsGroup): Promise<void> {
    const own = this.device.inboxId ?? "";
    const admin = this.scenario.devices.find(({ owner }) => owner === "ada")?.inboxId ?? "";
    const adminLeaf = [...mls.members()].find(({ leafNode }) => toHex(leafNode.signatureKey) === this.#adminKey());
    const remove: Proposal[] = adminLeaf === undefined ? [] : [{ kind: "remove", removed: adminLeaf.leafIndex }];
    const updates: AppDataUpdate[] = [];
    const choice = this.random.int(4);
    if (choice === 0)
      updates.push(appDataUpdate(COMPONENT.superAdminList, superAdminListDelta([{ op: "insert", inboxId: own }])));
    if (choice === 1)
      updates.push(appDataUpdate(COMPONENT.externalCommitPolicy, policyUpdate(enablePolicy(this.crypto))));
    if (choice === 2)
      updates.push(appDataUpdate(COMPONENT.groupMembership, membershipDelta([{ op: "delete", inboxId: admin }])));
    const proposals = [...(choice >= 2 ? remove : []), ...updates];
    const appData = applyAppDataUpdates(mls.appData, updates);
    const { message, sent } = await mls.createCommit({ proposals, references: [], appData });
    mls.merge(sent);
    await this.publish("commits forbidden", message);
  }

  #adminKey(): string | undefined {
    return this.scenario.devices.find(({ owner }) => owner === "ada")?.installationId;
  }

  /** Says something in the present epoch or in an old one, be it a text or junk; only members may be heard. */
  async #speak(epochs: readonly MlsGroup[]): Promise<void> {
    const mls = this.random.pick(epochs);
    const { claims, checks } = this.scenario;
    const { inboxId, installationId } = this.device;
    if (inboxId === undefined || installationId === undefined) return;
    const text = `${this.device.name} says ${claims.texts.size + 1}, which may be a lie`;
    const isMember = checks.newest(toHex(mls.groupId))?.installations.has(installationId) === true;
    if (isMember) claims.texts.set(text, { inboxId, installationId });
    else claims.textsOfRemoved.add(text);
    const key = toHex(this.crypto.randomBytes(16));
    const isJunk = this.random.chance(0.3);
    const data = isJunk ? utf8("no envelope of a message") : encodeTextMessage(mls.groupId, text, key).plaintext;
    const { message, change } = await mls.encryptApplication(data);
    mls.merge(change);
    await this.publish(isMember ? "members' lies" : "messages by the removed", message);
  }
}
