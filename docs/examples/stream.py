"""Speaks a WAV file into Earshot as a microphone would, and prints what is heard.

Finals go to standard output, what may still change to standard error. It comes back by itself, and no
word is lost or doubled. Run it with: python3 docs/examples/stream.py FILE.wav [ROOM]. Python 3.11 and
`websockets`. EARSHOT is the server's address, EARSHOT_TOKEN an access token where one is needed.
"""

import asyncio
import json
import os
import random
import sys
import time
import wave

import websockets

URL = os.environ.get("EARSHOT", "http://127.0.0.1:3000").replace("http", "ws", 1)
FINAL_CLOSES = (4400, 4401, 4403, 4409)
AHEAD_MS_MAX = 30_000  # well below `limits.audio_queue_ms`, past which a socket is closed
FRAME_MS = 100


class Speaker:
    def __init__(self, path: str, room: str | None) -> None:
        with wave.open(path) as file:
            if file.getsampwidth() != 2:
                sys.exit("this example reads WAV files of 16 bits")
            self.sound = file.readframes(file.getnframes())
            self.start = {
                "type": "start",
                "language": "en",
                "encoding": "pcm_s16le",
                "sample_rate": file.getframerate(),
                "channels": file.getnchannels(),
            }
        if room is not None:
            self.start["room"] = room
        self.frame_bytes = 2 * self.start["channels"]
        self.token = os.environ.get("EARSHOT_TOKEN")  # a guest gets one, to stay the same guest
        self.session: str | None = None
        self.begins_at = 0  # where in the sound the session begins; all places are in bytes
        self.sent_to = 0
        self.kept_to = 0  # what the server will not lose; a microphone could forget it
        self.heard_to = 0
        self.last_seq = 0
        self.is_ready = False
        self.is_done = False
        self.tries = 0

    async def run(self) -> None:
        self.started_at = time.monotonic()
        while not self.is_done:
            code = await self.talk()
            if self.is_done:
                return
            if code in FINAL_CLOSES:
                sys.exit(f"the server closed the socket with {code}")
            wait_s = min(5, 0.25 * 2**self.tries)
            self.tries += 1
            await asyncio.sleep(random.uniform(wait_s / 2, wait_s))

    async def talk(self) -> int | None:
        """One connection from its beginning to its end; returns the close code, if there was one."""
        bearer = [] if self.token is None else [f"bearer.{self.token}"]
        socket = speaking = None
        try:
            async with websockets.connect(
                f"{URL}/v1/ws/transcription?name=speaker", subprotocols=["earshot.v1", *bearer]
            ) as socket:
                await self.begin(socket)
                speaking = asyncio.create_task(self.speak(socket))
                async for text in socket:
                    await self.take(socket, json.loads(text))
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            answer = getattr(error, "response", None) or error
            if getattr(answer, "status_code", None) in (401, 403):
                sys.exit(f"the server does not let us in: {error}")
        finally:
            self.is_ready = False
            if speaking is not None:
                speaking.cancel()
        return None if socket is None else socket.close_code

    async def begin(self, socket) -> None:
        resume = {"session_id": self.session, "after_seq": self.last_seq}
        await socket.send(json.dumps(self.start | ({"resume": resume} if self.session else {})))

    async def take(self, socket, frame: dict) -> None:
        if "seq" in frame:
            if frame["seq"] <= self.last_seq:
                return  # told again after a break
            self.last_seq = frame["seq"]
        match frame["type"]:
            case "ready":
                self.ready(frame)
            case "partial":
                print(f"… {frame['text']}", file=sys.stderr)
            case "final":
                print(frame["text"], flush=True)
            case "audio_ack":
                self.kept_to = self.begins_at + self.bytes_of(frame["received_ms"])
                self.heard_to = self.begins_at + self.bytes_of(frame["processed_ms"])
            case "done":
                self.done(frame)
            case "error":
                await self.refused(socket, frame)
            # Every other type is left alone: there will be new ones.

    def ready(self, frame: dict) -> None:
        self.tries = 0
        self.token = frame.get("guest_token", self.token)
        if not frame["resumed"]:
            self.session, self.begins_at, self.last_seq = frame["session_id"], self.kept_to, 0
        self.sent_to = self.begins_at + frame["received_bytes"]
        self.kept_to = max(self.kept_to, self.sent_to)
        self.is_ready = True

    async def refused(self, socket, error: dict) -> None:
        print(f"{error['code']}: {error['message']}", file=sys.stderr)
        if self.is_ready:
            return  # a close follows, or nothing was asked that matters
        if error["code"] == "not_found" and self.session is not None:
            self.session = None  # over: what the server had is kept, the rest begins a new one
        elif error["retryable"]:
            await asyncio.sleep(error.get("retry_after_ms", 1000) / 1000)
        else:
            sys.exit(1)
        await self.begin(socket)

    def done(self, frame: dict) -> None:
        if frame["reason"] == "draining":
            return  # a server that stops ends the session only until it is resumed
        self.is_done = frame["reason"] == "stop" or self.kept_to == len(self.sound)
        if self.is_done:
            print(f"kept as transcription {frame['transcription_id']}", file=sys.stderr)
        else:
            self.session = None  # it ended while we were away: the rest begins a new one

    async def speak(self, socket) -> None:
        try:
            await self.send_sound(socket)
        except websockets.ConnectionClosed:
            pass  # the reading side comes back, and sends from where the server is

    async def send_sound(self, socket) -> None:
        while not self.is_ready or self.sent_to < len(self.sound):
            await asyncio.sleep(FRAME_MS / 1000)
            # So much a microphone would have by now.
            spoken_to = self.bytes_of((time.monotonic() - self.started_at) * 1000)
            ahead_to = self.heard_to + self.bytes_of(AHEAD_MS_MAX)
            up_to = min(len(self.sound), spoken_to, ahead_to) if self.is_ready else 0
            while self.sent_to < up_to:
                end = min(up_to, self.sent_to + self.bytes_of(FRAME_MS))
                frame, self.sent_to = self.sound[self.sent_to : end], end
                await socket.send(frame)
        await socket.send(json.dumps({"type": "stop"}))

    def bytes_of(self, ms: float) -> int:
        return int(ms * self.start["sample_rate"] / 1000) * self.frame_bytes


asyncio.run(Speaker(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None).run())
