import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, test } from "node:test";
import { closed, connect, groupMessage, slotBlob, startNode } from "../testing/support.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
const WINDOW_UPDATE = Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const KIB = 1_024;

/** Writes frames until the node closes the connection. */
async function updateUntilClosed(socket: Socket): Promise<void> {
  const end = closed(socket);
  socket.resume().write(PREFACE);
  const more = (): void => {
    while (!socket.destroyed && socket.write(WINDOW_UPDATE));
    if (!socket.destroyed) socket.once("drain", more);
  };
  more();
  await end;
}

describe("bytes that carry no request", () => {
  const limits = { overheadBurst: 256 * KIB, overheadPerSecond: 1, overheadEntriesPerSecond: 0.001 };

  test("TRU-19 a connection that only updates its window is closed, and its address gets few others", async (t) => {
    const { url, port } = await startNode(t, { limits: { ...limits, overheadEntriesPerSecond: 1.001 } });
    const { mls } = connect(t, url);
    const group = new Uint8Array(16).fill(1);
    await mls.queryGroupMessages({ groupId: group });
    await updateUntilClosed(connectTcp(port, "127.0.0.1"));
    // A connection that asks is none of those that flood.
    await mls.queryGroupMessages({ groupId: group });
    const ask = async (localAddress: string): Promise<string> => {
      const socket = connectTcp({ port, host: "127.0.0.1", localAddress }).setEncoding("utf8");
      const end = closed(socket);
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
      await end;
      return text;
    };
    assert.match(await ask("127.0.0.1"), /^HTTP\/1\.1 200/);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("127.0.0.1")));
    assert.ok(answers.includes(""));
    assert.match(await ask("127.0.0.9"), /^HTTP\/1\.1 200/);
  });

  test("TRU-19 uploads, and many small requests, are no overhead", async (t) => {
    const { url } = await startNode(t, { limits });
    for (let count = 0; count < 4; count++) {
      const body = slotBlob(`blob ${count}`, { ciphertext: new Uint8Array(512 * KIB) });
      assert.equal((await fetch(`${url}/v1/slots/0011223${count}`, { method: "PUT", body })).status, 201);
    }
    const { mls } = connect(t, url);
    const group = new Uint8Array(16).fill(1);
    await mls.sendGroupMessages({ messages: [groupMessage(group, "x".repeat(KIB * KIB))] });
    for (let count = 0; count < 100; count++) {
      await mls.sendGroupMessages({ messages: [groupMessage(group, `message ${count}`)] });
    }
    const { messages } = await mls.queryGroupMessages({ groupId: group });
    assert.equal(messages.length, 100);
  });
});
