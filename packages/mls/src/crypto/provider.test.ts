import { describe, test } from "node:test";
import { nodeCrypto } from "../node/index.ts";
import { createWebCrypto, webCrypto } from "../web/index.ts";
import { agreementCases, providerCases } from "../testing/provider-suite.ts";

const PROVIDERS = {
  OpenSSL: nodeCrypto,
  "WebCrypto with @noble": webCrypto,
  "@noble alone": createWebCrypto(undefined),
};

for (const [name, provider] of Object.entries(PROVIDERS)) {
  describe(`${name} by itself`, () => {
    for (const { name: title, run } of providerCases(provider)) test(title, run);
  });
  for (const [otherName, other] of Object.entries(PROVIDERS)) {
    if (other === provider) continue;
    describe(`${name} and ${otherName}`, () => {
      for (const { name: title, run } of agreementCases(provider, other)) test(title, run);
    });
  }
}
