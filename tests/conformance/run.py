"""Runs the plans of a conformance suite over its REST API, and compares the results with those of plans.json."""

import argparse
import json
import os
import ssl
import sys
import time
from contextlib import nullcontext
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import service

LOCAL = ("localhost", "127.0.0.1")


class Suite:
    """The REST API of a suite at a URL."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token
        self.context = ssl.create_default_context()
        if urlsplit(url).hostname in LOCAL:
            # A local suite has a self-signed certificate.
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def call(self, method, path, query=None, body=None):
        """Sends a request. Returns the JSON of the response."""
        url = f"{self.url}/api/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(url, data, headers, method=method), timeout=60, context=self.context) as response:
                return json.load(response)
        except HTTPError as error:
            text = error.read().decode(errors="replace")[:300]
            raise SystemExit(f"countersign: {method} /api/{path}: {error.code} {text}") from None
        except OSError as error:
            raise SystemExit(f"countersign: {self.url}: {error}") from None

    def create_plan(self, plan, configuration):
        """Creates a plan. Returns its id and its modules."""
        query = {"planName": plan["plan"]}
        if plan["variant"]:
            query["variant"] = json.dumps(plan["variant"])
        created = self.call("POST", "plan", query, configuration)
        return created["id"], created["modules"]

    def run(self, plan, module, seconds):
        """Runs a module of a plan. Returns the id of the run and its result, or its state if it did not finish."""
        query = {"test": module["testModule"], "plan": plan}
        if module.get("variant"):
            query["variant"] = json.dumps(module["variant"])
        run = self.call("POST", "runner", query)["id"]
        end = time.monotonic() + seconds
        while True:
            info = self.call("GET", f"info/{run}")
            if info["status"] == "FINISHED":
                return run, info["result"]
            if info["status"] == "INTERRUPTED":
                return run, f"INTERRUPTED {info.get('result')}"
            if time.monotonic() > end:
                self.call("DELETE", f"runner/{run}")
                return run, f"{info['status']} after {seconds} seconds"
            time.sleep(1)

    def problems(self, run):
        """Returns the lines of the log of a run that are failures or warnings."""
        found = [line for line in self.call("GET", f"log/{run}") if line.get("result") in ("FAILURE", "WARNING")]
        return [f"{line['result']} {line.get('src')}: {line.get('msg')}" for line in found]


def run_plan(suite, plan, configuration, seconds):
    """Runs the modules of a plan, and prints a line for each. Returns the number of unexpected results."""
    identifier, modules = suite.create_plan(plan, configuration)
    print(f"{plan['plan']}: {suite.url}/plan-detail.html?plan={identifier}", flush=True)
    unexpected = 0
    listed = [module["testModule"] for module in modules]
    for name, expected in plan["modules"].items():
        if (name in listed) == (expected == "ABSENT"):
            unexpected += 1
            print(f"  unexpected  {name}: expected {expected}, {'in' if name in listed else 'not in'} the plan")
    for module in modules:
        name = module["testModule"]
        expected = plan["modules"].get(name, "not to be in the plan")
        if expected == "ABSENT":
            continue
        run, result = suite.run(identifier, module, seconds)
        is_expected = result == expected
        unexpected += not is_expected
        difference = "" if is_expected else f", expected {expected}"
        verdict = "expected  " if is_expected else "unexpected"
        print(f"  {verdict}  {name}: {result}{difference}: {suite.url}/log-detail.html?log={run}", flush=True)
        if not is_expected:
            print("".join(f"      {problem}\n" for problem in suite.problems(run)), end="")
    return unexpected


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", required=True, help="the URL of the suite")
    parser.add_argument("--issuer", default="", help="a server that runs already; default: the local example behind TLS")
    profiles = ["", *service.PROFILES]
    parser.add_argument("--profile", choices=profiles, default="", help="only the plans of a profile; default: all")
    parser.add_argument("--seconds", type=int, default=240, help="the time limit of a module")
    options = parser.parse_args()
    url = options.suite.rstrip("/")
    issuer = options.issuer or service.ISSUER
    suite = Suite(url, os.environ.get("CONFORMANCE_TOKEN"))
    unexpected = 0
    for profile in [options.profile] if options.profile else service.PROFILES:
        plans = [plan for plan in service.read("plans.json") if plan["profile"] == profile]
        configuration = service.configuration(profile, issuer)
        with nullcontext() if options.issuer else service.serve(url, profile):
            unexpected += sum(run_plan(suite, plan, configuration, options.seconds) for plan in plans)
    print(f"countersign: {unexpected or 'no'} unexpected result{'s' if unexpected != 1 else ''}")
    sys.exit(unexpected > 0)


if __name__ == "__main__":
    main()
