// Speaks a WAV file into Earshot as a microphone would, and prints what is heard: finals on standard
// output, what may still change on standard error. It comes back by itself; no word is lost or doubled.
// Run it with: npx -y bun@1.4.5 docs/examples/stream.mjs FILE.wav [ROOM] (or Node 22).
// EARSHOT is the server's address, EARSHOT_TOKEN an access token where one is needed.

import { readFileSync } from "node:fs";

const [file, room] = process.argv.slice(2);
const url = process.env.EARSHOT ?? "http://127.0.0.1:3000";
const address = `${url.replace(/^http/, "ws")}/v1/ws/transcription?name=speaker`;
const FINAL_CLOSES = [4400, 4401, 4403, 4409];
const AHEAD_MS_MAX = 30_000; // well below `limits.audio_queue_ms`, past which a socket is closed
const FRAME_MS = 100;
const SILENT_MS_MAX = 30_000;

const { header, sound, frameRate, frameBytes } = readWav(file);
let token = process.env.EARSHOT_TOKEN ?? null; // a guest gets one, to come back as the same guest
let socket = null;
let session = null; // its id, and where in the sound it begins
let isReady = false;
let isStopSent = false;
let isDone = false;
let sentTo = 0; // all of these are places in the sound, in bytes
let keptTo = 0; // what the server will not lose; a microphone's sound could be forgotten up to here
let heardTo = 0;
let lastSeq = 0;
let tries = 0;
let askedMs = 0; // how long the server wants to be left alone
let heardAt = 0;
const startedAt = Date.now();

function connect() {
  const protocols = token === null ? ["earshot.v1"] : ["earshot.v1", `bearer.${token}`];
  const opened = new WebSocket(address, protocols);
  socket = opened;
  heardAt = Date.now();
  opened.onopen = () => socket === opened && begin();
  opened.onmessage = ({ data }) => socket === opened && take(JSON.parse(data));
  opened.onclose = ({ code }) => void (socket === opened && comeBack(code));
  opened.onerror = () => void (socket === opened && comeBack(1006)); // Node: no close without an open
}

async function comeBack(code) {
  socket = null;
  isReady = false;
  if (isDone) end(0);
  if (FINAL_CLOSES.includes(code)) end(1, `the server closed the socket with ${code}`);
  // Why a socket is refused is not told to programs; the same question over HTTP is answered.
  if (await isRefused()) end(1, "the server does not know this token");
  const waitMs = Math.min(5_000, 250 * 2 ** tries++);
  setTimeout(connect, Math.max(askedMs, waitMs / 2 + (Math.random() * waitMs) / 2));
}

async function isRefused() {
  if (token === null) return false;
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/v1/auth/me`, { headers }).catch(() => null);
  return answer?.status === 401;
}

function begin() {
  const resume = session !== null && { resume: { session_id: session.id, after_seq: lastSeq } };
  send({ type: "start", language: "en", encoding: "wav", room, ...resume });
}

function take(frame) {
  heardAt = Date.now();
  if (frame.seq !== undefined) {
    if (frame.seq <= lastSeq) return; // told again after a break
    lastSeq = frame.seq;
  }
  switch (frame.type) {
    case "ready":
      return ready(frame);
    case "partial":
      return console.error(`… ${frame.text}`);
    case "final":
      return console.log(frame.text);
    case "audio_ack":
      keptTo = session.from + bytesOf(frame.received_ms);
      heardTo = session.from + bytesOf(frame.processed_ms);
      return;
    case "done":
      return done(frame);
    case "error":
      return refused(frame);
    // Every other type is left alone: there will be new ones.
  }
}

function ready(frame) {
  tries = 0;
  askedMs = 0;
  token = frame.guest_token ?? token;
  if (!frame.resumed) {
    session = { id: frame.session_id, from: keptTo };
    lastSeq = 0;
  }
  sentTo = session.from + frame.received_bytes;
  keptTo = Math.max(keptTo, sentTo);
  isReady = true;
  isStopSent = false;
  if (frame.received_bytes === 0) socket.send(header);
}

function refused({ code, message, retryable, retry_after_ms: waitMs }) {
  console.error(`${code}: ${message}`);
  askedMs = waitMs ?? 0;
  if (isReady) return; // a close follows, or nothing was asked that matters
  if (code === "not_found" && session !== null) {
    session = null; // over: what the server had is kept, and the rest begins a new one
    return begin();
  }
  if (!retryable) end(1);
  const here = socket;
  setTimeout(() => here === socket && begin(), waitMs ?? 1_000);
}

function done({ reason, transcription_id: id }) {
  // A server that stops ends the session only until it is resumed.
  if (reason === "draining") return;
  isDone = reason === "stop" || keptTo === sound.length;
  if (isDone) console.error(`kept as transcription ${id}`);
  else session = null; // it ended while we were away: the rest begins a new one, after the close
}

function speak() {
  if (!isReady) return;
  const spokenTo = bytesOf(Date.now() - startedAt); // so much a microphone would have by now
  const upTo = Math.min(sound.length, spokenTo, heardTo + bytesOf(AHEAD_MS_MAX));
  while (sentTo < upTo) {
    const frame = sound.subarray(sentTo, Math.min(upTo, sentTo + bytesOf(FRAME_MS)));
    socket.send(frame);
    sentTo += frame.length;
  }
  if (sentTo < sound.length || isStopSent) return;
  isStopSent = true;
  send({ type: "stop" });
}

function bytesOf(ms) {
  return Math.floor((ms * frameRate) / 1_000) * frameBytes;
}

function send(frame) {
  if (socket?.readyState === 1) socket.send(JSON.stringify(frame));
}

function end(status, why) {
  if (why !== undefined) console.error(why);
  process.exit(status);
}

/** Finds the samples of a WAV file behind its other chunks. A frame is a sample of each channel. */
function readWav(path) {
  const bytes = readFileSync(path);
  const nameAt = (at) => bytes.toString("latin1", at, at + 4);
  const sizeAt = (at) => bytes.readUInt32LE(at + 4);
  let at = 12;
  let format = at;
  for (; nameAt(at) !== "data"; at += 8 + sizeAt(at) + (sizeAt(at) % 2)) {
    if (nameAt(at) === "fmt ") format = at;
  }
  return {
    header: bytes.subarray(0, at + 8),
    sound: bytes.subarray(at + 8, at + 8 + sizeAt(at)),
    frameRate: bytes.readUInt32LE(format + 12),
    frameBytes: bytes.readUInt16LE(format + 20),
  };
}

connect();
setInterval(speak, FRAME_MS);
// A server that has sound answers about once a second; one that does not is asked, or is dead.
setInterval(() => {
  send({ type: "ping" });
  if (socket?.readyState !== 1 || Date.now() - heardAt < SILENT_MS_MAX) return;
  socket.close();
  void comeBack(1006);
}, SILENT_MS_MAX / 3);
