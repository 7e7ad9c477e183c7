import { describe, expect, test } from "bun:test";
import { createTrustedProxies } from "../../src/http/proxies.ts";

describe("where a request comes from", () => {
  const { addressOf } = createTrustedProxies(["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"]);

  test("is the connection's address unless a trusted proxy has it", () => {
    expect(addressOf("203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
    expect(addressOf("203.0.113.9", null)).toBe("203.0.113.9");
    expect(addressOf("127.0.0.1", null)).toBe("127.0.0.1");
  });

  test("is what the last trusted proxy saw, whatever a client wrote before it", () => {
    expect(addressOf("127.0.0.1", "198.51.100.1")).toBe("198.51.100.1");
    expect(addressOf("127.0.0.1", "1.1.1.1, 198.51.100.1, 10.1.2.3")).toBe("198.51.100.1");
    expect(addressOf("127.0.0.1", "10.9.9.9, 198.51.100.1")).toBe("198.51.100.1");
    expect(addressOf("::1", "2001:db8::7, fd12::1")).toBe("2001:db8::7");
    expect(addressOf("::ffff:127.0.0.1", "198.51.100.1")).toBe("198.51.100.1");
  });

  test("reads ports and brackets as proxies write them", () => {
    expect(addressOf("127.0.0.1", "198.51.100.1:4711")).toBe("198.51.100.1");
    expect(addressOf("127.0.0.1", "[2001:db8::7]:4711")).toBe("2001:db8::7");
  });

  test("is the proxy's own where it names none", () => {
    for (const forwarded of ["", "unknown", "_hidden", "198.51.100.1, unknown", "1.2.3"]) {
      expect(addressOf("127.0.0.1", forwarded)).toBe("127.0.0.1");
    }
    expect(addressOf("127.0.0.1", "10.1.1.1, 10.1.1.2")).toBe("10.1.1.1");
  });

  test("takes no time over an endless list", () => {
    const endless = `${"10.0.0.1, ".repeat(100_000)}10.0.0.1`;
    expect(addressOf("127.0.0.1", endless)).toBe("10.0.0.1");
  });

  test.each([["10.0.0.0/33"], ["nonsense"], ["10.0.0"], ["10.0.0.0/x"], ["::/129"]])(
    "%s is no list of proxies",
    (entry) => {
      expect(() => createTrustedProxies([entry])).toThrow(RangeError);
    },
  );
});
