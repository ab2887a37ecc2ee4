"""The local cloud: ministack, an AWS in one process on 127.0.0.1, which enforces the permissions of roles."""

import http.client
import json
import os
import shutil
import sys
import time
import urllib.request
from contextlib import suppress

import boto3

from local.program import REGION, RUN, Fault, Program, require_free

# What the stack and `sam deploy` need. Each of the others could listen on a port of its own.
SERVICES = "apigateway,cloudformation,cloudwatch,dynamodb,iam,lambda,logs,s3,scheduler,secretsmanager,sts"
# The files of the cloud that `make deploy-local` leaves running, and word of it.
KEPT, STATE = RUN / "cloud", RUN / "cloud.json"


class Cloud:
    """One that runs. As a context it ends with it."""

    def __init__(self, port, program):
        self.port, self.program = port, program
        self.endpoint = f"http://127.0.0.1:{port}"

    @classmethod
    def start(cls, port, folder):
        """Starts one on a port that is free, with all its files in a folder, and waits until it answers."""
        require_free(port, "CLOUD_PORT")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        environment = os.environ | {
            "AUTH": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "false",
            "LAMBDA_EXECUTOR": "local",
            "S3_DATA_DIR": str(folder / "s3"),
            "SERVICES": SERVICES,
            "STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
        }
        command = [sys.executable, "-m", "local.enforcing"]
        cloud = cls(port, Program.start("the local cloud", command, environment, folder / "log.txt"))
        try:
            cloud._wait_until_ready()
        except BaseException:
            cloud.stop()
            raise
        return cloud

    def _wait_until_ready(self):
        deadline = time.monotonic() + 60
        while not (self.program.listens(self.port) and self._answers()):
            self.require_alive()
            if time.monotonic() > deadline:
                raise Fault(f"the local cloud does not answer{self.program.last_words()}")
            time.sleep(0.1)

    def _answers(self):
        with suppress(OSError, http.client.HTTPException):
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:
                return answer.status == 200
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def require_alive(self):
        self.program.require_alive()

    def stop(self):
        self.program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def folder(self):
        return self.program.log.parent

    def environment(self):
        """The environment for whatever is to talk to this cloud."""
        return os.environ | {"AWS_ENDPOINT_URL": self.endpoint}

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION)

    def keep(self):
        """Leaves it running when this program ends, and word of it for those to come."""
        process = self.program.process
        STATE.write_text(json.dumps({"port": self.port, "pid": process.pid, "created": process.create_time()}))

    @classmethod
    def kept(cls):
        """The one that was left running, if it still is."""
        with suppress(OSError, ValueError, KeyError):
            state = json.loads(STATE.read_text())
            program = Program.found("the local cloud", state["pid"], state["created"], KEPT / "log.txt")
            return program and cls(state["port"], program)
        return None
