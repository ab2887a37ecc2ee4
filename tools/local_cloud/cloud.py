"""The local cloud: ministack, an emulated AWS in one process on 127.0.0.1, which enforces the permissions of roles."""

import http.client
import json
import os
import shutil
import sys
import time
import urllib.request
from contextlib import suppress

import boto3

from local_cloud.program import REGION, RUN, LocalCloudError, Program, require_free_port

# Only the services that the stack, `sam deploy` and the end-to-end tests use, because others may listen on additional ports.
SERVICES = (
    "apigateway,cloudformation,cloudwatch,dynamodb,elasticloadbalancing,iam,lambda,logs,s3,scheduler,secretsmanager,sns,sts"
)
# The files and the process of the cloud that `make deploy-local` leaves running.
FOLDER, STATE_FILE = RUN / "cloud", RUN / "cloud.json"
# The settings of the countersign CLI for that cloud, for a shell.
SHELL_FILE = RUN / "env.sh"


class Cloud:
    """A running local cloud. As a context manager, stops it at exit."""

    def __init__(self, port, program):
        self.port, self.program = port, program
        self.endpoint = f"http://127.0.0.1:{port}"
        # The folder of the functions and the template that `stack.build` built for this cloud.
        self.built = None

    @classmethod
    def start(cls, port, folder):
        """Starts a cloud on a free port, with all its files in a folder, and waits until it responds."""
        require_free_port(port, "CLOUD_PORT")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        environment = os.environ | {
            "AUTH": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "false",
            "LAMBDA_EXECUTOR": "local",
            # The region of requests without a signature.
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(folder / "s3"),
            "SERVICES": SERVICES,
            "STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
        }
        command = [sys.executable, "-m", "local_cloud.emulator"]
        cloud = cls(port, Program.start("the local cloud", command, environment, folder / "log.txt"))
        try:
            cloud._wait_until_ready()
        except BaseException:
            cloud.stop()
            raise
        return cloud

    def _wait_until_ready(self):
        deadline = time.monotonic() + 300
        while not (self.program.listens(self.port) and self._is_healthy()):
            self.require_running()
            if time.monotonic() > deadline:
                raise LocalCloudError(f"the local cloud did not respond within 300 s{self.program.last_output()}")
            time.sleep(0.1)

    def _is_healthy(self):
        with suppress(OSError, http.client.HTTPException):
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as response:
                return response.status == 200
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def require_running(self):
        self.program.require_running()

    def crash_message(self):
        return self.program.crash_message()

    def stop(self):
        self.program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def folder(self):
        return self.program.log.parent

    def environment(self):
        """Returns the environment variables for a program that uses this cloud."""
        return os.environ | {"AWS_ENDPOINT_URL": self.endpoint}

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION)

    def leave_running(self):
        """Records this cloud in the state file, so that later commands find it."""
        process = self.program.process
        STATE_FILE.write_text(json.dumps({"port": self.port, "pid": process.pid, "created": process.create_time()}))

    @classmethod
    def find_running(cls):
        """Returns the cloud of the state file, or None if it does not run."""
        with suppress(OSError, ValueError, KeyError):
            state = json.loads(STATE_FILE.read_text())
            program = Program.find("the local cloud", state["pid"], state["created"], FOLDER / "log.txt")
            return program and cls(state["port"], program)
        return None
