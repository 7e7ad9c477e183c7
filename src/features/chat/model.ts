import { type Static, Type as t } from "@sinclair/typebox";
import { clientFrame, refField } from "../../realtime/frames.ts";
import type { Member, PresenceChange } from "../../realtime/presence.ts";

export const MESSAGE_CHARACTERS_MAX = 4_000;
const ROOM_CHARACTERS_MAX = 100;
const CLIENT_ID_CHARACTERS_MAX = 100;
/** Messages that one answer holds. */
export const HISTORY_MESSAGES_MAX = 500;
/** Messages that a newcomer is shown. */
export const RECENT_MESSAGES = 50;
/** Rooms that one socket may be in. */
export const ROOMS_PER_SOCKET_MAX = 100;

/** Something that was said and is kept. */
export interface ChatMessage {
  epoch: string;
  offset: number;
  id: number;
  clientId: string;
  user: Member;
  kind: "text" | "caption";
  text: string;
  at: number;
}

/** Something that happens and is not kept. */
export type ChatLive =
  | { kind: "typing"; user: Member }
  | { kind: "caption"; user: Member; segmentId: string; text: string }
  | { kind: "presence"; change: PresenceChange };

/** A place in a room's history. */
export interface Place {
  epoch: string;
  offset: number;
}

export const roomField = t.String({
  minLength: 1,
  maxLength: ROOM_CHARACTERS_MAX,
  pattern: "^[^\\u0000-\\u001f\\u007f|]+$",
  description: "any name without control characters and |",
});

const offsetField = t.Integer({ minimum: 0 });
const placeFields = { epoch: t.String({ maxLength: 64 }), offset: offsetField };
const textField = t.String({
  minLength: 1,
  maxLength: MESSAGE_CHARACTERS_MAX * 2,
  description: `at most ${MESSAGE_CHARACTERS_MAX} characters`,
});

const Join = clientFrame(
  "join",
  { room: roomField, after: t.Optional(t.Object(placeFields, { additionalProperties: false })) },
  "enters a room; with `after`, everything since is sent again",
);
const Leave = clientFrame("leave", { room: roomField }, "leaves a room; answered by `left`");
const Say = clientFrame(
  "say",
  {
    room: roomField,
    client_id: t.String({ minLength: 1, maxLength: CLIENT_ID_CHARACTERS_MAX }),
    text: textField,
  },
  "says something; answered by `sent` when it is durable, with the first id when it is said again",
);
const Typing = clientFrame("typing", { room: roomField }, "shows the others that one is typing");
const History = clientFrame(
  "history",
  {
    room: roomField,
    epoch: t.Optional(placeFields.epoch),
    after: t.Optional(offsetField),
    before: t.Optional(offsetField),
    limit: t.Optional(t.Integer({ minimum: 1, maximum: HISTORY_MESSAGES_MAX })),
  },
  "asks for kept messages after or before an offset; answered by `history`",
);

/** What a client may send on the chat socket. */
export const chatClientFrames = [Join, Leave, Say, Typing, History];
export type ChatClientFrame = Static<(typeof chatClientFrames)[number]>;

const user = t.Object({ id: t.Integer(), name: t.String() });
const members = t.Array(user);
const Message = t.Object({
  type: t.Literal("message"),
  room: t.String(),
  ...placeFields,
  id: t.Integer(),
  client_id: t.String(),
  user,
  kind: t.Union([t.Literal("text"), t.Literal("caption")]),
  text: t.String(),
  at: t.Integer({ description: "Unix milliseconds" }),
});
const messageList = t.Array(Message);

/** What the chat socket sends, by name for the documentation. */
export const chatFrames = {
  ChatJoin: Join,
  ChatLeave: Leave,
  ChatSay: Say,
  ChatTyping: Typing,
  ChatHistory: History,
  ChatWelcome: t.Object({
    type: t.Literal("welcome"),
    session_id: t.String(),
    user,
    guest_token: t.Optional(t.String()),
    limits: t.Record(t.String(), t.Integer()),
    expires_at: t.Optional(t.Integer()),
  }),
  ChatJoined: t.Object({
    type: t.Literal("joined"),
    room: t.String(),
    ...placeFields,
    recovered: t.Boolean(),
    more: t.Boolean({ description: "ask for the rest by `history`; live messages wait for it" }),
    messages: messageList,
    members,
    ref: refField,
  }),
  ChatLeft: t.Object({ type: t.Literal("left"), room: t.String(), ref: refField }),
  ChatSent: t.Object({
    type: t.Literal("sent"),
    client_id: t.String(),
    room: t.String(),
    id: t.Integer(),
    offset: t.Integer(),
    ref: refField,
  }),
  ChatMessage: Message,
  ChatHistoryPage: t.Object({
    type: t.Literal("history"),
    room: t.String(),
    epoch: t.String(),
    messages: messageList,
    more: t.Boolean(),
    ref: refField,
  }),
  ChatPresence: t.Object({
    type: t.Literal("presence"),
    room: t.String(),
    event: t.Union([t.Literal("join"), t.Literal("leave")]),
    user,
    members: t.Integer({ description: "how many users are in the room now" }),
  }),
  ChatTypingShown: t.Object({ type: t.Literal("typing"), room: t.String(), user }),
  ChatCaption: t.Object(
    {
      type: t.Literal("caption"),
      room: t.String(),
      user,
      segment_id: t.String(),
      text: t.String(),
    },
    { description: "an interim caption; each replaces the one before, and none is kept" },
  ),
};
