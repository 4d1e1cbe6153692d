import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import { concatBytes, utf8 } from "@latchkey/mls";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { overruledByRule, RULE_CURVES, type IdentityCurves } from "../identity/identity-curves.ts";
import { judgeSignatures } from "../identity/judge-signatures.ts";
import { IdentityUpdateSchema } from "../proto.ts";
import { decodeSignatureVerdict } from "../identity/signature-verdict.ts";
import { seed } from "../testing/inboxes.ts";
import { identityProbes } from "../testing/probes.ts";
import { loadIdentityCurves } from "./identity-curves.ts";

const fast = await loadIdentityCurves();
const { Fn } = secp256k1.Point;

/** Curves that hold each acceptance of the fast ones against the rule, and count what they accept and refuse. */
function compared() {
  const counts = { accepted: 0, refused: 0, overruled: 0 };
  const count = (accepts: boolean, rule: boolean) => {
    assert.ok(rule || !accepts, "a fast implementation accepts what the rule refuses");
    counts[accepts ? "accepted" : "refused"]++;
    if (rule && !accepts) counts.overruled++;
  };
  const curves: IdentityCurves = {
    recoverSecp256k1(...signed) {
      const [key, rule] = [fast.recoverSecp256k1(...signed), RULE_CURVES.recoverSecp256k1(...signed)];
      if (key !== undefined) assert.deepEqual(key, rule);
      count(key !== undefined, rule !== undefined);
      return key;
    },
    verifyEd25519ph(check) {
      const holds = fast.verifyEd25519ph(check);
      count(holds, RULE_CURVES.verifyEd25519ph(check));
      return holds;
    },
  };
  return { counts, curves };
}

describe("identity-signature-rules: fast curves come to the verdicts of the rule", () => {
  test("on every probe of the rules: small and mixed order, high s, malleable, other recovery ids, wrong contexts", () => {
    const { counts, curves } = compared();
    for (const { title, log } of identityProbes()) {
      const updates = log.map((update) => toBinary(IdentityUpdateSchema, update));
      assert.deepEqual(judgeSignatures(updates, curves), judgeSignatures(updates, RULE_CURVES), title);
    }
    assert.ok(counts.accepted > 100 && counts.refused > 10 && counts.overruled > 0, JSON.stringify(counts));
  });

  test("on valid and changed Ed25519ph signatures", () => {
    const { counts, curves } = compared();
    const context = utf8("IDENTITY UPDATE SIGNATURE");
    for (let index = 0; index < 24; index++) {
      const privateKey = seed(7_000 + index);
      const message = sha256(privateKey);
      const publicKey = ed25519ph.getPublicKey(privateKey);
      const signature = ed25519ph.sign(message, privateKey, { context });
      const check = { publicKey, message, context, signature };
      assert.ok(curves.verifyEd25519ph(check));
      const flip = (bytes: Uint8Array, at: number) =>
        bytes.map((byte, position) => (position === at % bytes.length ? byte ^ (1 << (index % 8)) : byte));
      for (const changed of [
        { ...check, signature: flip(signature, index * 3) },
        { ...check, publicKey: flip(publicKey, index) },
        { ...check, message: flip(message, index) },
        { ...check, context: utf8("IDENTITY UPDATE SIGNATURe") },
        { ...check, context: new Uint8Array(0) },
        { ...check, signature: signature.subarray(1) },
        { ...check, publicKey: publicKey.subarray(1) },
      ]) {
        assert.ok(!curves.verifyEd25519ph(changed));
      }
    }
    assert.equal(counts.accepted, 24);
  });

  test("on secp256k1 signatures at the ends of the range", () => {
    const { counts, curves } = compared();
    const bytesOf = (value: bigint) => Fn.toBytes(value);
    const half = Fn.ORDER >> 1n;
    for (let index = 0; index < 24; index++) {
      const digest = sha256(seed(8_000 + index));
      const signed = secp256k1.sign(digest, seed(9_000 + index), { prehash: false, format: "recovered" });
      const signature = signed.subarray(1);
      for (const parity of [0, 1] as const) {
        curves.recoverSecp256k1(digest, signature, parity);
        for (const value of [1n, 2n, BigInt(index) + 3n, Fn.ORDER - 1n]) {
          curves.recoverSecp256k1(digest, concatBytes(bytesOf(value), signature.subarray(32)), parity);
        }
        for (const s of [1n, half]) {
          curves.recoverSecp256k1(digest, concatBytes(signature.subarray(0, 32), bytesOf(s)), parity);
        }
        curves.recoverSecp256k1(new Uint8Array(32), signature, parity);
      }
    }
    assert.ok(counts.accepted > 100 && counts.refused > 20, JSON.stringify(counts));
  });
});

test("a refusal is judged again by the rule, a bounded number of times, and no more work is done behind a refusal", () => {
  let asked = 0;
  const refusing: IdentityCurves = {
    recoverSecp256k1: () => {
      asked++;
      return undefined;
    },
    verifyEd25519ph: () => {
      asked++;
      return false;
    },
  };
  const digest = sha256(seed(1));
  const signature = secp256k1.sign(digest, seed(2), { prehash: false, format: "recovered" }).subarray(1);
  const curves = overruledByRule(refusing);
  for (let round = 0; round < 40; round++) assert.ok(curves.recoverSecp256k1(digest, signature, 0) !== undefined);
  assert.equal(asked, 16);

  const updates = identityProbes().flatMap(({ log }) => log.map((update) => toBinary(IdentityUpdateSchema, update)));
  const verdictOn = (update: Uint8Array) => {
    const [kept] = judgeSignatures([update], fast);
    return kept === undefined ? undefined : decodeSignatureVerdict(update, kept);
  };
  const good = updates.find((update) => Array.isArray(verdictOn(update)));
  const bad = updates.find((update) => verdictOn(update) === "refused");
  assert.ok(good !== undefined && bad !== undefined);
  const verdicts = judgeSignatures([good, bad, good], fast);
  assert.deepEqual(
    verdicts.map((verdict) => verdict !== undefined),
    [true, true, false],
  );
});
