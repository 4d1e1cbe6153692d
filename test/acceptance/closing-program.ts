import { createNodeClient, generatedSigner } from "@latchkey/client/node";

/*
 * A program that closes its clients while callbacks of it hang, and has nothing else to do then: arguments are the address
 * of a node, a folder, and an invite whose service only the application finds.
 */

const [nodeUrl = "", folder = "", invite = ""] = process.argv.slice(2);
const hung: string[] = [];
const allHang = Promise.withResolvers<undefined>();

/** Notes that a callback was asked, and never answers. */
function hang(name: string): Promise<never> {
  hung.push(name);
  if (hung.length === 2) allHang.resolve(undefined);
  return new Promise(() => undefined);
}

const codeOf = (error: unknown) => (error as { code?: string; message: string }).code ?? (error as Error).message;

const client = await createNodeClient(generatedSigner(), {
  dbPath: `${folder}/closing.db`,
  nodeUrl,
  resolvePointer: () => hang("resolver"),
});
const group = await client.conversations.createGroup([], { name: "Own" });
const ended: Promise<unknown>[] = [
  group.stream().next(),
  client.conversations.joinByInvite(invite),
  client.keepInvitesFresh({ signal: new AbortController().signal }),
];
const stop = new AbortController();
const wallet = { ...generatedSigner(), signMessage: () => hang("signer") };
ended.push(createNodeClient(wallet, { dbPath: `${folder}/unsigned.db`, nodeUrl, signal: stop.signal }));
await allHang.promise;
client.close();
stop.abort(new Error("the person went back"));
const outcomes = await Promise.allSettled(ended);
const codes = outcomes.map((outcome) => (outcome.status === "rejected" ? codeOf(outcome.reason) : "ended"));
console.log(JSON.stringify({ hung: hung.toSorted(), codes }));
