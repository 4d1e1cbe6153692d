import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { CLIENT_LIMITS } from "../limits.ts";
import { learnLinkBase, linkBaseOf, SCHEME_ONLY, type LinkBases } from "./link-base.ts";
import { httpSlots } from "./slots.ts";
import type { SlotService } from "../transport/slot-service.ts";

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function baseAfter(
  serviceUrl: string,
  given: { slots?: SlotService; inviteBaseUrl?: string } = {},
): Promise<string> {
  const linkBases: LinkBases = new Map();
  const context = { slots: given.slots ?? httpSlots, inviteBaseUrl: given.inviteBaseUrl, linkBases };
  await learnLinkBase(context, serviceUrl, undefined);
  return linkBaseOf(context, serviceUrl);
}

describe("DOR-07 where a new link leads", () => {
  test("to the page of the service where it states one, at its own origin", async (t) => {
    const asked: string[] = [];
    const url = await serve(t, (request, response) => {
      asked.push(request.url ?? "");
      response.end(JSON.stringify({ page: true, node: "https://elsewhere.example", versions: [1] }));
    });
    assert.equal(await baseAfter(`${url}/base`), `${url}/i`);
    assert.deepEqual(asked, ["/.well-known/latchkey"]);
  });

  test("to the operator's address, and then nobody is asked", async () => {
    const slots = { ...httpSlots, describe: () => assert.fail("asked") };
    assert.equal(
      await baseAfter("https://a.example", { slots, inviteBaseUrl: "https://b.example/i" }),
      "https://b.example/i",
    );
  });

  test("to no page where the service states none, or is not reached, or says something else", async (t) => {
    const answers: RequestListener[] = [
      (_, response) => response.end(JSON.stringify({ page: false, versions: [1] })),
      (_, response) => response.end(JSON.stringify({ page: "https://other.example/i" })),
      (_, response) => response.end("[true"),
      (_, response) => response.writeHead(404).end(),
      (_, response) => response.writeHead(302, { location: "https://other.example/.well-known/latchkey" }).end(),
      (_, response) => response.end(`{"page":true,"x":"${"y".repeat(CLIENT_LIMITS.maxDescriptionBytes)}"}`),
      (request) => request.socket.destroy(),
    ];
    for (const answer of answers) assert.equal(await baseAfter(await serve(t, answer)), SCHEME_ONLY);
    assert.equal(await baseAfter("http://127.0.0.1:9"), SCHEME_ONLY);
    assert.equal(await baseAfter("http://192.0.2.1"), SCHEME_ONLY);
    assert.equal(await baseAfter("opaque:0102"), SCHEME_ONLY);
  });

  test("a service that is slow is not waited for, and asked again the next time", async () => {
    let calls = 0;
    const describe = async () => {
      calls++;
      if (calls === 1) throw new DOMException("too late", "TimeoutError");
      return { page: true };
    };
    const linkBases: LinkBases = new Map();
    const context = { slots: { ...httpSlots, describe }, linkBases };
    await learnLinkBase(context, "https://a.example", undefined);
    assert.equal(linkBaseOf(context, "https://a.example"), SCHEME_ONLY);
    await learnLinkBase(context, "https://a.example", undefined);
    await learnLinkBase(context, "https://a.example", undefined);
    assert.equal(linkBaseOf(context, "https://a.example"), "https://a.example/i");
    assert.equal(calls, 2);
  });
});
