"""The application of examples/browser-app in Chromium, and pages of other origins and sites that attack it."""

import os
import shutil
import time

import pytest

from conftest import cargo_build, run
from local_cloud import fixtures
from local_cloud.program import RUN, Program, free_port

CLIENT = next(client for client in fixtures.DEMO["clients"] if client["client_id"] == "demo-browser")
USER = {"username": "john.smith@itccompliance.co.uk", "password": "secret-password"}
# The page of the example is at this port of the developer's machine.
PORT = 5173


def browse(scenario, **settings):
    screenshots = RUN / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    settings |= {"scenario": scenario, "user": USER, "screenshots": str(screenshots), "chromium": shutil.which("chromium")}
    assert run(["node", "tests/e2e/node/browser.mjs"], settings) == {"passed": scenario}


@pytest.fixture(scope="module")
def deployed(shared_stack):
    """The deployed stack with an application at a free port."""
    pages = {"app": free_port(), "other": free_port()}
    client = CLIENT | {"client_id": "browser-app", "allowed_origins": [f"http://localhost:{pages['app']}"]}
    fixtures.seed(shared_stack, {"clients": [client], "users": []})
    # Cookies belong to a host name. The page is at localhost, too.
    api = shared_stack.url.replace("127.0.0.1", "localhost")
    return {"api": api, "client": client["client_id"], "pages": pages}


@pytest.fixture(scope="module")
def example():
    """`examples/local`."""
    port = free_port()
    RUN.mkdir(parents=True, exist_ok=True)
    command = [cargo_build("local", "--example", "local"), "--port", port]
    with Program.start("examples/local", command, os.environ, RUN / "example.txt") as program:
        while not program.listens(port):
            program.require_running()
            time.sleep(0.1)
        pages = {"app": PORT, "other": free_port()}
        yield {"api": f"http://localhost:{port}", "client": CLIENT["client_id"], "pages": pages}


SCENARIOS = ["login", "json", "wrong_password", "tabs", "log_out", "other_origin", "other_site", "planted_cookie"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_s_912_the_browser_application_with_the_deployed_stack(deployed, scenario):
    browse(scenario, **deployed)


@pytest.mark.parametrize("scenario", ["login", "json", "other_origin", "other_site"])
def test_s_912_the_browser_application_with_the_local_example(example, scenario):
    browse(scenario, **example)
