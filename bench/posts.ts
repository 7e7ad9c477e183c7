import { join } from "node:path";

// The posts that benches send: titles joined until they are as long as a short article.

export interface BenchPost {
  content: string;
  publication: string;
  external_id: string;
  published_at: number;
}

/** `count` posts of about `bytes` each, of the titles in FOLDER/posts; they repeat after some thousands. */
export async function readPosts(
  folder: string,
  count: number,
  bytes = 1_200,
): Promise<BenchPost[]> {
  const packed = await Bun.file(join(folder, "posts/news-links-100k.jsonl.zst")).bytes();
  const titles = new TextDecoder()
    .decode(Bun.zstdDecompressSync(packed))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { content: string; publication: string; created: number });
  const posts: BenchPost[] = [];
  let content = "";
  for (let at = 0; posts.length < count; at++) {
    const title = titles[at % titles.length];
    if (title === undefined) throw new Error("there are no titles");
    const end = /[.!?]$/.test(title.content) ? " " : ". ";
    content += title.content.trim() + end;
    if (content.length < bytes) continue;
    posts.push({
      content: content.slice(0, bytes).toWellFormed(),
      publication: title.publication,
      external_id: String(posts.length),
      published_at: title.created * 1_000,
    });
    content = "";
  }
  return posts;
}
