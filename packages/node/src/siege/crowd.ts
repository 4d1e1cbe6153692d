import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { createInboxUpdate, InstallationKey, localWallet } from "@latchkey/xmtp";
import {
  IdentityApi,
  MlsApi,
  PublishIdentityUpdateRequestSchema,
  SendGroupMessagesRequestSchema,
  SubscribeGroupMessagesRequestSchema,
} from "@latchkey/xmtp/proto";
import { groupMessage, slotBlob } from "../testing/support.ts";
import { targetOf, type Target } from "./attack.ts";
import { beginCall, call, grpcFrame, openSession } from "./wire.ts";

/** Milliseconds between two steps of one client. */
const PAUSE_MS = 40;

/** Milliseconds for which a client waits that was told to come again. */
const RETRY_MS = 100;

/** What the crowd saw. */
export interface CrowdReport {
  readonly honestP50Ms: number;
  readonly honestP99Ms: number;
  /** Refusals without `retry-after`, broken calls included. */
  readonly honestRefused: number;
  /** Refusals with `retry-after`. */
  readonly honestDelayed: number;
  readonly steps: number;
}

/** One client: `next` prepares a step, such as its signatures, and the step asks the node. */
interface HonestClient {
  readonly next: () => Step | Promise<Step>;
  readonly end: () => void;
}

type Step = () => Promise<Verdict>;

type Verdict = "served" | "delayed" | "refused";

export const SEND = `/${MlsApi.typeName}/${MlsApi.method.sendGroupMessages.name}`;
export const PUBLISH_IDENTITY = `/${IdentityApi.typeName}/${IdentityApi.method.publishIdentityUpdate.name}`;
export const SUBSCRIBE = `/${MlsApi.typeName}/${MlsApi.method.subscribeGroupMessages.name}`;
export const QUERY = `/${MlsApi.typeName}/${MlsApi.method.queryGroupMessages.name}`;

/** Clients that register, send, listen to a stream, and read and write slots, each from an address of its own. */
export class Crowd {
  readonly #target: Target;
  readonly #latencies: number[] = [];
  readonly #counts = { served: 0, delayed: 0, refused: 0 };
  #isOver = false;
  #clients: readonly Promise<void>[] = [];

  private constructor(target: Target) {
    this.#target = target;
  }

  /** Resolves when each client has made its first step. */
  static async gather(url: string): Promise<Crowd> {
    const crowd = new Crowd(targetOf(url));
    await crowd.#begin();
    return crowd;
  }

  /** Ends the crowd and tells what it saw. */
  async disperse(): Promise<CrowdReport> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
    const { served, delayed, refused } = this.#counts;
    return {
      honestP50Ms: at(0.5),
      honestP99Ms: at(0.99),
      honestRefused: refused,
      honestDelayed: delayed,
      steps: served + delayed + refused,
    };
  }

  async #begin(): Promise<void> {
    const clients = await Promise.all([this.#registers(1), this.#sends(2), this.#listens(3), this.#usesSlots(4)]);
    for (const { next } of clients) await (await next())();
    this.#clients = clients.map((client) => this.#repeat(client));
  }

  async #repeat({ next, end }: HonestClient): Promise<void> {
    while (!this.#isOver) {
      const step = await next();
      const startedMs = performance.now();
      const verdict = await step();
      this.#counts[verdict]++;
      if (verdict === "served") this.#latencies.push(performance.now() - startedMs);
      await wait(verdict === "served" ? PAUSE_MS : RETRY_MS);
    }
    end();
  }

  async #client(number: number) {
    const address = `127.0.1.${number}`;
    let session = await openSession(this.#target.port, address);
    const grpc = async (path: string, message: Uint8Array): Promise<Verdict> => {
      if (session === undefined || session.destroyed) session = await openSession(this.#target.port, address);
      if (session === undefined) return "refused";
      const { status, retryAfter } = await call(session, path, grpcFrame(message));
      if (status === "0") return "served";
      return retryAfter ? "delayed" : "refused";
    };
    return { address, grpc, end: () => session?.destroy() };
  }

  async #registers(number: number): Promise<HonestClient> {
    const { grpc, end } = await this.#client(number);
    const next = async (): Promise<Step> => {
      const installation = new InstallationKey(new Uint8Array(randomBytes(32)));
      const options = { wallet: localWallet(), nonce: 1n, installation, timestampNs: BigInt(Date.now()) * 1_000_000n };
      const identityUpdate = await createInboxUpdate(options);
      const message = create(PublishIdentityUpdateRequestSchema, { identityUpdate });
      const bytes = toBinary(PublishIdentityUpdateRequestSchema, message);
      return () => grpc(PUBLISH_IDENTITY, bytes);
    };
    return { next, end };
  }

  async #sends(number: number): Promise<HonestClient> {
    const { grpc, end } = await this.#client(number);
    const group = new Uint8Array(randomBytes(16));
    const step: Step = () => grpc(SEND, sendRequest(group, randomBytes(100).toString("hex")));
    return { next: () => step, end };
  }

  /** Sends to a group and waits until the message arrives on a stream. */
  async #listens(number: number): Promise<HonestClient> {
    const { address, grpc, end } = await this.#client(number);
    const group = new Uint8Array(randomBytes(16));
    let arrived: (() => void) | undefined;
    const filters = { filters: [{ groupId: group, idCursor: 0n }] };
    const message = toBinary(SubscribeGroupMessagesRequestSchema, create(SubscribeGroupMessagesRequestSchema, filters));
    const session = await openSession(this.#target.port, address);
    const stream = session === undefined ? undefined : beginCall(session, SUBSCRIBE);
    let isOpen = stream !== undefined;
    stream?.on("data", () => arrived?.()).once("close", () => (isOpen = false));
    stream?.end(grpcFrame(message));
    const step = async (): Promise<Verdict> => {
      const arrival = new Promise<"arrived">((resolve) => (arrived = () => resolve("arrived")));
      const verdict = await grpc(SEND, sendRequest(group, randomBytes(20).toString("hex")));
      if (verdict !== "served") return verdict;
      return isOpen && (await Promise.race([arrival, wait(5_000)])) === "arrived" ? "served" : "refused";
    };
    return {
      next: () => step,
      end: () => {
        session?.destroy();
        end();
      },
    };
  }

  async #usesSlots(number: number): Promise<HonestClient> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const url = `${this.#target.url}/v1/slots/${randomBytes(16).toString("hex")}`;
    const ask = (method: string, body?: Uint8Array): Promise<Verdict> =>
      new Promise((resolve) => {
        const asked = request(
          url,
          { method, agent, localAddress: `127.0.1.${number}`, timeout: 10_000 },
          (response) => {
            response.resume().once("error", () => resolve("refused"));
            response.once("end", () => {
              if ((response.statusCode ?? 500) < 300) resolve("served");
              else resolve(response.headers["retry-after"] === undefined ? "refused" : "delayed");
            });
          },
        );
        asked.once("timeout", () => asked.destroy()).once("error", () => resolve("refused"));
        asked.end(body);
      });
    let count = 0;
    const step = (): Promise<Verdict> => (count++ % 2 === 0 ? ask("PUT", slotBlob(`blob ${count}`)) : ask("GET"));
    return { next: () => step, end: () => agent.destroy() };
  }
}

/** A request that sends one message to a group. */
export function sendRequest(group: Uint8Array, text: string): Uint8Array {
  return toBinary(
    SendGroupMessagesRequestSchema,
    create(SendGroupMessagesRequestSchema, { messages: [groupMessage(group, text)] }),
  );
}
