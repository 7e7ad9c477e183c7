import { describe, expect, test } from "bun:test";
import { createSummariser } from "../../src/text/summary.ts";

const summariser = createSummariser();
const textsOf = (sentences: readonly { text: string }[]) => sentences.map(({ text }) => text);
const summaryOf = async (lines: string[], count: number) =>
  textsOf(await summariser.choose(summariser.split(lines), count));

const MEETING = [
  "good morning everyone",
  "okay so um can you all hear me",
  "yes",
  "the harbour bridge will be closed for repairs from monday until the end of the month",
  "is it warm in here or is it me",
  "buses will take the long way round while the bridge is closed for repairs",
  "somebody left a blue umbrella",
  "the repairs of the bridge cost four million and the city pays half of them",
  "okay thank you",
  "so the bridge is closed from monday and the buses go round",
  "bye",
];

const HINDI =
  "आज शहर में जल आपूर्ति पर बैठक हुई। सब लोग समय पर आए। मौसम अच्छा था। " +
  "नगर निगम ने कहा कि जल आपूर्ति की पुरानी पाइपलाइन बदली जाएगी। चाय ठंडी थी। " +
  "पाइपलाइन बदलने का काम सोमवार से शुरू होगा और जल आपूर्ति दो दिन बंद रहेगी। धन्यवाद।";

describe("sentences", () => {
  test("end with their marks and with their lines", () => {
    const lines = ["Dr. Rao came at 10.30. Did he stay? Yes", "no full stop here", "", "  "];
    expect(summariser.split(lines)).toEqual([
      { text: "Dr. Rao came at 10.30.", line: 0 },
      { text: "Did he stay?", line: 0 },
      { text: "Yes", line: 0 },
      { text: "no full stop here", line: 1 },
    ]);
    expect(textsOf(summariser.split(["वह आया। वह गया?"]))).toEqual(["वह आया।", "वह गया?"]);
  });

  test("that never end are cut, and no word is lost", () => {
    const words = Array.from({ length: 500 }, (_, at) => `word${at}`);
    const split = textsOf(summariser.split([words.join(" ")]));
    expect(split.length).toBeGreaterThan(5);
    expect(split.join(" ")).toBe(words.join(" "));
    for (const one of split) expect(one.split(" ").length).toBeLessThanOrEqual(60);
  });
});

describe("a summary", () => {
  test("of captions is what most of them are about, without the chatter", async () => {
    const summary = await summaryOf(MEETING, 2);
    expect(summary).toHaveLength(2);
    for (const sentence of summary) expect(sentence).toContain("bridge");
  });

  test("of a Hindi text is of whole sentences about its subject", async () => {
    const summary = await summaryOf([HINDI], 2);
    expect(summary).toHaveLength(2);
    for (const sentence of summary) {
      expect(sentence).toContain("जल आपूर्ति");
      expect(sentence).toEndWith("।");
    }
  });

  test("does not say the same twice while there is something else to say", async () => {
    const twice = "the harbour bridge is closed for repairs until the end of the month";
    const other = "tickets for the summer concert at the harbour go on sale on friday";
    const lines = [twice, twice.toUpperCase(), twice, other, `well ${twice}`];
    expect(await summaryOf(lines, 2)).toEqual([twice, other]);
  });

  test("keeps the order, is never longer than asked, and is the same every time", async () => {
    for (let count = 1; count <= 12; count++) {
      const summary = await summaryOf(MEETING, count);
      const places = summary.map((sentence) => MEETING.indexOf(sentence));
      expect(places).toEqual(places.toSorted((one, other) => one - other));
      expect(summary.length).toBeLessThanOrEqual(count);
      expect(summary.length).toBeGreaterThanOrEqual(Math.min(count, 4));
      expect(await summaryOf(MEETING, count)).toEqual(summary);
    }
  });

  test("of little, of nothing and of no words is what there is", async () => {
    expect(await summaryOf([], 3)).toEqual([]);
    expect(await summaryOf(["", " \n "], 3)).toEqual([]);
    expect(await summaryOf(["Yes."], 3)).toEqual(["Yes."]);
    expect(await summaryOf(["the of and", "!!!", "😀"], 2)).toHaveLength(2);
  });

  test("takes equals from the beginning", async () => {
    const lines = ["one fresh green apple", "two small brown houses", "three tall wise owls"];
    expect(await summaryOf(lines, 1)).toEqual([lines[0] ?? ""]);
  });
});

describe("a condensed text", () => {
  test("is everything where that fits", async () => {
    const sentences = summariser.split(MEETING);
    expect(await summariser.condense(sentences, 10_000)).toEqual(sentences);
  });

  test("is the most telling of it, in order, where it does not", async () => {
    const sentences = summariser.split(MEETING);
    const condensed = textsOf(await summariser.condense(sentences, 250));
    expect(condensed.join("").length).toBeLessThanOrEqual(250);
    expect(condensed.filter((text) => text.includes("bridge")).length).toBeGreaterThanOrEqual(2);
    const places = condensed.map((sentence) => MEETING.indexOf(sentence));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
  });
});
