"""A small MCP server for the tests. It accepts the tokens that countersign issues for its URL."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import jwt

from verification import verify

NAME = "vehicles"


class McpServer:
    """A server whose metadata (RFC 9728) names the issuer of a service, and the claims of the tokens that it accepted."""

    def __init__(self, service, scope, challenge_names_metadata):
        self.service, self.claims = service, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                is_metadata = self.path == "/.well-known/oauth-protected-resource/mcp"
                # A stream of events is optional in MCP.
                self.send(200, server.metadata) if is_metadata else self.send(405 if self.path == "/mcp" else 404)

            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if not server.accepts(self.headers.get("authorization", "")):
                    return self.send(401, challenge=server.challenge)
                if "id" not in message:
                    return self.send(202)
                self.send(200, {"jsonrpc": "2.0", "id": message["id"], **reply(message)})

            def send(self, status, body=None, challenge=None):
                content = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                if content:
                    self.send_header("content-type", "application/json")
                if challenge:
                    self.send_header("www-authenticate", challenge)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        origin = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.url = f"{origin}/mcp"
        self.metadata = {
            "resource": self.url, "authorization_servers": [service.issuer], "scopes_supported": [scope],
            "bearer_methods_supported": ["header"],
        }
        url = f"{origin}/.well-known/oauth-protected-resource/mcp"
        self.challenge = f'Bearer resource_metadata="{url}", scope="{scope}"' if challenge_names_metadata else "Bearer"

    def accepts(self, authorization):
        scheme, _, token = authorization.partition(" ")
        try:
            claims = verify(token, self.service, audience=self.url)
        except jwt.InvalidTokenError:
            return False
        self.claims.append(claims)
        return scheme == "Bearer"


def reply(message):
    """Returns the reply to a request. The server knows only the handshake of the version that the client prefers."""
    if message["method"] == "initialize":
        version = message["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": NAME, "version": "1"}}
        return {"result": result}
    return {"error": {"code": -32601, "message": "Method not found"}}


@contextmanager
def started(*arguments):
    server = McpServer(*arguments)
    Thread(target=server.http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
