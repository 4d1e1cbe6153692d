import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { field, lastJson, latchkey, latchkeyProcess, tempDir } from "./testing/command.ts";

const LINK = "https://latchkey.link/i#ChAKDgoMaHR0cHM6Ly9leGFtcGxlLm9yZw";

describe("the command line", () => {
  test("--help lists the commands and the exit statuses and exits with 0", async () => {
    const { status, stdout, stderr } = await latchkeyProcess(["--help"]);
    assert.equal(status, 0);
    assert.equal(stderr, "");
    for (const name of ["serve", "init", "whoami", "group", "invite", "join", "inspect", "send", "read", "chat"]) {
      assert.match(stdout, new RegExp(`^ {2}${name} `, "m"));
    }
    for (const exit of [0, 1, 2, 3, 4, 130]) assert.match(stdout, new RegExp(`^ {2}${exit} +[a-z]`, "m"));
  });

  test("the help of a command names the options that every command takes", async () => {
    const { status, stdout } = await latchkey(["invite", "create", "--help"]);
    assert.equal(status, 0);
    for (const option of ["--expires-in", "--qr-png", "--data-dir", "--node", "--invite-service", "--json"]) {
      assert.ok(stdout.includes(option), option);
    }
  });

  test("--version prints the version and exits with 0", async () => {
    const { status, stdout } = await latchkey(["--version"]);
    assert.equal(status, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test("no command, no subcommand: the help on standard error, exit 2", async () => {
    for (const args of [[], ["group"], ["invite"]]) {
      const { status, stdout, stderr } = await latchkey(args);
      assert.equal(status, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /Usage: latchkey/);
    }
  });

  const wrong: readonly { readonly what: string; readonly args: readonly string[]; readonly message: RegExp }[] = [
    { what: "an unknown command", args: ["jion"], message: /unknown command 'jion'.*Did you mean join/ },
    { what: "an unknown option", args: ["whoami", "--loud"], message: /unknown option '--loud'/ },
    { what: "a missing argument", args: ["send", "team"], message: /missing required argument 'text'/ },
    { what: "one argument too many", args: ["whoami", "me"], message: /too many arguments/ },
    { what: "a port that is none", args: ["serve", "--port", "70000"], message: /between 0 and 65535/ },
    { what: "a duration that is none", args: ["invite", "create", "g", "--expires-in", "soon"], message: /30m, 12h/ },
    { what: "a stale time of nothing", args: ["invite", "create", "g", "--stale-after", "0s"], message: /30m, 12h/ },
    { what: "no uses at all", args: ["invite", "create", "g", "--max-uses", "0"], message: /between 1 and 4294967295/ },
    { what: "a timeout that is none", args: ["join", LINK, "--timeout", "1"], message: /30s or 2m/ },
    {
      what: "a member that is no inbox id",
      args: ["group", "create", "g", "--member", "bob"],
      message: /64 lower-case/,
    },
    {
      what: "two sources of a key",
      args: ["init", "--key-file", "a", "--import", "b"],
      message: /cannot be used with/,
    },
    { what: "an address that is none", args: ["whoami", "--node", "nowhere"], message: /--node expects an http/ },
    { what: "another scheme", args: ["whoami", "--invite-service", "ftp://a"], message: /--invite-service expects/ },
  ];
  for (const { what, args, message } of wrong) {
    test(`${what}: exit 2 and USAGE`, async (t) => {
      const env = { LATCHKEY_HOME: await tempDir(t) };
      const { status, stdout, stderr } = await latchkey(["--json", ...args], { env });
      assert.equal(status, 2);
      assert.equal(stderr, "");
      const { ok, error } = lastJson(stdout);
      assert.equal(ok, false);
      const { code, retryable, retryAfterMs, message: said } = error as Record<string, unknown>;
      assert.deepEqual({ code, retryable, retryAfterMs }, { code: "USAGE", retryable: false, retryAfterMs: null });
      assert.match(String(said), message);
    });
  }

  test("a usage error is told to people in one sentence on standard error, exit 2", async () => {
    const { status, stdout, stderr } = await latchkeyProcess(["whoami", "--loud"]);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.equal(stderr, "✗ unknown option '--loud'; see \"latchkey --help\"\n  USAGE\n");
  });

  test("a link in the wrong place is not repeated", async (t) => {
    const env = { LATCHKEY_HOME: await tempDir(t) };
    const wrong = [[LINK], ["whoami", LINK], ["--node", LINK, "whoami"], ["serve", "--port", LINK], ["--json", LINK]];
    for (const args of wrong) {
      const { status, stdout, stderr } = await latchkey(args, { env });
      assert.equal(status, 2, args.join(" "));
      assert.ok(!(stdout + stderr).includes(LINK.slice(-20)), stdout + stderr);
    }
  });

  test("a data directory where nothing lives is NOT_INITIALISED, exit 2, and stays untouched", async (t) => {
    const home = `${await tempDir(t)}/none`;
    for (const args of [["whoami"], ["send", "team", "hello"], ["join", LINK]]) {
      const { status, stdout } = await latchkey([...args, "--json", "--data-dir", home]);
      assert.equal(status, 2);
      assert.equal(field(lastJson(stdout), "error")["code"], "NOT_INITIALISED");
      assert.match(String(field(lastJson(stdout), "error")["message"]), /latchkey init/);
    }
    assert.equal(existsSync(home), false);
  });
});
