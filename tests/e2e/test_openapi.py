"""openapi.yaml: validators and generators of clients accept it without a warning, and requests that Schemathesis generates from it
get documented responses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from conftest import CASES, ROOT
from local_cloud import fixtures, stack

DOCUMENT = ROOT / "openapi.yaml"
PROGRAMS = Path(sys.executable).parent
NODE_PROGRAMS = ROOT / "tests/e2e/node/node_modules/.bin"
SETTINGS = ROOT / "tests/e2e/schemathesis.toml"
# The checks that do not depend on which clients and users exist.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)


def test_the_document_is_valid():
    assert list(OpenAPIV31SpecValidator(yaml.safe_load(DOCUMENT.read_text())).iter_errors()) == []


def run_tool(*command):
    """Runs a program that reads the document, and returns what it printed."""
    environment = os.environ | {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_linter_has_no_warning():
    report = json.loads(run_tool(NODE_PROGRAMS / "redocly", "lint", "--format", "json", DOCUMENT).stdout)
    assert report["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, report["problems"]


def test_typescript_types_are_generated_without_a_warning():
    done = run_tool(NODE_PROGRAMS / "openapi-typescript", DOCUMENT)
    assert "requestToken" in done.stdout and done.stderr == ""


def test_a_python_client_is_generated_without_a_warning(tmp_path):
    client = tmp_path / "client"
    run_tool(
        PROGRAMS / "openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", client, "--fail-on-warning",
    )
    assert list(client.glob("*/api/tokens/request_token.py"))


@pytest.fixture(scope="module")
def with_pages(cloud, build_folder):
    """A stack with login pages, because their paths do not exist without."""
    deployed = stack.deploy(cloud, {"LoginPages": "on"}, name="countersign-openapi")
    fixtures.seed(deployed, CASES["fixtures"])
    return deployed


def test_every_response_is_documented(with_pages, cloud):
    command = [
        PROGRAMS / "schemathesis", "--config-file", SETTINGS, "run", DOCUMENT, "--url", with_pages.url,
        "--checks", CHECKS, "--auth", "billing-cron:cs_billing-cron-secret-000000000000000000000000001",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "100", "--seed", "6749",
        "--generation-database", "none",
        # The local cloud responds to OPTIONS itself. AWS passes it to the function.
        "--no-color", "--exclude-method", "OPTIONS",
    ]
    done = subprocess.run(command, cwd=cloud.folder, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
