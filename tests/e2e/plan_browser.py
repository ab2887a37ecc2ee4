"""A browser without scripts that follows the instructions of `tests/conformance/plan.json` as the browser of the suite does."""

import re
from fnmatch import fnmatchcase
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from http_client import request
from scripted_browser import origin


class Page(HTMLParser):
    """The visible text of a page, and its forms: the action, the fields by name, and the elements by id."""

    def __init__(self, html):
        super().__init__()
        self.text, self.hides_text = "", False
        self.action, self.fields, self.names, self.buttons, self.select = None, {}, {}, {}, None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in ("style", "title"):
            self.hides_text = True
        elif tag == "form":
            self.action = values["action"]
        elif tag == "input":
            self.fields[values["name"]] = values.get("value", "")
            self.names[values.get("id")] = values["name"]
        elif tag == "select":
            self.select = values["name"]
        elif tag == "option":
            self.fields.setdefault(self.select, values["value"])
        elif tag == "button":
            self.buttons[values.get("id")] = {values["name"]: values["value"]} if "name" in values else {}

    def handle_endtag(self, tag):
        if tag in ("style", "title"):
            self.hides_text = False

    def handle_data(self, data):
        if not self.hides_text:
            self.text += data


class PlanBrowser:
    """A browser with one cookie. `saved` has the texts of the pages that an instruction saves for the review."""

    def __init__(self, plan, issuer):
        self.entries, self.issuer = plan["browser"], issuer
        self.cookie, self.saved, self.url, self.page = None, [], None, None

    def go(self, url):
        """Opens a URL and follows the first instructions that match it. Returns the URL at the end."""
        tasks = next(entry["tasks"] for entry in self.entries if matches(entry["match"], url))
        self.open("GET", url, None)
        for task in tasks:
            if matches(task["match"], self.url):
                for command in task["commands"]:
                    self.run(*command)
            else:
                assert task.get("optional"), (task["task"], self.url)
        return self.url

    def open(self, method, url, body):
        headers = {"cookie": self.cookie} if self.cookie else {}
        if body is not None:
            form = "application/x-www-form-urlencoded"
            headers |= {"content-type": form, "origin": self.issuer, "sec-fetch-site": "same-origin"}
        response = request(method, url, headers, body)
        if cookie := response.headers.get("set-cookie"):
            self.cookie = None if "Max-Age=0" in cookie else cookie.split(";")[0]
        self.url = url
        if location := response.headers.get("location"):
            self.url = urljoin(url, location)
            if origin(self.url) == self.issuer:
                self.open("GET", self.url, None)
        else:
            self.page = Page(response.body.decode())

    def run(self, command, kind, target, *rest):
        optional = rest[-1:] == ("optional",)
        if command == "text":
            if target in self.page.names:
                self.page.fields[self.page.names[target]] = rest[0]
            else:
                assert optional, f"no field {target} at {self.url}"
        elif command == "click":
            if target in self.page.buttons:
                body = urlencode(self.page.fields | self.page.buttons[target]).encode()
                self.open("POST", urljoin(self.url, self.page.action), body)
            else:
                assert optional, f"no button {target} at {self.url}"
        elif (command, kind, target) == ("wait", "id", "submission_complete"):
            # An element of the page at the redirect URI, which belongs to the suite.
            assert origin(self.url) != self.issuer
        else:
            assert (command, kind, target, rest[0]) == ("wait", "xpath", "//*", 10)
            assert rest[2] == "update-image-placeholder"
            assert re.search(rest[1], self.page.text), self.page.text
            self.saved.append(self.page.text)


def matches(pattern, url):
    """Returns true if a pattern in which only `*` is special matches a URL."""
    return fnmatchcase(url, re.sub(r"[\[?]", lambda special: f"[{special[0]}]", pattern))


def path(url):
    """Returns the last part of the path of a URL."""
    return urlsplit(url).path.rpartition("/")[2]
