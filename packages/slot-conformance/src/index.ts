export { HTTP_RULES } from "./http-rules.ts";
export { runServiceRules, runSuite, type RuleResult } from "./run-suite.ts";
export { SERVICE_RULES } from "./service-rules.ts";
export {
  testBlob,
  type BlobFields,
  type BlobMatch,
  type ServiceClock,
  type SlotUnderTest,
  type UploadRight,
} from "./slot-under-test.ts";
