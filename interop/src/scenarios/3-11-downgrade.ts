import assert from "node:assert/strict";
import {
  encodeAppDataDictionary,
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  PROPOSAL_TYPE,
  replaceExtension,
  utf8,
  type Extension,
} from "@latchkey/mls";
import { COMPONENT } from "@latchkey/xmtp";
import { forgeMemberCommit } from "../../../test/acceptance/forge.ts";
import { mlsOf, publishRaw } from "../../../test/acceptance/support.ts";
import { ourGroup } from "../mixed.ts";
import { epochOf } from "../native.ts";
import type { Device, Scenario } from "../stage.ts";

type Extensions = readonly Extension[];
type Change = (extensions: Extensions, author: Device, groupId: string) => Extensions;

const { appDataDictionary, requiredCapabilities } = EXTENSION_TYPE;

function without(type: number): Change {
  return (extensions) => extensions.filter((extension) => extension.type !== type);
}

function requiring(extensionTypes: readonly number[], proposalTypes: readonly number[]): Change {
  const data = encodeRequiredCapabilities({ extensionTypes, proposalTypes, credentialTypes: [1] });
  return (extensions) => replaceExtension(extensions, { type: requiredCapabilities, data });
}

const renamed: Change = (extensions, author, groupId) => {
  const appData = new Map(mlsOf(author, groupId).appData).set(COMPONENT.groupName, utf8("renamed"));
  return replaceExtension(extensions, { type: appDataDictionary, data: encodeAppDataDictionary(appData) });
};

/** Publishes a commit that replaces a group's extensions, whatever its author's client thinks of it. */
async function replace(author: Device, groupId: string, change: Change): Promise<void> {
  const extensions = [...change(mlsOf(author, groupId).context.extensions, author, groupId)];
  const proposal = { kind: "group_context_extensions", extensions } as const;
  await publishRaw(author, await forgeMemberCommit(author, groupId, [proposal]));
}

export const scenario: Scenario = {
  title: "3.11 GroupContextExtensions that take a group back, beside a native member",
  async run({ native, ours, device, step }) {
    const [founder, other] = [await device("founder"), await device("other")];
    const [member, ana] = [await ours("member"), await native("ana")];
    const inboxIds = [member.inboxId, ana.inboxId, other.client.inboxId];

    async function newGroup() {
      const group = await founder.client.conversations.createGroup(inboxIds, { name: "lake" });
      const { id } = group;
      await ourGroup(other.client, id);
      return { id, group, onMember: await ourGroup(member, id), onAna: await ana.group(id) };
    }

    /** What a commit of that author leads to: epochs of ours and of the native member, and the rule that ours name. */
    async function outcome(author: Device, change: Change, group = newGroup()) {
      const { id, onMember, onAna } = await group;
      const { epoch } = onMember;
      await replace(author, id, change);
      await onMember.sync();
      const [ahead, native] = [onMember.epoch - epoch, (await epochOf(onAna)) - epoch];
      return { ours: ahead === 1n, native: native === 1n, rule: onMember.rejections().at(-1)?.rule };
    }

    await step(
      "a super admin's are refused by both: without app data, with other app data, of the old form",
      async () => {
        const proposals = [PROPOSAL_TYPE.app_data_update];
        const changes: readonly (readonly [string, Change])[] = [
          ["app-data-by-gce", without(appDataDictionary)],
          ["app-data-by-gce", renamed],
          ["LegacyExtensionReintroduced", (extensions) => [...extensions, { type: 0xff01, data: new Uint8Array(0) }]],
          ["ExtensionNotRequired", without(requiredCapabilities)],
          ["ExtensionNotRequired", requiring([], proposals)],
        ];
        for (const [rule, change] of changes) {
          assert.deepEqual(await outcome(founder, change), { ours: false, native: false, rule });
        }
      },
    );

    await step("a super admin's are followed by both when they leave app data as it is", async () => {
      for (const change of [without(EXTENSION_TYPE.externalSenders), requiring([appDataDictionary], [])]) {
        assert.deepEqual(await outcome(founder, change), { ours: true, native: true, rule: undefined });
      }
    });

    await step("today's limit: where AppDataUpdate is no longer required, natives follow other app data", async () => {
      const group = await newGroup();
      await group.group.promote(other.client.inboxId, "super_admin");
      await group.onMember.sync();
      await outcome(founder, requiring([appDataDictionary], []), Promise.resolve(group));
      await ourGroup(other.client, group.id);
      const seen = await outcome(other, renamed, Promise.resolve(group));
      assert.deepEqual(seen, { ours: false, native: true, rule: "app-data-by-gce" });
      assert.equal(group.onAna.groupName(), "renamed");
    });

    await step("today's limit: natives follow them from a member without any right", async () => {
      const nothing: Change = (extensions) => extensions;
      for (const change of [nothing, requiring([appDataDictionary], [])]) {
        const rule = "InsufficientPermissions";
        assert.deepEqual(await outcome(other, change), { ours: false, native: true, rule });
      }
    });
  },
};
