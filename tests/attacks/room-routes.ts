import { type Ids, ROOM, WORDS, inPath } from "./hidden-room.ts";

// Every route and frame there is, and what a spy asks of it about the hidden room.

export interface Case {
  path: string;
  body?: unknown;
}

/** Makes the request of a route for a room, the hidden one or one that is not there. */
type RoomCase = (room: string, ids: Ids) => Case;
/** Requests of a route that takes no room and may know of one. */
export type OtherCase = (ids: Ids) => Case[];

/**
 * Every route that takes a room, and its answers to an account that was not let in: of the private
 * room, and of one that is not there. They differ, and have to: whoever says something in a room that
 * is not there makes a public one, so a name that is taken shows whatever is answered.
 */
export const ROOM_ROUTES: Record<string, { make: RoomCase; statuses: [number, number] }> = {
  "post /v1/rooms": {
    make: (room) => ({ path: "/v1/rooms", body: { room } }),
    statuses: [409, 201],
  },
  "get /v1/rooms/{room}/members": {
    make: (room) => ({ path: inPath(room, "/members") }),
    statuses: [403, 404],
  },
  "post /v1/rooms/{room}/members/{user_id}": {
    make: (room, { spy }) => ({ path: inPath(room, `/members/${spy}`) }),
    statuses: [403, 404],
  },
  "delete /v1/rooms/{room}/members/{user_id}": {
    make: (room, { owner }) => ({ path: inPath(room, `/members/${owner}`) }),
    statuses: [403, 404],
  },
  "get /v1/rooms/{room}/messages": {
    make: (room) => ({ path: inPath(room, "/messages?after=0") }),
    statuses: [403, 404],
  },
  "post /v1/rooms/{room}/messages": {
    make: (room) => ({
      path: inPath(room, "/messages"),
      body: { client_id: crypto.randomUUID(), text: "let me in" },
    }),
    statuses: [403, 201],
  },
  "patch /v1/rooms/{room}/messages/{id}": {
    make: (room, { message }) => ({
      path: inPath(room, `/messages/${message}`),
      body: { text: "changed" },
    }),
    statuses: [403, 404],
  },
  "delete /v1/rooms/{room}/messages/{id}": {
    make: (room, { message }) => ({ path: inPath(room, `/messages/${message}`) }),
    statuses: [403, 404],
  },
  "post /v1/rooms/{room}/summary": {
    make: (room) => ({ path: inPath(room, "/summary"), body: { sentences: 5 } }),
    statuses: [403, 404],
  },
};

/** With the door open, whoever is on the machine may read everybody's transcriptions. */
export const TRANSCRIPTION_ROUTES: Record<string, OtherCase> = {
  "get /v1/transcriptions": () => [{ path: "/v1/transcriptions" }],
  "get /v1/transcriptions/{id}": ({ transcription: id }) => [{ path: `/v1/transcriptions/${id}` }],
  "patch /v1/transcriptions/{id}": ({ transcription: id }) => [
    { path: `/v1/transcriptions/${id}`, body: { title: "mine" } },
  ],
  "delete /v1/transcriptions/{id}": ({ transcription: id }) => [
    { path: `/v1/transcriptions/${id}` },
  ],
  "get /v1/transcriptions/{id}/export": ({ transcription: id }) =>
    ["txt", "json", "srt", "vtt"].map((format) => ({
      path: `/v1/transcriptions/${id}/export?format=${format}`,
    })),
  "get /v1/transcriptions/{id}/segments": ({ transcription: id }) => [
    { path: `/v1/transcriptions/${id}/segments` },
  ],
  "get /v1/transcriptions/{id}/revisions": ({ transcription: id }) => [
    { path: `/v1/transcriptions/${id}/revisions` },
  ],
  "post /v1/transcriptions/{id}/summary": ({ transcription: id }) => [
    { path: `/v1/transcriptions/${id}/summary`, body: { sentences: 5 } },
  ],
  "get /v1/transcriptions/search": () =>
    [WORDS.caption, WORDS.caption.slice(0, 4), "the"].map((q) => ({
      path: `/v1/transcriptions/search?q=${q}`,
    })),
  "post /v1/transcription/save": ({ owner }) => [
    { path: "/v1/transcription/save", body: { user_id: owner } },
  ],
};

const publication = encodeURIComponent(`room:${ROOM}`);

export const OTHER_ROUTES: Record<string, OtherCase> = {
  "get /": () => [{ path: "/" }],
  "get /healthz": () => [{ path: "/healthz" }],
  "get /readyz": () => [{ path: "/readyz" }],
  "get /metrics": () => [{ path: "/metrics" }],
  "get /v1/auth/me": () => [{ path: "/v1/auth/me" }],
  "get /v1/auth/me/export": () => [{ path: "/v1/auth/me/export" }],
  "get /v1/auth/sessions": () => [{ path: "/v1/auth/sessions" }],
  "get /v1/keys": () => [{ path: "/v1/keys" }],
  "get /v1/rooms": () => [
    { path: "/v1/rooms" },
    { path: `/v1/rooms?after=${encodeURIComponent(ROOM.slice(0, -1))}` },
  ],
  "get /v1/publications": () => [{ path: "/v1/publications" }],
  "get /v1/publications/{name}/topics": () => [
    { path: `/v1/publications/${publication}/topics?own=include` },
    { path: `/v1/publications/${encodeURIComponent(ROOM)}/topics` },
  ],
  "get /v1/topics": () => [
    { path: "/v1/topics?limit=100" },
    { path: `/v1/topics?q=${WORDS.place.slice(0, 5)}` },
  ],
  "get /v1/topics/timeline": () => [
    { path: `/v1/topics/timeline?topic=${WORDS.place}` },
    { path: `/v1/topics/timeline?topic=${WORDS.place}&publication=${publication}` },
  ],
  "get /v1/queue": () => [{ path: "/v1/queue" }],
  "get /v1/queue/events": () => [{ path: "/v1/queue/events" }],
  "get /v1/queue/dead": () => [{ path: "/v1/queue/dead" }],
  "post /v1/queue/dead/{id}/retry": () => [{ path: "/v1/queue/dead/1/retry", body: {} }],
  "get /v1/models": () => [{ path: "/v1/models" }],
  "get /v1/models/{id}": () => [{ path: `/v1/models/${encodeURIComponent(ROOM)}` }],
  "get /v1/public/{source}": () => [{ path: `/v1/public/${encodeURIComponent(ROOM)}` }],
  "post /v1/inference": () => [
    { path: "/v1/inference", body: { prompt: "What is said in the vault?" } },
  ],
  "get /v1/languages": () => [{ path: "/v1/languages" }],
};

/** Sockets, whose frames are below. */
export const SOCKETS = ["get /v1/ws/chat", "get /v1/ws/transcription"];

/** They take and change what is the caller's own, or take posts and sound, and know of no room. */
export const OWN_ROUTES = [
  "post /v1/auth/register",
  "post /v1/auth/login",
  "post /v1/auth/refresh",
  "post /v1/auth/logout",
  "patch /v1/auth/me",
  "delete /v1/auth/me",
  "delete /v1/auth/sessions",
  "delete /v1/auth/sessions/{id}",
  "post /v1/keys",
  "delete /v1/keys/{id}",
  "post /v1/transcriptions/save",
  "post /v1/audio/transcriptions",
  "post /v1/posts",
  "post /post/enqueue",
  "post /v1/posts/bulk",
];

/** A client's frame of the chat for a room. */
export const CHAT_FRAMES: Record<string, (room: string, ids: Ids) => object> = {
  join: (room) => ({ room }),
  leave: (room) => ({ room }),
  say: (room) => ({ room, client_id: crypto.randomUUID(), text: "let me in" }),
  edit: (room, { message: id }) => ({ room, id, text: "changed" }),
  remove: (room, { message: id }) => ({ room, id }),
  typing: (room) => ({ room }),
  read: (room) => ({ room, offset: 1 }),
  history: (room) => ({ room, after: 0 }),
};
