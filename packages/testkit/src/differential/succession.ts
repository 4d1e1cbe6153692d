import { decodeUtf8, utf8 } from "@latchkey/mls";
import type { Client } from "./client.ts";
import type { History } from "./history.ts";

/** The group is closed by a ReInit, in which all its members agree (RFC 9420 §11.2). */
async function close(history: History, groupId: Uint8Array): Promise<void> {
  const { random, members } = history;
  const committer = random.pick(members);
  history.doing = `${committer.name} (${committer.engine}) commits a ReInit`;
  const style = { asPublicMessage: random.chance(0.5), withoutPath: random.chance(0.5) };
  const sent = await committer.commit([{ kind: "reinit", groupId }], style);
  for (const member of members) if (member !== committer) await member.takeIn(sent.message);
  sent.accept();
  await history.checkAgreement();
  history.count(`${committer.engine} commits reinit`);
}

/**
 * The end of a history: all members go on in a reinitialized group, or some of them in a branch of it (RFC 9420 §11.2,
 * §11.3), and those who are there agree.
 */
export async function succeed(history: History): Promise<void> {
  const { random, members, world } = history;
  if (members.length < 2) return;
  const [first] = members;
  // Leaves nobody speaks for cannot come along, a reinitialized group is one of all members, and a ReInit stands alone.
  const isWhole = first?.roster().size === members.length && history.pending.length === 0;
  const how = isWhole && random.chance(0.6) ? "reinit" : "branch";
  const groupId = utf8(`${decodeUtf8(world.groupId)}, ${how}`);
  if (how === "reinit") await close(history, groupId);
  const founder = random.pick(members);
  const others = random.shuffle(members.filter((member) => member !== founder));
  const companions: Client[] = how === "reinit" ? others : others.slice(0, 1 + random.int(others.length));
  history.doing = `${founder.name} (${founder.engine}) founds a ${how}`;
  const keyPackages: Uint8Array[] = [];
  for (const companion of companions) keyPackages.push(await companion.keyPackage());
  const founded = await founder.found(how, groupId, keyPackages);
  for (const companion of companions) {
    history.doing = `${companion.name} (${companion.engine}) goes to the ${how} of ${founder.engine}`;
    await companion.follow(how, founded);
    history.count(`${companion.engine} goes to a ${how} of ${founder.engine}`);
  }
  await history.checkAgreement([founder, ...companions]);
}
