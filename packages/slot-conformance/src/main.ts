#!/usr/bin/env node
import { parseArgs } from "node:util";
import { runSuite } from "./run-suite.ts";

/** `npm run slot-conformance -- <url>`: whether a service keeps the contract of `docs/invite-slots.md`. */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const [url, ...rest] = positionals;
if (url === undefined || rest.length > 0 || !URL.canParse(url)) {
  console.error("usage: npm run slot-conformance -- <base url of the service> [--json]");
  process.exitCode = 2;
} else {
  const summary = await runSuite(url, ({ title, passed, reason }) => {
    if (values.json) return;
    console.log(`${passed ? "pass" : "FAIL"}  ${title}${reason === undefined ? "" : `\n      ${reason}`}`);
  });
  console.log(values.json ? JSON.stringify(summary) : `\n${summary.passed} passed, ${summary.failed} failed`);
  process.exitCode = summary.failed === 0 ? 0 : 1;
}
