"""The commands `python -m local_cloud watch|invoke|deploy|logs|stop`, called by the Makefile."""

import argparse
import os
import shutil
import sys
import time
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from local_cloud import fixtures, stack, watch
from local_cloud.cloud import FOLDER, SHELL_FILE, STATE_FILE, Cloud
from local_cloud.program import (
    REGION, ROOT, RUN, LocalCloudError, build_lock, free_port, interrupt_on_signals, isolate_environment, print_status,
    require_free_port, stop_orphans,
)

EVENTS = ROOT / "events"


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise LocalCloudError(message)


def port(text):
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"port `{text}` is not a number from 1 to 65535")
    return int(text)


def main():
    isolate_environment()
    interrupt_on_signals()
    try:
        options = parse_arguments()
        return COMMANDS[options.command](options)
    except LocalCloudError as error:
        print_status(error)
        return 1
    except (BotoCoreError, ClientError) as error:
        print_status(f"request to the local cloud failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def parse_arguments():
    parser = Parser(prog="local_cloud")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("watch").add_argument("--port", metavar="PORT", type=port, required=True)
    commands.add_parser("invoke").add_argument("event", metavar="EVENT")
    deploy = commands.add_parser("deploy")
    deploy.add_argument("--cloud-port", metavar="CLOUD_PORT", type=port, required=True)
    deploy.add_argument("--build", metavar="BUILD", choices=["debug", "release"], required=True)
    commands.add_parser("logs")
    commands.add_parser("stop")
    return parser.parse_args()


def run_watch(options):
    require_free_port(options.port, "PORT")
    with data_stack() as data, watched_function(data, options.port) as program:
        with watch.state_file(program, options.port):
            print_introduction(watch.token_url(options.port))
            print("The function is rebuilt when a source file changes. Press Ctrl-C to stop.\n", flush=True)
            while True:
                program.require_running()
                data.cloud.require_running()
                time.sleep(1)


def run_invoke(options):
    event = EVENTS / f"{options.event}.json"
    if not event.is_file():
        known = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json")))
        raise LocalCloudError(f"event `{options.event}` not found in events/; available: {known}")
    if running := watch.running_port():
        return watch.invoke(running, event)
    watch.build()
    free = free_port()
    with data_stack() as data, watched_function(data, free):
        return watch.invoke(free, event)


@contextmanager
def watched_function(data, at):
    """Runs the function under `cargo lambda watch` over the data of a stack. Enters when the function responds."""
    print_status("building the function (the first time takes minutes) ...")
    with watch.start(data, at) as program:
        watch.wait_until_ready(program, data, at)
        yield program


@contextmanager
def data_stack():
    """Provides the stack of `make deploy-local` if it is deployed. Otherwise starts a cloud with its data only."""
    running = Cloud.find_running()
    deployed = running and stack.Stack.find(running)
    if deployed:
        print_status(f"using the stack of make deploy-local on {running.endpoint}")
        yield deployed
        return
    print_status("starting a local cloud ...")
    with Cloud.start(free_port(), RUN / f"cloud-{os.getpid()}") as cloud:
        data = stack.deploy_data(cloud)
        fixtures.put_signing_key(data)
        fixtures.seed(data, fixtures.DEMO)
        yield data


def run_deploy(options):
    with build_lock():
        if running := Cloud.find_running():
            raise LocalCloudError(f"a stack is already deployed on {running.endpoint}; remove it with `make stop`")
        print_status(f"starting a local cloud on port {options.cloud_port} ...")
        cloud = Cloud.start(options.cloud_port, FOLDER)
        try:
            stack.build(cloud, options.build)
            # Verifiers on this machine can reach this issuer: the tag sets the id of the API, which its URL contains.
            parameters = {"Issuer": stack.api_url(cloud, stack.NAME), "LoginPages": "on"}
            deployed = stack.deploy(cloud, parameters, options=["--tags", f"ms-custom-id={stack.NAME}"])
            print_status("adding demo clients and a demo user ...")
            fixtures.seed(deployed, fixtures.DEMO)
            wait_for_function(deployed)
            cloud.leave_running()
        except BaseException as error:
            crashed = cloud.crash_message()
            cloud.stop()
            if crashed and isinstance(error, Exception):
                raise LocalCloudError(crashed) from error
            raise
    print_introduction(deployed.token_url)
    print_settings(deployed)
    print("Show the function's log with `make logs`. Stop the local cloud with `make stop`.\n")
    return 0


def wait_for_function(deployed):
    deadline = time.monotonic() + 300
    while not watch.responds(deployed.token_url):
        deployed.cloud.require_running()
        if time.monotonic() > deadline:
            raise LocalCloudError(f"the function did not respond within 300 s; its log ends with: {deployed.log()[-5:]}")
        time.sleep(0.2)


def run_logs(_):
    running = Cloud.find_running()
    deployed = running and stack.Stack.find(running)
    if not deployed:
        raise LocalCloudError("no stack is deployed; deploy one with `make deploy-local`")
    print("\n".join(deployed.log()))
    return 0


def run_stop(_):
    print_status("stopped the local cloud" if stop_orphans() else "no local cloud is running")
    for file in (STATE_FILE, SHELL_FILE):
        file.unlink(missing_ok=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    return 0


def print_introduction(token_url):
    text = (ROOT / "examples/local/introduction.txt").read_text()
    print(f"\n{text.replace('{token_url}', token_url)}", flush=True)


def print_settings(deployed):
    """Prints the settings with which the countersign CLI manages a stack, and writes them to a file."""
    settings = {
        "AWS_ENDPOINT_URL": deployed.cloud.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "COUNTERSIGN_STACK": deployed.name,
        "COUNTERSIGN_URL": deployed.url,
    }
    text = "unset AWS_PROFILE AWS_SESSION_TOKEN\n" + "".join(f"export {name}={value}\n" for name, value in settings.items())
    SHELL_FILE.write_text(text)
    print(f"""The countersign CLI manages this stack with these settings (`source {SHELL_FILE.relative_to(ROOT)}`):
{text.replace("unset", "  unset").replace("export", "  export")}
Then, for example:
  cargo run --bin countersign -- client list
  cargo run --bin countersign -- doctor
""", flush=True)


COMMANDS = {"watch": run_watch, "invoke": run_invoke, "deploy": run_deploy, "logs": run_logs, "stop": run_stop}

if __name__ == "__main__":
    sys.exit(main())
