export { createNodeClient, linkNodeDevice, nodeEnvironment } from "./create-node-client.ts";
export type { NodeClientOptions } from "./options.ts";
export { grpcTransport } from "./grpc-transport.ts";
export { encodePng } from "./png.ts";
export { readQrFromImage } from "./read-qr.ts";
export { generatedSigner, walletSigner } from "./signers.ts";
export type { MessageAccount } from "./options.ts";
export { changeDatabaseKey, openSqliteStore } from "./sqlite-store.ts";
export type { SqliteStoreOptions } from "./options.ts";
