import { equalBytes, toHex } from "@latchkey/mls";
import { parseInviteUrl, textCodec } from "@latchkey/xmtp";
import type { Group, Store } from "@latchkey/client";
import { KeyLedger } from "../crash/key-ledger.ts";
import { loadGroup } from "../crash/store-state.ts";
import { insist, Violation, viewOf, type EpochView } from "./epoch-view.ts";
import type { Expectations, Link } from "./expectations.ts";
import type { Device } from "./device.ts";

/** A time during which a device was in a group: behind the first envelope, up to the last. */
export interface Tenure {
  readonly groupId: string;
  readonly afterId: bigint;
  readonly fromEpoch: bigint;
  /** Of the commit that removed it; undefined while it is in. */
  untilId: bigint | undefined;
}

interface Sight {
  readonly epoch: bigint;
  readonly isActive: boolean;
  readonly createdAtNs: bigint;
}

/** An epoch that a disk shows. */
interface Entry {
  readonly groupId: Uint8Array;
  readonly beganAt: bigint;
  /** The device was not in the group before. */
  readonly isNew: boolean;
}

const NOBODY = new Uint8Array(0);

/** The newest epoch whose keys a database holds; asked before the whole state is read. */
function newestEpoch(store: Store, groupId: Uint8Array): bigint {
  let newest = -1n;
  for (const { rowKey } of store.groupRows.list(groupId)) {
    const number = /^e\/(\d+)$/.exec(rowKey)?.[1];
    if (number !== undefined && BigInt(number) > newest) newest = BigInt(number);
  }
  return newest;
}

/** Watches every disk and every client while the world runs, and throws a Violation at the first thing that is wrong. */
export class Checks {
  readonly ledger = new KeyLedger();
  readonly epochs = new Map<string, EpochView>();
  readonly tenures = new Map<string, Tenure[]>();
  readonly #claims: Expectations;
  /** The node shows several histories: then only those who are in the same one have to agree. */
  readonly #isSplit: boolean;
  readonly #sights = new Map<string, Sight>();
  readonly #read = new Map<string, bigint>();
  /** Epochs that only a device has come to that may be astray, with that device. */
  readonly #unproven = new Map<
    string,
    { readonly device: Device; readonly groupId: string; readonly view: EpochView }
  >();
  /** The newest epoch of each history that waits to be proven or chosen, by `device/group/time of its Welcome`. */
  readonly #offered = new Map<string, { readonly epoch: bigint; readonly beganAt: bigint }>();
  /** Envelopes that an honest device took for its own removal, each as `group/id`. */
  readonly #removals = new Set<string>();
  /** When a wait of a device was seen first, in milliseconds of the world. */
  readonly #waits = new Map<string, number>();
  readonly #dirty = new Set<Device>();
  /** By device, the message bytes that it handed to the network. */
  readonly #sent = new Map<string, Uint8Array[]>();
  #found: Error | undefined;
  /** Epoch authenticators of states that hostile members hold. */
  readonly #falseStates = new Set<string>();
  /** Somebody came in through an astray device. */
  #isForked = false;

  constructor(claims: Expectations, isSplit: boolean) {
    this.#claims = claims;
    this.#isSplit = isSplit;
  }

  /** A device hands a message to the network. */
  sent(device: Device, message: Uint8Array): void {
    this.ledger.note(message);
    const known = this.#sent.get(device.name) ?? [];
    this.#sent.set(device.name, known);
    known.push(message);
  }

  /**
   * The database of a device is an older copy from here on. What it sent since and the log does not hold nobody can tell
   * it about: the keys of that may be used again.
   */
  restored(device: Device): void {
    for (const message of this.#sent.get(device.name) ?? []) {
      if (!device.world.publishers.has(toHex(message))) this.ledger.forget(message);
    }
    for (const map of [this.#sights, this.#read]) {
      for (const key of map.keys()) if (key.startsWith(`${device.name}/`)) map.delete(key);
    }
    this.written(device);
  }

  /**
   * After a synchronization of a device that worked: no group of it waits for an identity update for longer than two
   * minutes (IDN-02), and ten seconds in which it learns what time it is.
   */
  noteWaits(device: Device, nowMs: number): void {
    for (const group of device.histories()) {
      const { waitsUntilNs } = group;
      const key = `${device.name}/${device.lives}/${group.id}/${waitsUntilNs ?? ""}`;
      if (waitsUntilNs === undefined) continue;
      const sinceMs = this.#waits.get(key) ?? nowMs;
      this.#waits.set(key, sinceMs);
      if (nowMs - sinceMs > 130_000)
        this.#found ??= new Violation(`a group of ${device.name} waits for over two minutes`);
    }
  }

  /** A disk has changed; called inside of the client's own call, so that what is wrong is thrown later. */
  written(device: Device): void {
    if (device.isHostile) {
      if (device.inboxId !== undefined) this.#claims.hostile.add(device.inboxId);
      this.#noteFalseStates(device);
      return;
    }
    this.#dirty.add(device);
    try {
      this.#inspect(device);
    } catch (error) {
      this.#found ??= error instanceof Error ? error : new Violation(String(error));
    }
  }

  /** States of a hostile member: its signed GroupInfos may lead a joiner into one of them. */
  #noteFalseStates(device: Device): void {
    const store = device.disk.look();
    for (const { groupId } of store.groups.list()) {
      const authenticator = loadGroup(store, groupId)?.epochAuthenticator;
      if (authenticator !== undefined) this.#falseStates.add(toHex(authenticator));
    }
  }

  #inspect(device: Device): void {
    const store = device.disk.look();
    for (const { groupId, mlsGroupId, cursor, active, createdAtNs, role } of store.groups.list()) {
      const offer = `${device.name}/${toHex(mlsGroupId)}/${createdAtNs}`;
      if (role === "claim") this.#noteOffer(offer, newestEpoch(store, groupId), cursor);
      if (role !== "shown") continue;
      const id = toHex(groupId);
      const key = `${device.name}/${id}`;
      const epoch = newestEpoch(store, groupId);
      const before = this.#sights.get(key);
      const now: Sight = { epoch, isActive: active === 1n, createdAtNs };
      if (before?.epoch === epoch && before.isActive === now.isActive && before.createdAtNs === createdAtNs) continue;
      this.#sights.set(key, now);
      this.#noteTenure(device, id, cursor, before, now);
      const isNew = before?.isActive !== true || before.createdAtNs !== createdAtNs;
      const offered = isNew ? this.#offered.get(offer) : undefined;
      const beganAt = offered?.epoch === epoch ? offered.beganAt : cursor;
      if (now.isActive) this.#noteEpoch(device, store, { groupId, beganAt, isNew });
    }
  }

  /** A history that is not shown is read too: its epoch may have begun long before it is. */
  #noteOffer(offer: string, epoch: bigint, beganAt: bigint): void {
    if (this.#offered.get(offer)?.epoch !== epoch) this.#offered.set(offer, { epoch, beganAt });
  }

  #noteTenure(device: Device, groupId: string, cursor: bigint, before: Sight | undefined, now: Sight): void {
    const tenures = this.tenures.get(device.name) ?? [];
    this.tenures.set(device.name, tenures);
    const last = tenures.findLast((tenure) => tenure.groupId === groupId);
    const isNew = before?.isActive !== true || before.createdAtNs !== now.createdAtNs;
    if (!now.isActive && last !== undefined) last.untilId ??= cursor;
    if (!now.isActive && before?.isActive === true && !device.isAstray) this.#noteRemoval(groupId, cursor);
    if (now.isActive && isNew) {
      if (last !== undefined) {
        insist(
          last.untilId !== undefined || device.harm !== undefined || this.#isSplit,
          `${device.name} began again in a group that it was in`,
        );
        last.untilId ??= cursor;
      }
      tenures.push({ groupId, afterId: cursor, fromEpoch: now.epoch, untilId: undefined });
    }
  }

  /** Who reads of its removal proves the epoch that began with it, also where only an astray device is left in the group. */
  #noteRemoval(groupId: string, beganAt: bigint): void {
    this.#removals.add(`${groupId}/${beganAt}`);
    for (const { groupId: id, view } of this.#unproven.values()) {
      if (id === groupId && view.beganAt === beganAt) this.#prove(groupId, view);
    }
  }

  /** The history of devices that may be astray is the group's where nobody else is left who could say so. */
  follow(groupId: string, devices: readonly Device[]): void {
    const newest = this.newest(groupId)?.epoch ?? -1n;
    for (const { device: first, groupId: id, view } of this.#unproven.values()) {
      if (devices.includes(first) && id === groupId && view.epoch > newest) this.#prove(groupId, view);
    }
  }

  /**
   * Whether somebody came in through an astray device, into no epoch of the group: by its Welcome, or by an invite that it has
   * refreshed. Its word is all that a newcomer has.
   */
  #leadsAstray(groupId: string, view: EpochView, known: EpochView | undefined): boolean {
    if (known !== undefined && this.#falseStates.has(view.authenticator)) return true;
    const precedes = ({ epoch, state, installations }: EpochView) =>
      epoch === view.epoch - 1n &&
      state.name === view.state.name &&
      installations.size === view.installations.size - 1 &&
      [...installations].every((id) => view.installations.has(id));
    const before = this.#isSplit ? undefined : this.epochs.get(this.#keyOf(groupId, view.epoch - 1n, ""));
    if (before !== undefined && precedes(before)) return false;
    const unproven = [...this.#unproven.values()].filter((other) => other.groupId === groupId);
    if (known !== undefined && unproven.some((other) => other.view.authenticator === view.authenticator)) return true;
    return unproven.some((other) => precedes(other.view));
  }

  #prove(groupId: string, view: EpochView): void {
    const key = this.#keyOf(groupId, view.epoch, view.authenticator);
    if (this.epochs.has(key)) return;
    this.epochs.set(key, view);
    this.#judge(groupId, view);
  }

  #noteEpoch(device: Device, store: Store, { groupId, beganAt, isNew }: Entry): void {
    this.ledger.learn(store);
    const mls = loadGroup(store, groupId);
    insist(mls !== undefined, `${device.name} has a group and no identity`);
    const view = viewOf(mls, beganAt, device.name);
    const key = this.#keyOf(toHex(groupId), view.epoch, view.authenticator);
    const known = this.epochs.get(key);
    const isOther = known?.authenticator !== view.authenticator;
    const signer = toHex(store.histories.get(groupId)?.welcomedBy ?? NOBODY);
    if (isNew && isOther && (this.#claims.hostile.has(signer) || this.#leadsAstray(toHex(groupId), view, known))) {
      device.harm ??= "misled";
      this.#isForked = true;
    }
    // What a wrong answer has led it to is no state of the group before somebody else has come to it.
    if (device.isAstray && known?.authenticator !== view.authenticator) {
      const witness = `${key}/${view.context}`;
      const first = this.#unproven.get(witness) ?? { device, groupId: toHex(groupId), view };
      this.#unproven.set(witness, first);
      const isProven = first.device !== device || this.#removals.has(`${toHex(groupId)}/${view.beganAt}`);
      if (!isProven || known !== undefined) return;
    }
    if (known === undefined) {
      this.#prove(toHex(groupId), view);
      return;
    }
    const who = `${device.name} and ${known.seenBy} in epoch ${view.epoch}`;
    insist(view.authenticator === known.authenticator, `${who} have different epoch authenticators`);
    insist(view.treeHash === known.treeHash, `${who} have different trees`);
    insist(view.context === known.context, `${who} have different group contexts`);
    if (device.isAstray) return;
    insist(view.beganAt === known.beganAt, `${who} take different commits for its beginning`);
  }

  #keyOf(groupId: string, epoch: bigint, authenticator: string): string {
    return this.#isSplit ? `${groupId}/${epoch}/${authenticator}` : `${groupId}/${epoch}`;
  }

  /** The newest epoch that an honest disk has shown. */
  newest(groupId: string): EpochView | undefined {
    return this.history(groupId).at(-1);
  }

  /** Whether the group's invite has been replaced or switched off for good, so that this link may let nobody in. */
  isOver({ url, groupId }: Link): boolean {
    const view = this.#isSplit ? undefined : this.newest(groupId);
    if (view === undefined) return false;
    const { policy } = view.state;
    const { externalGroupId, symmetricKey } = parseInviteUrl(url);
    if (policy?.allowExternalCommit !== true) return true;
    const sameKey = equalBytes(symmetricKey, policy.symmetricKey?.material ?? new Uint8Array(0));
    return !sameKey || !equalBytes(externalGroupId, policy.externalGroupId);
  }

  /** The views of a group in ascending order of epochs. */
  history(groupId: string): EpochView[] {
    const views = [...this.epochs].filter(([key]) => key.startsWith(`${groupId}/`)).map(([, view]) => view);
    return views.sort((a, b) => Number(a.epoch - b.epoch));
  }

  /** Nothing in a group's state that nobody honest ever asked for. */
  #judge(groupId: string, { epoch, state, installations }: EpochView): void {
    const { names, added, removed, promoted, scanned } = this.#claims;
    const where = `in epoch ${epoch}`;
    insist(state.name === undefined || names.has(state.name), `a name that nobody gave ${where}`);
    for (const admin of [...state.admins, ...state.superAdmins])
      insist(promoted.has(admin), `a made-up admin ${where}`);
    for (const [inboxId, { admittedViaExternalGroupId: tag }] of state.members) {
      const honest = tag.length === 0 ? added : scanned;
      insist(honest.has(inboxId), `a member that nobody let in ${where}`);
    }
    const { policy } = state;
    if (policy?.allowExternalCommit === true && policy.maxUses > 0) {
      const slot = toHex(policy.externalGroupId);
      const tags = [...state.members.values()].map((entry) => toHex(entry.admittedViaExternalGroupId));
      insist(tags.filter((tag) => tag === slot).length <= policy.maxUses, `an invite used too often ${where}`);
    }
    const before = this.#isSplit ? undefined : this.epochs.get(this.#keyOf(groupId, epoch - 1n, ""));
    if (before === undefined) return;
    for (const inboxId of before.state.members.keys()) {
      insist(state.members.has(inboxId) || removed.has(inboxId), `a member was removed by nobody ${where}`);
    }
    const wasActive = before.state.policy?.allowExternalCommit === true;
    for (const [inboxId, entry] of state.members) {
      const tag = toHex(entry.admittedViaExternalGroupId);
      if (tag === "" || before.state.members.has(inboxId)) continue;
      const current = toHex(before.state.policy?.externalGroupId ?? new Uint8Array(0));
      insist(wasActive && tag === current, `somebody came in by an invite that was not in force ${where}`);
    }
    insist(installations.size > 0, `an empty group ${where}`);
  }

  /** After each step: memory is what the disk says, and what was read is genuine. */
  look(): void {
    if (this.#found !== undefined) throw this.#found;
    for (const device of this.#dirty) {
      this.#dirty.delete(device);
      const { client } = device;
      if (client === undefined || device.isHostile) continue;
      for (const group of client.conversations.list()) this.#lookAt(device, group);
    }
  }

  #lookAt(device: Device, group: Group): void {
    if (group.isCurrent) this.#compareWithDisk(device, group);
    // Two members in the history of an astray device prove to all others that they are parted from it. So do two members who
    // see the other history of the node.
    if ((this.#isForked || this.#isSplit) && group.status === "parted") device.harm ??= "misled";
    if (device.harm === undefined) insist(group.status !== "parted", `${device.name} is parted, and nobody harmed it`);
    this.#lookAtMessages(device, group);
  }

  #compareWithDisk(device: Device, group: Group): void {
    const sight = this.#sights.get(`${device.name}/${group.id}`);
    insist(sight !== undefined, `${device.name} shows a group that is not on its disk`);
    insist(group.isActive === sight.isActive, `${device.name} shows another membership than its disk`);
    if (group.isActive && !device.isAstray) {
      insist(group.epoch === sight.epoch, `${device.name} shows another epoch than its disk`);
      const known = this.epochs.get(this.#keyOf(group.id, group.epoch, group.epochAuthenticator));
      insist(known?.authenticator === group.epochAuthenticator, `${device.name} shows another state than its disk`);
    }
  }

  #lookAtMessages(device: Device, group: Group): void {
    const key = `${device.name}/${group.id}`;
    for (const message of group.messages({ after: this.#read.get(key) ?? 0n })) {
      this.#read.set(key, message.sequenceId);
      if (message.text === undefined || message.contentType !== textCodec.type) continue;
      if (group.status === "parted" && this.#claims.textsOfRemoved.has(message.text)) continue;
      const author = this.#claims.texts.get(message.text);
      insist(author !== undefined, `${device.name} shows a text that nobody wrote`);
      const genuine =
        author.inboxId === message.senderInboxId && author.installationId === message.senderInstallationId;
      insist(genuine, `${device.name} shows a text under somebody else's name`);
    }
  }
}
