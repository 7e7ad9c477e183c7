"""A chat client that comes back by itself, misses nothing and says nothing twice.

Run it with: python3 docs/examples/chat.py ROOM NAME, then type lines. Python 3.11 and `websockets`.
EARSHOT is the server's address, EARSHOT_TOKEN an access token where one is needed.
"""

import asyncio
import json
import os
import random
import sys
import uuid
from collections.abc import Callable
from functools import partial
from threading import Thread
from urllib.parse import quote

import websockets

URL = os.environ.get("EARSHOT", "http://127.0.0.1:3000").replace("http", "ws", 1)
FINAL_CLOSES = (4400, 4401, 4403)
PING_EVERY_S = 30
FRAME_BYTES_MAX = 4 * 1024 * 1024


class Ended(Exception):
    """There is no use in coming back."""


class Chat:
    def __init__(self, room: str, name: str) -> None:
        self.room = room
        self.address = f"{URL}/v1/ws/chat?name={quote(name)}"
        self.token = os.environ.get("EARSHOT_TOKEN")  # a guest gets one, to stay the same guest
        self.socket = None
        self.last: dict | None = None  # the place of the last message that was shown
        self.is_in = False  # everything that was missed is shown, and live messages follow
        self.unsent: dict[str, dict] = {}  # what `sent` has not answered, by its client_id
        self.tries = 0
        self.waiting: set[asyncio.Task] = set()  # a task that nobody holds may be collected

    async def run(self) -> None:
        """Stays connected until it is cancelled. Raises Ended."""
        while True:
            code = await self.talk()
            if code in FINAL_CLOSES:
                raise Ended(f"the server closed the socket with {code}")
            wait_s = min(5, 0.25 * 2**self.tries)
            self.tries += 1
            await asyncio.sleep(random.uniform(wait_s / 2, wait_s))

    async def talk(self) -> int | None:
        """One connection from its beginning to its end; returns the close code, if there was one."""
        bearer = [] if self.token is None else [f"bearer.{self.token}"]
        socket = pinging = None
        try:
            async with websockets.connect(
                self.address, subprotocols=["earshot.v1", *bearer], max_size=FRAME_BYTES_MAX
            ) as socket:
                self.socket = socket
                pinging = asyncio.create_task(self.ping())
                async for text in socket:
                    await self.take(json.loads(text))
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            answer = getattr(error, "response", None) or error
            if getattr(answer, "status_code", None) in (401, 403):
                raise Ended(f"the server does not let us in: {error}")
        finally:
            self.socket = None
            self.is_in = False
            if pinging is not None:
                pinging.cancel()
        return None if socket is None else socket.close_code

    async def ping(self) -> None:
        # The library's own pings find a dead connection; only frames keep a socket from being idle.
        while True:
            await asyncio.sleep(PING_EVERY_S)
            await self.send({"type": "ping"})

    async def take(self, frame: dict) -> None:
        match frame["type"]:
            case "welcome":
                self.tries = 0
                self.token = frame.get("guest_token", self.token)
                await self.join()
            case "joined":
                if not frame["recovered"]:
                    if self.last is not None:
                        print("some messages are not kept any more", file=sys.stderr)
                    messages = frame["messages"]
                    first = messages[0]["offset"] if messages else frame["offset"] + 1
                    self.last = {"epoch": frame["epoch"], "offset": first - 1}
                await self.catch_up(frame)
            case "history":
                await self.catch_up(frame)
            case "message":
                self.show(frame)
            case "gap":
                self.last["offset"] = max(self.last["offset"], frame["to"])
            case "sent":
                self.unsent.pop(frame["client_id"], None)
            case "left":
                raise Ended("you are not in the room any more")
            case "error":
                await self.refused(frame)
            # Every other type is left alone: there will be new ones.

    async def join(self) -> None:
        after = {} if self.last is None else {"after": self.last}
        await self.send({"type": "join", "room": self.room, "ref": "join", **after})

    async def ask_for_more(self) -> None:
        after = self.last["offset"]
        await self.send({"type": "history", "room": self.room, "after": after, "ref": "history"})

    async def catch_up(self, page: dict) -> None:
        for message in page["messages"]:
            self.show(message)
        if page["more"]:
            return await self.ask_for_more()
        self.is_in = True
        for say in list(self.unsent.values()):
            await self.send(say)

    def show(self, message: dict) -> None:
        if message["offset"] <= self.last["offset"]:
            return  # a page and a live message may overlap
        self.last = {"epoch": message["epoch"], "offset": message["offset"]}
        kind = "says" if message["kind"] == "text" else message["kind"]
        print(f"{message['user']['name']} {kind}: {message['text']}", flush=True)

    async def refused(self, error: dict) -> None:
        print(f"{error['code']}: {error['message']}", file=sys.stderr)
        ref = error.get("ref")
        if error["retryable"]:
            again = asyncio.create_task(self.again(ref, error.get("retry_after_ms", 1000) / 1000))
            self.waiting.add(again)
            again.add_done_callback(self.waiting.discard)
        elif ref == "join":
            raise Ended("the room cannot be entered")
        else:
            self.unsent.pop(ref, None)

    async def again(self, ref: str, wait_s: float) -> None:
        here = self.socket  # after a break everything is asked again anyway
        await asyncio.sleep(wait_s)
        if here is not self.socket:
            return
        if ref == "join":
            await self.join()
        elif ref == "history":
            await self.ask_for_more()
        elif ref in self.unsent:
            await self.send(self.unsent[ref])

    async def say(self, text: str) -> None:
        client_id = str(uuid.uuid4())
        frame = {"type": "say", "room": self.room, "client_id": client_id, "text": text}
        self.unsent[client_id] = {**frame, "ref": client_id}
        if self.is_in:
            await self.send(self.unsent[client_id])

    async def send(self, frame: dict) -> None:
        if self.socket is None:
            return
        try:
            await self.socket.send(json.dumps(frame))
        except websockets.ConnectionClosed:
            pass  # the reading side comes back, and asks again


def read_lines(tell: Callable[[str | None], object]) -> None:
    """Runs in a thread of its own: standard input may be a terminal, a pipe or a file."""
    with open(0, "rb", buffering=0, closefd=False) as lines:
        for line in lines:
            tell(line.decode().rstrip("\n"))
    tell(None)


async def say_all(chat: Chat) -> None:
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    tell = partial(asyncio.get_running_loop().call_soon_threadsafe, lines.put_nowait)
    Thread(target=read_lines, args=[tell], daemon=True).start()
    while (line := await lines.get()) is not None:
        await chat.say(line)
    while chat.unsent:
        await asyncio.sleep(0.05)


async def main(room: str = "lobby", name: str = "Bob") -> None:
    chat = Chat(room, name)
    running, saying = asyncio.create_task(chat.run()), asyncio.create_task(say_all(chat))
    done, _ = await asyncio.wait([running, saying], return_when=asyncio.FIRST_COMPLETED)
    if running in done:
        sys.exit(str(running.exception()))
    running.cancel()


asyncio.run(main(*sys.argv[1:3]))
