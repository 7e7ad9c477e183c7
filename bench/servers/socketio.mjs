import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

// A Socket.IO room on Node. Usage: node socketio.mjs [REDIS_URL]

const redisUrl = process.argv[2];
const http = createServer();
const server = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
if (redisUrl !== undefined) {
  const publisher = await createClient({ url: redisUrl }).connect();
  server.adapter(createAdapter(publisher, await publisher.duplicate().connect()));
}
server.on("connection", (socket) => {
  void socket.join("room");
  socket.on("say", (text) => server.to("room").emit("said", text));
});
http.listen(0, "127.0.0.1", () => {
  const url = `ws://127.0.0.1:${http.address().port}/socket.io/?EIO=4&transport=websocket`;
  console.log(JSON.stringify({ url }));
});
