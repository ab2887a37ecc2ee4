"""Requests to the letter: no library that would mend them."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def request(token_url, method, path, headers, body):
    """Sends a request to a path of the service that a token endpoint belongs to."""
    url = urlsplit(token_url)
    prefix = url.path.removesuffix("/oauth/token")
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    try:
        connection.request(method, prefix + path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
