"""The local cloud: ministack, an AWS in one process on 127.0.0.1, which enforces the rights of roles."""

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import boto3

from local.program import TOOLS, Fault, Program, end_marked, require_free

REGION = "eu-west-2"
# What the stack and `sam deploy` need. Each of the others could listen on a port of its own.
SERVICES = "apigateway,cloudformation,cloudwatch,dynamodb,iam,lambda,logs,s3,secretsmanager,sts"
# Where `make deploy-local` leaves word of the cloud that it started.
STATE = TOOLS / "run/cloud.json"


class Cloud:
    """One that runs, whoever started it."""

    def __init__(self, port, program=None):
        self.port, self.program = port, program
        self.endpoint = f"http://127.0.0.1:{port}"

    @classmethod
    def start(cls, port, folder):
        """Starts one on a port that is free, with all its files in a folder, and waits until it answers."""
        require_free(port, "CLOUD_PORT")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        cloud = cls(port)
        environment = cloud.environment() | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "false",
            "LAMBDA_EXECUTOR": "local",
            "S3_DATA_DIR": str(folder / "s3"),
            "SERVICES": SERVICES,
            "STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
        }
        command = [Path(sys.executable).parent / "ministack"]
        cloud.program = Program("the local cloud", command, environment, folder / "log.txt")
        try:
            cloud._wait_until_ready()
        except BaseException:
            cloud.stop()
            raise
        return cloud

    def _wait_until_ready(self):
        deadline = time.monotonic() + 60
        while not self.answers():
            self.require_alive()
            if time.monotonic() > deadline:
                raise Fault(f"the local cloud does not answer ({self.program.log})")
            time.sleep(0.1)
        # Another program's answer is not ours.
        self.require_alive()

    def answers(self):
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(
            f"{self.endpoint}/_ministack/health", timeout=5
        ) as answer:
            return answer.status == 200
        return False

    def require_alive(self):
        if self.program:
            self.program.require_alive()
        elif not self.answers():
            raise Fault("the local cloud has died; `make stop` clears up after it")

    def stop(self):
        self.program.stop()
        shutil.rmtree(self.program.log.parent, ignore_errors=True)

    def environment(self):
        """The environment for whatever is to talk to this cloud, and must not be able to talk to AWS."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        return ours | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def keep(self):
        """Leaves it running when this program ends, and word of it for those to come."""
        STATE.write_text(json.dumps({"port": self.port, "mark": self.program.mark}))

    @classmethod
    def kept(cls):
        """The one that was left running, if it still is."""
        with suppress(OSError, ValueError, KeyError):
            cloud = cls(json.loads(STATE.read_text())["port"])
            if cloud.answers():
                return cloud
        return None


def stop_kept():
    """Ends the cloud that was left running, and what is left of one that died. Whether there was any."""
    if not STATE.exists():
        return False
    with suppress(ValueError, KeyError):
        end_marked(json.loads(STATE.read_text())["mark"])
    shutil.rmtree(STATE.parent, ignore_errors=True)
    return True
