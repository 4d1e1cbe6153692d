import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Client, connectTransport, httpSlots, MemoryDatabase, systemClock, type Environment } from "@latchkey/client";
import { webCrypto } from "@latchkey/mls/web";
import { localWallet } from "@latchkey/xmtp";

// What an application bundles for a browser: no module of Node, WebCrypto, gRPC-web over `fetch`.

function environment(nodeUrl: string): Environment {
  const rpc = createGrpcWebTransport({ baseUrl: nodeUrl });
  return {
    crypto: webCrypto,
    store: new MemoryDatabase().open(),
    transport: connectTransport(rpc, () => undefined),
    slots: httpSlots,
    clock: systemClock,
    random: Math.random,
    encodePng: () => new Uint8Array(),
    inviteServiceUrl: nodeUrl,
    keepInvitesFresh: false,
  };
}

/** Creates a group at the node, joins it by its link with a second client, and returns the text that came over. */
export async function story(nodeUrl: string): Promise<string | undefined> {
  const alice = await Client.create(localWallet(), environment(nodeUrl));
  const group = await alice.conversations.createGroup([], { name: "Web" });
  const { url } = await group.invites.create();
  const bob = await Client.create(localWallet(), environment(nodeUrl));
  const joined = await bob.conversations.joinByInvite(url);
  await joined.group.send("hello from a bundle");
  await group.sync();
  const text = group.messages().at(-1)?.text;
  alice.close();
  bob.close();
  return text;
}
