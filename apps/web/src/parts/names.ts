import { fill, texts } from "../texts/index.ts";

/** Longest name that is shown, in characters; the rest is cut. */
const MAX_NAME = 80;

/** A text of strangers on one line: no line breaks, nothing invisible that turns or hides what follows. */
export function oneLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  const characters = Array.from(plain);
  return characters.length > MAX_NAME ? `${characters.slice(0, MAX_NAME).join("")}…` : plain;
}

/** The name of a group as it is shown. */
export function groupName(name: string | undefined): string {
  const shown = oneLine(name ?? "");
  return shown === "" ? texts().unnamed : shown;
}

/** What a member is called. */
export function memberName(inboxId: string, ownId: string | undefined): string {
  return inboxId === ownId ? texts().you : fill(texts().somebody, { id: inboxId.slice(0, 6) });
}
