import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetNewestGroupMessageRequestSchema, MlsApi } from "@latchkey/xmtp/proto";
import { slotBlob } from "../testing/support.ts";
import { flood, repeat, type Attack } from "./attack.ts";
import { QUERY, SEND, sendRequest } from "./crowd.ts";
import { ATTACKER, grpcFrame, MANY } from "./wire.ts";

const MIB = 2 ** 20;
const BOMB_BYTES = 24 * MIB;
const GZIP = { "grpc-encoding": "gzip" };
const JSON_TYPE = { "content-type": "application/json" };
const NEWEST = `/${MlsApi.typeName}/${MlsApi.method.getNewestGroupMessage.name}`;

/** The same few bytes again and again. */
function repeated(bytes: readonly number[], length = BOMB_BYTES): Buffer {
  return Buffer.alloc(length - (length % bytes.length), Uint8Array.from(bytes));
}

/** A request over HTTP/1.1. */
interface Asking {
  readonly url: string;
  readonly method: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly address?: string;
}

function ask({ url, method, body, headers = {}, agent, address = ATTACKER }: Asking, signal: AbortSignal) {
  return new Promise((resolve) => {
    const asked = request(url, { method, headers, agent, localAddress: address, signal }, (response) => {
      response.resume().once("error", resolve).once("end", resolve);
    });
    asked.once("error", resolve).once("close", resolve);
    asked.end(body);
  });
}

/** Makes requests over HTTP/1.1 in some lanes. */
function asks(
  name: string,
  lanes: number,
  prepare: () => (url: string, lane: number) => Omit<Asking, "agent">,
): Attack {
  return {
    name,
    prepare() {
      const next = prepare();
      return async ({ url }, signal) => {
        const agent = new Agent({ keepAlive: true, maxSockets: lanes });
        await repeat(lanes, signal, (lane) => ask({ ...next(url, lane), agent }, signal));
        agent.destroy();
      };
    },
  };
}

function post(name: string, path: string, make: () => Buffer): Attack {
  return asks(name, 4, () => {
    const body = make();
    return (url) => ({ url: `${url}${path}`, method: "POST", body, headers: JSON_TYPE });
  });
}

function bomb(name: string, make: () => Buffer, headers: Record<string, string> = {}): Attack {
  const bodies = (): (() => Buffer) => {
    const body = headers === GZIP ? grpcFrame(gzipSync(make()), 1) : grpcFrame(make());
    return () => body;
  };
  return flood(name, { lanes: headers === GZIP ? 4 : 2, path: SEND, headers, bodies });
}

function someSlot(url: string): string {
  return `${url}/v1/slots/${randomBytes(16).toString("hex")}`;
}

function fillSlots(name: string, lanes: number, ciphertextBytes: number, addresses = [ATTACKER]): Attack {
  return asks(name, lanes, () => {
    const ciphertext = new Uint8Array(ciphertextBytes);
    return (url, lane) => {
      const address = addresses[lane % addresses.length] ?? ATTACKER;
      return { url: someSlot(url), method: "PUT", body: slotBlob("", { ciphertext }), address };
    };
  });
}

/** Messages that say nothing, each with bytes of its own. */
function junkMessages(name: string, lanes: number, bytes: number, addresses = [ATTACKER]): Attack {
  const group = new Uint8Array(16).fill(7);
  const filler = "x".repeat(bytes);
  const bodies = () => (count: number) =>
    grpcFrame(sendRequest(group, `${randomBytes(8).toString("hex")} ${count} ${filler}`));
  return flood(name, { lanes, path: SEND, bodies, addresses });
}

function newestOf(entries: number): Buffer {
  const groupIds = Array.from({ length: entries }, () => new Uint8Array(16).fill(7));
  const message = create(GetNewestGroupMessageRequestSchema, { groupIds, includeContent: false });
  return grpcFrame(toBinary(GetNewestGroupMessageRequestSchema, message));
}

/** Attacks by what requests contain. */
export function requestAttacks(): Attack[] {
  const empties = (): Buffer => repeated([0x0a, 0]);
  return [
    bomb("decode bomb, protobuf", empties),
    bomb("decode bomb, gzip", empties, GZIP),
    bomb("decode bomb, unknown fields", () => repeated([0x78, 1])),
    bomb("decode bomb, nested", () => repeated([0x0a, 2, 0x0a, 0])),
    bomb("gzip bomb", () => Buffer.alloc(200 * MIB), GZIP),
    post("JSON bomb, nested", SEND, () => Buffer.from("[".repeat(4 * MIB))),
    post("JSON bomb, values", SEND, () => Buffer.from(`{"messages":[${"{},".repeat(MIB)}{}]}`)),
    post("JSON bomb, digits", QUERY, () => Buffer.from(`{"pagingInfo":{"idCursor":"${"9".repeat(3 * MIB)}"}}`)),
    fillSlots("slots, large blobs", 4, 8 * MIB - 4_096),
    fillSlots("slots, small blobs", 16, 64),
    fillSlots("slots, many addresses", 32, MIB, MANY),
    asks("slots, existence queries", 32, () => (url) => ({
      url: `${someSlot(url)}?epoch=1&digest=${"00".repeat(32)}`,
      method: "HEAD",
    })),
    asks("odd paths and headers", 16, () => {
      const headers = { "x-junk": "v".repeat(12_000), "content-encoding": "gzip, gzip, br" };
      return (url) => ({
        url: `${url}/v1//slots/%2e%2e/${"%61".repeat(500)}?${"a=b&".repeat(200)}`,
        method: "PUT",
        headers,
      });
    }),
    junkMessages("junk messages, small", 32, 100),
    junkMessages("junk messages, large", 4, 8 * MIB),
    junkMessages("junk messages, many addresses", 32, 64 * 1_024, MANY),
    flood("look-ups of newest messages", {
      lanes: 4,
      path: NEWEST,
      bodies: () => {
        const body = newestOf(4_096);
        return () => body;
      },
    }),
  ];
}
