import type { ServiceImpl } from "@connectrpc/connect";
import type { MlsApi } from "@latchkey/xmtp/proto";
import { invalidRequest, requireAtMost } from "../errors.ts";
import { requireTopic } from "./request-checks.ts";
import { ANSWER, answerBytes, answerSize, mapInTurns, PEER, type NodeRuntime } from "./runtime.ts";

type Methods = "uploadKeyPackage" | "fetchKeyPackages";

/** What the verification of a key package takes: two signatures, natively. */
const KEY_PACKAGE_MICROS = 1_000;

/** The methods of MlsApi about key packages: one per installation, the latest upload wins. */
export function keyPackageMethods({
  store,
  limits,
  work,
  nowNs,
}: NodeRuntime): Pick<ServiceImpl<typeof MlsApi>, Methods> {
  return {
    async uploadKeyPackage({ keyPackage }, { values }) {
      const bytes = keyPackage?.keyPackageTlsSerialized ?? new Uint8Array();
      if (bytes.length === 0) throw invalidRequest("the key package is missing");
      requireAtMost("the key package", bytes.length, limits.keyPackageBytes);
      const nowSeconds = nowNs() / 1_000_000_000n;
      const installationKey = await work.run(
        { kind: "keyPackage", bytes, nowSeconds },
        { address: values.get(PEER), estimateMicros: KEY_PACKAGE_MICROS, isAdmitted: true },
      );
      await store.keyPackages.put(installationKey, bytes);
      return {};
    },

    async fetchKeyPackages({ installationKeys }, { values }) {
      requireAtMost("the request", installationKeys.length, limits.lookupEntries, "installation keys");
      const count = answerSize(answerBytes(limits, values), values.get(ANSWER));
      const keyPackages = await mapInTurns(installationKeys, async (key, read) => {
        const found = await store.keyPackages.get(requireTopic("an installation key", key, limits));
        read(found?.length ?? 0);
        count(found?.length ?? 0);
        return { keyPackageTlsSerialized: found ?? new Uint8Array() };
      });
      return { keyPackages };
    },
  };
}
