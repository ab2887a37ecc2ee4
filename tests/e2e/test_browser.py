"""The application of examples/browser-app in Chromium, and pages of other origins and sites that attack it."""

import shutil

import pytest

from conftest import run
from local_cloud import fixtures
from local_cloud.program import RUN, free_port

CLIENT = next(client for client in fixtures.DEMO["clients"] if client["client_id"] == "demo-browser")
USER = {"username": "john.smith@itccompliance.co.uk", "password": "secret-password"}
SCENARIOS = ["login", "wrong_password", "tabs", "log_out", "other_origin", "other_site", "planted_cookie"]


@pytest.fixture(scope="module")
def settings(shared_stack):
    """Registers the application with the origin of a free port."""
    pages = {"app": free_port(), "other": free_port()}
    client = CLIENT | {"client_id": "browser-app", "allowed_origins": [f"http://localhost:{pages['app']}"]}
    fixtures.seed(shared_stack, {"clients": [client], "users": []})
    screenshots = RUN / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing; install the Debian package chromium"
    return {
        "client": client["client_id"], "user": USER, "pages": pages, "screenshots": str(screenshots), "chromium": chromium,
    }


def browse(service, settings, scenario, preflight):
    # Cookies belong to a host name. The page is at localhost, too.
    api = service.url.replace("127.0.0.1", "localhost")
    settings = settings | {"api": api, "scenario": scenario, "preflight": preflight}
    assert run(["node", "tests/e2e/node/browser.mjs"], settings) == {"passed": scenario}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_s_912_the_browser_application_over_the_deployed_stack(api, settings, scenario):
    """The local cloud rejects preflights itself, so the pages send forms, which need none."""
    browse(api, settings, scenario, preflight=False)


@pytest.mark.parametrize("scenario", ["json", "other_origin", "other_site"])
def test_s_912_requests_with_a_preflight(watched, settings, scenario):
    browse(watched, settings, scenario, preflight=True)
