import type {
  Addition,
  Group,
  InviteJoin,
  InvitePreview,
  Member,
  Message,
  QueuedMessage,
  UnusableInbox,
} from "@latchkey/client";
import type { JsonObject } from "./output.ts";
import type { Style } from "./style.ts";
import { formatTime, printable, printableLine, shortId } from "./text.ts";

/** A group as `--json` shows it. */
export function groupJson(group: Group): JsonObject {
  return {
    id: group.id,
    name: group.name ?? null,
    epoch: group.epoch,
    status: group.status,
    active: group.isActive,
    current: group.isCurrent,
    hints: group.hints().map(({ kind }) => kind),
    gaps: group.gaps().length,
    members: group.members().length,
    installations: group.installationCount,
  };
}

/** A group's name as people see it. */
export function groupName(group: Group): string {
  return printableLine(group.name ?? "(unnamed)");
}

/** Notice for people about this device's part in a group. */
function standing({ isActive, isCurrent, status }: Group): string {
  if (status === "parted") return ", parted: the group went on without this device, which asks to be added again";
  if (!isCurrent) return ", earlier history";
  if (!isActive) return ", left";
  return status === "pending" ? ", not confirmed by a member yet" : "";
}

/** A group on one line. */
export function groupLine(group: Group, style: Style): string {
  const members = plural(group.members().length, "member");
  const devices = plural(group.installationCount, "device");
  const note = `${standing(group)}${group.hints().length > 0 ? ", may not be up to date" : ""}`;
  return `${shortId(group.id)}  ${style.bold(groupName(group))}  ${style.dim(`${members}, ${devices}${note}`)}`;
}

/** Result of adding people, as `--json` shows it. */
export function additionJson({ added, notAdded, leftOut }: Addition): JsonObject {
  return { added: [...added], notAdded: notAdded.map(unusableJson), leftOut: leftOut.map(unusableJson) };
}

function unusableJson({ inboxId, unusable }: UnusableInbox): JsonObject {
  return { inboxId, installations: unusable.map(({ installationId, fault }) => ({ installationId, fault })) };
}

/** A line for each person or device that could not be added, with the reason. */
export function additionLines({ notAdded, leftOut }: Addition, style: Style): string[] {
  const reasons = ({ unusable }: UnusableInbox) =>
    [...new Set(unusable.map(({ fault }) => `key package ${fault.replaceAll("_", " ")}`))].join(", ");
  return [
    ...notAdded.map((inbox) => {
      const why = inbox.unusable.length === 0 ? "no device" : reasons(inbox);
      return `${style.bad("!")} ${shortId(inbox.inboxId)} was not added (${why}).`;
    }),
    ...leftOut.map((inbox) => {
      const devices = plural(inbox.unusable.length, "device");
      return `${style.bad("!")} ${devices} of ${shortId(inbox.inboxId)} left out (${reasons(inbox)}).`;
    }),
  ];
}

/** A member as `--json` shows it. */
export function memberJson(member: Member, ownInboxId: string): JsonObject {
  return { ...member, isYou: member.inboxId === ownInboxId };
}

function admission(slot: string, atNs: bigint | undefined): string {
  return `joined through invite ${shortId(slot)}${atNs === undefined ? "" : ` on ${formatTime(atNs)}`}`;
}

/** A member on one line. */
export function memberLine(member: Member, ownInboxId: string, style: Style): string {
  const notes = [
    plural(member.installations.length, "device"),
    ...(member.permission === "member" ? [] : [member.permission.replace("_", " ")]),
    ...(member.admittedVia === undefined ? [] : [admission(member.admittedVia, member.admittedAtNs)]),
    ...(member.failedInstallations.length === 0 ? [] : [`${member.failedInstallations.length} could not be added`]),
    ...(member.inboxId === ownInboxId ? ["you"] : []),
  ];
  return `${member.inboxId}  ${style.dim(notes.join(", "))}`;
}

/** Digits of a queued message's id that people see and type. */
const QUEUED_ID_DIGITS = 12;

/** Members that a preview names; it says how many more there are. */
const SHOWN_MEMBERS = 8;

/** What an invite leads to; name and description are a stranger's, and must not pose as anything else. */
export function previewLines(preview: InvitePreview, style: Style): string[] {
  const { name, description, imageUrl, memberCount, installationCount, expiresAtNs, usesLeft, members, serviceUrl } =
    preview;
  const shown = members.slice(0, SHOWN_MEMBERS).map(({ inboxId, permission }) => {
    return `${shortId(inboxId)}${permission === "member" ? "" : ` (${permission.replace("_", " ")})`}`;
  });
  const others = members.length > shown.length ? ` and ${members.length - shown.length} more` : "";
  return [
    style.bold(printableLine(name ?? "(unnamed)")),
    ...(description === undefined ? [] : [printableLine(description)]),
    ...(imageUrl === undefined ? [] : [style.dim(`picture, not loaded: ${printableLine(imageUrl)}`)]),
    style.dim(`${plural(memberCount, "member")} with ${plural(installationCount, "device")}`),
    ...(usesLeft === undefined ? [] : [style.dim(`${plural(usesLeft, "place")} left`)]),
    ...(expiresAtNs === undefined ? [] : [style.dim(`open until ${formatTime(expiresAtNs)}`)]),
    style.dim(`will see you and what you write: ${shown.join(", ")}${others}`),
    style.dim(`sees that you ask for this invite: ${printableLine(serviceUrl)}`),
  ];
}

/** A message as `--json` shows it. */
export function messageJson(message: Message): JsonObject {
  const { id, sequenceId, senderInboxId, senderInstallationId, sentAtNs, contentType, text = null } = message;
  return { id, sequenceId, senderInboxId, senderInstallationId, sentAtNs, contentType, text };
}

/** A message with its time and sender; its further lines are indented, so that it cannot pose as another message. */
export function messageLine(message: Message, ownInboxId: string, style: Style): string {
  const sender = message.senderInboxId === ownInboxId ? "you".padEnd(8) : shortId(message.senderInboxId);
  const text =
    message.text === undefined ? style.dim(`(${printableLine(message.contentType)})`) : printable(message.text);
  const time = style.dim(formatTime(message.sentAtNs));
  return `${time}  ${style.name(sender)}  ${text.replaceAll("\n", "\n    ")}`;
}

/** An own message that waits or failed, as `--json` shows it. */
export function queuedJson(queued: QueuedMessage): JsonObject {
  const { id, text = null, contentType, queuedAtNs, state, mayHaveLeft, error = null } = queued;
  return { id, text, contentType, queuedAtNs, state, mayHaveLeft, error };
}

/** An own message that waits or failed, on one line with the beginning of the id that "latchkey cancel" takes. */
export function queuedLine({ id, text, contentType, state, error }: QueuedMessage, style: Style): string {
  const said = text === undefined ? `(${printableLine(contentType)})` : printableLine(text);
  const note = state === "failed" ? style.bad(`not sent: ${error ?? "failed"}`) : style.dim("waiting");
  return `${style.dim(id.slice(0, QUEUED_ID_DIGITS))}  ${note}  ${said}`;
}

/** A join through an invite as `--json` shows it. */
export function joinJson({ sequenceId, inboxId, admittedVia, admittedAtNs }: InviteJoin): JsonObject {
  return { sequenceId, inboxId, admittedVia, admittedAtNs };
}

/** Who came in, by which invite, and when; it begins with a sign that no message begins with. */
export function joinLine({ inboxId, admittedVia, admittedAtNs }: InviteJoin, ownInboxId: string, style: Style): string {
  const who = inboxId === ownInboxId ? "you" : shortId(inboxId);
  const text = `${who} joined through the invite (slot ${shortId(admittedVia)})`;
  return `${style.dim(formatTime(admittedAtNs))}  ${style.good("+")}  ${style.dim(text)}`;
}

/** A count with its noun. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}

/** Why a stream of messages ended, where that was not the user's will. */
export function endNote(group: Group): string {
  if (group.status === "parted") return "This device cannot follow the group any more, and asks to be added again.";
  return group.isActive ? "" : "This device is not in the group any more.";
}
