"""openapi.yaml: a validator checks it, and requests that Schemathesis generates from it get documented responses."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from conftest import CASES, ROOT
from local_cloud import fixtures, stack

DOCUMENT = ROOT / "openapi.yaml"
# The checks that do not depend on which clients and users exist.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)


def test_the_document_is_valid():
    assert list(OpenAPIV31SpecValidator(yaml.safe_load(DOCUMENT.read_text())).iter_errors()) == []


@pytest.fixture(scope="module")
def with_pages(cloud, build_folder):
    """A stack with login pages, because their paths do not exist without."""
    deployed = stack.deploy(cloud, {"LoginPages": "on"}, name="countersign-openapi")
    fixtures.seed(deployed, CASES["fixtures"])
    return deployed


def test_every_response_is_documented(with_pages, cloud):
    command = [
        Path(sys.executable).parent / "schemathesis", "run", DOCUMENT, "--url", with_pages.url,
        "--checks", CHECKS, "--auth", "billing-cron:cs_billing-cron-secret-000000000000000000000000001",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "100", "--seed", "6749",
        "--generation-database", "none",
        # The local cloud responds to OPTIONS itself. AWS passes it to the function.
        "--no-color", "--exclude-method", "OPTIONS",
    ]
    done = subprocess.run(command, cwd=cloud.folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
