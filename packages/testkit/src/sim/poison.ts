import {
  createExternalCommit,
  decodeExact,
  decodeKeyPackage,
  encodeMlsMessage,
  fromHex,
  MlsGroup,
  type Proposal,
} from "@latchkey/mls";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  installationLeaf,
  membershipDelta,
  membershipInsert,
  newGroupExtensions,
  parseInviteUrl,
  welcomeMessages,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { Villain } from "./hostile-people.ts";

/** Numbers at the borders of what counters, clocks and databases hold. */
const BORDERS = [0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n] as const;

/** Sequence ids that no identity update has. */
const NEVER = BORDERS.filter((border) => border > 2n ** 50n);

/** A stranger who holds the link and sends everything that others read, with numbers at their borders. */
export class Poisoner extends Villain {
  async act(): Promise<void> {
    const link = this.stage.claims.links.at(-1);
    if (!this.faults.has("poison") || link === undefined) return;
    const { url, groupId } = link;
    const deed = this.random.pick([
      () => this.#welcome(),
      () => this.#envelope(fromHex(groupId)),
      () => this.#join(url),
      () => this.#blob(url),
    ]);
    await this.attempt(deed);
  }

  /** A group whose members' entries name updates that never were; everything in it is public. */
  async #welcome(): Promise<void> {
    const victim = this.random.pick(this.stage.devices.filter((other) => other !== this.device));
    const config = this.config();
    const own = this.device.inboxId;
    if (victim.installationId === undefined || victim.inboxId === undefined || config === undefined) return;
    if (own === undefined) return;
    const [bytes] = await this.world.transport.fetchKeyPackages([fromHex(victim.installationId)]);
    if (bytes === undefined) return;
    const keyPackage = decodeExact(bytes, decodeKeyPackage);
    const mls = await MlsGroup.create(config, {
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId: this.crypto.randomBytes(16),
      extensions: newGroupExtensions({ creatorInboxId: own, creatorSequenceId: this.random.pick(BORDERS) }),
      leaf: installationLeaf(own),
      lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
    });
    const entry = {
      sequenceId: this.random.pick(NEVER),
      failedInstallations: [],
      admittedViaExternalGroupId: new Uint8Array(0),
    };
    const delta = membershipDelta([{ op: "insert", inboxId: victim.inboxId, entry }]);
    const update = appDataUpdate(COMPONENT.groupMembership, delta);
    const proposals: Proposal[] = [{ kind: "add", keyPackage }, update];
    const appData = applyAppDataUpdates(mls.appData, [update]);
    const { welcome } = await mls.createCommit({ proposals, references: [], appData });
    if (welcome === undefined) return;
    const content = {
      welcome: this.random.chance(0.2) ? this.crypto.randomBytes(64) : welcome,
      messageCursor: this.random.pick(BORDERS),
    };
    const messages = await welcomeMessages(this.crypto.suite(XMTP_CIPHER_SUITE), content, [keyPackage]);
    this.#note("poisoned Welcomes");
    await this.world.transport.sendWelcomeMessages(messages);
  }

  /** What any stranger can write into a log: any epoch, any content type. */
  async #envelope(groupId: Uint8Array): Promise<void> {
    const message = {
      groupId,
      epoch: this.random.pick(BORDERS),
      contentKind: this.random.pick(["application", "proposal", "commit"] as const),
      authenticatedData: this.crypto.randomBytes(this.random.int(64)),
      encryptedSenderData: this.crypto.randomBytes(this.random.int(40)),
      ciphertext: this.crypto.randomBytes(this.random.int(300)),
    };
    await this.publish("poisoned envelopes", encodeMlsMessage({ wireFormat: "private_message", message }));
  }

  /** A join whose entry names an update that never was. */
  async #join(url: string): Promise<void> {
    const info = await this.groupInfo(url);
    const config = this.config();
    const inboxId = this.device.inboxId;
    if (info === undefined || config === undefined || inboxId === undefined) return;
    const { externalGroupId } = parseInviteUrl(url);
    const update = membershipInsert({ inboxId, sequenceId: this.random.pick(NEVER), externalGroupId });
    const proposal = appDataUpdate(COMPONENT.groupMembership, update);
    const { message } = await createExternalCommit(config, info, {
      leaf: installationLeaf(inboxId),
      adds: [],
      appDataUpdates: [{ componentId: COMPONENT.groupMembership, update }],
      appData: applyAppDataUpdates(info.appData, [proposal]),
    });
    await this.publish("poisoned joins", message);
  }

  /** A blob that opens with the link's key and says anything of its epoch and time. */
  async #blob(url: string): Promise<void> {
    const { symmetricKey: key } = parseInviteUrl(url);
    const slot = this.slotOf(url);
    if (slot === undefined) return;
    const blob = wrapGroupInfo({
      suite: this.crypto.suite(XMTP_CIPHER_SUITE),
      key,
      groupInfo: this.crypto.randomBytes(this.random.int(600)),
      epoch: this.random.pick(BORDERS),
      groupStateHash: this.crypto.randomBytes(32),
      expiresAtNs: this.random.pick(BORDERS),
    });
    if (await this.world.uploadBlob(slot, blob)) this.#note("poisoned blobs");
  }

  #note(what: string): void {
    this.faults.count(what);
    this.stage.scheduler.note(`${this.device.name}: ${what}`);
  }
}
