/**
 * Picks from captures the first request of each kind, for the test `packages/xmtp/src/captured.test.ts`.
 * Usage: select-captures.ts <directory of captures> > packages/xmtp/src/captured-requests.json
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { peekMlsMessage } from "@latchkey/mls";
import {
  PublishIdentityUpdateRequestSchema,
  SendGroupMessagesRequestSchema,
  SendWelcomeMessagesRequestSchema,
} from "@latchkey/xmtp/proto";

interface Captured {
  readonly from: "native" | "ours";
  readonly method: string;
  readonly request: string;
}

/** Base64 characters; larger requests show nothing that smaller ones do not. */
const MAX_CHARACTERS = 18_000;

/** What makes two requests of one method different in kind. */
function kindOf({ method, request }: Captured): string {
  const bytes = Buffer.from(request, "base64");
  if (method === "SendGroupMessages") {
    return fromBinary(SendGroupMessagesRequestSchema, bytes)
      .messages.map(({ version }) => (version.case === "v1" ? peekMlsMessage(version.value.data).contentKind : ""))
      .join();
  }
  if (method === "SendWelcomeMessages") {
    const { messages } = fromBinary(SendWelcomeMessagesRequestSchema, bytes);
    return [...new Set(messages.map(({ version }) => `${version.case} ${version.value?.wrapperAlgorithm}`))].join();
  }
  if (method === "PublishIdentityUpdate") {
    const { identityUpdate } = fromBinary(PublishIdentityUpdateRequestSchema, bytes);
    return (identityUpdate?.actions ?? []).map(({ kind }) => kind.case).join();
  }
  return "";
}

const [, , directory] = process.argv;
if (directory === undefined) throw new Error("the directory of captures is missing");
const first = new Map<string, Captured>();
for (const name of readdirSync(directory).sort()) {
  for (const line of readFileSync(join(directory, name), "utf8").trimEnd().split("\n")) {
    const captured = JSON.parse(line) as Captured;
    const key = [captured.from, captured.method, kindOf(captured)].join(" ");
    if (captured.request.length <= MAX_CHARACTERS && !first.has(key)) first.set(key, captured);
  }
}
console.log(
  JSON.stringify(
    [...first].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, captured]) => captured),
    null,
    2,
  ),
);
console.error([...first.keys()].sort().join("\n"));
