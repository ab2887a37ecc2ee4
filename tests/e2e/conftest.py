"""A deployment for the whole run: built by SAM, deployed on a local cloud of its own, with the fixtures in it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local import fixtures, stack, watch
from local.cloud import Cloud
from local.program import ROOT, RUN, alone, end_on_signals, free_port, isolate, say

CASES = json.loads((ROOT / "tests/cases/token-endpoint.json").read_text())
SHORT_LIVED = fixtures.DEMO["clients"][0] | {"client_id": "short-lived", "access_token_ttl": 1}
OTHER_AUDIENCE = fixtures.DEMO["clients"][0] | {"client_id": "other-audience", "audience": "https://other.example"}


@dataclass
class Service:
    """Where tokens are had, and what they are verified by."""

    name: str
    token_url: str
    issuer: str
    public_key: RSAPublicKey


@dataclass
class Deployment:
    stack: stack.Stack
    public_key: RSAPublicKey


def pytest_configure():
    isolate()
    end_on_signals()


@pytest.fixture(scope="session")
def cloud():
    with Cloud.start(free_port(), RUN / f"cloud-{os.getpid()}") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def built(cloud):
    mode = os.environ.get("BUILD", "release")
    assert mode in ("debug", "release"), f"BUILD={mode} is neither debug nor release"
    with alone():
        stack.build(cloud, mode)
    return ROOT / ".aws-sam/build"


@pytest.fixture(scope="session")
def deployment(cloud, built):
    deployed = stack.deploy(cloud)
    fixtures.seed(deployed, fixtures.DEMO)
    fixtures.seed(deployed, CASES["fixtures"])
    return Deployment(deployed, public_key(deployed))


def public_key(deployed):
    """The public half of the deployment's signing key."""
    return signing_key(deployed).public_key()


def signing_key(deployed):
    """The key that the deployment made for itself, from the secret."""
    secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
    pem = json.loads(secret["SecretString"])["current"]["private_key"]
    return load_pem_private_key(pem.encode(), password=None)


@pytest.fixture(scope="session")
def issuer_stack(cloud, built):
    """A stack of its own, whose issuer is a URL that is reachable from here; two of its clients are special."""
    deployed = stack.deploy(cloud, name="countersign-issuer")
    fixtures.seed(deployed, fixtures.DEMO)
    special = [SHORT_LIVED, OTHER_AUDIENCE]
    fixtures.seed(deployed, {"clients": special, "users": []})
    change_environment(deployed, "ApiFunction", ISSUER=deployed.token_url.removesuffix("/oauth/token"))
    return deployed


@pytest.fixture(scope="session")
def issuer(issuer_stack):
    return issuer_stack.token_url.removesuffix("/oauth/token")


def change_environment(deployed, function, **variables):
    functions, name = deployed.cloud.client("lambda"), deployed.resources[function]
    known = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": known | variables})
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


@pytest.fixture(scope="session")
def api(deployment):
    """The deployed function behind the API's URL."""
    outputs = deployment.stack.outputs
    return Service("api", deployment.stack.token_url, outputs["Issuer"], deployment.public_key)


@pytest.fixture(scope="session")
def watched(cloud, deployment):
    """The same function under `cargo lambda watch`, over the same tables."""
    port = free_port()
    say("building the function for cargo lambda watch ...")
    with watch.start(deployment.stack, port, cloud.folder / "watch.txt") as program:
        watch.wait_until_ready(program, deployment.stack, port, patience=1200)
        yield Service("watch", watch.token_url(port), f"http://127.0.0.1:{port}", deployment.public_key)


@pytest.fixture(scope="session", params=["api", "watched"])
def service(request):
    return request.getfixturevalue(request.param)


def run(command, settings, **options):
    """Runs a program with settings in its environment, and yields the JSON that it prints."""
    environment = os.environ | {"COUNTERSIGN": json.dumps(settings)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)
