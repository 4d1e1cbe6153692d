import type { GroupCore } from "../group/group-core.ts";
import {
  activeInvite,
  changeInvite,
  createExternalInvite,
  createInvite,
  refreshInvite,
  revokeInvite,
  rotateInvite,
  type ExternalInvite,
  type ExternalInviteOptions,
  type InviteChanges,
  type InviteOptions,
  type RefreshOptions,
  type RotateOptions,
} from "../invite/issue.ts";
import type { Invite } from "../invite/invite.ts";
import { learnLinkBase } from "../invite/link-base.ts";
import { requireCallOptions, type CallOptions, type PublicCalls } from "../public-calls.ts";
import {
  requireExternalInviteOptions,
  requireFuture,
  requireInviteChanges,
  requireInviteOptions,
  requireListOptions,
  requireRefreshOptions,
  requireRotateOptions,
} from "./arguments.ts";
import { toInviteJoin, type InviteJoin } from "./views.ts";

/**
 * The invite of a group, `group.invites`: a group has at most one. Creating, changing and ending it is for super admins;
 * keeping its slots fresh is for every member.
 *
 * @example
 * const invite = await group.invites.create({ maxUses: 10 });
 * console.log(invite.url, invite.toQR("terminal"));
 */
export class GroupInvites {
  readonly #core: GroupCore;
  readonly #calls: PublicCalls;

  constructor(core: GroupCore) {
    this.#core = core;
    this.#calls = core.context.calls;
  }

  /** Lets people in by invite: a fresh key and slot, in place of an earlier invite. Super admins only. */
  create(options: InviteOptions = {}): Promise<Invite> {
    return this.#calls.run(requireInviteOptions, options, (checked) => {
      requireFuture(checked.expiresAtNs, "expiresAtNs", this.#core.context.time.bestNs());
      return createInvite(this.#core, checked);
    });
  }

  /** The invite in force, as far as this installation knows; undefined while there is none. */
  get current(): Invite | undefined {
    return this.#calls.now(() => activeInvite(this.#core));
  }

  /** As `current`, after its service was asked, within three seconds, where links lead. Never fails for that. */
  load(options: CallOptions = {}): Promise<Invite | undefined> {
    return this.#calls.run(requireCallOptions, options, async ({ signal }) => {
      await learnLinkBase(this.#core.context, this.current?.serviceUrl, signal);
      return this.current;
    });
  }

  /** Replaces the invite's key, with `slot` also its slot: earlier links stop working. Super admins only. */
  rotate(options: RotateOptions = {}): Promise<Invite> {
    return this.#calls.run(requireRotateOptions, options, (checked) => rotateInvite(this.#core, checked));
  }

  /** Changes what the invite allows; links given out go on working under the new limits. Super admins only. */
  change(changes: InviteChanges): Promise<Invite> {
    return this.#calls.run(requireInviteChanges, changes, (checked) => {
      const { expiresAtNs } = checked;
      // 0 takes the end away.
      if (expiresAtNs !== 0n) requireFuture(expiresAtNs, "expiresAtNs", this.#core.context.time.bestNs());
      return changeInvite(this.#core, checked);
    });
  }

  /** Ends joining by invite. Super admins only. */
  revoke(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => revokeInvite(this.#core, signal));
  }

  /**
   * Uploads the present epoch to the invite's slots where it is missing; any member may. With `deep` the slots' blobs are
   * downloaded and verified first: for reports that the invite does not work.
   */
  refresh(options: RefreshOptions = {}): Promise<void> {
    return this.#calls.run(requireRefreshOptions, options, (checked) => refreshInvite(this.#core, checked));
  }

  /** Joins through invites that this installation has seen, in the order of the log. */
  joins(options: { readonly after?: bigint } = {}): InviteJoin[] {
    return this.#calls.now(() => {
      const { after = 0n } = requireListOptions(options, "options");
      return this.#core.context.store.admissions.listAfter(this.#core.groupId, after).map(toInviteJoin);
    });
  }

  /** The invite in force as payload and blob, for applications that carry the bytes themselves; uploads nothing. */
  export(options: ExternalInviteOptions = {}): Promise<ExternalInvite> {
    return this.#calls.run(requireExternalInviteOptions, options, (checked) =>
      createExternalInvite(this.#core, checked),
    );
  }
}
