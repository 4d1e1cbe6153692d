import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  createPrivateDir,
  dataDirAt,
  isInSharedFolder,
  readConfig,
  writeConfig,
  writePrivateFile,
} from "./data-dir.ts";
import { readOrCreateKey, readKey, writeKey } from "./key-file.ts";

async function tempDir(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "latchkey-cli-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

test("the data directory is the option's, else LATCHKEY_HOME's, else ~/.latchkey", () => {
  assert.equal(dataDirAt("/a/b", { LATCHKEY_HOME: "/c" }).path, "/a/b");
  assert.equal(dataDirAt(undefined, { LATCHKEY_HOME: "/c" }).databaseFile, "/c/latchkey.db");
  assert.equal(dataDirAt(undefined, { LATCHKEY_HOME: "" }).path, join(homedir(), ".latchkey"));
});

test("keys are files of mode 0600 in directories of mode 0700, whatever the umask", async (t) => {
  const before = process.umask(0o000);
  t.after(() => process.umask(before));
  const dataDir = dataDirAt(join(await tempDir(t), "new", "home"), {});
  await createPrivateDir(dataDir.path);
  await writeKey(dataDir.keyFile, new Uint8Array(32).fill(7));
  assert.equal(await modeOf(dataDir.path), 0o700);
  assert.equal(await modeOf(dataDir.keyFile), 0o600);
});

test("a private file that replaces an open one is private", async (t) => {
  const path = join(await tempDir(t), "file");
  await writeFile(path, "old");
  await chmod(path, 0o644);
  await writePrivateFile(path, "new");
  assert.equal(await modeOf(path), 0o600);
});

test("a private file follows no link, and takes nothing that lies at a name beside it", async (t) => {
  const directory = await tempDir(t);
  const [path, precious] = [join(directory, "file"), join(directory, "precious")];
  await writeFile(precious, "keep");
  await symlink(precious, path);
  await symlink(precious, `${path}.new`);
  await writePrivateFile(path, "new");
  assert.equal(await readFile(precious, "utf8"), "keep");
  assert.equal(await readFile(path, "utf8"), "new");
  assert.equal(await modeOf(path), 0o600);
  assert.deepEqual((await readdir(directory)).sort(), ["file", "file.new", "precious"]);
});

test("a directory into which others may write is refused for keys, and said of images", async (t) => {
  const directory = await tempDir(t);
  await chmod(directory, 0o777);
  await assert.rejects(createPrivateDir(directory), { code: "FILE_UNWRITABLE", message: /chmod go-w/ });
  assert.equal(await isInSharedFolder(join(directory, "invite.png")), true);
  await chmod(directory, 0o1777);
  assert.equal(await isInSharedFolder(join(directory, "invite.png")), false);
  await createPrivateDir(directory);
});

test("a configuration is read as it was written, a damaged one is CONFIG_INVALID", async (t) => {
  const dataDir = dataDirAt(await tempDir(t), {});
  assert.equal(await readConfig(dataDir), undefined);
  const config = { nodeUrl: "http://127.0.0.1:1", inviteServiceUrl: "https://a.example", keyFile: dataDir.keyFile };
  await writeConfig(dataDir, config);
  assert.deepEqual(await readConfig(dataDir), config);
  for (const text of [
    "",
    "[]",
    "{}",
    '{"nodeUrl":1,"keyFile":"wallet.key"}',
    '{"nodeUrl":"http://a","keyFile":"k","inviteServiceUrl":2}',
  ]) {
    await writeFile(dataDir.configFile, text);
    await assert.rejects(readConfig(dataDir), { code: "CONFIG_INVALID" }, text);
  }
});

test("a data directory can be moved as a whole: its key is found relative to it", async (t) => {
  const dataDir = dataDirAt(await tempDir(t), {});
  await writeFile(dataDir.configFile, '{"nodeUrl":"http://127.0.0.1:1","keyFile":"wallet.key"}');
  assert.equal((await readConfig(dataDir))?.keyFile, dataDir.keyFile);
});

test("a wallet key is made once and read back ever after", async (t) => {
  const path = join(await tempDir(t), "wallet.key");
  const first = await readOrCreateKey(path);
  const second = await readOrCreateKey(path);
  assert.equal(first.created, true);
  assert.equal(second.created, false);
  assert.deepEqual(second.key, first.key);
});

test("a file that holds no key is KEY_FILE_INVALID, and the error does not say what it holds", async (t) => {
  const path = join(await tempDir(t), "wallet.key");
  await assert.rejects(readKey(path), { code: "KEY_FILE_INVALID" });
  for (const text of ["", "secret", "ab".repeat(31), `${"ab".repeat(32)}ab`, "zz".repeat(32)]) {
    await writeFile(path, text);
    await assert.rejects(readKey(path), (error: Error & { code?: string }) => {
      assert.equal(error.code, "KEY_FILE_INVALID");
      return text === "" || !error.message.includes(text);
    });
  }
  await assert.rejects(readKey(join(path, "below")), { code: "FILE_UNREADABLE" });
});
