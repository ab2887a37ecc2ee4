"""The verbs: `python -m local watch|invoke|deploy|logs|stop`. The Makefile calls them."""

import argparse
import os
import shutil
import sys
import time
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from local import fixtures, stack, watch
from local.cloud import KEPT, STATE, Cloud
from local.program import (
    ROOT, RUN, Fault, alone, end_on_signals, free_port, isolate, require_free, say, stop_left_over,
)

EVENTS = ROOT / "events"


class Options(argparse.ArgumentParser):
    def error(self, message):
        raise Fault(message)


def port(text):
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text or 'nothing'} is no port")
    return int(text)


def main():
    isolate()
    end_on_signals()
    try:
        parser = Options(prog="local")
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("watch").add_argument("--port", metavar="PORT", type=port, required=True)
        verbs.add_parser("invoke").add_argument("event", metavar="EVENT")
        deploy = verbs.add_parser("deploy")
        deploy.add_argument("--cloud-port", metavar="CLOUD_PORT", type=port, required=True)
        deploy.add_argument("--build", metavar="BUILD", choices=["debug", "release"], required=True)
        verbs.add_parser("logs")
        verbs.add_parser("stop")
        options = parser.parse_args()
        return VERBS[options.verb](options)
    except Fault as fault:
        say(fault)
        return 1
    except (BotoCoreError, ClientError) as error:
        say(f"the local cloud refuses: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def run_watch(options):
    require_free(options.port, "PORT")
    with a_stack() as standing, watched(standing, options.port) as program, watch.announced(program, options.port):
        introduce(watch.token_url(options.port))
        print("The function is built again at each change of the sources. Ctrl-C ends it.\n", flush=True)
        while True:
            program.require_alive()
            standing.cloud.require_alive()
            time.sleep(1)


def run_invoke(options):
    event = EVENTS / f"{options.event}.json"
    if not event.is_file():
        known = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json")))
        raise Fault(f"there is no event {options.event}. There are: {known}")
    if running := watch.announced_port():
        return watch.invoke(running, event)
    watch.build()
    free = free_port()
    with a_stack() as standing, watched(standing, free):
        return watch.invoke(free, event)


@contextmanager
def watched(standing, at):
    """The function under `cargo lambda watch`, from its first answer on."""
    say("building the function (the first time takes minutes) ...")
    with watch.start(standing, at) as program:
        watch.wait_until_ready(program, standing, at)
        yield program


@contextmanager
def a_stack():
    """The stack of `make deploy-local`, or else its data on a cloud of its own."""
    kept = Cloud.kept()
    standing = kept and stack.Stack.standing(kept)
    if standing:
        say(f"using the stack of make deploy-local on {kept.endpoint}")
        yield standing
        return
    say("starting a local cloud ...")
    with Cloud.start(free_port(), RUN / f"cloud-{os.getpid()}") as cloud:
        standing = stack.deploy_data(cloud)
        fixtures.put_signing_key(standing)
        fixtures.seed(standing, fixtures.DEMO)
        yield standing


def run_deploy(options):
    with alone():
        if kept := Cloud.kept():
            raise Fault(f"there is a stack already, on {kept.endpoint}; `make stop` removes it")
        say(f"starting a local cloud on port {options.cloud_port} ...")
        cloud = Cloud.start(options.cloud_port, KEPT)
        try:
            stack.build(cloud, options.build)
            standing = stack.deploy(cloud)
            say("putting in demo clients and a demo user ...")
            fixtures.seed(standing, fixtures.DEMO)
            wait_for_function(standing)
            cloud.keep()
        except BaseException as fault:
            died = not cloud.program.alive()
            words = cloud.program.last_words()
            cloud.stop()
            if died and isinstance(fault, Exception):
                raise Fault(f"the local cloud has died{words}") from fault
            raise
    introduce(standing.token_url)
    print("`make logs` shows what the function logs. `make stop` ends it all.\n")
    return 0


def wait_for_function(standing):
    deadline = time.monotonic() + 60
    while not watch.answers(standing.token_url):
        standing.cloud.require_alive()
        if time.monotonic() > deadline:
            raise Fault(f"the function does not answer; its log: {standing.log()[-5:]}")
        time.sleep(0.2)


def run_logs(_):
    kept = Cloud.kept()
    standing = kept and stack.Stack.standing(kept)
    if not standing:
        raise Fault("no stack is deployed here; `make deploy-local` does it")
    print("\n".join(standing.log()))
    return 0


def run_stop(_):
    say("the local cloud is stopped" if stop_left_over() else "no local cloud runs")
    STATE.unlink(missing_ok=True)
    shutil.rmtree(KEPT, ignore_errors=True)
    return 0


def introduce(token_url):
    text = (ROOT / "examples/local/introduction.txt").read_text()
    print(f"\n{text.replace('{token_url}', token_url)}", flush=True)


VERBS = {"watch": run_watch, "invoke": run_invoke, "deploy": run_deploy, "logs": run_logs, "stop": run_stop}

if __name__ == "__main__":
    sys.exit(main())
