import { foldName } from "../../text/topic-names.ts";

/**
 * The folded names, without spaces, under which a publication speaks of itself: "The New York
 * Times", and of "www.nytimes.com" the address and "nytimes".
 */
export function ownNames(publication: string): string[] {
  const host = publication.toLowerCase().replace(/^www\./, "");
  const isHost = /^[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+$/u.test(host);
  // Of "news.bbc.co.uk" all the parts but the last name somebody; short ones are "co" and "com".
  const parts = isHost ? host.split(".").slice(0, -1) : [];
  const named = parts.filter((part) => part.length > 2);
  // Folding drops "the" where it is a word; in an address it is none.
  const bare = named.map((part) => part.replace(/^the(?=.{3})/u, ""));
  const names = [publication, host, ...named, ...bare];
  return [...new Set(names.flatMap(squeezedNames))].filter((name) => name !== "");
}

/** Folding knows what kind of thing a name is; a publication may be taken for any. */
function squeezedNames(name: string): string[] {
  return [foldName(name), foldName(name, "ORG")].map((folded) => folded.replaceAll(" ", ""));
}
