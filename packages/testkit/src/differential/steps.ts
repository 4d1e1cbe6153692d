import { nodeCrypto } from "@latchkey/mls/node";
import { KnownRefusal, type Change, type Client, type CommitStyle, type Psk, type Sent } from "./client.ts";
import type { History, Planned } from "./history.ts";

const MAX_PROPOSALS = 3;

/** Leaves that proposals of the epoch update or remove: a commit may touch each once, and never its committer's. */
function touchedLeaves(history: History, planned: readonly Planned[]): Set<number> {
  return new Set(
    planned.flatMap(({ change, by }) => {
      if (change.kind === "remove") return [change.leaf];
      return change.kind === "update" ? [leafOf(history, by)] : [];
    }),
  );
}

function leafOf(history: History, client: Client): number {
  const leaf = history.random.pick(history.members).roster().get(client.name);
  if (leaf === undefined) throw new Error(`${client.name} has no leaf`);
  return leaf;
}

function count(planned: readonly Planned[], kind: Change["kind"]): number {
  return planned.filter(({ change }) => change.kind === kind).length;
}

/**
 * True when somebody is left in the left half of the tree. If nobody is, the root is not in any filtered direct path, and
 * ts-mls 2.0.0-rc.10 derives the commit secret one step too far (RFC 9420 §7.4, §7.6).
 */
function leftHalfIsTaken(leaves: readonly number[]): boolean {
  let half = 1;
  while (2 * half <= Math.max(...leaves)) half *= 2;
  return leaves.some((leaf) => leaf < half);
}

/** An Add, a Remove of a leaf not touched yet, or a PSK; undefined where none fits. */
async function inventChange(history: History, by: Client, planned: readonly Planned[]): Promise<Planned | undefined> {
  const { random, members } = history;
  const kind = random.pick(["add", "remove", "psk"] as const);
  if (kind === "psk") return { change: history.newPsk(), by };
  const staying = members.length - count(planned, "remove");
  if (kind === "add") {
    if (staying + count(planned, "add") >= history.maxMembers) return undefined;
    const joiner = await history.newClient();
    return { change: { kind: "add", keyPackage: await joiner.keyPackage() }, by, joiner };
  }
  const touched = touchedLeaves(history, planned);
  const leaves = [...by.roster().values()].filter((leaf) => !touched.has(leaf));
  if (staying <= 2 || leaves.length === 0) return undefined;
  const leaf = random.pick(leaves);
  const removed = planned.flatMap(({ change }) => (change.kind === "remove" ? [change.leaf] : []));
  const left = [...by.roster().values()].filter((other) => other !== leaf && !removed.includes(other));
  return leftHalfIsTaken(left) ? { change: { kind: "remove", leaf }, by } : undefined;
}

/** Somebody who is not a member proposes to be added (RFC 9420 §12.1.8). */
async function proposeFromOutside(history: History): Promise<void> {
  const { random, members, pending } = history;
  if (members.length - count(pending, "remove") + count(pending, "add") >= history.maxMembers) return;
  const joiner = await history.newClient();
  const exporter = random.pick(members);
  history.doing = `${joiner.name} (${joiner.engine}) proposes itself by GroupInfo of ${exporter.engine}`;
  const message = await joiner.proposeItself(await exporter.groupInfo(joiner.engine === "ts-mls"));
  pending.push({ change: { kind: "add", keyPackage: new Uint8Array(0) }, by: joiner, joiner });
  for (const member of members) await member.takeIn(message);
  history.count(`${joiner.engine} proposes itself`);
}

/** Some members propose something, and everybody else hears of it. */
export async function proposeSome(history: History): Promise<void> {
  const { random, members } = history;
  for (let left = random.int(MAX_PROPOSALS + 1); left > 0; left--) {
    if (random.chance(0.2)) {
      await proposeFromOutside(history);
      continue;
    }
    const by = random.pick(members);
    const untouched = !touchedLeaves(history, history.pending).has(leafOf(history, by));
    // ts-mls keeps no private key for an Update of its own, so that only Latchkey's members propose one.
    const updates = by.engine === "latchkey" && untouched && random.chance(0.4);
    const update: Planned = { change: { kind: "update" }, by };
    const planned = updates ? update : await inventChange(history, by, history.pending);
    if (planned === undefined) continue;
    history.doing = `${by.name} (${by.engine}) proposes ${planned.change.kind}`;
    const message = await by.propose(planned.change, random.chance(0.5));
    history.pending.push(planned);
    for (const other of members) if (other !== by) await other.takeIn(message);
    history.count(`${by.engine} proposes ${planned.change.kind}`);
  }
}

/**
 * True when ts-mls makes a legal commit of these: it leaves the path out for a single Remove or Update (RFC 9420 §12.4),
 * encrypts paths to the keys that leaves had before their Update, and encrypts them to added leaves too (§7.6).
 */
function tsMlsCanCommit(planned: readonly Planned[]): boolean {
  const removes = count(planned, "remove");
  return count(planned, "update") === 0 && (removes === 0 || (removes > 1 && count(planned, "add") === 0));
}

/** A resumption PSK of an epoch that all members were in. */
function resumptionPsk(history: History): Psk {
  const { epoch } = history;
  const newest = [...history.since.entries()]
    .filter(([client]) => history.members.includes(client))
    .reduce((latest, [, joined]) => (joined > latest ? joined : latest), 0n);
  const nonce = nodeCrypto.randomBytes(nodeCrypto.suite(history.world.cipherSuite).hashLength);
  return { kind: "resumption", epoch: newest < epoch ? epoch - 1n : epoch, nonce };
}

async function changesByValue(history: History, committer: Client): Promise<Planned[]> {
  const { random, pending } = history;
  const planned: Planned[] = [];
  for (let left = random.int(3); left > 0; left--) {
    const invented = await inventChange(history, committer, [
      ...pending,
      ...planned,
      { change: { kind: "remove", leaf: leafOf(history, committer) }, by: committer },
    ]);
    if (invented !== undefined) planned.push(invented);
  }
  if (committer.engine === "ts-mls") return planned;
  // ts-mls takes neither from its own members: it looks up no resumption PSK and leaves the path of the second out.
  const adds = count([...pending, ...planned], "add");
  if (adds === 0 && random.chance(0.2)) {
    planned.push({ change: { kind: "psk", psk: resumptionPsk(history) }, by: committer });
  }
  if (random.chance(0.15)) {
    planned.push({ change: { kind: "require_credentials", types: random.pick([[], [1]]) }, by: committer });
  }
  return planned;
}

/** A member commits all that is pending and some more; false when nobody can. */
export async function commitSome(history: History): Promise<boolean> {
  const { random, members, pending } = history;
  const touched = touchedLeaves(history, pending);
  const able = members.filter((member) => {
    return !touched.has(leafOf(history, member)) && (member.engine === "latchkey" || tsMlsCanCommit(pending));
  });
  if (able.length === 0) return false;
  const committer = random.pick(able);
  let byValue = await changesByValue(history, committer);
  if (committer.engine === "ts-mls" && !tsMlsCanCommit([...pending, ...byValue])) byValue = [];
  const all = [...pending, ...byValue];
  const needsPath = all.length === 0 || all.some(({ change }) => !["add", "psk"].includes(change.kind));
  const style: CommitStyle = {
    asPublicMessage: random.chance(0.5),
    withoutPath: !needsPath && random.chance(0.5),
  };
  if (random.chance(0.2)) {
    const loser = random.pick(able);
    history.doing = `${loser.name} (${loser.engine}) makes a commit that comes too late`;
    await loser.commit([], { asPublicMessage: random.chance(0.5), withoutPath: false });
    history.count(`${loser.engine} loses a race`);
  }
  const kinds = all.map(({ change }) => change.kind).join(", ");
  history.doing = `${committer.name} (${committer.engine}) commits [${kinds}]`;
  const sent = await committer.commit(
    byValue.map(({ change }) => change),
    style,
  );
  history.count(`${committer.engine} commits`);
  for (const { change } of byValue) history.count(`${committer.engine} commits ${change.kind} by value`);
  await spread(history, committer, sent, all);
  return true;
}

/** Everybody takes in a commit, those it removes leave, and those it adds come in by its Welcome. */
async function spread(history: History, committer: Client, sent: Sent, planned: readonly Planned[]): Promise<void> {
  const removed = new Set(planned.flatMap(({ change }) => (change.kind === "remove" ? [change.leaf] : [])));
  const { doing } = history;
  const leaving = history.members.filter((member) => removed.has(leafOf(history, member)));
  for (const member of history.members) {
    if (member === committer || (leaving.includes(member) && member.engine === "ts-mls")) continue;
    history.doing = `${doing}; ${member.name} (${member.engine}) takes it in`;
    await member.takeIn(sent.message);
  }
  sent.accept();
  history.pending = [];
  for (const member of leaving) history.leave(member);
  for (const { joiner } of planned) {
    if (joiner === undefined || sent.welcome === undefined) continue;
    history.doing = `${doing}; ${joiner.name} (${joiner.engine}) joins by its Welcome`;
    try {
      await joiner.joinByWelcome(sent.welcome);
      history.join(joiner);
      history.count(`${joiner.engine} joins by Welcome of ${committer.engine}`);
    } catch (error) {
      // Its leaf stays in the tree, nobody speaks for it, and a Remove may hit it.
      if (!(error instanceof KnownRefusal)) throw error;
      history.count("legal trees refused by ts-mls");
    }
  }
}

/** Somebody joins by external commit, or a member does to get rid of its former leaf; the epoch's proposals lapse. */
export async function joinExternally(history: History): Promise<void> {
  const { random, members } = history;
  const resync = members.length >= history.maxMembers || (members.length > 2 && random.chance(0.3));
  const joiner = resync ? random.pick(members) : await history.newClient();
  const exporter = random.pick(members.filter((member) => member !== joiner));
  history.doing = `${joiner.name} (${joiner.engine}) ${resync ? "resyncs" : "joins"} by GroupInfo of ${exporter.engine}`;
  // Only Latchkey puts PSKs into an external commit; both take them in.
  const withPsk = joiner.engine === "latchkey" && random.chance(0.3);
  const psk = withPsk ? history.newPsk() : undefined;
  let sent: Sent;
  try {
    const groupInfo = await exporter.groupInfo(joiner.engine === "ts-mls");
    sent = await joiner.joinExternally(groupInfo, resync, psk?.kind === "psk" ? [psk.psk] : []);
  } catch (error) {
    if (!(error instanceof KnownRefusal)) throw error;
    history.count("legal trees refused by ts-mls");
    return;
  }
  const { doing } = history;
  for (const member of members) {
    if (member === joiner) continue;
    history.doing = `${doing}; ${member.name} (${member.engine}) takes it in`;
    await member.takeIn(sent.message);
  }
  if (resync) history.mailboxes.forget(joiner);
  sent.accept();
  history.pending = [];
  history.join(joiner);
  history.count(`${joiner.engine} ${resync ? "resyncs" : "joins externally"} by GroupInfo of ${exporter.engine}`);
  if (withPsk) history.count("latchkey joins externally with a PSK");
}
