"""Fixtures of all tests: a build by SAM, and stacks with demo data on one local cloud."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from samtranslator.translator.transform import transform

from cli import NAME, CommandLine
from local_cloud import fixtures, stack, watch
from local_cloud.cloud import Cloud
from local_cloud.program import (
    ROOT, RUN, build_lock, free_port, interrupt_on_signals, isolate_environment, print_status,
)

CASES = json.loads((ROOT / "tests/cases/token-endpoint.json").read_text())
SHORT_LIVED = fixtures.DEMO["clients"][0] | {"client_id": "short-lived", "access_token_ttl": 1}
OTHER_AUDIENCE = fixtures.DEMO["clients"][0] | {"client_id": "other-audience", "audience": "https://other.example"}


@dataclass
class Service:
    """A running API, and the issuer and the key of its tokens."""

    url: str
    issuer: str
    public_key: RSAPublicKey

    @property
    def token_url(self):
        return f"{self.url}/oauth/token"


def pytest_configure():
    isolate_environment()
    interrupt_on_signals()


@pytest.fixture(scope="session")
def translated():
    """template.yaml after SAM's translation, which is the form that CloudFormation gets."""
    source = stack.template()
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://code/function.zip"
    return transform(source, {}, Mock(load=lambda: {}))


@pytest.fixture(scope="session")
def cloud():
    with Cloud.start(free_port(), RUN / f"cloud-{os.getpid()}") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def build_folder(cloud):
    mode = os.environ.get("BUILD", "release")
    assert mode in ("debug", "release"), f"BUILD={mode} is neither debug nor release"
    with build_lock():
        stack.build(cloud, mode)
    return cloud.built


@pytest.fixture(scope="session")
def shared_stack(cloud, build_folder):
    """The stack of all tests that change no settings of it."""
    deployed = stack.deploy(cloud)
    fixtures.seed(deployed, fixtures.DEMO)
    fixtures.seed(deployed, CASES["fixtures"])
    return deployed


def signing_key(deployed):
    """Returns the private signing key, which the stack generated, from its secret."""
    secret = deployed.cloud.client("secretsmanager").get_secret_value(SecretId=deployed.resources["SigningSecret"])
    pem = json.loads(secret["SecretString"])["current"]["private_key"]
    return load_pem_private_key(pem.encode(), password=None)


@pytest.fixture(scope="session")
def issuer_stack(cloud, build_folder):
    """A stack whose issuer is the URL of the API on this machine, with two more clients."""
    deployed = stack.deploy(cloud, name="countersign-issuer")
    fixtures.seed(deployed, fixtures.DEMO)
    fixtures.seed(deployed, {"clients": [SHORT_LIVED, OTHER_AUDIENCE], "users": []})
    set_variables(deployed, "ApiFunction", ISSUER=deployed.url)
    return deployed


@pytest.fixture(scope="session")
def issuer(issuer_stack):
    return issuer_stack.url


def set_variables(deployed, function, **variables):
    """Sets environment variables of a function, and waits until it uses them."""
    functions, name = deployed.cloud.client("lambda"), deployed.resources[function]
    current = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": current | variables})
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


@pytest.fixture(scope="session")
def api(shared_stack):
    """The deployed function behind the URL of the API."""
    return Service(shared_stack.url, shared_stack.outputs["Issuer"], signing_key(shared_stack).public_key())


@pytest.fixture(scope="session")
def watched(cloud, shared_stack, api):
    """The function under `cargo lambda watch`, over the tables and the key of the shared stack."""
    port = free_port()
    print_status("building the function for cargo lambda watch ...")
    with watch.start(shared_stack, port, cloud.folder / "watch.txt") as program:
        watch.wait_until_ready(program, shared_stack, port, timeout=7200)
        url = f"http://127.0.0.1:{port}"
        yield Service(url, url, api.public_key)


@pytest.fixture(scope="session", params=["api", "watched"])
def service(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def cli_stack(cloud, build_folder):
    """The stack that the tests of the CLI change."""
    return deploy_cli_stack(cloud, NAME)


def deploy_cli_stack(cloud, name):
    """Deploys a stack whose function loads changed keys within two seconds."""
    deployed = stack.deploy(cloud, name=name)
    fixtures.seed(deployed, fixtures.DEMO)
    set_variables(deployed, "ApiFunction", KEYS_MAX_AGE="2")
    return deployed


@pytest.fixture(scope="session")
def cli_program():
    return cargo_build("countersign", "--bin", "countersign")


@pytest.fixture(scope="module")
def countersign(cli_stack, cli_program):
    """Runs the CLI on the stack."""
    # Without the settings of another deployment that the developer's shell may have.
    environment = {
        name: value for name, value in cli_stack.cloud.environment().items() if not name.startswith("COUNTERSIGN_")
    }
    return CommandLine(cli_program, environment, cli_stack.name)


def cargo_build(name, *arguments):
    """Builds a binary or an example, and returns the path of the executable."""
    command = ["cargo", "build", "--quiet", "--locked", "--message-format=json", *arguments]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    artifacts = [message for message in map(json.loads, lines) if message["reason"] == "compiler-artifact"]
    return next(
        artifact["executable"] for artifact in artifacts
        if artifact["target"]["name"] == name and artifact["executable"]
    )


def run(command, settings):
    """Runs a program with settings in the variable COUNTERSIGN, and returns the JSON that it prints."""
    environment = os.environ | {"COUNTERSIGN": json.dumps(settings)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)
