import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "./address.ts";

test("LIMIT clients are counted by IPv4 address or by IPv6 /64", () => {
  assert.equal(addressKey("192.0.2.7"), "192.0.2.7");
  assert.equal(addressKey("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(addressKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(addressKey("2001:db8:1:2::6"), "2001:db8:1:2::/64");
  assert.equal(addressKey("2001:db8::6"), "2001:db8:0:0::/64");
  assert.equal(addressKey("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(addressKey("::1"), "0:0:0:0::/64");
  assert.equal(addressKey(""), "::/64");
});
