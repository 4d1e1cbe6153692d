import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createExternalCommit,
  decodeExact,
  decodeKeyPackage,
  MlsGroup,
  toHex,
  verifyGroupInfo,
  XIP_82_EXTERNAL_COMMITS,
  type GroupConfig,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { appDataUpdatesOf, applyAppDataUpdates, mergeAppData } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import { readGroupState } from "../app-data/group-state.ts";
import { membershipInsert } from "../app-data/membership.ts";
import { newGroupExtensions } from "../app-data/new-group.ts";
import { stringUpdate } from "../app-data/updates.ts";
import { encodeMlsCredential, leafInboxId } from "../credential.ts";
import { groupStateHash, wrapGroupInfo } from "../invite/blob.ts";
import { selectCandidates } from "../invite/candidates.ts";
import { enablePolicy, policyUpdate } from "../invite/policy.ts";
import type { InstallationKey } from "../identity/installation-key.ts";
import { createInstallationKeyPackage, installationLeaf } from "../key-package.ts";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { present, resolverOf, TEST_TIME_NS, testInbox, updateProposal, type TestInbox } from "../testing/inboxes.ts";
import { validateExternalCommit } from "./external-commit.ts";
import { checkJoinable } from "./joinable.ts";
import { validateMemberCommit } from "./member-commit.ts";
import { requiredIdentities } from "./required-identities.ts";
import { validateWelcome } from "./welcome.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const LIFETIME = { notBefore: 0n, notAfter: 2n ** 60n };

function configOf(inbox: TestInbox, key: InstallationKey): GroupConfig {
  const signatureKeyPair = { privateKey: key.privateKey, publicKey: key.publicKey };
  const identity = { credential: encodeMlsCredential(inbox.inboxId), signatureKeyPair };
  return { crypto: nodeCrypto, identity, identityOf: leafInboxId, externalCommitPolicy: XIP_82_EXTERNAL_COMMITS };
}

function at<T>(list: readonly T[], index: number): T {
  return present(list[index]);
}

describe("a join by invite on the real engine", () => {
  test("X82-02 a joiner with three installations passes every check of members, of itself and of its siblings", async () => {
    const admin = await testInbox(1);
    const joiner = await testInbox(2, 3);
    const identity = resolverOf(admin, joiner);
    const adminGroup = await MlsGroup.create(configOf(admin, at(admin.keys, 0)), {
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId: new Uint8Array(16).fill(7),
      extensions: newGroupExtensions({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n, name: "Picnic" }),
      leaf: installationLeaf(admin.inboxId),
      lifetime: LIFETIME,
    });

    // The admin turns invites on with an ordinary commit of its own.
    const policy = enablePolicy(nodeCrypto, { maxUses: 3 });
    const enable = [updateProposal(COMPONENT.externalCommitPolicy, policyUpdate(policy))];
    const pending = await adminGroup.createCommit({
      proposals: enable,
      appData: applyAppDataUpdates(adminGroup.appData, enable),
    });
    adminGroup.merge(pending.sent);
    adminGroup.merge(pending);
    assert.equal(readGroupState(adminGroup.appData).policy?.allowExternalCommit, true);

    // The blob goes through the slot; the joiner opens and checks it.
    const key = present(policy.symmetricKey).material;
    const blob = wrapGroupInfo({
      suite,
      key,
      groupInfo: await adminGroup.exportGroupInfo(),
      epoch: adminGroup.epoch,
      groupStateHash: groupStateHash(suite, adminGroup.contextBytes),
      expiresAtNs: 0n,
    });
    const { candidates } = selectCandidates({ suite, blobs: [blob], key, nowNs: TEST_TIME_NS });
    const candidate = at(candidates, 0);
    const phone = configOf(joiner, at(joiner.keys, 0));
    const info = await verifyGroupInfo(phone, candidate.groupInfo);
    const payload = { servicePointer: undefined, externalGroupId: policy.externalGroupId, symmetricKey: key };
    const joinable = { info, payload, blob: candidate, inboxId: joiner.inboxId, nowNs: TEST_TIME_NS };
    const checked = checkJoinable(joinable);
    assert.equal(checked.state.name, "Picnic");

    // One commit: joiner, siblings, membership.
    const bundles = await Promise.all(
      joiner.keys.slice(1).map((sibling) => {
        const { crypto, identity: signing } = configOf(joiner, sibling);
        return createInstallationKeyPackage({
          crypto,
          identity: signing,
          inboxId: joiner.inboxId,
          nowSeconds: 10_000n,
        });
      }),
    );
    const { externalGroupId } = checked.policy;
    const update = membershipInsert({ inboxId: joiner.inboxId, sequenceId: 3n, externalGroupId });
    const joined = await createExternalCommit(phone, info, {
      leaf: installationLeaf(joiner.inboxId),
      adds: bundles.map(({ bytes }) => decodeExact(bytes, decodeKeyPackage)),
      appDataUpdates: [{ componentId: COMPONENT.groupMembership, update }],
      appData: applyAppDataUpdates(info.appData, [updateProposal(COMPONENT.groupMembership, update)]),
    });

    // The admin accepts it.
    const received = await adminGroup.verify(joined.message);
    assert.equal(received.kind, "commit");
    const { commit } = received;
    const appData = adminGroup.appData;
    assert.deepEqual(requiredIdentities(commit, appData), [{ inboxId: joiner.inboxId, sequenceId: 3n }]);
    const times = { envelopeTimeNs: TEST_TIME_NS, epochStartNs: TEST_TIME_NS };
    const settledIdentity = () => undefined;
    validateExternalCommit({ commit, appData, leaves: adminGroup, identity, settledIdentity, ...times });
    const staged = await adminGroup.stage(commit, { appData: applyAppDataUpdates(appData, appDataUpdatesOf(commit)) });
    adminGroup.merge(staged);
    assert.equal(toHex(adminGroup.epochAuthenticator), toHex(joined.group.epochAuthenticator));

    // The laptop gets its Welcome and finds the membership as it must be.
    const laptop = configOf(joiner, at(joiner.keys, 1));
    const { group } = await MlsGroup.fromWelcome(laptop, present(joined.welcome), [at(bundles, 0)]);
    validateWelcome(group, identity);

    // A second attempt of the same inbox is refused before anything is sent.
    const again = await verifyGroupInfo(phone, await adminGroup.exportGroupInfo());
    const newBlob = {
      epoch: again.context.epoch,
      groupStateHash: groupStateHash(suite, again.contextBytes),
      expiresAtNs: 0n,
    };
    assert.throws(() => checkJoinable({ ...joinable, info: again, blob: newBlob }), { code: "ALREADY_MEMBER" });

    // And the phone renames the group: an ordinary commit that the admin accepts.
    const rename = [updateProposal(COMPONENT.groupName, stringUpdate("Party"))];
    const phoneGroup = joined.group;
    const commitOfPhone = await phoneGroup.createCommit({
      proposals: rename,
      appData: applyAppDataUpdates(phoneGroup.appData, rename),
    });
    const renamed = await adminGroup.verify(commitOfPhone.message);
    assert.equal(renamed.kind, "commit");
    const changes = applyAppDataUpdates(adminGroup.appData, appDataUpdatesOf(renamed.commit));
    validateMemberCommit({
      commit: renamed.commit,
      appData: adminGroup.appData,
      newAppData: mergeAppData(adminGroup.appData, changes),
      leaves: adminGroup,
      identity,
      envelopeTimeNs: TEST_TIME_NS,
    });
  });
});
