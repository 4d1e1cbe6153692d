import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";

/** What two members of the demo said before anybody came. */
const TALK = [
  "Welcome! This group lives on this machine only.",
  "Nobody of us has to be online for you to join.",
  "Say hello when you are in.",
];

/** A group to join, made by members who stay online. */
export interface Demo {
  readonly link: string;
  close(): Promise<void>;
}

/** Fills a node with a group of two members, some messages and an invite. */
export async function startDemo(nodeUrl: string): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-demo-"));
  const open = (name: string) => createNodeClient(generatedSigner(), { dbPath: join(folder, `${name}.db`), nodeUrl });
  const [ada, bob] = [await open("ada"), await open("bob")];
  const group = await ada.conversations.createGroup([bob.inboxId], { name: "Reading circle" });
  await bob.conversations.sync();
  const members = [group, bob.conversations.get(group.id) ?? group];
  for (const [index, text] of TALK.entries()) await members[index % members.length]?.send(text);
  const { url: link } = await group.invites.create();
  // Both read what comes, so that joins are confirmed at once.
  const stop = new AbortController();
  for (const member of members) void follow(member.stream({ signal: stop.signal }));
  return {
    link,
    async close() {
      stop.abort();
      ada.close();
      bob.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Reads until the end of the demo. */
async function follow(messages: AsyncGenerator<unknown, void, void>): Promise<void> {
  try {
    while ((await messages.next()).done !== true);
  } catch {
    // The demo ends.
  }
}
