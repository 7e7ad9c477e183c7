import { describe, expect, test } from "bun:test";
import { type EntityFinder, createEntityFinder } from "../../src/text/entities/finder.ts";
import { ENTITY_LABELS, type EntityLabel } from "../../src/text/entities/labels.ts";
import { readShippedModel } from "../../src/text/entities/shipped.ts";
import { loadTagger } from "../../src/text/entities/tagger.ts";
import { foldName } from "../../src/text/topic-names.ts";
import { EXPANSIONS, VARIANTS } from "../../src/text/topic-variants.ts";
import { compareText, createTopicFinder } from "../../src/text/topics.ts";

/** Finds what it is told to, wherever it stands in the text. */
function scripted(entities: [EntityLabel, string][]): EntityFinder {
  return () => entities.map(([label, text]) => ({ label, text, start: 0, end: text.length }));
}

function topicsOf(...entities: [EntityLabel, string][]): string[] {
  const topics = createTopicFinder(scripted(entities))("");
  return topics.map(({ label, key, spellings }) => `${label} ${key}: ${spellings.join(", ")}`);
}

describe("names of one topic", () => {
  test.each<[EntityLabel, string[]]>([
    ["LOC", ["US", "U.S.", "U. S.", "us", "the U.S", "USA", "U.S.A.", "The United States", "US’s"]],
    ["LOC", ["United States of America", "U.S"]],
    ["LOC", ["UK", "U.K.", "the United Kingdom"]],
    ["LOC", ["Washington, D.C.", "Washington DC", "D.C.", "DC"]],
    ["LOC", ["NYC", "New York City"]],
    ["LOC", ["St. Louis", "Saint Louis", "ST LOUIS", "st louis'"]],
    ["LOC", ["Mt. Everest", "Mount Everest"]],
    ["LOC", ["Côte d’Ivoire", "Cote d'Ivoire", "Ivory Coast"]],
    ["LOC", ["Łódź", "Lodz"]],
    ["LOC", ["São Paulo", "Sa\u0303o Paulo", "Sao Paulo"]],
    ["PER", ["J.K. Rowling", "J. K. Rowling", "JK Rowling", "J K Rowling’s", "ＪＫ Rowling"]],
    ["PER", ["George W. Bush", "George W Bush", "President George W. Bush"]],
    ["PER", ["Mr. Obama", "Obama", "President Obama", "Mr. President Obama", "OBAMA'S"]],
    ["PER", ["Shaquille O'Neal", "Shaquille O’Neal", "Shaquille ONeal"]],
    ["PER", ["Lord Peter Mandelson", "Peter Mandelson"]],
    ["PER", ["Jean-Luc Picard", "Jean Luc Picard", "Jean\u2011Luc Picard"]],
    ["ORG", ["Apple", "Apple Inc.", "Apple, Inc", "apple inc's"]],
    ["ORG", ["Ford Motor Company", "Ford Motor Co.", "Ford Motor"]],
    ["ORG", ["Tiffany & Co.", "Tiffany and Co", "Tiffany"]],
    ["ORG", ["Huawei Technologies Co., Ltd.", "Huawei Technologies"]],
    ["ORG", ["Procter & Gamble", "Procter and Gamble", "Procter&Gamble"]],
    ["ORG", ["AT&T", "AT & T", "A.T.&T."]],
    ["ORG", ["F.B.I.", "FBI", "the Federal Bureau of Investigation"]],
    ["ORG", ["U.S. Senate", "US Senate", "United States Senate"]],
    ["ORG", ["Yahoo!", "Yahoo"]],
    ["LOC", ["हिन्दुस्तान", "हिंदुस्तान"]],
    ["LOC", ["अमेरिका", "अमरीका"]],
    ["LOC", ["बाड़मेर", "बाडमेर"]],
    ["PER", ["श्री नरेन्द्र मोदी", "नरेंद्र मोदी", "नरेंद्र मोदी जी"]],
    ["PER", ["डॉ. मनमोहन सिंह", "मनमोहन सिंह"]],
    ["PER", ["एम. एस. धोनी", "एम एस धोनी", "एमएस धोनी"]],
    ["ORG", ["बी.जे.पी.", "बीजेपी", "भाजपा"]],
  ])("%s %j", (label, names) => {
    const [first = "", ...others] = names.map((name) => foldName(name, label));
    expect(first).not.toBe("");
    for (const other of others) expect(other).toBe(first);
  });

  test.each<[EntityLabel, string, string]>([
    ["LOC", "America", "US"],
    ["LOC", "South Korea", "North Korea"],
    ["LOC", "LA", "Los Angeles"],
    ["ORG", "Disney+", "Disney"],
    ["ORG", "Bad Company", "Bad"],
    ["ORG", "X Corp", "X"],
    ["PER", "Mr. T", "T"],
    ["PER", "Lady Gaga", "Gaga"],
    ["PER", "Martin Luther King Jr.", "Martin Luther King"],
    ["LOC", "भारत", "हिंदुस्तान"],
    ["LOC", "General Mills", "Mills"],
  ])("are not %s %s and %s", (label, one, other) => {
    expect(foldName(one, label)).not.toBe(foldName(other, label));
  });

  test("without a label neither titles nor variants count", () => {
    expect(foldName("The U.S.A.")).toBe("usa");
    expect(foldName("Mr. Smith")).toBe("mr smith");
    expect(foldName("Apple Inc.")).toBe("apple inc");
  });

  test.each(["", "   ", "…", "''", "👍", "\ud800", "---"])("nothing is left of %j", (name) => {
    expect(foldName(name, "PER")).toBe("");
  });

  test("a name of titles only stays one", () => {
    expect(foldName("Mr. President", "PER")).toBe("president");
    expect(foldName("The Company", "ORG")).toBe("company");
    expect(foldName("Co. Ltd.", "ORG")).toBe("co");
    expect(foldName("The The", "ORG")).toBe("the");
  });

  test("what is known of variants stands there in its folded form, and leads nowhere else", () => {
    for (const label of ENTITY_LABELS) {
      for (const [variant, kept] of VARIANTS[label]) {
        expect(foldName(variant)).toBe(variant);
        expect(foldName(kept, label)).toBe(kept);
        expect(foldName(variant, label)).toBe(kept);
      }
      for (const [long, short] of EXPANSIONS[label]) {
        expect([foldName(long), foldName(short)]).toEqual([long, short]);
      }
    }
  });

  test("a key folds to itself", () => {
    const names = ["U. S. Steel Corp.", "The Rt. Hon. Sir J. R. R. Tolkien’s", "Łódź-Ⅳ", "हिन्दी क्"];
    for (const label of ENTITY_LABELS) {
      for (const name of names) {
        const key = foldName(name, label);
        expect(foldName(key, label)).toBe(key);
      }
    }
  });
});

describe("topics of a text", () => {
  test("are each there once, with every way they are written", () => {
    expect(
      topicsOf(
        ["LOC", "US"],
        ["ORG", "Apple Inc"],
        ["LOC", "U.S."],
        ["LOC", "US"],
        ["ORG", "Apple"],
      ),
    ).toEqual(["LOC us: U.S., US", "ORG apple: Apple, Apple Inc"]);
  });

  test("of one name and several labels are several", () => {
    expect(topicsOf(["ORG", "Washington"], ["LOC", "Washington"], ["PER", "Washington"])).toEqual([
      "LOC washington: Washington",
      "ORG washington: Washington",
      "PER washington: Washington",
    ]);
  });

  test.each([
    "@someone",
    "https://example.org/Paris",
    "www.example.org",
    "2012",
    "B",
    "…",
    "1,000.5",
  ])("do not include %j", (name) => expect(topicsOf(["ORG", name])).toEqual([]));

  test("have names of at most 100 characters", () => {
    expect(topicsOf(["LOC", "x".repeat(100)])).toHaveLength(1);
    expect(topicsOf(["LOC", "x".repeat(101)])).toEqual([]);
    expect(topicsOf(["LOC", "𐐀".repeat(100)])).toHaveLength(1);
    expect(topicsOf(["LOC", "𐐀".repeat(101)])).toEqual([]);
  });

  test("are written without what no text can hold", () => {
    expect(topicsOf(["LOC", "New\t \nYork\ud800"])).toEqual(["LOC new york: New York\ufffd"]);
  });

  test.each<[string[], string[]]>([
    [["Barack Obama", "Obama", "Mr. Obama"], ["barack obama"]],
    [
      ["Clinton", "Hillary Clinton", "Bill Clinton"],
      ["bill clinton", "hillary clinton"],
    ],
    [["Hillary", "Hillary Clinton"], ["hillary clinton"]],
    [["Van Gogh", "Gogh", "Vincent van Gogh"], ["vincent van gogh"]],
    [["Kennedy", "Robert F. Kennedy Jr."], ["robert f kennedy jr"]],
    [
      ["Obama", "Smith"],
      ["obama", "smith"],
    ],
    [["Mitt Romney", "Governor Mitt Romney"], ["mitt romney"]],
    [
      ["Luther", "Martin Luther King"],
      ["luther", "martin luther king"],
    ],
    [["मोदी", "नरेंद्र मोदी"], ["नरेंद्र मोदी"]],
  ])("a surname or first name beside the full name is none: %j", (names, keys) => {
    for (const ordered of [names, names.toReversed()]) {
      const entities = ordered.map((text): [EntityLabel, string] => ["PER", text]);
      const found = createTopicFinder(scripted(entities))("");
      expect(found.map(({ key }) => key)).toEqual(keys);
    }
  });

  test("a place that is called like a person stays a place", () => {
    expect(topicsOf(["PER", "George Washington"], ["LOC", "Washington"])).toEqual([
      "LOC washington: Washington",
      "PER george washington: George Washington",
    ]);
  });

  test("are in code-point order, not in that of UTF-16", () => {
    const found = createTopicFinder(
      scripted([
        ["LOC", "𐐀x"],
        ["LOC", "ﷲx"],
        ["LOC", "Zx"],
      ]),
    )("");
    const bytes = found.map(({ key }) => Buffer.from(key));
    expect(bytes.toSorted(Buffer.compare)).toEqual(bytes);
    expect(["𐐀", "\uffee", "a", "aa", ""].sort(compareText)).toEqual([
      "",
      "a",
      "aa",
      "\uffee",
      "𐐀",
    ]);
  });
});

describe("with the tagger that comes with the program", () => {
  const taggers = Promise.all([readShippedModel("en"), readShippedModel("hi")]);
  const load = async (): Promise<ReturnType<typeof createTopicFinder>> => {
    const [en, hi] = await taggers;
    return createTopicFinder(createEntityFinder({ en: loadTagger(en), hi: loadTagger(hi) }));
  };

  test("variants in one text are one topic", async () => {
    const find = await load();
    const found = find(
      "Barack Obama flew to London. Mr. Obama's plane left the U.S. on Monday, and the US agreed.\n" +
        "Obama met leaders of the United States.",
    );
    expect(found).toContainEqual({
      label: "PER",
      key: "barack obama",
      spellings: ["Barack Obama"],
    });
    expect(found.map(({ key }) => key)).toEqual(["london", "us", "barack obama"]);
  });

  test("Hindi is found by its script", async () => {
    const find = await load();
    const keys = find("प्रधानमंत्री नरेंद्र मोदी ने नई दिल्ली में कहा कि भारत आगे बढ़ेगा।").map(
      ({ key }) => key,
    );
    expect(keys).toContain("भारत");
  });

  test("the same text has the same topics, whatever came before and elsewhere", async () => {
    const text = "Angela Merkel met Tim Cook of Apple Inc. in Berlin; Merkel thanked Apple.";
    const [one, other] = [await load(), await load()];
    const first = one(text);
    for (let round = 0; round < 50; round++)
      other(`Paris ${round} met Apple Corp and Mrs. Merkel.`);
    expect(other(text)).toEqual(first);
    expect(first.length).toBeGreaterThan(2);
  });
});
