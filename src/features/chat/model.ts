import { type Static, Type as t } from "@sinclair/typebox";
import { clientFrame, refField, roomField } from "../../realtime/frames.ts";
import type { Member, PresenceChange } from "../../realtime/presence.ts";

export const MESSAGE_CHARACTERS_MAX = 4_000;
const CLIENT_ID_CHARACTERS_MAX = 100;
/** Messages that one answer holds. */
export const HISTORY_MESSAGES_MAX = 500;
/** Text that one answer holds, so that it stays well below what may be unsent on a socket. */
export const PAGE_CHARACTERS_MAX = 100_000;
/** Messages that a newcomer is shown. */
export const RECENT_MESSAGES = 50;
/** Members that somebody who joins is told; `presence` counts them all. */
export const MEMBERS_TOLD_MAX = 1_000;
/** Rooms that one socket may be in. */
export const ROOMS_PER_SOCKET_MAX = 100;

/** Something that happened in a room and is kept; an edit or removal is an event of its own. */
export interface ChatMessage {
  epoch: string;
  offset: number;
  id: number;
  clientId: string;
  user: Member;
  kind: "text" | "caption" | "edit" | "remove";
  /** The message that is edited or removed. */
  target: number | null;
  text: string;
  at: number;
}

/** Something that happens and is not kept. */
export type ChatLive =
  | { kind: "typing"; user: Member }
  | { kind: "caption"; user: Member; segmentId: string; text: string }
  | { kind: "presence"; change: PresenceChange }
  /** A user may not be here any more; every process shows its sockets out. */
  | { kind: "expelled"; userId: number };

/** A room as it is listed. */
export interface Room {
  name: string;
  epoch: string;
  head: number;
  ownerId: number | null;
  isPrivate: boolean;
  createdAt: number;
}

/** A place in a room's history. */
export interface Place {
  epoch: string;
  offset: number;
}

const offsetField = t.Integer({ minimum: 0 });
const idField = t.Integer({ minimum: 1 });
const placeFields = { epoch: t.String({ maxLength: 64 }), offset: offsetField };
const clientIdField = t.String({ minLength: 1, maxLength: CLIENT_ID_CHARACTERS_MAX });
const textField = t.String({
  minLength: 1,
  // In code units, of which a character has two at most; the service counts characters.
  maxLength: MESSAGE_CHARACTERS_MAX * 2,
  description: `at most ${MESSAGE_CHARACTERS_MAX} characters`,
});
const user = t.Object({ id: t.Integer(), name: t.String() });

const Join = clientFrame(
  "join",
  { room: roomField, after: t.Optional(t.Object(placeFields, { additionalProperties: false })) },
  "enters a room; with `after`, everything since is sent again",
);
const Leave = clientFrame("leave", { room: roomField }, "leaves a room; answered by `left`");
const Say = clientFrame(
  "say",
  { room: roomField, client_id: clientIdField, text: textField },
  "says something; answered by `sent` when it is durable, with the first id when it is said again",
);
const Edit = clientFrame(
  "edit",
  { room: roomField, id: idField, text: textField },
  "changes one's own message; answered by `sent`, told as a `message` of kind `edit`",
);
const Remove = clientFrame(
  "remove",
  { room: roomField, id: idField },
  "removes one's own message, or any as the room's owner; told as a `message` of kind `remove`",
);
const Typing = clientFrame("typing", { room: roomField }, "shows the others that one is typing");
const Read = clientFrame(
  "read",
  { room: roomField, offset: offsetField },
  "remembers how far this user has read; `joined.read` says it again",
);
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
export const chatClientFrames = [Join, Leave, Say, Edit, Remove, Typing, Read, History];
export type ChatClientFrame = Static<(typeof chatClientFrames)[number]>;

const messageFields = {
  room: t.String(),
  ...placeFields,
  id: t.Integer(),
  client_id: t.String(),
  user,
  kind: t.Union([t.Literal("text"), t.Literal("caption"), t.Literal("edit"), t.Literal("remove")]),
  target: t.Optional(t.Integer({ description: "the id of the message that is edited or removed" })),
  text: t.String({ description: "empty in a message that was removed" }),
  at: t.Integer({ description: "Unix milliseconds" }),
};
const Message = t.Object({ type: t.Literal("message"), ...messageFields });
const messageList = t.Array(Message);

/** Every frame of the chat socket, by its name in the documentation. */
export const chatFrames = {
  ChatJoin: Join,
  ChatLeave: Leave,
  ChatSay: Say,
  ChatEdit: Edit,
  ChatRemove: Remove,
  ChatTyping: Typing,
  ChatRead: Read,
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
    members: t.Array(user),
    read: offsetField,
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
  ChatGap: t.Object(
    { type: t.Literal("gap"), room: t.String(), from: t.Integer(), to: t.Integer() },
    { description: "these offsets are gone for everybody" },
  ),
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

export type MessageFrame = Static<typeof Message>;
type ServerFrameName = Exclude<
  keyof typeof chatFrames,
  | "ChatJoin"
  | "ChatLeave"
  | "ChatSay"
  | "ChatEdit"
  | "ChatRemove"
  | "ChatTyping"
  | "ChatRead"
  | "ChatHistory"
>;
/** What the chat socket sends. */
export type ChatServerFrame = {
  [Name in ServerFrameName]: Static<(typeof chatFrames)[Name]>;
}[ServerFrameName];

// The same over HTTP.

export const roomSchema = t.Object({
  room: t.String(),
  epoch: t.String(),
  head: t.Integer({ description: "the offset of the newest message" }),
  owner_id: t.Union([t.Integer(), t.Null()]),
  private: t.Boolean(),
  created_at: t.Integer({ description: "Unix milliseconds" }),
});

export const roomBody = t.Object(
  { room: roomField, private: t.Optional(t.Boolean()) },
  { additionalProperties: false },
);
export const messageBody = t.Object(
  { client_id: clientIdField, text: textField },
  { additionalProperties: false },
);
export const editBody = t.Object({ text: textField }, { additionalProperties: false });
export const messageSchema = t.Object(messageFields);
export const membersSchema = t.Object({ members: t.Array(user) });
export const pageSchema = t.Object({
  epoch: t.String(),
  messages: t.Array(messageSchema),
  next: t.Union([t.Integer(), t.Null()], { description: "`after` (or `before`) of the next page" }),
});
