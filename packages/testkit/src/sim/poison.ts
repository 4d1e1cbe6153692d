import {
  createExternalCommit,
  createKeyPackage,
  decodeExact,
  decodeKeyPackage,
  encodeMlsMessage,
  equalBytes,
  EXTENSION_TYPE,
  fromHex,
  MlsGroup,
  peekMlsMessage,
  toHex,
  type CryptoProvider,
  type Proposal,
} from "@latchkey/mls";
import {
  addInstallationUpdate,
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  installationLeaf,
  InstallationKey,
  localWallet,
  membershipDelta,
  membershipInsert,
  newGroupExtensions,
  parseInviteUrl,
  welcomeMessages,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
  type MembershipMutation,
} from "@latchkey/xmtp";
import type { Scenario } from "./actions.ts";
import type { Device } from "./device.ts";
import { Villain } from "./hostile-people.ts";
import { byteSource } from "./process.ts";

/** Numbers at the borders of what counters, clocks and databases hold. */
export const BORDERS = [0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n] as const;

/** Sequence ids that no identity update has. */
export const NEVER = BORDERS.filter((border) => border > 2n ** 50n);

/** Updates of the stranger's own log: each makes all later joins dearer for everybody. */
const MAX_UPDATES = 6;

/** Inboxes in a join that may name one. */
const MANY = 600;

/** A stranger who holds the link and sends everything that others read, with any field at its border. */
export class Poisoner extends Villain {
  #updates = 0;
  #garbled: boolean;

  /** `garbles`: whether it parts a member, once. */
  constructor(device: Device, scenario: Scenario, { garbles = true } = {}) {
    super(device, scenario);
    this.#garbled = !garbles;
  }

  async act(): Promise<void> {
    const link = this.scenario.claims.links.at(-1);
    if (link === undefined || this.device.installationId === undefined) return;
    const { url, groupId } = link;
    if (this.faults.has("lagging-node") && this.random.chance(0.3)) await this.attempt(() => this.#joinAhead(url));
    if (!this.faults.has("poison")) return;
    const action = this.random.pick([
      () => this.#welcome(),
      () => this.#welcome(),
      () => this.#claim(fromHex(groupId)),
      () => this.#envelope(fromHex(groupId)),
      () => this.#join(url),
      () => this.#join(url),
      () => this.#blob(url),
      () => this.#grow(),
      () => this.#spoil(),
      () => this.#garble(url),
    ]);
    await this.attempt(action);
  }

  /** A group whose members' entries name updates that never were; everything in it is public. */
  async #welcome(): Promise<void> {
    const victim = this.random.pick(this.scenario.devices.filter((other) => other !== this.device));
    const mls = await this.#ownGroup(this.crypto.randomBytes(16));
    if (mls === undefined) return;
    const content = { isGarbage: this.random.chance(0.2), cursor: this.random.pick(BORDERS) };
    await this.#sendWelcome(mls, victim, this.random.pick(NEVER), content, "poisoned Welcomes");
  }

  /** A group of the stranger's under the id of the true one, of a later epoch, whose Welcome names a commit of its log. */
  async #claim(groupId: Uint8Array): Promise<void> {
    const epoch = this.scenario.checks.newest(toHex(groupId))?.epoch ?? 0n;
    const members = this.scenario.devices.filter((other) => other.group(toHex(groupId))?.isActive === true);
    const victim = members.length === 0 ? undefined : this.random.pick(members);
    const mls = victim === undefined ? undefined : await this.#ownGroup(groupId);
    if (mls === undefined || victim === undefined) return;
    while (mls.epoch <= epoch) {
      const commit = await mls.createCommit({});
      mls.merge(commit.sent);
      mls.merge(commit);
    }
    const log = await this.world.log(groupId);
    const cursor = log.findLast(({ data }) => peekMlsMessage(data).contentKind === "commit")?.id ?? 0n;
    const sequenceId = await this.#lastUpdateOf(victim.inboxId ?? "");
    await this.#sendWelcome(mls, victim, sequenceId, { isGarbage: false, cursor }, "groups claimed");
  }

  async #ownGroup(groupId: Uint8Array): Promise<MlsGroup | undefined> {
    const config = this.config();
    const own = this.device.inboxId;
    if (config === undefined || own === undefined) return undefined;
    return MlsGroup.create(config, {
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId,
      extensions: newGroupExtensions({ creatorInboxId: own, creatorSequenceId: await this.#lastUpdateOf(own) }),
      leaf: installationLeaf(own),
      lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
    });
  }

  async #sendWelcome(
    mls: MlsGroup,
    victim: { readonly inboxId: string | undefined; readonly installationId: string | undefined },
    sequenceId: bigint,
    { isGarbage, cursor }: { readonly isGarbage: boolean; readonly cursor: bigint },
    what: string,
  ): Promise<void> {
    const { inboxId, installationId } = victim;
    if (inboxId === undefined || installationId === undefined) return;
    const [bytes] = await this.world.transport.fetchKeyPackages([fromHex(installationId)]);
    if (bytes === undefined) return;
    const keyPackage = decodeExact(bytes, decodeKeyPackage);
    const entry = { sequenceId, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
    const update = appDataUpdate(COMPONENT.groupMembership, membershipDelta([{ op: "insert", inboxId, entry }]));
    const proposals: Proposal[] = [{ kind: "add", keyPackage }, update];
    const appData = applyAppDataUpdates(mls.appData, [update]);
    const { welcome } = await mls.createCommit({ proposals, references: [], appData });
    if (welcome === undefined) return;
    const content = { welcome: isGarbage ? this.crypto.randomBytes(64) : welcome, messageCursor: cursor };
    const messages = await welcomeMessages(this.crypto.suite(XMTP_CIPHER_SUITE), content, [keyPackage]);
    this.note(what);
    await this.world.transport.sendWelcomeMessages(messages);
  }

  async #lastUpdateOf(inboxId: string): Promise<bigint> {
    if (inboxId === "") return 0n;
    const [log] = await this.world.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
    return log?.at(-1)?.sequenceId ?? 0n;
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

  /** A join whose entry names an update that never was, or that names hundreds of inboxes. */
  async #join(url: string): Promise<void> {
    const { externalGroupId } = parseInviteUrl(url);
    const inboxId = this.device.inboxId ?? "";
    const isWide = this.random.chance(0.3);
    const mutations = isWide ? [this.#mutation(inboxId, 1n), ...this.madeUp(MANY)] : undefined;
    const update =
      mutations === undefined
        ? membershipInsert({
            inboxId,
            sequenceId: this.random.pick(NEVER),
            failedInstallations: this.#installations(this.random.pick([0, 0, 1, 300])),
            externalGroupId,
          })
        : membershipDelta(mutations);
    await this.#publishJoin(url, update, isWide ? "joins that name many inboxes" : "poisoned joins");
  }

  #mutation(inboxId: string, sequenceId: bigint): MembershipMutation {
    const entry = { sequenceId, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
    return { op: "insert", inboxId, entry };
  }

  #installations(count: number): string[] {
    return Array.from({ length: count }, () => toHex(this.crypto.randomBytes(32)));
  }

  async #publishJoin(url: string, update: Uint8Array, what: string, crypto?: CryptoProvider): Promise<void> {
    const info = await this.groupInfo(url);
    const config = this.config();
    if (info === undefined || config === undefined) return;
    const proposal = appDataUpdate(COMPONENT.groupMembership, update);
    const { message } = await createExternalCommit({ ...config, ...(crypto === undefined ? {} : { crypto }) }, info, {
      leaf: installationLeaf(this.device.inboxId ?? ""),
      adds: [],
      appDataUpdates: [{ componentId: COMPONENT.groupMembership, update }],
      appData: applyAppDataUpdates(info.appData, [proposal]),
    });
    await this.publish(what, message);
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
    if (await this.world.uploadBlob(slot, blob)) this.note("poisoned blobs");
  }

  /** One more update of the own log, which adds an installation that is nowhere. */
  async #grow(installation = new InstallationKey(this.crypto.randomBytes(32))): Promise<void> {
    if (this.#updates >= MAX_UPDATES) return;
    this.#updates++;
    const { seed } = this.scenario.scheduler;
    const update = await addInstallationUpdate({
      wallet: localWallet(byteSource(`${seed}/wallet/${this.device.owner}`)(32)),
      inboxId: this.device.inboxId ?? "",
      installation,
      timestampNs: this.random.pick(BORDERS),
    });
    this.note("identity logs grown");
    await this.world.transport.publishIdentityUpdate(update);
  }

  /** The stranger's key package becomes one of no use: it is not of last resort, or nobody's program can follow it. */
  async #spoil(): Promise<void> {
    const config = this.config();
    if (config === undefined) return;
    const leaf = installationLeaf(this.device.inboxId ?? "");
    const isOld = this.random.chance(0.5);
    const { bytes } = await createKeyPackage(config, {
      cipherSuite: XMTP_CIPHER_SUITE,
      leaf: isOld ? { ...leaf, capabilities: { ...leaf.capabilities, proposals: [], extensions: [] } } : leaf,
      lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
      extensions: isOld ? [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }] : [],
    });
    this.note("key packages spoiled");
    await this.world.transport.uploadKeyPackage(bytes);
  }

  /** A join that names the next identity update; it is published afterwards, or never. */
  async #joinAhead(url: string): Promise<void> {
    const { inboxId } = this.device;
    if (inboxId === undefined || this.#updates >= MAX_UPDATES) return;
    let last = 0n;
    for (const device of this.scenario.devices) {
      const id = await this.#lastUpdateOf(device.inboxId ?? "");
      if (id > last) last = id;
    }
    const installation = new InstallationKey(this.crypto.randomBytes(32));
    const { externalGroupId } = parseInviteUrl(url);
    const others = await this.#otherInstallations(inboxId);
    const failedInstallations = [...others, installation.id];
    this.scenario.claims.scanned.add(inboxId);
    const update = membershipInsert({ inboxId, sequenceId: last + 1n, failedInstallations, externalGroupId });
    await this.#publishJoin(url, update, "joins ahead of their identity");
    if (this.random.chance(0.3)) return;
    const afterMs = 1_000 + this.random.int(150_000);
    this.scenario.scheduler.after(afterMs, "", () => this.attempt(() => this.#grow(installation)));
  }

  async #otherInstallations(inboxId: string): Promise<string[]> {
    const [log] = await this.world.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
    const added: string[] = [];
    for (const { update } of log ?? []) {
      for (const { kind } of update.actions) {
        if (kind.case !== "add" || kind.value.newMemberIdentifier?.kind.case !== "installationPublicKey") continue;
        added.push(toHex(kind.value.newMemberIdentifier.kind.value));
      }
    }
    return added.filter((id) => id !== this.device.installationId);
  }

  /** A join by all rules, but for the path secret of one member, which is garbage. Once a world. */
  async #garble(url: string): Promise<void> {
    const { inboxId } = this.device;
    const info = await this.groupInfo(url);
    if (this.#garbled || info === undefined || inboxId === undefined || this.random.chance(0.5)) return;
    const victims = this.scenario.devices.filter(({ isHostile, client }) => !isHostile && client !== undefined);
    const keys = new Map(victims.map((device) => [device.installationId ?? "", device]));
    const leaves = [...info.tree.members()].filter(({ leafNode }) => keys.has(toHex(leafNode.signatureKey)));
    if (leaves.length < 2) return;
    const { leafNode } = this.random.pick(leaves);
    const victim = keys.get(toHex(leafNode.signatureKey));
    if (victim === undefined || victim.owner === "ada") return;
    this.#garbled = true;
    victim.harm ??= "garbled";
    this.scenario.claims.scanned.add(inboxId);
    const { externalGroupId } = parseInviteUrl(url);
    const failedInstallations = await this.#otherInstallations(inboxId);
    const sequenceId = await this.#lastUpdateOf(inboxId);
    const update = membershipInsert({ inboxId, sequenceId, failedInstallations, externalGroupId });
    await this.#publishJoin(url, update, "paths garbled", this.#garblingFor(leafNode.encryptionKey));
  }

  /** Encrypts to a secret of its own invention whatever is meant for one public key. */
  #garblingFor(publicKey: Uint8Array): CryptoProvider {
    const { crypto } = this;
    return {
      ...crypto,
      suite: (id) => {
        const suite = crypto.suite(id);
        const dh: typeof suite.dh = (privateKey, to) =>
          equalBytes(to, publicKey) ? Promise.resolve(crypto.randomBytes(32)) : suite.dh(privateKey, to);
        return { ...suite, dh };
      },
    };
  }
}
