// Judging is here as well, so that a thread loads what it needs and no more.
export { judgeSignatures } from "../identity/judge-signatures.ts";
export { loadIdentityCurves } from "./identity-curves.ts";
