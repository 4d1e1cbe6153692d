import assert from "node:assert/strict";
import type { Client, Group } from "@latchkey/client";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { afterLostRaces, storedTextsOf, type Native } from "../native.ts";
import type { NativeGroup } from "../native-library.ts";
import { randomFrom } from "../random.ts";
import type { Scenario } from "../stage.ts";

/** A walk is made of sessions, before each of which all clients are opened again. */
const SESSIONS = 3;

/** Rounds of a session; in each, one to three members act at once. */
const ROUNDS = 12;

/** A member that acts, whichever library it uses. */
interface Actor {
  send(text: string): Promise<unknown>;
  rename(name: string): Promise<void>;
  describe(text: string): Promise<void>;
  decorate(url: string): Promise<void>;
  /** Takes fresh keys, where the library has a call for it. */
  renew(): Promise<void>;
  add(inboxId: string): Promise<void>;
  remove(inboxId: string): Promise<void>;
}

function ourActor(group: Group): Actor {
  return {
    send: (text) => group.send(text),
    rename: (name) => group.updateName(name),
    describe: (text) => group.updateDescription(text),
    decorate: (url) => group.updateImageUrl(url),
    renew: () => group.rotateKeys(),
    add: async (inboxId) => {
      await group.addMembers([inboxId]);
    },
    remove: async (inboxId) => {
      await group.removeMembers([inboxId]);
    },
  };
}

function nativeActor(group: NativeGroup): Actor {
  /** The library checks against what it has read; ours reads by itself. */
  const isMember = async (inboxId: string): Promise<boolean> => {
    await group.sync();
    return (await group.listMembers()).some((member) => member.inboxId === inboxId);
  };
  return {
    send: (text) => group.sendText(text),
    rename: (name) => afterLostRaces(() => group.updateGroupName(name)),
    describe: (text) => afterLostRaces(() => group.updateGroupDescription(text)),
    decorate: (url) => afterLostRaces(() => group.updateGroupImageUrlSquare(url)),
    renew: () => group.sync(),
    add: async (inboxId) => {
      if (!(await isMember(inboxId))) await afterLostRaces(() => group.addMembers([inboxId]));
    },
    remove: async (inboxId) => {
      if (await isMember(inboxId)) await afterLostRaces(() => group.removeMembers([inboxId]));
    },
  };
}

/** The clients that act in all rounds: two installations of an inbox of ours, two native inboxes. */
interface Cast {
  readonly ours: readonly [Client, Client];
  readonly natives: readonly [Native, Native];
}

interface Walk {
  readonly id: string;
  readonly seed: number;
  /** Closes all clients of the cast and opens them again. */
  readonly reopen: () => Promise<Cast>;
  /** Inboxes that come and go. */
  readonly spares: readonly string[];
}

async function walk({ id, seed, reopen, spares }: Walk): Promise<void> {
  const { int, pick, shuffled } = randomFrom(seed);
  const sent: string[] = [];

  async function act(actor: Actor, label: string): Promise<void> {
    const acts = [
      async () => {
        sent.push(label);
        await actor.send(label);
      },
      () => actor.rename(`name ${label}`),
      () => actor.describe(`description ${label}`),
      () => actor.decorate(`https://example.org/${label}`),
      () => actor.renew(),
      () => actor.add(pick(spares)),
      () => actor.remove(pick(spares)),
    ];
    await pick(acts)();
  }

  for (let session = 0; session < SESSIONS; session++) {
    const cast = await reopen();
    const ours = await Promise.all(cast.ours.map((client) => ourGroup(client, id)));
    const natives = await Promise.all(cast.natives.map((client) => client.group(id)));
    const actors = [...ours.map(ourActor), ...natives.map(nativeActor)];
    for (let round = 0; round < ROUNDS; round++) {
      const acting = shuffled(actors).slice(0, 1 + int(3));
      await Promise.all(acting.map((actor, index) => act(actor, `${session}.${round}.${index}`)));
      await assertAgree(ours, natives);
    }
    const expected = [...sent].sort();
    for (const group of ours) assert.deepEqual((await ourTexts(group)).sort(), expected);
    for (const group of natives) assert.deepEqual((await storedTextsOf(group)).sort(), expected);
  }
}

export const scenario: Scenario = {
  title: "3.4 native clients and ours act at random and at once, and agree after every round",
  async run({ native, ours, newWallet, step, wire }) {
    const seed = Number(process.env["INTEROP_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const wallets = [newWallet(), newWallet(), newWallet()] as const;
    const spares = [(await native("spare")).inboxId, (await ours("our-spare")).inboxId];
    const reopen = async (): Promise<Cast> => ({
      ours: [await ours("mine", wallets[0]), await ours("phone", wallets[0])],
      natives: [await native("ana", wallets[1]), await native("ben", wallets[2])],
    });

    await step(`in a group of ours, ${SESSIONS} times ${ROUNDS} rounds, seed ${seed}`, async () => {
      const cast = await reopen();
      const inboxIds = cast.natives.map(({ inboxId }) => inboxId);
      const group = await cast.ours[0].conversations.createGroup(inboxIds);
      for (const inboxId of inboxIds) await group.promote(inboxId, "super_admin");
      await walk({ id: group.id, seed, reopen, spares });
    });

    await step(`in a migrated native group, ${SESSIONS} times ${ROUNDS} rounds, seed ${seed + 1}`, async () => {
      const {
        ours: [mine],
        natives: [ana, ben],
      } = await reopen();
      const group = await ana.client.conversations().createGroup([ben.inboxId]);
      await group.unstable.enableProposals({});
      await group.addMembers([mine.inboxId]);
      for (const { inboxId } of [mine, ben]) await group.addSuperAdmin(inboxId);
      await walk({ id: group.id(), seed: seed + 1, reopen, spares });
    });

    await step(`the same with every write sent twice, seed ${seed + 2}`, async () => {
      wire.repeatWrites(true);
      const {
        ours: [mine],
        natives: [ana, ben],
      } = await reopen();
      const group = await mine.conversations.createGroup([ana.inboxId, ben.inboxId]);
      for (const { inboxId } of [ana, ben]) await group.promote(inboxId, "super_admin");
      await walk({ id: group.id, seed: seed + 2, reopen, spares });
    });
  },
};
