import { randomBytes } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { QueryGroupMessagesRequestSchema, SubscribeGroupMessagesRequestSchema } from "@latchkey/xmtp/proto";
import { ended, repeat, type Attack, type Run } from "./attack.ts";
import { QUERY, SEND, sendRequest, SUBSCRIBE } from "./crowd.ts";
import { ATTACKER, beginCall, call, grpcFrame, MANY, openSession, openSocket } from "./wire.ts";

/** The most that an attacker opens: beyond the bound of one address. */
const CONNECTIONS = 1_500;

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Opens connections, says something on each, and now and then a little more. */
function hold(name: string, first: string | Buffer, drip?: string, addresses = [ATTACKER]): Attack {
  const run: Run = async ({ port }, signal) => {
    const sockets: Socket[] = [];
    for (let count = 0; count < CONNECTIONS && !signal.aborted; count++) {
      const socket = await openSocket(port, addresses[count % addresses.length]);
      if (socket === undefined) continue;
      socket.write(first);
      sockets.push(socket);
    }
    while (!signal.aborted) {
      await Promise.race([wait(500), ended(signal)]);
      if (drip !== undefined) for (const socket of sockets) if (!socket.destroyed) socket.write(drip);
    }
    for (const socket of sockets) socket.destroy();
  };
  return { name, prepare: () => run };
}

async function openSessions(port: number, amount: number, settings = {}): Promise<ClientHttp2Session[]> {
  const sessions = await Promise.all(Array.from({ length: amount }, () => openSession(port, ATTACKER, settings)));
  return sessions.filter((session) => session !== undefined);
}

/** Opens streams on a few sessions until the end; `begin` sends what it wants on each. */
function openStreams(
  name: string,
  amount: number,
  begin: (session: ClientHttp2Session, index: number) => void,
): Attack {
  const run: Run = async ({ port }, signal) => {
    const sessions = await openSessions(port, 4);
    for (let index = 0; index < amount && !signal.aborted; index++) {
      const session = sessions[index % sessions.length];
      if (session !== undefined && !session.destroyed) begin(session, index);
      if (index % 50 === 49) await wait(10);
    }
    await ended(signal);
    for (const session of sessions) session.destroy();
  };
  return { name, prepare: () => run };
}

function subscription(filters: number): Buffer {
  const message = create(SubscribeGroupMessagesRequestSchema, {
    filters: Array.from({ length: filters }, () => ({ groupId: new Uint8Array(randomBytes(16)), idCursor: 2n ** 63n })),
  });
  return grpcFrame(toBinary(SubscribeGroupMessagesRequestSchema, message));
}

/** Stores messages in a group, from 20 MiB down. */
async function fillGroup(port: number, group: Uint8Array): Promise<void> {
  const [writer] = await openSessions(port, 1);
  if (writer === undefined) return;
  for (const size of [20 * 2 ** 20, 2 ** 20, 2 ** 16]) {
    await call(writer, SEND, grpcFrame(sendRequest(group, "x".repeat(size))));
  }
  writer.destroy();
}

const LARGE = new Uint8Array(16).fill(33);
const LARGE_QUERY = grpcFrame(
  toBinary(QueryGroupMessagesRequestSchema, create(QueryGroupMessagesRequestSchema, { groupId: LARGE })),
);

/** Asks for large answers on a connection whose window stays shut. */
function unreadAnswers(): Attack {
  const run: Run = async ({ port }, signal) => {
    await fillGroup(port, LARGE);
    const readers = await openSessions(port, 4, { initialWindowSize: 0 });
    while (!signal.aborted) {
      for (const reader of readers) {
        if (reader.destroyed) continue;
        for (let count = 0; count < 25; count++) beginCall(reader, QUERY).pause().end(LARGE_QUERY);
      }
      await Promise.race([wait(1_000), ended(signal)]);
    }
    for (const session of readers) session.destroy();
  };
  return { name: "unread answers", prepare: () => run };
}

/** Asks for large answers and takes them, in protobuf or in JSON. */
function largeAnswers(name: string, contentType: string, body: Uint8Array): Attack {
  const run: Run = async ({ port }, signal) => {
    await fillGroup(port, LARGE);
    const readers = await openSessions(port, 4);
    signal.addEventListener("abort", () => readers.forEach((reader) => reader.destroy()));
    const headers = { "content-type": contentType };
    await repeat(4, signal, async (lane) => {
      const reader = readers[lane];
      if (reader !== undefined && !reader.destroyed) await call(reader, QUERY, body, headers);
    });
  };
  return { name, prepare: () => run };
}

/** Asks again and again on one connection of HTTP/1.1 and takes no answer. */
function pipelined(): Attack {
  const body = JSON.stringify({ groupId: Buffer.alloc(16, 7).toString("base64") });
  const head = `POST ${QUERY} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
  const requests = `${head}content-length: ${body.length}\r\n\r\n${body}`.repeat(200);
  const run: Run = ({ port }, signal) =>
    repeat(8, signal, async () => {
      const socket = await openSocket(port);
      if (socket === undefined) return;
      socket.pause();
      for (let round = 0; round < 200 && !signal.aborted && !socket.destroyed; round++) {
        const isTaken = new Promise((resolve) => socket.write(requests, resolve));
        await Promise.race([isTaken, wait(500), ended(signal)]);
      }
      socket.destroy();
    });
  return { name: "pipelined requests", prepare: () => run };
}

/** Requests of which the sender closes its half, upgrades to what there is not, and headers beyond all bounds. */
function oddConnections(): Attack {
  const upgrade = "GET /v1/slots/00112233 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
  const starts = [
    upgrade,
    `GET /healthz HTTP/1.1\r\nx: ${"y".repeat(60_000)}`,
    "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
  ];
  const run: Run = ({ port }, signal) =>
    repeat(32, signal, async (lane) => {
      const socket = await openSocket(port);
      socket?.end(starts[lane % starts.length] ?? "");
      const closed = new Promise((resolve) => socket?.once("close", resolve));
      await Promise.race([closed, wait(1_000), ended(signal)]);
      socket?.destroy();
    });
  return { name: "upgrades, half-closed connections, large headers", prepare: () => run };
}

/** Attacks by what is held open. */
export function connectionAttacks(): Attack[] {
  const wide = subscription(16_384);
  const narrow = subscription(1);
  const head = `POST ${QUERY} HTTP/1.1\r\nhost: x\r\n`;
  return [
    unreadAnswers(),
    largeAnswers("large answers", "application/grpc", LARGE_QUERY),
    largeAnswers(
      "large answers in JSON",
      "application/json",
      Buffer.from(JSON.stringify({ groupId: Buffer.from(LARGE).toString("base64") })),
    ),
    pipelined(),
    oddConnections(),
    openStreams("wide streams", 60, (session) => beginCall(session, SUBSCRIBE).resume().end(wide)),
    openStreams("many streams", 4_000, (session) => beginCall(session, SUBSCRIBE).resume().end(narrow)),
    openStreams("requests without an end", 4_000, (session) => void beginCall(session, SEND).write(Buffer.alloc(5))),
    hold("idle connections, HTTP/1.1", "G"),
    hold("idle connections, many addresses", "", undefined, MANY),
    hold("idle connections, HTTP/2", PREFACE),
    hold("slow headers, HTTP/1.1", head, "x"),
    hold("slow bodies, HTTP/1.1", `${head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n`, "x"),
  ];
}
