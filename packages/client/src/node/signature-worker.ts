import { parentPort } from "node:worker_threads";
import { judgeSignatures, loadIdentityCurves } from "@latchkey/xmtp/node";

/** Updates of some logs. */
export type SignatureQuestion = readonly (readonly Uint8Array[])[];

/** A verdict for each update. */
export type SignatureAnswer = readonly (readonly (Uint8Array | undefined)[])[];

const curves = loadIdentityCurves();

parentPort?.on("message", (logs: SignatureQuestion) => {
  void curves.then((fast) => {
    const answer: SignatureAnswer = logs.map((updates) => judgeSignatures(updates, fast));
    parentPort?.postMessage(answer);
  });
});
