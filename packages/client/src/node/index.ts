export { createNodeClient, nodeEnvironment } from "./create-node-client.ts";
export type { NodeClientOptions } from "./create-node-client.ts";
export { grpcTransport } from "./grpc-transport.ts";
export { encodePng, isPng, readQrFromPng } from "./png.ts";
export { generatedSigner, walletSigner } from "./signers.ts";
export type { MessageAccount } from "./signers.ts";
export { openSqliteStore } from "./sqlite-store.ts";
export type { SqliteStoreOptions } from "./sqlite-store.ts";
