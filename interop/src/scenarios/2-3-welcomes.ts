import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";
import { welcomesDuring, type TravelledWelcome } from "../welcomes.ts";

/** Asserts that these installations got a Welcome in this form; what pointers lead to comes before them. */
function assertTravelled(welcomes: readonly TravelledWelcome[], installationIds: readonly string[], form: string) {
  const stored = welcomes.filter((welcome) => welcome.form === "stored");
  assert.equal(stored.length, form.startsWith("pointer") ? 1 : 0);
  assert.deepEqual(welcomes.slice(0, stored.length), stored);
  assert.deepEqual(
    welcomes
      .slice(stored.length)
      .map((welcome) => `${welcome.to} ${welcome.form}`)
      .sort(),
    installationIds.map((id) => `${id} ${form}`).sort(),
  );
}

export const scenario: Scenario = {
  title: "2.3 Welcomes between native clients and ours: X-Wing, and welcome pointers",
  async run({ native, ours, newWallet, step, wire }) {
    const ana = await native("ana");
    const onAna = await ana.client.conversations().createGroup([], { groupName: "lake" });
    await onAna.unstable.enableProposals({});
    const wallets = { mine: newWallet(), yours: newWallet(), kim: newWallet(), lee: newWallet() };
    const mine = [await ours("mine-1", wallets.mine), await ours("mine-2", wallets.mine)];
    const yours = [
      await ours("yours-1", wallets.yours),
      await ours("yours-2", wallets.yours),
      await ours("yours-3", wallets.yours),
    ];
    const inboxOf = ([client]: typeof mine): string => client?.inboxId ?? "";
    const idsOf = (clients: typeof mine): string[] => clients.map(({ installationId }) => installationId);

    const [group, onPhone] = await step("native wraps for two of ours with X-Wing; both join", async () => {
      const welcomes = await welcomesDuring(wire, () => onAna.addMembers([inboxOf(mine)]));
      assertTravelled(welcomes, idsOf(mine), "X-Wing");
      const joined = await Promise.all(mine.map((client) => ourGroup(client, onAna.id())));
      await assertAgree(joined, [onAna]);
      return joined;
    });
    assert.ok(group !== undefined && onPhone !== undefined);

    const others = await step("native sends three of ours a pointer each; all join and read", async () => {
      const welcomes = await welcomesDuring(wire, () => onAna.addMembers([inboxOf(yours)]));
      assertTravelled(welcomes, idsOf(yours), "pointer, X-Wing");
      const joined = await Promise.all(yours.map((client) => ourGroup(client, onAna.id())));
      await onAna.sendText("hello, all of yours");
      for (const seen of joined) assert.deepEqual(await ourTexts(seen), ["hello, all of yours"]);
      await assertAgree(joined, [onAna]);
      return joined;
    });

    await step("ours wrap for a native installation with X-Wing; it joins", async () => {
      const kim = await native("kim", wallets.kim);
      const welcomes = await welcomesDuring(wire, () => group.addMembers([kim.inboxId]));
      assertTravelled(welcomes, [kim.client.installationId()], "X-Wing");
      const onKim = await kim.group(onAna.id());
      await group.send("hello kim");
      assert.deepEqual(await textsOf(onKim), ["hello kim"]);
      await assertAgree([group, onPhone, ...others], [onAna, onKim]);
    });

    await step("ours send three native installations a pointer each; all join, read and write", async () => {
      const devices = [
        await native("lee-1", wallets.lee),
        await native("lee-2", wallets.lee),
        await native("lee-3", wallets.lee),
      ];
      const [lee] = devices;
      assert.ok(lee !== undefined);
      const welcomes = await welcomesDuring(wire, () => onPhone.addMembers([lee.inboxId]));
      const ids = devices.map(({ client }) => client.installationId());
      assertTravelled(welcomes, ids, "pointer, X-Wing");
      await onPhone.send("hello lee");
      const seen = await Promise.all(devices.map((device) => device.group(onAna.id())));
      for (const onDevice of seen) assert.deepEqual(await textsOf(onDevice), ["hello lee"]);
      for (const [index, onDevice] of seen.entries()) await onDevice.sendText(`lee's ${ids[index]?.slice(0, 8)}`);
      const expected = ids.map((id) => `lee's ${id.slice(0, 8)}`);
      assert.deepEqual((await ourTexts(group)).slice(-3), expected);
      await assertAgree([group, onPhone, ...others], [onAna]);
    });

    await step("ours and native installations together get pointers to one Welcome", async () => {
      const jo = await native("jo");
      const max = await ours("max");
      const uma = await native("uma");
      const welcomes = await welcomesDuring(wire, () => group.addMembers([jo.inboxId, max.inboxId, uma.inboxId]));
      const ids = [jo.client.installationId(), max.installationId, uma.client.installationId()];
      assertTravelled(welcomes, ids, "pointer, X-Wing");
      const onMax = await ourGroup(max, onAna.id());
      await assertAgree([group, onMax], [onAna, await jo.group(onAna.id()), await uma.group(onAna.id())]);
    });
  },
};
