"""openapi.yaml, by a standard validator and by requests that a third party makes of it."""

import subprocess
import sys
from pathlib import Path

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from conftest import ROOT

CONTRACT = ROOT / "openapi.yaml"
# What can be said of an answer without knowing the clients and users that there are.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)


def test_the_document_is_valid():
    assert list(OpenAPIV31SpecValidator(yaml.safe_load(CONTRACT.read_text())).iter_errors()) == []


def test_no_request_gets_an_answer_that_is_not_documented(api, cloud):
    command = [
        Path(sys.executable).parent / "schemathesis", "run", CONTRACT, "--url", api.token_url.removesuffix("/oauth/token"),
        "--checks", CHECKS, "--auth", "billing-cron:cs_billing-cron-secret-000000000000000000000000001",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "100", "--seed", "6749", "--generation-database", "none",
        # The local cloud responds to OPTIONS itself; the API gets it on AWS.
        "--no-color", "--exclude-method", "OPTIONS",
    ]
    done = subprocess.run(command, cwd=cloud.folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
