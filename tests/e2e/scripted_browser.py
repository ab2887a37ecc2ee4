#!/usr/bin/env python
"""A browser that signs a user in at the login pages and allows what a client requests, without running a script.

As a program, it opens the URL of its argument for the user in the variable COUNTERSIGN, and prints the URL of the client to which
it returns.
"""

import json
import os
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from http_client import request


class Page(HTMLParser):
    """The name of a page, the URL of its form, and the hidden fields."""

    def __init__(self, html):
        super().__init__()
        self.name = self.error = self.action = None
        self.hidden = {}
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "body":
            self.name, self.error = attributes["data-page"], attributes.get("data-error")
        elif tag == "form":
            self.action = attributes["action"]
        elif tag == "input" and attributes.get("type") == "hidden":
            self.hidden[attributes["name"]] = attributes["value"]


def origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def sign_in(url, user, headers=None):
    """Opens an authorization request. Returns the URL of the client to which the pages return, and the names of the pages.

    The headers have the cookie of the browser session. Without headers, the browser is new.
    """
    issuer, pages, headers = origin(url), [], {} if headers is None else headers
    response = request("GET", url, headers, None)
    while True:
        if "set-cookie" in response.headers:
            headers["cookie"] = response.headers["set-cookie"].split(";")[0]
        if response.status == 303:
            url = urljoin(url, response.headers["location"])
            if origin(url) != issuer:
                return url, pages
            response = request("GET", url, headers, None)
            continue
        page = Page(response.body.decode())
        assert response.status == 200 and page.name in ("login", "consent"), (response.status, response.body)
        pages.append(page.name)
        fields = {
            "login": {"username": user["username"], "password": user["password"]},
            "consent": {"for": "none", "decision": "grant"},
        }[page.name]
        url = urljoin(url, page.action)
        form = headers | {"content-type": "application/x-www-form-urlencoded", "origin": issuer}
        response = request("POST", url, form, urlencode(page.hidden | fields).encode())


if __name__ == "__main__":
    returned, _ = sign_in(sys.argv[1], json.loads(os.environ["COUNTERSIGN"])["user"])
    if returned.startswith("http://127.0.0.1:"):
        # A native application listens there.
        request("GET", returned, {}, None)
    print(returned)
