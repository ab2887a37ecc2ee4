"""The verbs: `python -m local watch|invoke|deploy|logs|stop`. The Makefile calls them."""

import argparse
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from local import fixtures, stack, watch
from local.cloud import STATE, Cloud, stop_kept
from local.program import ROOT, TOOLS, Fault, end_on_signals, free_port, require_free, say

EVENTS = ROOT / "events"


def main():
    parser = argparse.ArgumentParser(prog="local")
    verbs = parser.add_subparsers(dest="verb", required=True)
    port = {"type": int, "default": 9000}
    cloud_port = {"type": int, "default": 4566}
    verb = verbs.add_parser("watch")
    verb.add_argument("--port", **port)
    verb = verbs.add_parser("invoke")
    verb.add_argument("event")
    verb.add_argument("--port", **port)
    verb = verbs.add_parser("deploy")
    verb.add_argument("--cloud-port", **cloud_port)
    verb.add_argument("--build", choices=["debug", "release"], required=True)
    verbs.add_parser("logs")
    verbs.add_parser("stop")
    options = parser.parse_args()
    end_on_signals()
    try:
        return VERBS[options.verb](options)
    except Fault as fault:
        say(fault)
        return 1
    except KeyboardInterrupt:
        return 130


def run_watch(options):
    require_free(options.port, "PORT")
    with watched(options.port) as (program, standing):
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
    if watch.answers(options.port, timeout=5):
        return watch.invoke(options.port, event)
    port = free_port()
    with watched(port):
        return watch.invoke(port, event)


@contextmanager
def watched(port):
    """The function under `cargo lambda watch`, over the cloud of `make deploy-local` or else one of its own."""
    with a_stack() as standing:
        say("building the function (the first time takes minutes) ...")
        program = watch.start(standing, port)
        try:
            watch.wait_until_ready(program, standing, port)
            yield program, standing
        finally:
            program.stop()


@contextmanager
def a_stack():
    kept = Cloud.kept()
    standing = kept and stack.Stack.standing(kept)
    if standing:
        say(f"using the stack of make deploy-local on {kept.endpoint}")
        yield standing
        return
    say("starting a local cloud ...")
    cloud = Cloud.start(free_port(), TOOLS / f"cloud-{os.getpid()}")
    try:
        standing = stack.deploy_data(cloud)
        fixtures.put_signing_key(standing)
        fixtures.seed(standing, fixtures.DEMO)
        yield standing
    finally:
        cloud.stop()


def run_deploy(options):
    if kept := Cloud.kept():
        raise Fault(f"there is a stack already, on {kept.endpoint}; `make stop` removes it")
    stop_kept()
    say(f"starting a local cloud on port {options.cloud_port} ...")
    cloud = Cloud.start(options.cloud_port, STATE.parent)
    try:
        cloud.keep()
        stack.build(cloud, options.build)
        cloud.require_alive()
        standing = stack.deploy(cloud)
        say("putting in a signing key, demo clients and a demo user ...")
        fixtures.put_signing_key(standing)
        fixtures.seed(standing, fixtures.DEMO)
    except BaseException:
        cloud.stop()
        raise
    introduce(standing.token_url)
    print("`make logs` shows what the function logs. `make stop` ends it all.\n")
    return 0


def run_logs(_):
    kept = Cloud.kept()
    if not kept:
        raise Fault("no local cloud runs; `make deploy-local` starts one")
    print("\n".join(stack.Stack(kept).log()))
    return 0


def run_stop(_):
    say("the local cloud is stopped" if stop_kept() else "no local cloud runs")
    return 0


def introduce(token_url):
    text = Path(ROOT / "examples/local/introduction.txt").read_text()
    print(f"\n{text.replace('{token_url}', token_url)}", flush=True)


VERBS = {"watch": run_watch, "invoke": run_invoke, "deploy": run_deploy, "logs": run_logs, "stop": run_stop}

if __name__ == "__main__":
    sys.exit(main())
