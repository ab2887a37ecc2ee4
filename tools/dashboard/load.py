"""The load run: services, users, an attacker that guesses, and a client that presents used refresh tokens."""

import base64
import http.client
import json
import math
import random
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from local_cloud.fixtures import DEMO

SECONDS = 120
# The attacks: the seconds in which they begin and end.
GUESSES, REPLAYS = (45, 75), (80, 100)
SERVICE, APPLICATION = (
    (client["client_id"], client["secrets"][0]["secret"]) for client in DEMO["clients"] if "secrets" in client
)
LOGIN = {"grant_type": "password", "username": DEMO["users"][0]["username"], "password": DEMO["users"][0]["password"]}
GUESSED = "guessed@example.com"
CONNECTION = threading.local()


def wave(second):
    """Returns a rate that rises and falls once in the run."""
    return 1 + math.sin(2 * math.pi * second / SECONDS) / 2


def rates(second):
    """Returns the requests per second of each kind."""
    return {
        service: 12 * wave(second),
        service_version_1: 1.5,
        log_in: 1.2 * wave(second),
        refresh: 5 * wave(second),
        wrong_client: 0.2,
        mistyped: 0.15,
        guess: 4 if GUESSES[0] <= second < GUESSES[1] else 0,
        replay: 0.5 if REPLAYS[0] <= second < REPLAYS[1] else 0,
    }


class Caller:
    """The callers of the run. `tokens` are the refresh tokens that can be used, `used` those that were."""

    def __init__(self, port):
        self.port, self.tokens, self.used = port, [], []

    def post(self, client, form, **headers):
        """Requests a token, and returns the members of the response."""
        connection = getattr(CONNECTION, "open", None) or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        CONNECTION.open = connection
        credentials = base64.b64encode(":".join(client).encode()).decode()
        headers |= {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/token", urllib.parse.urlencode(form), headers)
        return json.loads(connection.getresponse().read())


def service(caller):
    caller.post(SERVICE, {"grant_type": "client_credentials"})


def service_version_1(caller):
    caller.post(SERVICE, {"grant_type": "client_credentials"}, Accept="version=1")


def log_in(caller):
    caller.tokens.append(caller.post(APPLICATION, LOGIN)["refresh_token"])


def refresh(caller):
    if caller.tokens:
        token = caller.tokens.pop(random.randrange(len(caller.tokens)))
        response = caller.post(APPLICATION, {"grant_type": "refresh_token", "refresh_token": token})
        caller.used.append((time.monotonic(), token))
        caller.tokens.append(response["refresh_token"])


def wrong_client(caller):
    caller.post((SERVICE[0], "a wrong secret"), {"grant_type": "client_credentials"})


def mistyped(caller):
    caller.post(APPLICATION, LOGIN | {"username": f"{random.random()}@example.com"})


def guess(caller):
    caller.post(APPLICATION, LOGIN | {"username": GUESSED, "password": f"guess {random.random()}"})


def replay(caller):
    """Presents a refresh token that was used before the grace."""
    used = [token for at, token in caller.used if time.monotonic() - at > 15]
    if used:
        caller.post(APPLICATION, {"grant_type": "refresh_token", "refresh_token": random.choice(used)})


def schedule():
    """Returns the requests with the seconds at which they are sent, like independent callers send them."""
    steps = [(second / 10, rates(second / 10)) for second in range(SECONDS * 10)]
    return sorted(
        ((second + random.random() / 10, request) for second, each in steps for request, rate in each.items()
         if random.random() < rate / 10),
        key=lambda due: due[0],
    )


def run(port):
    """Sends the requests of the run."""
    caller, began = Caller(port), time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        for second, request in schedule():
            time.sleep(max(0.0, began + second - time.monotonic()))
            pool.submit(attempt, request, caller)


def attempt(request, caller):
    """Sends a request. A login that an attack ended has no new refresh token."""
    try:
        request(caller)
    except KeyError:
        pass
