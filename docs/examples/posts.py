"""Sends posts from a file of JSON lines to Earshot, so that each counts once whatever breaks.

Run it with: python3 docs/examples/posts.py FILE.ndjson. Python 3.11 and nothing else. Each line is an
object with `content` and `publication`. EARSHOT is the server's address, EARSHOT_KEY an API key where
one is needed. Running it again with the same file adds nothing.
"""

import hashlib
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("EARSHOT", "http://127.0.0.1:3000")
KEY = os.environ.get("EARSHOT_KEY")
BATCH_POSTS = 500
PATIENCE_S = 600  # so long it tries without any success


def named(line: str) -> dict:
    """A post with an id: the same post always gets the same one, so that sending again is safe."""
    post = json.loads(line)
    text = f"{post['publication']}\n{post['content']}"
    post.setdefault("external_id", hashlib.sha256(text.encode()).hexdigest())
    return post


def send(batch: list[dict]) -> dict:
    """Sends a batch until the server has answered that all of it is kept."""
    body = "\n".join(json.dumps(post) for post in batch).encode()
    headers = {"content-type": "application/x-ndjson"} | ({"x-api-key": KEY} if KEY else {})
    give_up_at = time.monotonic() + PATIENCE_S
    for tries in itertools.count():
        wait_s = min(10.0, 0.25 * 2**tries)
        try:
            request = urllib.request.Request(f"{URL}/v1/posts/bulk", body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 429) and error.code < 500:
                sys.exit(f"refused: {error.read().decode()}")
            why = f"HTTP {error.code}"
            wait_s = max(wait_s, float(error.headers.get("retry-after", 0)))
        except OSError as error:
            # Refused, reset, timed out: whether it arrived is not known, and need not be.
            why = str(error)
        if time.monotonic() > give_up_at:
            sys.exit(f"given up: {why}")
        print(f"{why}; again in {wait_s:.1f} s", file=sys.stderr)
        time.sleep(wait_s)


accepted = duplicates = 0
with open(sys.argv[1], encoding="utf-8") as lines:
    posts = (named(line) for line in lines if line.strip())
    while batch := list(itertools.islice(posts, BATCH_POSTS)):
        answer = send(batch)
        accepted += answer["accepted"]
        duplicates += answer["duplicates"]
        for rejected in answer["rejected"]:
            print(f"not taken, {rejected['code']}: {batch[rejected['line'] - 1]}", file=sys.stderr)
print(f"accepted {accepted}, known {duplicates}")
