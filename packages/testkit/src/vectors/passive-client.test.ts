import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  asLeafIndex,
  CIPHER_SUITE,
  createKeyPackage,
  encodeAppDataDictionary,
  encodeMlsMessage,
  EXTENSION_TYPE,
  MlsGroup,
  PROPOSAL_TYPE,
  toHex,
  utf8,
  type CommitOptions,
  type GroupConfig,
  type PreSharedKeyId,
  type Proposal,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { runVectorCases } from "./run.ts";

/** Histories as anybody may record them, under a name that says nothing, followed by a passive client. */

const SUITE = CIPHER_SUITE.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
const LIFETIME = { notBefore: 0n, notAfter: 2n ** 40n };
const LEAF = {
  capabilities: {
    versions: [1],
    cipherSuites: [SUITE],
    extensions: [EXTENSION_TYPE.appDataDictionary],
    proposals: [PROPOSAL_TYPE.app_data_update],
    credentials: [1],
  },
  extensions: [],
};
const DOOR = { id: utf8("door"), secret: utf8("secret of the door") };

interface Epoch {
  readonly proposals: string[];
  readonly commit: string;
  readonly epoch_authenticator: string;
}

async function configOf(name: string): Promise<GroupConfig> {
  const signatureKeyPair = await nodeCrypto.suite(SUITE).generateSignatureKeyPair();
  const identity = { credential: { kind: "basic", identity: utf8(name) } as const, signatureKeyPair };
  return { crypto: nodeCrypto, identity, externalPsk: () => DOOR.secret };
}

/** A group of three in which the recorded client only listens. */
class Recording {
  readonly epochs: Epoch[] = [];
  readonly #group: MlsGroup;
  readonly #secrets: Map<bigint, Uint8Array>;
  readonly #head: Record<string, unknown>;

  private constructor(group: MlsGroup, secrets: Map<bigint, Uint8Array>, head: Record<string, unknown>) {
    this.#group = group;
    this.#secrets = secrets;
    this.#head = head;
    this.#remember();
  }

  static async start(): Promise<Recording> {
    const secrets = new Map<bigint, Uint8Array>();
    const resumptionPsk = (_: Uint8Array, epoch: bigint) => secrets.get(epoch);
    const config: GroupConfig = { ...(await configOf("ann")), resumptionPsk };
    const listener = await configOf("listener");
    const extensions = [{ type: EXTENSION_TYPE.appDataDictionary, data: encodeAppDataDictionary(new Map()) }];
    const group = await MlsGroup.create(config, {
      cipherSuite: SUITE,
      groupId: utf8("recorded"),
      extensions,
      leaf: LEAF,
      lifetime: LIFETIME,
    });
    const options = { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME };
    const bundle = await createKeyPackage(listener, options);
    const other = await createKeyPackage(await configOf("other"), options);
    const proposals = [bundle, other].map(({ keyPackage }): Proposal => ({ kind: "add", keyPackage }));
    const pending = await group.createCommit({ proposals });
    group.merge(pending);
    assert.ok(pending.welcome !== undefined);
    return new Recording(group, secrets, {
      cipher_suite: SUITE,
      external_psks: [{ psk_id: toHex(DOOR.id), psk: toHex(DOOR.secret) }],
      key_package: toHex(encodeMlsMessage({ wireFormat: "key_package", message: bundle.keyPackage })),
      signature_priv: toHex(listener.identity.signatureKeyPair.privateKey),
      encryption_priv: toHex(bundle.encryptionPrivateKey),
      init_priv: toHex(bundle.initPrivateKey),
      welcome: toHex(pending.welcome),
      initial_epoch_authenticator: toHex(group.epochAuthenticator),
    });
  }

  /** Proposes and commits by reference what is given first, and commits the rest by value. */
  async epoch(options: CommitOptions = {}, byReference: readonly Proposal[] = []): Promise<void> {
    const proposals: string[] = [];
    for (const proposal of byReference) {
      const sent = await this.#group.createProposal(proposal);
      this.#group.merge(sent.change);
      proposals.push(toHex(sent.message));
    }
    const pending = await this.#group.createCommit(options);
    this.#group.merge(pending.sent);
    this.#group.merge(pending);
    this.#remember();
    const authenticator = toHex(pending.epochAuthenticator);
    this.epochs.push({ proposals, commit: toHex(pending.message), epoch_authenticator: authenticator });
  }

  #remember(): void {
    this.#secrets.set(this.#group.epoch, this.#group.resumptionPsk("branch").secret);
  }

  resumptionPsk(epoch: bigint): Proposal {
    const { id } = this.#group.resumptionPsk("branch");
    assert.ok(id.kind === "resumption");
    const psk: PreSharedKeyId = { ...id, usage: 1, epoch };
    return { kind: "psk", psk };
  }

  async run(change: Record<string, unknown> = {}) {
    const vector = { ...this.#head, epochs: this.epochs, ...change };
    return runVectorCases("recorded elsewhere.json", [vector]);
  }
}

const counts = ({ passed, failed, unsupported }: Awaited<ReturnType<Recording["run"]>>) => [
  passed,
  failed,
  unsupported,
];

describe("a passive client", () => {
  test("follows removals, PSKs, extensions and a ReInit at the end, which is supported", async () => {
    const recording = await Recording.start();
    const nonce = new Uint8Array(32);
    const door: Proposal = { kind: "psk", psk: { kind: "external", pskId: DOOR.id, nonce } };
    await recording.epoch();
    await recording.epoch({ proposals: [door] });
    await recording.epoch({ path: false, proposals: [recording.resumptionPsk(2n)] });
    await recording.epoch({}, [{ kind: "remove", removed: asLeafIndex(2) }]);
    const reinit = { kind: "reinit", groupId: utf8("next"), version: 1, cipherSuite: SUITE, extensions: [] } as const;
    await recording.epoch({ proposals: [reinit] });
    const report = await recording.run();
    assert.deepEqual(report.failures, []);
    assert.deepEqual(counts(report), [1, 0, 0]);
    assert.deepEqual(counts(await recording.run({ ratchet_tree: null })), [1, 0, 0]);
  });

  test("knows the resumption PSKs of every epoch it was in, however long ago", async () => {
    const recording = await Recording.start();
    for (let epoch = 0; epoch < 6; epoch++) await recording.epoch();
    const early = recording.resumptionPsk(1n);
    await recording.epoch({ proposals: [early] });
    for (let epoch = 0; epoch < 2; epoch++) await recording.epoch();
    assert.deepEqual(counts(await recording.run()), [1, 0, 0]);
  });

  test("counts a history as unsupported whose app data only an application could follow", async () => {
    const recording = await Recording.start();
    const operation = { kind: "update", update: utf8("x") } as const;
    const update = { kind: "app_data_update", componentId: 0x8003, operation } as const;
    await recording.epoch({ proposals: [update], appData: new Map([[0x8003, utf8("x")]]) });
    const report = await recording.run();
    assert.deepEqual(counts(report), [0, 0, 1]);
    assert.match(Object.keys(report.unsupportedReasons)[0] ?? "", /app data/);
  });

  test("fails, with the reason, where the history cannot be followed", async () => {
    const recording = await Recording.start();
    await recording.epoch();
    const [epoch] = recording.epochs;
    assert.ok(epoch !== undefined);
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ initial_epoch_authenticator: "00".repeat(32) }, /initial epoch authenticator/],
      [{ epochs: [{ ...epoch, epoch_authenticator: "00".repeat(32) }] }, /epoch authenticator of epoch 2/],
      [{ epochs: [epoch, epoch] }, /received as stale/],
      [{ epochs: [{ ...epoch, commit: "0001" }] }, /ends early/],
      [{ epochs: [{ ...epoch, commit: "zz" }] }, /hex/],
      [{ epochs: [{ ...epoch, proposals: [7] }] }, /not a string/],
      [{ epochs: [{ ...epoch, proposals: undefined }] }, /proposals is not a list/],
      [{ epochs: "none" }, /epochs is not a list/],
      [{ external_psks: undefined }, /external_psks is not a list/],
      [{ cipher_suite: "1" }, /cipher_suite is not a whole number/],
      [{ welcome: null }, /welcome is not a string/],
      [{ signature_priv: "00".repeat(32) }, /signature key/],
    ];
    for (const [change, reason] of wrong) {
      const report = await recording.run(change);
      assert.deepEqual(counts(report), [0, 1, 0], String(reason));
      assert.match(report.failures[0]?.reason ?? "", reason);
    }
    await recording.epoch({ proposals: [{ kind: "remove", removed: asLeafIndex(1) }] });
    assert.match((await recording.run()).failures[0]?.reason ?? "", /removes the client/);
    const otherSuite = await recording.run({ cipher_suite: 77 });
    assert.deepEqual(counts(otherSuite), [0, 0, 1]);
  });
});
