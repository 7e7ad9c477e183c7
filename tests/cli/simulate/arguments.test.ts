import { expect, test } from "bun:test";
import { parseRequest } from "../../../src/cli/simulate/arguments.ts";

test("without arguments a thousand made-up posts go to this machine", () => {
  expect(parseRequest([], null)).toEqual({
    source: null,
    columns: {},
    seed: 1,
    count: 1_000,
    url: "http://127.0.0.1:3000",
    key: null,
    concurrency: 16,
    isBulk: false,
    isChecked: false,
    patienceMs: 60_000,
  });
});

test("of a file all posts are sent, with the columns that are named", () => {
  const args = ["posts.csv", "--content", "words", "--bulk", "--check", "--patience", "5"];
  expect(parseRequest(args, null)).toMatchObject({
    source: "posts.csv",
    columns: { content: "words" },
    count: null,
    isBulk: true,
    isChecked: true,
    patienceMs: 5_000,
  });
});

test("the key of the command line goes before that of the environment", () => {
  expect(parseRequest(["--key", "one"], "two").key).toBe("one");
  expect(parseRequest([], "two").key).toBe("two");
  expect(parseRequest([], "").key).toBeNull();
});

test.each([
  [["--count", "0"], "--count has to be a whole number from 1"],
  [["--seed", "x"], "--seed has to be a whole number"],
  [["--concurrency", "1.5"], "--concurrency has to be a whole number"],
  [["--url", "ftp://localhost"], "--url has to be a web address"],
  [["--content", "text"], "columns are those of a file"],
  [["one.csv", "--seed", "2"], "--seed is for posts that are made up"],
  [["--nonsense"], "--nonsense"],
  [["one.csv", "two.csv"], "one file or web address at a time"],
])("wrong usage: %j", (args, said) => {
  expect(() => parseRequest(args, null)).toThrow(said);
});
