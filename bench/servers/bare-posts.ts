import { Database } from "bun:sqlite";

// The least that keeps posts: Bun's own server and one durable insert each.

const [path = ""] = process.argv.slice(2);
const db = new Database(path, { create: true, strict: true });
db.run("PRAGMA journal_mode=WAL");
db.run("PRAGMA synchronous=FULL");
db.run(
  "CREATE TABLE posts (id INTEGER PRIMARY KEY, publication TEXT, external_id TEXT, content TEXT)",
);
const insert = db.prepare<{ id: number }, [string, string, string]>(
  "INSERT INTO posts (publication, external_id, content) VALUES (?, ?, ?) RETURNING id",
);

interface Post {
  publication: string;
  external_id: string;
  content: string;
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const { publication, external_id: id, content } = (await request.json()) as Post;
    return Response.json(insert.get(publication, id, content), { status: 201 });
  },
});
console.log(JSON.stringify({ url: server.url.href }));
