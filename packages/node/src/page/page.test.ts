import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { createNode, type DeliveryNode } from "../index.ts";

const FILES = {
  "/index.html": { role: "document", type: "text/html", text: "<!doctype html><title>page</title>" },
  "/assets/start-1.js": { role: "asset", type: "text/javascript", text: `export {};${" ".repeat(2_000)}` },
  "/assets/client-2.js": { role: "worker", type: "text/javascript", text: "onmessage = () => undefined;" },
} as const;

/** A folder as the build of the page leaves it. */
function builtPage(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  const files = Object.entries(FILES).map(([path, { role, type, text }]) => {
    writeFileSync(join(folder, path), text);
    return [path, { role, type, hash: createHash("sha256").update(text).digest("hex") }];
  });
  const manifest = { hash: "00", document: "/index.html", files: Object.fromEntries(files) as unknown };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  return folder;
}

async function nodeWithPage(t: TestContext): Promise<DeliveryNode> {
  const dataDir = mkdtempSync(join(tmpdir(), "latchkey-node-"));
  const node = await createNode({ dataDir, pageDir: builtPage(t), publicUrl: "https://chat.example/below" });
  t.after(async () => {
    await node.close();
    rmSync(dataDir, { recursive: true });
  });
  return node;
}

describe("the page that a node serves", () => {
  test("WEB-15 every answer has its policy: scripts of workers their own, none of them for other origins", async (t) => {
    const { url } = await nodeWithPage(t);
    for (const [path, { role, text }] of Object.entries(FILES)) {
      const answer = await fetch(url + path);
      assert.equal(await answer.text(), text);
      const policy = answer.headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; script-src 'self'/);
      assert.match(policy, /connect-src 'self' https:\/\/chat\.example(;|$)/);
      assert.match(policy, /require-trusted-types-for 'script'/);
      assert.equal(policy.includes("'wasm-unsafe-eval'"), role === "worker");
      assert.equal(policy.includes("unsafe-inline"), false);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      assert.equal(answer.headers.get("cross-origin-opener-policy"), "same-origin");
      assert.equal(answer.headers.get("cross-origin-resource-policy"), "same-origin");
      assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
      assert.match(answer.headers.get("permissions-policy") ?? "", /camera=\(self\).*microphone=\(\)/);
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
    }
  });

  test("screens are the document, secrets in the path too; other paths stay what they were", async (t) => {
    const { url } = await nodeWithPage(t);
    for (const path of [
      "/",
      "/i",
      "/i/secret",
      "/i%23secret",
      "/i/a/b",
      "/g/00ff/invite",
      "/scan",
      "/new",
      "/devices",
    ]) {
      const answer = await fetch(url + path);
      assert.deepEqual([path, answer.status, await answer.text()], [path, 200, FILES["/index.html"].text]);
      assert.equal(answer.headers.get("cache-control"), "no-cache");
    }
    for (const path of ["/manifest.json", "/assets/none.js", "/invite", "/assets/..%2fmanifest.json"]) {
      assert.deepEqual([path, (await fetch(url + path)).status], [path, 404]);
    }
    assert.equal((await fetch(`${url}/i`, { method: "POST" })).status, 405);
    const stated = (await (await fetch(`${url}/.well-known/latchkey`)).json()) as { page: boolean };
    assert.equal(stated.page, true);
  });

  test("files are packed, kept for ever under their names, and not sent again", async (t) => {
    const { url } = await nodeWithPage(t);
    const first = await fetch(`${url}/assets/start-1.js`);
    assert.equal(first.headers.get("content-encoding"), "gzip");
    assert.match(first.headers.get("cache-control") ?? "", /immutable/);
    assert.equal(await first.text(), FILES["/assets/start-1.js"].text);
    const etag = first.headers.get("etag") ?? "";
    const again = await fetch(`${url}/assets/start-1.js`, { headers: { "if-none-match": etag } });
    assert.deepEqual([again.status, await again.text()], [304, ""]);
    const plain = await fetch(`${url}/assets/start-1.js`, {
      method: "HEAD",
      headers: { "accept-encoding": "identity" },
    });
    assert.equal(plain.headers.get("content-length"), String(FILES["/assets/start-1.js"].text.length));
  });

  test("WEB-08 the server remembers one bit: that this browser had an identity", async (t) => {
    const { url } = await nodeWithPage(t);
    const known = async (init?: RequestInit) => {
      const answer = await fetch(`${url}/v1/page/known`, init);
      return { cookie: answer.headers.get("set-cookie"), ...((await answer.json()) as { known: boolean }) };
    };
    assert.deepEqual(await known(), { cookie: null, known: false });
    const { cookie } = await known({ method: "POST" });
    assert.equal(cookie, "lk=1; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Strict");
    assert.deepEqual(await known({ headers: { cookie: "other=2; lk=1" } }), { cookie: null, known: true });
    assert.deepEqual(await known({ headers: { cookie: "xlk=1; lk=10" } }), { cookie: null, known: false });
  });
});

test("a folder without a page is refused, and without one there is none", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "latchkey-node-"));
  t.after(() => rmSync(dataDir, { recursive: true }));
  await assert.rejects(createNode({ dataDir, pageDir: dataDir }), { code: "ARGUMENT_INVALID" });
  const node = await createNode({ dataDir });
  t.after(() => node.close());
  assert.equal((await fetch(`${node.url}/i`)).status, 404);
});
