"""The login pages of the deployed stack in Chromium, with clients of each kind."""

import pytest

from conftest import set_variables
from local_cloud import fixtures, stack
from login_browser import browse

PASSWORD = "secret-password"
CODE = {"enabled": True, "grant_types": ["authorization_code", "refresh_token"]}
CLIENTS = [
    CODE | {
        "client_id": "portal", "name": "Autonomy portal", "first_party": True, "scopes": ["openid", "legacy:*"],
        "secrets": [{"id": "1", "secret": "cs_portal-secret-00000000000000000000000000000000012"}],
        "redirect_uris": ["https://portal.example/cb"], "post_logout_redirect_uris": ["https://portal.example/bye"],
    },
    CODE | {
        "client_id": "crm", "name": "Example CRM", "scopes": ["openid", "email", "offline_access", "legacy:*"],
        "secrets": [{"id": "1", "secret": "cs_crm-secret-0000000000000000000000000000000000011"}],
        "redirect_uris": ["https://crm.example/cb"], "policy_uri": "https://crm.example/privacy",
        # Longer than until the end of tomorrow, which is an end date of the tests.
        "access_token_ttl": 3 * 86400,
    },
    CODE | {
        "client_id": "desk", "name": "Desk tool", "token_endpoint_auth_method": "none",
        "scopes": ["openid", "legacy:*"], "redirect_uris": ["http://127.0.0.1/callback"],
    },
]
FLOWS = [
    "first_party", "consent", "denial", "wrong_password", "throttled", "back_button", "reload", "two_tabs", "end_date",
    "removal", "sign_out", "sign_out_by_client", "sign_out_everywhere", "keyboard", "prompt_none", "wrong_redirect_uri",
    "cross_site",
]
PAGES = ["every_page", "german_pages"]


def users(scenario):
    """Returns the two users of a scenario, who have no consents and no wrong guesses yet."""
    return [
        {
            "username": f"{scenario}.{name}@itccompliance.co.uk", "user_id": f"{scenario}-{name}", "password": PASSWORD,
            "enabled": True,
        }
        for name in ("john", "anna")
    ]


@pytest.fixture(scope="module")
def api(cloud, build_folder):
    """The address of a stack with login pages, which is its issuer."""
    deployed = stack.deploy(cloud, {"LoginPages": "on"}, name="countersign-login")
    people = [user for scenario in FLOWS + PAGES for user in users(scenario)]
    fixtures.seed(deployed, {"clients": CLIENTS, "users": people})
    set_variables(deployed, "ApiFunction", ISSUER=deployed.url)
    return deployed.url


@pytest.mark.parametrize("scenario", FLOWS)
def test_the_flows_of_the_login_pages(api, scenario):
    browse("login-pages", scenario, api, CLIENTS, users(scenario))


@pytest.mark.parametrize("scenario", PAGES)
def test_s_831_axe_core_has_no_finding_on_the_pages_of_the_flows(api, scenario):
    browse("login-pages", scenario, api, CLIENTS, users(scenario))
