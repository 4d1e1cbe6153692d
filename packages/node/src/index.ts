export { createNode } from "./node.ts";
export type { DeliveryNode, NodeOptions } from "./node.ts";
export type { Clocks } from "./clock.ts";
export { NODE_LIMITS } from "./limits.ts";
export type { NodeLimits } from "./limits.ts";
export { NodeError } from "./errors.ts";
export type { NodeErrorCode } from "./errors.ts";
export { createLogger } from "./logging.ts";
export type { Logger, LogLevel } from "./logging.ts";
