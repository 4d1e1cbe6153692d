import { toHex, type MlsGroup } from "@latchkey/mls";
import type { GroupRecord } from "../store/records.ts";
import type { ClientContext } from "./client-context.ts";
import { GroupCore, type GroupHooks, type GroupParts } from "./group-core.ts";

/** A client's shared parts together with its groups. */
export interface GroupsContext extends ClientContext {
  readonly groups: GroupRegistry;
}

/** The groups of this installation, each loaded when it is first asked for and then only once. */
export class GroupRegistry {
  readonly #parts: GroupParts;
  readonly #cores = new Map<string, GroupCore>();

  constructor(context: ClientContext, hooks: GroupHooks) {
    const release = (core: GroupCore) => {
      if (this.#cores.get(core.id) === core) this.#cores.delete(core.id);
    };
    this.#parts = { context, hooks, release };
  }

  /** Undefined when there is no such group here. */
  get(groupId: Uint8Array): GroupCore | undefined {
    const key = toHex(groupId);
    const loaded = this.#cores.get(key);
    if (loaded !== undefined) return loaded;
    const record = this.#parts.context.store.groups.get(groupId);
    if (record === undefined) return undefined;
    const core = GroupCore.load(this.#parts, record);
    this.#cores.set(key, core);
    return core;
  }

  /** A group that was just made here; `all` has it from its first step on. */
  create(record: GroupRecord, mls: MlsGroup): GroupCore {
    const core = GroupCore.create(this.#parts, record, mls);
    this.#cores.set(core.id, core);
    return core;
  }

  /** The groups that are shown, one for each id. */
  all(): GroupCore[] {
    return this.#load(({ role }) => role === "shown");
  }

  /** As `all`, with the histories that were shown before. */
  listed(): GroupCore[] {
    return this.#load(({ role }) => role === "shown" || role === "archived");
  }

  #load(include: (record: GroupRecord) => boolean): GroupCore[] {
    return this.#parts.context.store.groups
      .list()
      .filter(include)
      .flatMap(({ groupId }) => this.get(groupId) ?? []);
  }

  /** The entry whose record and rows were just written, in place of an older one of the same key. */
  adopt(record: GroupRecord): GroupCore {
    const loaded = this.#cores.get(toHex(record.groupId));
    if (loaded === undefined) {
      const core = GroupCore.load(this.#parts, record);
      this.#cores.set(core.id, core);
      return core;
    }
    loaded.adopt(record);
    return loaded;
  }

  /** Lets go of entries that were deleted or moved; they are loaded again when they are asked for. */
  evict(groupId: Uint8Array): void {
    this.#cores.delete(toHex(groupId));
  }
}
