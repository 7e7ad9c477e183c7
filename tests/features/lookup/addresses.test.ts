import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Reach, reachOf } from "../../../src/features/lookup/addresses.ts";

const EXAMPLES: Record<Reach, string[]> = {
  public: [
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2620:fe::fe",
    "3ffe:ffff::1",
  ],
  private: [
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  ],
  never: [
    // This network, link-local, the clouds' own services.
    "0.0.0.0",
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "fd20:ce::254",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    // Documentation, benchmarks, 6to4 relays.
    "192.0.2.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "2001:db8::1",
    "3fff::1",
    "2001:2::1",
    // Groups, reserved, everybody.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "ff0e::1",
    // Link-local and site-local, with and without a zone.
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    // Nothing, and what carries IPv4 inside: mapped, compatible, translated, NAT64, 6to4, Teredo.
    "::",
    "::127.0.0.1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:8.8.8.8",
    "0:0:0:0:0:ffff:0a00:0001",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::1",
    "2001::1",
    "100::1",
    "5f00::1",
    "4000::1",
    "::2",
    // What a resolver may take for an address though it is none in its plain form.
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.0.01",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127.0.0.1 ",
    "256.0.0.1",
    "localhost",
    "[::1]",
    "::1%lo",
    "",
  ],
};

describe("how far an address reaches", () => {
  for (const reach of ["public", "private", "never"] as const) {
    for (const address of EXAMPLES[reach]) {
      test(`${JSON.stringify(address)} is ${reach}`, () => {
        expect(reachOf(address)).toBe(reach);
      });
    }
  }

  test("does not depend on how it is written", () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (values) => {
        const plain = values.map((value) => value.toString(16)).join(":");
        const padded = values.map((value) => value.toString(16).padStart(4, "0")).join(":");
        const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
        const bytes = values.slice(6).flatMap((value) => [value >> 8, value & 0xff]);
        const mixed = `${values
          .slice(0, 6)
          .map((value) => value.toString(16))
          .join(":")}:${bytes.join(".")}`;
        const reach = reachOf(plain);
        for (const other of [padded, plain.toUpperCase(), short, mixed]) {
          expect(reachOf(other)).toBe(reach);
        }
      }),
    );
  });

  test("is never public for an address that carries IPv4 inside", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        const hex = [a * 256 + b, c * 256 + d].map((value) => value.toString(16)).join(":");
        for (const form of [
          `::ffff:${hex}`,
          `::${a}.${b}.${c}.${d}`,
          `64:ff9b::${hex}`,
          `2002:${hex}::1`,
          `2001:0:${hex}::1`,
        ]) {
          expect(reachOf(form)).not.toBe("public");
        }
      }),
    );
  });
});
