import { Elysia, t } from "elysia";
import type { guard } from "../../http/guard.ts";
import { identity } from "../../http/identity.ts";
import { Problem, problemSchema } from "../../http/problem.ts";
import type { Fanout } from "../../realtime/fanout.ts";
import { roomField, socketDetail } from "../../realtime/frames.ts";
import type { Gateway } from "../../realtime/gateway.ts";
import { EarshotChat, messageJson } from "./dialects/earshot.ts";
import {
  type ChatLive,
  type ChatMessage,
  HISTORY_MESSAGES_MAX,
  MESSAGE_CHARACTERS_MAX,
  ROOMS_PER_SOCKET_MAX,
  type Room,
  chatClientFrames,
  chatFrames,
  editBody,
  membersSchema,
  messageBody,
  messageSchema,
  pageSchema,
  roomBody,
  roomSchema,
} from "./model.ts";
import type { RoomsService } from "./rooms.ts";
import type { ChatService, HistoryPage } from "./service.ts";

export interface ChatRoutesDependencies {
  guard: ReturnType<typeof guard>;
  gateway: Gateway;
  service: ChatService;
  rooms: RoomsService;
  fanout: Fanout<ChatMessage, ChatLive>;
}

const LIMITS = {
  // The longest text in the most wasteful JSON, and the frame around it.
  textFrameBytesMax: 64 * 1024,
  binaryFrameBytesMax: 64 * 1024,
  idleMs: 120_000,
  isBinaryRated: true,
};
const ROOMS_PAGE_MAX = 1_000;

export function chatRoutes(dependencies: ChatRoutesDependencies) {
  return new Elysia({ name: "chat" })
    .use(socketRoute(dependencies))
    .use(roomRoutes(dependencies))
    .use(messageRoutes(dependencies));
}

const tags = ["chat"];
const query = t.Object(identity, { additionalProperties: false });
const params = t.Object({ room: roomField });
const refused = {
  401: problemSchema,
  403: problemSchema,
  404: problemSchema,
  422: problemSchema,
};

function socketRoute({ guard, gateway, service, fanout }: ChatRoutesDependencies) {
  const limits = {
    text_characters: MESSAGE_CHARACTERS_MAX,
    history_messages: HISTORY_MESSAGES_MAX,
    rooms: ROOMS_PER_SOCKET_MAX,
    ...gateway.announced(LIMITS),
  };
  const shared = { service, fanout, limits };
  return new Elysia({ name: "chat-socket" }).use(guard).get(
    "/v1/ws/chat",
    ({ request, server, visitor, query: { room } }) =>
      gateway.upgrade(request, server, visitor, {
        kind: "chat",
        limits: LIMITS,
        open: (connection) => new EarshotChat(connection, shared, room),
      }),
    {
      signedIn: true,
      query: t.Object({ room: t.Optional(roomField), ...identity }),
      response: { 101: t.Void({ description: "the socket is open" }), 426: problemSchema },
      detail: socketDetail({
        summary: "Chat",
        tags,
        frames: chatFrames,
        clientFrames: chatClientFrames,
      }),
    },
  );
}

function roomRoutes({ guard, rooms }: ChatRoutesDependencies) {
  const member = t.Object({ room: roomField, user_id: t.Integer({ minimum: 0 }) });
  return new Elysia({ name: "rooms" })
    .use(guard)
    .get(
      "/v1/rooms",
      async ({ caller, query: { after = "", limit = ROOMS_PAGE_MAX } }) =>
        (await rooms.list(caller, after, limit)).map(roomJson),
      {
        signedIn: true,
        query: t.Object(
          {
            ...identity,
            after: t.Optional(t.String({ description: "a room's name; rooms after it" })),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: ROOMS_PAGE_MAX })),
          },
          { additionalProperties: false },
        ),
        response: { 200: t.Array(roomSchema), ...refused },
        detail: { summary: "Rooms the caller may enter, by name", tags },
      },
    )
    .post(
      "/v1/rooms",
      async ({ caller, body: { room, private: isPrivate = false }, status }) =>
        status(201, roomJson(await rooms.create(caller, room, isPrivate))),
      {
        signedIn: true,
        query,
        body: roomBody,
        response: { 201: roomSchema, 409: problemSchema, ...refused },
        detail: { summary: "Make a room and own it", tags },
      },
    )
    .get(
      "/v1/rooms/:room/members",
      async ({ caller, params: { room } }) => ({ members: await rooms.members(caller, room) }),
      {
        signedIn: true,
        params,
        query,
        response: { 200: membersSchema, ...refused },
        detail: { summary: "Who is in the room now", tags },
      },
    )
    .post(
      "/v1/rooms/:room/members/:user_id",
      async ({ caller, params: { room, user_id: userId }, set }) => {
        await rooms.invite(caller, room, userId);
        set.status = 204;
      },
      {
        signedIn: true,
        params: member,
        query,
        response: { 204: t.Void(), ...refused },
        detail: { summary: "Let a user into the room, as its owner", tags },
      },
    )
    .delete(
      "/v1/rooms/:room/members/:user_id",
      async ({ caller, params: { room, user_id: userId }, set }) => {
        await rooms.expel(caller, room, userId);
        set.status = 204;
      },
      {
        signedIn: true,
        params: member,
        query,
        response: { 204: t.Void(), 409: problemSchema, ...refused },
        detail: { summary: "Send a user out of the room, as its owner, or go oneself", tags },
      },
    );
}

function messageRoutes({ guard, service, rooms }: ChatRoutesDependencies) {
  const one = t.Object({ room: roomField, id: t.Integer({ minimum: 1 }) });
  return new Elysia({ name: "messages" })
    .use(guard)
    .get(
      "/v1/rooms/:room/messages",
      async ({ caller, params: { room }, query: { after, before, limit } }) => {
        if (after !== undefined && before !== undefined) {
          throw new Problem("invalid", "Give after or before, not both");
        }
        // Reading makes no room.
        await rooms.checkExists(room);
        const { promise, resolve } = Promise.withResolvers<HistoryPage>();
        await service.history(caller, room, { after, before, limit }, resolve);
        const { epoch, messages, more } = await promise;
        const last = after === undefined ? messages[0] : messages.at(-1);
        return {
          epoch,
          messages: messages.map((message) => messageJson(room, message)),
          next: more ? (last?.offset ?? null) : null,
        };
      },
      {
        signedIn: true,
        params,
        query: t.Object(
          {
            ...identity,
            after: t.Optional(t.Integer({ minimum: 0 })),
            before: t.Optional(t.Integer({ minimum: 0 })),
            limit: t.Optional(t.Integer({ minimum: 1, maximum: HISTORY_MESSAGES_MAX })),
          },
          { additionalProperties: false },
        ),
        response: { 200: pageSchema, ...refused },
        detail: { summary: "Kept messages, oldest first; without `after` the last ones", tags },
      },
    )
    .post(
      "/v1/rooms/:room/messages",
      async ({ caller, params: { room }, body: { client_id: clientId, text }, status }) =>
        status(
          201,
          messageJson(room, await service.say(caller, room, { clientId, text, kind: "text" })),
        ),
      {
        signedIn: true,
        params,
        query,
        body: messageBody,
        response: { 201: messageSchema, 429: problemSchema, ...refused },
        detail: { summary: "Say something; the same client_id again is not said twice", tags },
      },
    )
    .patch(
      "/v1/rooms/:room/messages/:id",
      async ({ caller, params: { room, id }, body: { text } }) =>
        messageJson(room, await service.edit(caller, room, id, text)),
      {
        signedIn: true,
        params: one,
        query,
        body: editBody,
        response: { 200: messageSchema, ...refused },
        detail: { summary: "Edit one's own message", tags },
      },
    )
    .delete(
      "/v1/rooms/:room/messages/:id",
      async ({ caller, params: { room, id } }) =>
        messageJson(room, await service.remove(caller, room, id)),
      {
        signedIn: true,
        params: one,
        query,
        response: { 200: messageSchema, ...refused },
        detail: { summary: "Remove one's own message, or any as the room's owner", tags },
      },
    );
}

function roomJson({ name, epoch, head, ownerId, isPrivate, createdAt }: Room) {
  return {
    room: name,
    epoch,
    head,
    owner_id: ownerId,
    private: isPrivate,
    created_at: createdAt,
  };
}
