import type { ServiceImpl } from "@connectrpc/connect";
import type { MlsApi } from "@latchkey/xmtp/proto";
import { commitLogMethods } from "./commit-log.ts";
import { groupMessageMethods } from "./group-messages.ts";
import { keyPackageMethods } from "./key-packages.ts";
import type { NodeRuntime } from "./runtime.ts";
import { welcomeMethods } from "./welcomes.ts";

/**
 * `xmtp.mls.api.v1.MlsApi`. The legacy methods and the bidirectional Subscribe are left out on purpose: they answer
 * UNIMPLEMENTED, upon which clients use the two server streams.
 */
export function createMlsService(runtime: NodeRuntime): Partial<ServiceImpl<typeof MlsApi>> {
  return {
    ...groupMessageMethods(runtime),
    ...welcomeMethods(runtime),
    ...keyPackageMethods(runtime),
    ...commitLogMethods(runtime),
  };
}
