import { expect, test } from "bun:test";
import { ownNames } from "../../../src/features/topics/own-names.ts";
import { foldName } from "../../../src/text/topic-names.ts";

test.each([
  ["The New York Times", "New York Times"],
  ["theatlantic.com", "The Atlantic"],
  ["www.theguardian.com", "Guardian"],
  ["news.bbc.co.uk", "BBC"],
  ["engadget.com", "Engadget"],
  ["en.wikipedia.org", "Wikipedia"],
])("%s calls itself %s", (publication, name) => {
  expect(ownNames(publication)).toContain(foldName(name, "ORG").replaceAll(" ", ""));
});

test.each([
  ["thedailywtf.com", "The"],
  ["them.us", "M"],
  ["bbc.co.uk", "Co"],
])("%s does not call itself %s", (publication, name) => {
  expect(ownNames(publication)).not.toContain(foldName(name, "ORG"));
});
