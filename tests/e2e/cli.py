"""Helpers of the CLI's tests."""

import json
import subprocess
from dataclasses import dataclass, replace

from http_client import request
from local_cloud.program import ROOT

# The stack of all tests of the CLI that do not need a new one.
NAME = "countersign-operators"


@dataclass(frozen=True)
class CommandLine:
    """The CLI on one stack, or on no stack."""

    program: str
    environment: dict
    stack: str | None

    def __call__(self, *arguments, code=0, input="", environment=None):
        """Runs a command, which must exit with `code`."""
        command = [self.program, *(["--stack", self.stack] if self.stack else []), *map(str, arguments)]
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=3600, cwd=ROOT,
            env=self.environment | (environment or {}),
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments, **options):
        """Runs a command with --json, and returns the JSON that it prints."""
        return json.loads(self(*arguments, "--json", **options).stdout)

    def on_stack(self, stack):
        return replace(self, stack=stack)


def stored_item(deployed, table, **key):
    """Returns the item of a table, or None."""
    key = {name: {"S": value} for name, value in key.items()}
    return deployed.cloud.client("dynamodb").get_item(TableName=deployed.resources[table], Key=key).get("Item")


def credentials(client_id, secret):
    """Returns a client in the form that `fetch_token` accepts."""
    return {"client_id": client_id, "secrets": [{"secret": secret}]}


def token_status(deployed, client_id, secret):
    """Returns the status of a client-credentials request."""
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return request("POST", deployed.token_url, headers, form.encode()).status
