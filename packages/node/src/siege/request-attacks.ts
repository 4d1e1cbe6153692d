import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createInboxUpdate, deriveInboxId, identityUpdateText, InstallationKey, localWallet } from "@latchkey/xmtp";
import {
  GetNewestGroupMessageRequestSchema,
  IdentityUpdateSchema,
  MlsApi,
  PublishIdentityUpdateRequestSchema,
  SignatureSchema,
  type IdentityUpdate,
} from "@latchkey/xmtp/proto";
import { slotBlob } from "../test-support.ts";
import { flood, repeat, type Attack } from "./attack.ts";
import { PUBLISH_IDENTITY, SEND, sendRequest } from "./crowd.ts";
import { ATTACKER, grpcFrame } from "./wire.ts";

const MIB = 2 ** 20;
const BOMB_BYTES = 24 * MIB;
const GZIP = { "grpc-encoding": "gzip" };
const JSON_TYPE = { "content-type": "application/json" };
const NEWEST = `/${MlsApi.typeName}/${MlsApi.method.getNewestGroupMessage.name}`;

/** The same few bytes again and again. */
function repeated(bytes: readonly number[], length = BOMB_BYTES): Buffer {
  return Buffer.alloc(length - (length % bytes.length), Uint8Array.from(bytes));
}

/** Posts a body over HTTP/1.1 in some lanes. */
function post(name: string, lanes: number, path: string, body: Buffer, headers: Record<string, string>): Attack {
  return {
    name,
    run: ({ url }, signal) => repeat(lanes, signal, () => send(`${url}${path}`, "POST", body, headers, signal)),
  };
}

function send(url: string, method: string, body: Buffer, headers: Record<string, string>, signal: AbortSignal) {
  return new Promise((resolve) => {
    const asked = request(url, { method, headers, localAddress: ATTACKER, signal }, (response) => {
      response.resume().once("error", resolve).once("end", resolve);
    });
    asked.once("error", resolve).once("close", resolve);
    asked.end(body);
  });
}

/** An update of so many additions by fresh wallets' installations, the last of which is signed by somebody else. */
async function heavyUpdate(additions: number, isGood: boolean): Promise<Uint8Array> {
  const wallet = localWallet();
  const keys = Array.from({ length: additions }, () => new InstallationKey(new Uint8Array(randomBytes(32))));
  const inboxId = deriveInboxId(wallet.identifier, 1n);
  const base = await createInboxUpdate({
    wallet,
    nonce: 1n,
    installation: new InstallationKey(new Uint8Array(randomBytes(32))),
    timestampNs: 1n,
  });
  const adds = keys.map(({ publicKey: value }) => ({
    kind: {
      case: "add" as const,
      value: { newMemberIdentifier: { kind: { case: "installationPublicKey" as const, value } } },
    },
  }));
  const [beginning] = base.actions;
  const update: IdentityUpdate = create(IdentityUpdateSchema, { inboxId, clientTimestampNs: 1n, actions: adds });
  if (beginning !== undefined) update.actions.unshift(beginning);
  const text = identityUpdateText(update);
  const bytes = await wallet.signMessage(text);
  const byWallet = create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
  for (const [index, { kind }] of update.actions.entries()) {
    if (kind.case === "createInbox") kind.value.initialIdentifierSignature = byWallet;
    const key = keys[index - 1];
    if (kind.case !== "add" || key === undefined) continue;
    const signature = key.sign(text);
    if (!isGood && index === keys.length) signature[40] = (signature[40] ?? 0) ^ 1;
    kind.value.existingMemberSignature = byWallet;
    const value = { bytes: signature, publicKey: key.publicKey };
    kind.value.newMemberSignature = create(SignatureSchema, { signature: { case: "installationKey", value } });
  }
  const message = create(PublishIdentityUpdateRequestSchema, { identityUpdate: update });
  return grpcFrame(toBinary(PublishIdentityUpdateRequestSchema, message));
}

/** Updates made once and sent in turn: signing them anew would keep the attacker busier than the node. */
function madeOnce(amount: number, make: () => Promise<Uint8Array>): (count: number) => Promise<Uint8Array> {
  const made: Promise<Uint8Array>[] = [];
  return (count) => (made[count % amount] ??= make());
}

/** A registration whose signature is some other bytes each time: cheap to make, and each must be verified. */
function junkRegistration(): (count: number) => Promise<Uint8Array> {
  const base = heavyUpdate(0, true);
  return async () => {
    const bytes = Buffer.from(await base);
    randomBytes(16).copy(bytes, bytes.length - 40);
    return bytes;
  };
}

function fillSlots(name: string, lanes: number, ciphertextBytes: number): Attack {
  const ciphertext = new Uint8Array(ciphertextBytes);
  return {
    name,
    run: ({ url }, signal) =>
      repeat(lanes, signal, () => {
        const target = `${url}/v1/slots/${randomBytes(16).toString("hex")}`;
        return send(target, "PUT", Buffer.from(slotBlob("", { ciphertext })), {}, signal);
      }),
  };
}

/** Messages that say nothing, each with bytes of its own. */
function junkMessages(name: string, lanes: number, bytes: number): Attack {
  const group = new Uint8Array(16).fill(7);
  const filler = "x".repeat(bytes);
  return flood(name, lanes, SEND, (count) =>
    grpcFrame(sendRequest(group, `${randomBytes(8).toString("hex")} ${count} ${filler}`)),
  );
}

function newestOf(entries: number): Buffer {
  const groupIds = Array.from({ length: entries }, () => new Uint8Array(16).fill(7));
  const message = create(GetNewestGroupMessageRequestSchema, { groupIds, includeContent: false });
  return grpcFrame(toBinary(GetNewestGroupMessageRequestSchema, message));
}

/** Attacks by what requests contain. */
export function requestAttacks(): Attack[] {
  const empties = repeated([0x0a, 0]);
  const packed = grpcFrame(gzipSync(empties), 1);
  const zeros = grpcFrame(gzipSync(Buffer.alloc(200 * MIB)), 1);
  const nested = Buffer.from("[".repeat(4 * MIB));
  const objects = Buffer.from(`{"messages":[${"{},".repeat(MIB)}{}]}`);
  const digits = Buffer.from(`{"pagingInfo":{"idCursor":"${"9".repeat(3 * MIB)}"}}`);
  const query = SEND.replace("SendGroupMessages", "QueryGroupMessages");
  const newest = newestOf(4_096);
  return [
    flood("decode bomb, protobuf", 2, SEND, () => grpcFrame(empties)),
    flood("decode bomb, gzip", 4, SEND, () => packed, GZIP),
    flood("decode bomb, unknown fields", 2, SEND, () => grpcFrame(repeated([0x78, 1]))),
    flood("decode bomb, nested", 2, SEND, () => grpcFrame(repeated([0x0a, 2, 0x0a, 0]))),
    flood("gzip bomb", 4, SEND, () => zeros, GZIP),
    post("JSON bomb, nested", 4, SEND, nested, JSON_TYPE),
    post("JSON bomb, values", 4, SEND, objects, JSON_TYPE),
    post("JSON bomb, digits", 4, query, digits, JSON_TYPE),
    flood(
      "identity updates, bad and heavy",
      16,
      PUBLISH_IDENTITY,
      madeOnce(40, () => heavyUpdate(60, false)),
    ),
    flood(
      "identity updates, good and heavy",
      16,
      PUBLISH_IDENTITY,
      madeOnce(40, () => heavyUpdate(60, true)),
    ),
    flood("identity updates, junk registrations", 16, PUBLISH_IDENTITY, junkRegistration()),
    fillSlots("slots, large blobs", 4, 8 * MIB - 4_096),
    fillSlots("slots, small blobs", 16, 64),
    junkMessages("junk messages, small", 32, 100),
    junkMessages("junk messages, large", 4, 8 * MIB),
    flood("look-ups of newest messages", 4, NEWEST, () => newest),
  ];
}
