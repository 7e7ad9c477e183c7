import { describe, expect, test } from "bun:test";
import { checkName, foldName } from "../../../src/features/accounts/names.ts";

const refusal = (name: string): unknown => {
  try {
    checkName(name);
    return "nothing";
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe("a name", () => {
  test("is shown as it was given, without the spaces around it", () => {
    for (const name of [
      "Ada",
      "हिन्दी नाम",
      "क्‍ष",
      "o'Brien-Smith",
      "👩‍💻",
      "❤️",
      "李",
      "7",
      "a.b@c",
    ]) {
      expect(checkName(`  ${name} `).name).toBe(name);
    }
    expect(checkName("Ada \u00a0  Lovelace").name).toBe("Ada Lovelace");
  });

  test("has 1 to 50 characters as people count them", () => {
    expect(refusal("")).toBe("invalid");
    expect(refusal("   ")).toBe("invalid");
    expect(refusal("x".repeat(50))).toBe("nothing");
    expect(refusal("x".repeat(51))).toBe("invalid");
    expect(refusal("😀".repeat(50))).toBe("nothing");
    expect(refusal("😀".repeat(51))).toBe("invalid");
  });

  test("holds nothing that cannot be seen, or that turns the writing", () => {
    const hidden = [
      "two\nlines",
      "tab\tbed",
      "nul\u0000",
      "del\u007f",
      "next\u0085line",
      "line\u2028end",
      "right\u202eleft",
      "mark\u200fed",
      "isolate\u2066d",
      "zero\u200bwidth",
      "bom\ufeff.",
      "soft\u00adhyphen",
      "filler\u3164",
      "tag\u{e0041}",
      "half \ud800",
      "private \ue000",
      "\u200d",
      "\u0301",
      "\u2800",
    ];
    for (const name of hidden) expect([name, refusal(name)]).toEqual([name, "invalid"]);
  });

  test("is the same for the eye whatever its case, width, composition and spaces", () => {
    const same: [string, string][] = [
      ["Ada", "ADA"],
      ["Straße", "STRASSE"],
      ["Ｅｘａｍ", "exam"],
      ["Änna", "A\u0308NNA"],
      ["ﬁn", "FIN"],
      ["a  b", " A\u00a0B "],
      ["क्‍ष", "क्ष"],
      ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    ];
    for (const [one, other] of same) expect([one, foldName(one)]).toEqual([one, foldName(other)]);
    expect(foldName("Ada")).not.toBe(foldName("Adam"));
    expect(foldName("हिन्दी")).not.toBe(foldName("हिन्द"));
  });
});
