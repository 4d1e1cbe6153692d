import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey, forwardedAddress } from "./address.ts";

test("LIMIT clients are counted by IPv4 address or by IPv6 /64, however it is spelled", () => {
  assert.equal(addressKey("192.0.2.7"), "192.0.2.7");
  assert.equal(addressKey("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(addressKey("::FFFF:c000:207"), "192.0.2.7");
  assert.equal(addressKey("0:0:0:0:0:ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(addressKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(addressKey("2001:0DB8:0001:2::6"), "2001:db8:1:2::/64");
  assert.equal(addressKey("2001:db8:1:2::192.0.2.7"), "2001:db8:1:2::/64", "only mapped addresses are IPv4");
  assert.equal(addressKey("2001:db8::6"), "2001:db8:0:0::/64");
  assert.equal(addressKey("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(addressKey("::1"), "0:0:0:0::/64");
  assert.equal(addressKey(""), "0:0:0:0::/64");
});

test("LIMIT X-Forwarded-For: the proxy's word is last, with or without a port", () => {
  for (const [header, address] of [
    ["192.0.2.7", "192.0.2.7"],
    ["10.0.0.1, 192.0.2.7", "192.0.2.7"],
    ["192.0.2.7:1234", "192.0.2.7"],
    ["forged:1, 192.0.2.7:65535", "192.0.2.7"],
    ["2001:db8::6", "2001:db8::6"],
    ["[2001:db8::6]", "2001:db8::6"],
    ["[2001:db8::6]:443", "2001:db8::6"],
    ['"[2001:db8::6]:443"', "2001:db8::6"],
    ["::ffff:192.0.2.7", "::ffff:192.0.2.7"],
    ["192.0.2.7,", undefined],
    ["192.0.2.7, unknown", undefined],
    ["_hidden", undefined],
    ["", undefined],
  ] as const) {
    assert.equal(forwardedAddress(header), address, header);
  }
});
