import { toHex } from "@latchkey/mls";
import { replyCodec, textCodec } from "@latchkey/xmtp";
import { decodeContent, encodeContent } from "../../api/content.ts";
import type { Group } from "../../api/group.ts";
import type { Message } from "../../api/views.ts";
import { clientError } from "../../errors.ts";
import type { Invite } from "../../invite/invite.ts";
import type { InviteChanges, InviteOptions, RotateOptions } from "../../invite/issue.ts";
import type { GroupView, InviteView, MessageView, SelfView } from "../views.ts";
import type { OpenClient } from "./open-client.ts";

/** What a method of a page is served with. */
export interface ServedCall {
  /** Names the call; the same name is the same call. */
  readonly id: string;
  readonly signal: AbortSignal;
  readonly progress: (value: unknown) => void;
}

/** Messages that the last page of a group shows. */
const DEFAULT_MESSAGES = 200;

/** The calls of a page, by name. Arguments come as the page gave them: the client checks them. */
export const METHODS = {
  self: ({ client }: OpenClient): SelfView => {
    const { inboxId, installationId } = client;
    return { inboxId, installationId };
  },
  list: ({ client }: OpenClient): GroupView[] => client.conversations.list().map((group) => viewOf(client, group)),
  get: ({ client }: OpenClient, _call: ServedCall, id: string): GroupView | undefined => {
    const group = client.conversations.get(id);
    return group === undefined ? undefined : viewOf(client, group);
  },
  async sync({ client, live }: OpenClient, { signal }: ServedCall): Promise<void> {
    const opened = await client.conversations.sync({ signal });
    if (opened.length > 0) live.look();
  },
  look: ({ live }: OpenClient): void => live.look(),
  installations: ({ client }: OpenClient, { signal }: ServedCall) => client.installations({ signal }),
  pendingJoins: ({ client }: OpenClient) => client.conversations.listPendingJoins(),
  async createGroup({ client, live, calls }: OpenClient, call: ServedCall, name: string): Promise<GroupView> {
    const { conversations } = client;
    // A leader that took over finds what the one before it has made.
    const before = await calls.begin(call.id, () => conversations.list().map(({ id }) => id));
    const made = conversations.list().find((group) => group.name === name && !before.includes(group.id));
    const group = made ?? (await conversations.createGroup([], { name, signal: call.signal }));
    live.look();
    return viewOf(client, group);
  },
  async join({ client, live }: OpenClient, { signal, progress }: ServedCall, invite: string): Promise<GroupView> {
    const { group } = await client.conversations.joinByInvite(invite, { signal, onProgress: progress });
    live.look();
    return viewOf(client, group);
  },
  preview: ({ client }: OpenClient, { signal }: ServedCall, invite: string) =>
    client.conversations.previewInvite(invite, { signal }),
  messages: (open: OpenClient, _call: ServedCall, id: string, limit: number = DEFAULT_MESSAGES): MessageView[] =>
    groupOf(open, id).messages().slice(-limit).map(messageView),
  members: (open: OpenClient, _call: ServedCall, id: string) => groupOf(open, id).members(),
  joins: (open: OpenClient, _call: ServedCall, id: string) => groupOf(open, id).invites.joins(),
  queue: (open: OpenClient, _call: ServedCall, id: string) => groupOf(open, id).queue(),
  cancel: (open: OpenClient, { signal }: ServedCall, id: string, messageId: string) =>
    groupOf(open, id).cancel(messageId, { signal }),
  send: async (open: OpenClient, { id: key, signal }: ServedCall, id: string, text: string): Promise<MessageView> =>
    messageView(await groupOf(open, id).send(text, { idempotencyKey: key, signal })),
  async reply(
    open: OpenClient,
    { id: key, signal }: ServedCall,
    ...[id, text, reference]: readonly [string, string, string]
  ): Promise<MessageView> {
    const value = { reference, contentType: textCodec.type, content: encodeContent(textCodec, text) };
    return messageView(await groupOf(open, id).sendContent(replyCodec, value, { idempotencyKey: key, signal }));
  },
  updateName: (open: OpenClient, { signal }: ServedCall, id: string, name: string) =>
    groupOf(open, id).updateName(name, { signal }),
  async removeMember(open: OpenClient, { signal }: ServedCall, id: string, inboxId: string): Promise<void> {
    await groupOf(open, id).removeMembers([inboxId], { signal, rotateInvite: "slot" });
  },
  leave: (open: OpenClient, { signal }: ServedCall, id: string) => groupOf(open, id).leave({ signal }),
  forget: (open: OpenClient, { signal }: ServedCall, id: string) => groupOf(open, id).forget({ signal }),
  async invite(open: OpenClient, { signal }: ServedCall, id: string): Promise<InviteView | undefined> {
    return inviteView(await groupOf(open, id).invites.load({ signal }));
  },
  async createInvite(open: OpenClient, { signal }: ServedCall, id: string, options: InviteOptions) {
    return inviteView(await groupOf(open, id).invites.create({ ...options, signal }));
  },
  async changeInvite(open: OpenClient, { signal }: ServedCall, id: string, changes: InviteChanges) {
    return inviteView(await groupOf(open, id).invites.change({ ...changes, signal }));
  },
  async rotateInvite(open: OpenClient, { signal }: ServedCall, id: string, options: RotateOptions) {
    return inviteView(await groupOf(open, id).invites.rotate({ ...options, signal }));
  },
  revokeInvite: (open: OpenClient, { signal }: ServedCall, id: string) => groupOf(open, id).invites.revoke({ signal }),
} as const;

/** Names of the calls of a page. */
export type MethodName = keyof typeof METHODS;

function groupOf({ client }: OpenClient, id: string): Group {
  const group = client.conversations.get(id);
  if (group !== undefined) return group;
  throw clientError("ARGUMENT_INVALID", "there is no group of this id on this device", { data: { argument: "id" } });
}

function viewOf({ inboxId }: OpenClient["client"], group: Group): GroupView {
  const { id, name, description, imageUrl, installationCount, isActive, status } = group;
  const members = group.members();
  const last = group.messages().at(-1);
  return {
    id,
    name,
    description,
    imageUrl,
    installationCount,
    isActive,
    status,
    memberCount: members.length,
    permission: members.find((member) => member.inboxId === inboxId)?.permission,
    hasInvite: group.invites.current !== undefined,
    lastMessage: last === undefined ? undefined : messageView(last),
    doubts: group.hints().map(({ kind }) => kind),
  };
}

function messageView(message: Message): MessageView {
  const { id, sequenceId, senderInboxId, sentAtNs, contentType, text } = message;
  const reply = decodeReply(message);
  return { id, sequenceId, senderInboxId, sentAtNs, contentType, text, ...reply };
}

/** What a message answers, and its own text. */
function decodeReply({ contentType, content, text }: Message): Pick<MessageView, "text" | "replyTo"> | undefined {
  if (!contentType.startsWith("xmtp.org/reply:")) return undefined;
  const reply = decodeContent(replyCodec, content)?.value;
  if (reply === undefined) return undefined;
  // An answer that is no text has its fallback.
  return { replyTo: reply.reference, text: decodeContent(textCodec, reply.content)?.value ?? text };
}

function inviteView(invite: Invite | undefined): InviteView | undefined {
  if (invite === undefined) return undefined;
  const { url, payload, opensAt, serviceUrl, expiresAtNs, servedUntilNs, behind, uploadFailure } = invite;
  return {
    url,
    payload: toHex(payload),
    opensAt,
    serviceUrl,
    expiresAtNs,
    servedUntilNs,
    behind,
    uploadFailure: uploadFailure?.code,
    qr: invite.toQR("svg"),
  };
}
