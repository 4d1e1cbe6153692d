import {
  createKeyPackage,
  decodeExact,
  decodeKeyPackage,
  EXTENSION_TYPE,
  fromHex,
  LatchkeyError,
  MlsGroup,
  toHex,
  XIP_82_EXTERNAL_COMMITS,
  type GroupConfig,
  type KeyPackage,
  type KeyPackageBundle,
  type Proposal,
  type VerifiedCommit,
} from "@latchkey/mls";
import {
  appDataUpdate,
  appDataUpdatesOf,
  applyAppDataUpdates,
  applyIdentityUpdate,
  COMPONENT,
  encodeMlsCredential,
  encodeTextMessage,
  FOLLOWS_EXTERNAL_COMMITS,
  installationCapabilities,
  installationLeaf,
  membershipDelta,
  mergeAppData,
  readGroupState,
  stringUpdate,
  unwrapWelcome,
  welcomeKeyOf,
  welcomeMessages,
  XMTP_CIPHER_SUITE,
  type AssociationState,
} from "@latchkey/xmtp";
import type { SeededRandom } from "../random.ts";
import { seededCrypto } from "../seeded-crypto.ts";
import type { Scenario } from "./actions.ts";
import type { Device } from "./device.ts";
import { nativeRefusal } from "./native-rules.ts";
import { byteSource } from "./process.ts";

const NOTHING = new Uint8Array(0);

/** Capabilities of the native library: it does not follow external commits. */
const NATIVE_CAPABILITIES = {
  ...installationCapabilities,
  extensions: installationCapabilities.extensions.filter((type) => type !== FOLLOWS_EXTERNAL_COMMITS),
};

/** An own commit that was published and not yet seen in the log. */
interface Pending {
  readonly hex: string;
  readonly commit: Awaited<ReturnType<MlsGroup["createCommit"]>>;
  readonly added: readonly KeyPackage[];
}

/**
 * A member on XMTP's native library, as far as its rules are known: it judges commits by `native-rules.ts`, and writes what
 * an honest native client writes. It works on the engine alone, on a network without trouble.
 */
export class NativeMember {
  readonly device: Device;
  /** Why it refused the commit that it refused last. */
  lastRefusal: string | undefined;
  readonly #scenario: Scenario;
  readonly #random: SeededRandom;
  readonly #crypto: ReturnType<typeof seededCrypto>;
  readonly #states = new Map<string, Map<bigint, AssociationState>>();
  #keyPackage: KeyPackageBundle | undefined;
  #group: MlsGroup | undefined;
  #pending: Pending | undefined;
  #cursor = 0n;
  #welcomeCursor = 0n;

  constructor(device: Device, scenario: Scenario) {
    this.device = device;
    this.#scenario = scenario;
    this.#random = scenario.scheduler.randomFor(`${device.name}/native`);
    this.#crypto = seededCrypto(byteSource(`${scenario.scheduler.seed}/${device.name}/native`));
  }

  /** The epoch authenticator of its state; undefined while it is in no group. */
  get epochAuthenticator(): string | undefined {
    return this.#group === undefined ? undefined : toHex(this.#group.epochAuthenticator);
  }

  /** Registers by a client of ours, whose key package makes room for a native one, and ends that client. */
  async register(): Promise<void> {
    await this.device.start();
    this.device.kill();
    const nowSeconds = this.#scenario.scheduler.nowNs / 1_000_000_000n;
    const { inboxId = "" } = this.device;
    this.#keyPackage = await createKeyPackage(this.#config(), {
      cipherSuite: XMTP_CIPHER_SUITE,
      leaf: { ...installationLeaf(inboxId), capabilities: NATIVE_CAPABILITIES },
      lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 84n * 86_400n },
      extensions: [{ type: EXTENSION_TYPE.lastResort, data: NOTHING }],
    });
    await this.device.world.transport.uploadKeyPackage(this.#keyPackage.bytes);
  }

  #config(): GroupConfig {
    const self = this.device.disk.look().identity.get("self");
    if (self === undefined) throw new Error(`${this.device.name} is not registered`);
    const signatureKeyPair = { privateKey: self.signaturePrivateKey, publicKey: self.signaturePublicKey };
    return {
      crypto: this.#crypto,
      identity: { credential: encodeMlsCredential(self.inboxId), signatureKeyPair },
      externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
    };
  }

  /** Reads, and mostly says or changes something then. */
  async act(): Promise<void> {
    await this.read();
    const group = this.#group;
    if (group === undefined || this.#pending !== undefined) return;
    const choice = this.#random.int(10);
    if (choice < 3) await this.#say(group);
    else if (choice < 5) await this.#rename(group);
    else if (choice < 6) await this.#commit(group, [], []);
    else if (choice < 8) await this.#add(group);
  }

  /** Reads its Welcomes and its group's log to their ends. */
  async read(): Promise<void> {
    await this.#readWelcomes();
    const { world, name } = this.device;
    for (;;) {
      const group = this.#group;
      if (group === undefined) return;
      const page = await world.read(name, { topic: group.groupId, afterId: this.#cursor });
      for (const { id, data } of page.items) {
        this.#cursor = id;
        if (this.#group !== undefined) await this.#receive(this.#group, data, id);
      }
      if (page.complete) return;
    }
  }

  async #readWelcomes(): Promise<void> {
    const { world, installationId = "" } = this.device;
    const bundle = this.#keyPackage;
    if (bundle === undefined) return;
    const position = { topic: fromHex(installationId), afterId: this.#welcomeCursor };
    const keyPair = { ...welcomeKeyOf(bundle.keyPackage), privateKey: bundle.initPrivateKey };
    for (const item of (await world.transport.queryWelcomeMessages(position)).items) {
      this.#welcomeCursor = item.id;
      if (item.kind !== "welcome") continue;
      const suite = this.#crypto.suite(XMTP_CIPHER_SUITE);
      try {
        const content = await unwrapWelcome(suite, keyPair, item);
        const { group } = await MlsGroup.fromWelcome(this.#config(), content.welcome, [bundle]);
        this.#note("is in the group");
        this.#group = group;
        this.#pending = undefined;
        this.#cursor = content.messageCursor;
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error;
      }
    }
  }

  async #receive(group: MlsGroup, data: Uint8Array, id: bigint): Promise<void> {
    const pending = this.#pending;
    if (pending?.hex === toHex(data)) {
      group.merge(pending.commit);
      this.#pending = undefined;
      await this.#welcome(pending, id);
      return;
    }
    try {
      const received = await group.verify(data);
      if (received.kind === "application" || received.kind === "proposal") group.merge(received.change);
      else if (received.kind === "commit") await this.#follow(group, received.commit);
    } catch (error) {
      // Damaged, of another epoch, or of nobody: native clients pass it.
      if (!(error instanceof LatchkeyError)) throw error;
    }
  }

  async #follow(group: MlsGroup, commit: VerifiedCommit): Promise<void> {
    const appData = applyAppDataUpdates(group.appData, appDataUpdatesOf(commit));
    const [before, after] = [readGroupState(group.appData), readGroupState(mergeAppData(group.appData, appData))];
    await this.#lookUp([...before.members.keys(), ...after.members.keys()]);
    const refusal = nativeRefusal({
      commit,
      before,
      after,
      leaf: (index) => group.leaf(index),
      stateAfter: (inboxId, sequenceId) => this.#states.get(inboxId)?.get(sequenceId),
    });
    if (refusal !== undefined) {
      this.lastRefusal = refusal;
      this.#note(`refuses ${refusal}`);
      return;
    }
    const staged = await group.stage(commit, { appData });
    group.merge(staged);
    this.#pending = undefined;
    if (staged.selfRemoved) this.#group = undefined;
  }

  /** Reads on in identity logs. */
  async #lookUp(inboxIds: readonly string[]): Promise<void> {
    const { world, name } = this.device;
    const known = [...new Set(inboxIds)].map((inboxId) => {
      const states = this.#states.get(inboxId) ?? new Map<bigint, AssociationState>();
      this.#states.set(inboxId, states);
      return { inboxId, states, last: [...states].at(-1) };
    });
    const requests = known.map(({ inboxId, last }) => ({ inboxId, afterSequenceId: last?.[0] ?? 0n }));
    const logs = await world.identities(name, requests);
    for (const [index, { states, last }] of known.entries()) {
      let state = last?.[1];
      for (const { sequenceId, update } of logs[index] ?? []) {
        state = applyIdentityUpdate(state, update);
        states.set(sequenceId, state);
      }
    }
  }

  async #say(group: MlsGroup): Promise<void> {
    const { claims } = this.#scenario;
    const { inboxId = "", installationId = "" } = this.device;
    const text = `${this.device.name} says ${claims.texts.size + 1}`;
    claims.texts.set(text, { inboxId, installationId });
    const key = toHex(this.#crypto.randomBytes(16));
    const { message, change } = await group.encryptApplication(encodeTextMessage(group.groupId, text, key).plaintext);
    group.merge(change);
    await this.#publish(message);
  }

  async #rename(group: MlsGroup): Promise<void> {
    const { names } = this.#scenario.claims;
    const name = `Circle ${names.size + 1}`;
    names.add(name);
    await this.#commit(group, [appDataUpdate(COMPONENT.groupName, stringUpdate(name))], []);
  }

  /** Adds somebody with all installations. */
  async #add(group: MlsGroup): Promise<void> {
    const { members } = readGroupState(group.appData);
    const absent = this.#scenario.devices.filter(
      ({ inboxId, owner }) => inboxId !== undefined && owner !== "lin" && owner !== "mal" && !members.has(inboxId),
    );
    if (absent.length === 0) return;
    const { inboxId = "" } = this.#random.pick(absent);
    await this.#lookUp([inboxId]);
    const last = [...(this.#states.get(inboxId) ?? [])].at(-1);
    if (last === undefined) return;
    const [sequenceId, state] = last;
    const ids = state.installations().map(fromHex);
    const found = (await this.device.world.transport.fetchKeyPackages(ids)).flatMap((bytes) => bytes ?? []);
    if (found.length < ids.length) return;
    this.#scenario.claims.added.add(inboxId);
    const keyPackages = found.map((bytes) => decodeExact(bytes, decodeKeyPackage));
    const entry = { sequenceId, failedInstallations: [], admittedViaExternalGroupId: NOTHING };
    const update = appDataUpdate(COMPONENT.groupMembership, membershipDelta([{ op: "insert", inboxId, entry }]));
    const adds = keyPackages.map((keyPackage): Proposal => ({ kind: "add", keyPackage }));
    await this.#commit(group, [...adds, update], keyPackages);
  }

  async #commit(group: MlsGroup, proposals: readonly Proposal[], added: readonly KeyPackage[]): Promise<void> {
    const updates = proposals.flatMap((proposal) => (proposal.kind === "app_data_update" ? [proposal] : []));
    const appData = applyAppDataUpdates(group.appData, updates);
    const commit = await group.createCommit({ proposals, references: [], appData });
    group.merge(commit.sent);
    this.#pending = { hex: toHex(commit.message), commit, added };
    await this.#publish(commit.message);
  }

  async #welcome({ commit: { welcome }, added }: Pending, messageCursor: bigint): Promise<void> {
    if (welcome === undefined) return;
    const suite = this.#crypto.suite(XMTP_CIPHER_SUITE);
    const messages = await welcomeMessages(suite, { welcome, messageCursor }, added);
    await this.device.world.transport.sendWelcomeMessages(messages);
  }

  async #publish(data: Uint8Array): Promise<void> {
    this.#note("publishes");
    this.device.faults.count("native messages");
    await this.device.world.publish(this.device.name, [{ data, senderHmac: new Uint8Array(32), shouldPush: false }]);
  }

  #note(what: string): void {
    this.#scenario.scheduler.note(`${this.device.name}: ${what}`);
  }
}
