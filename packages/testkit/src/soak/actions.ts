import type { Group } from "@latchkey/client";
import type { Phone } from "../storm/crowd.ts";

/** What a soak works on: people with one installation each, one group, and the founder who never leaves it. */
export interface Scene {
  readonly groupId: string;
  readonly founder: Phone;
  readonly people: readonly Phone[];
  /** Texts whose sending was acknowledged. */
  readonly sent: Set<string>;
  /** The link that the founder shows now. */
  link: string;
}

/** One thing somebody does; `actor` is busy with it. */
export type Action = (scene: Scene, actor: Phone, note: number) => Promise<void>;

function groupOf(phone: Phone, { groupId }: Scene): Group | undefined {
  const group = phone.client.conversations.get(groupId);
  return group?.isActive === true ? group : undefined;
}

const talk: Action = async (scene, actor, note) => {
  const text = `message ${note}`;
  if ((await groupOf(actor, scene)?.send(text)) !== undefined) scene.sent.add(text);
};

const join: Action = async (scene, actor) => {
  if (groupOf(actor, scene) === undefined) await actor.client.conversations.joinByInvite(scene.link);
};

const restart: Action = async (_, actor) => {
  actor.close();
  await actor.open();
  await actor.client.conversations.sync();
};

const catchUp: Action = async (_, actor) => {
  await actor.client.conversations.sync();
};

/** Something that the founder does to whom the dice chose. */
function byFounder(change: (group: Group, actor: Phone, scene: Scene, note: number) => Promise<unknown>): Action {
  return async (scene, actor, note) => {
    const group = groupOf(scene.founder, scene);
    if (group !== undefined) await change(group, actor, scene, note);
  };
}

const isIn = (group: Group, { client }: Phone) => group.members().some(({ inboxId }) => inboxId === client.inboxId);

const add = byFounder(async (group, actor) => {
  if (!isIn(group, actor)) await group.addMembers([actor.client.inboxId]);
});

const remove = byFounder(async (group, actor, { founder }) => {
  if (actor !== founder && isIn(group, actor)) await group.removeMembers([actor.client.inboxId]);
});

const rename = byFounder((group, _, __, note) => group.updateName(`name ${note}`));

const rotate = byFounder(async (group, _, scene) => {
  const { url, uploadFailure } = await group.rotateInvite();
  scene.link = url;
  if (uploadFailure !== undefined) throw uploadFailure;
});

/** What happens how often, in parts of the sum. */
export const ACTIONS: readonly (readonly [name: string, weight: number, action: Action])[] = [
  ["message", 40, talk],
  ["catch-up", 15, catchUp],
  ["join", 14, join],
  ["restart", 10, restart],
  ["add", 6, add],
  ["remove", 7, remove],
  ["rename", 5, rename],
  ["rotate", 3, rotate],
];
