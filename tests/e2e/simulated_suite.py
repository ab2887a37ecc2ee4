"""A conformance suite that is simulated: the part of its REST API that `tests/conformance/run.py` uses."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

# The variants that a caller must choose for each plan. The suite rejects those that the plan itself sets.
VARIANTS = {
    "oidcc-config-certification-test-plan": set(),
    "oidcc-basic-certification-test-plan": {"server_metadata", "client_registration"},
    "oidcc-rp-initiated-logout-certification-test-plan": {"client_registration", "response_type"},
    "fapi2-security-profile-final-test-plan": {"openid", "client_auth_type", "sender_constrain", "fapi_profile"},
}
# The variant of a module, which its plan sets and the start of the module repeats.
MODULE_VARIANT = {"client_auth_type": "client_secret_basic"}


class SimulatedSuite:
    """Runs the modules of some plans. `ends` has the status and the result of modules that do not end as expected."""

    def __init__(self, plans, token=None):
        self.plans, self.token = plans, token
        self.ends, self.configurations, self.runs, self.canceled = {}, [], [], []

    def __enter__(self):
        suite = self

        class Handler(BaseHTTPRequestHandler):
            def handle_request(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, response = suite.respond(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(response).encode())

            do_GET = do_POST = do_DELETE = handle_request

            def log_message(self, *_):
                """Writes nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def respond(self, method, path, headers, body):
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"error": "unauthorized"}
        if method == "POST" and headers.get("Content-Type") != "application/json":
            return 415, {}
        match method, url.path.removeprefix("/api/").split("/"):
            case "POST", ["plan"]:
                return self.create_plan(query, json.loads(body))
            case "POST", ["runner"]:
                return self.start(query, body)
            case "GET", ["info", run]:
                return 200, self.info(int(run))
            case "GET", ["log", run]:
                name = self.runs[int(run)]["name"]
                return 200, [{"src": name, "msg": "begins", "result": "INFO"}, {"src": name, "msg": "is wrong", "result": "FAILURE"}]
            case "DELETE", ["runner", run]:
                self.canceled.append(self.runs[int(run)]["name"])
                return 200, {}
        return 404, {}

    def create_plan(self, query, configuration):
        variant = json.loads(query.get("variant", "{}"))
        if variant.keys() != VARIANTS[query["planName"]]:
            return 400, {"error": f"wrong variants: {variant}"}
        number = next(n for n, plan in enumerate(self.plans) if plan["plan"] == query["planName"])
        present = [name for name, result in self.plans[number]["modules"].items() if result != "ABSENT"]
        modules = [{"testModule": name, "variant": MODULE_VARIANT, "instances": []} for name in present]
        self.configurations.append(configuration)
        return 201, {"id": str(number), "name": query["planName"], "modules": modules}

    def start(self, query, body):
        expected = self.plans[int(query["plan"])]["modules"].get(query["test"])
        if expected is None or body or json.loads(query["variant"]) != MODULE_VARIANT:
            return 400, {"error": "wrong request"}
        end = self.ends.get(query["test"], ("FINISHED", expected))
        self.runs.append({"name": query["test"], "end": end, "polls": 0})
        return 201, {"id": str(len(self.runs) - 1), "name": query["test"], "url": f"{self.url}/test/a/countersign"}

    def info(self, run):
        """Returns the state of a run. The first one takes two requests."""
        self.runs[run]["polls"] += 1
        if run == 0 and self.runs[run]["polls"] == 1:
            return {"testId": str(run), "status": "RUNNING", "result": "UNKNOWN"}
        status, result = self.runs[run]["end"]
        return {"testId": str(run), "status": status, "result": result}
