import {
  decode,
  defaultCredentialTypes,
  encode,
  generateKeyPackage,
  getCiphersuiteImpl,
  joinGroupExternal,
  mlsMessageDecoder,
  mlsMessageEncoder,
  processMessage,
  protocolVersions,
  unsafeTestingAuthenticationService,
  wireformats,
  type ClientState,
  type KeyPackage,
  type MlsContext,
  type PrivateKeyPackage,
} from "ts-mls";
import { BENCH_SUITE } from "./latchkey-side.ts";

/** A ts-mls client before it joins. */
export interface TsMlsMember {
  readonly context: MlsContext;
  readonly keyPackage: KeyPackage;
  readonly privateKeys: PrivateKeyPackage;
}

/** A ts-mls member with fresh keys and the library's own defaults for everything else. */
export async function freshTsMlsMember(name: string): Promise<TsMlsMember> {
  const cipherSuite = await getCiphersuiteImpl("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519");
  const { publicPackage, privatePackage } = await generateKeyPackage({
    credential: { credentialType: defaultCredentialTypes.basic, identity: new TextEncoder().encode(name) },
    capabilities: {
      versions: [protocolVersions.mls10],
      ciphersuites: [BENCH_SUITE],
      extensions: [],
      proposals: [],
      credentials: [defaultCredentialTypes.basic],
    },
    cipherSuite,
  });
  const context = { cipherSuite, authService: unsafeTestingAuthenticationService };
  return { context, keyPackage: publicPackage, privateKeys: privatePackage };
}

/** What is timed as a join: GroupInfo bytes in, commit bytes and the state of the next epoch out. */
export async function tsMlsJoin(
  { context, keyPackage, privateKeys }: TsMlsMember,
  groupInfo: Uint8Array,
): Promise<{ message: Uint8Array; state: ClientState }> {
  const decoded = decode(mlsMessageDecoder, groupInfo);
  if (decoded?.wireformat !== wireformats.mls_group_info) throw new Error("ts-mls did not decode the GroupInfo");
  const joined = await joinGroupExternal({
    context,
    groupInfo: decoded.groupInfo,
    keyPackage,
    privateKeys,
    resync: false,
  });
  const message = encode(mlsMessageEncoder, {
    version: protocolVersions.mls10,
    wireformat: wireformats.mls_public_message,
    publicMessage: joined.publicMessage,
  });
  return { message, state: joined.newState };
}

/** What is timed as processing: commit bytes in, the state of the next epoch out. */
export async function tsMlsProcess(
  { context }: TsMlsMember,
  state: ClientState,
  message: Uint8Array,
): Promise<ClientState> {
  const decoded = decode(mlsMessageDecoder, message);
  if (
    decoded?.wireformat !== wireformats.mls_public_message &&
    decoded?.wireformat !== wireformats.mls_private_message
  ) {
    throw new Error("ts-mls did not decode the commit");
  }
  const { newState } = await processMessage({ context, state, message: decoded });
  return newState;
}
