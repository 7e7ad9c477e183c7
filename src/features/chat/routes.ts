import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { problemSchema } from "../../http/problem.ts";
import type { Fanout } from "../../realtime/fanout.ts";
import { socketDetail } from "../../realtime/frames.ts";
import type { Gateway } from "../../realtime/gateway.ts";
import { openEarshotChat } from "./dialects/earshot.ts";
import {
  type ChatLive,
  type ChatMessage,
  chatClientFrames,
  chatFrames,
  roomField,
} from "./model.ts";
import type { ChatService } from "./service.ts";

export interface ChatRoutesDependencies {
  guard: ReturnType<typeof guard>;
  gateway: Gateway;
  service: ChatService;
  fanout: Fanout<ChatMessage, ChatLive>;
}

const LIMITS = {
  // Four bytes a character at most, escaped six-fold in the worst JSON, and the frame around them.
  textFrameBytesMax: 64 * 1024,
  binaryFrameBytesMax: 64 * 1024,
  idleMs: 120_000,
};

export function chatRoutes({ guard, gateway, service, fanout }: ChatRoutesDependencies) {
  return new Elysia({ name: "chat" }).use(guard).get(
    "/v1/ws/chat",
    ({ request, server, visitor, query }) =>
      gateway.upgrade(request, server, visitor, {
        limits: LIMITS,
        open: (connection) =>
          openEarshotChat(connection, { service, fanout, ...LIMITS }, query.room),
      }),
    {
      signedIn: true,
      query: t.Object({
        room: t.Optional(roomField),
        user_id: t.Optional(t.Integer({ minimum: 0, description: "open mode only" })),
        name: t.Optional(t.String({ description: "open mode only" })),
      }),
      response: { 101: t.Void({ description: "the socket is open" }), 426: problemSchema },
      detail: socketDetail({
        summary: "Chat",
        tags: ["chat"],
        frames: chatFrames,
        clientFrames: chatClientFrames,
      }),
    },
  );
}
