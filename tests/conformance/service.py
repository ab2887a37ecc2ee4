"""The local example behind TLS, with the clients of the conformance suite for a profile: OpenID Connect or FAPI."""

import argparse
import asyncio
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
FAPI = ROOT / "examples/fapi"
ISSUER = "https://localhost:9443"
PROFILES = ("openid", "fapi")
LOG = ROOT / ".tools/conformance.log"
EXAMPLE = ["cargo", "run", "--quiet", "--locked", "--example", "local", "--"]


def read(name, **values):
    """Returns a JSON file of this folder. Each value replaces its name in braces."""
    text = (FOLDER / name).read_text()
    for placeholder, value in values.items():
        text = text.replace("{" + placeholder + "}", value)
    return json.loads(text)


def configuration(profile, issuer):
    """Returns the configuration of the plans of a profile."""
    if profile == "openid":
        return read("plan.json", issuer=issuer)
    return json.loads((FAPI / "suite.json").read_text().replace("https://op.test:9443", issuer))


def records(profile, suite):
    """Returns the clients and users of a profile for a suite at this URL."""
    return read("records.json", suite=suite) if profile == "openid" else {"clients": fapi_clients(), "users": []}


def fapi_clients():
    """Returns the clients of `clients.toml` with the public keys of `suite.json`."""
    suite = json.loads((FAPI / "suite.json").read_text())
    keys = {suite[name]["client_id"]: suite[name]["jwks"]["keys"][0] for name in ("client", "client2")}
    clients = tomllib.loads((FAPI / "clients.toml").read_text())["clients"]
    return [
        {"client_id": client_id, "enabled": True, "jwks": [key_entry(keys[client_id])]} | client
        for client_id, client in clients.items()
    ]


def key_entry(key):
    """Returns the entry of a record for the public half of a key."""
    public = {name: key[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in key}
    return {"kid": key["kid"], "alg": key["alg"], "jwk": json.dumps(public), "created_at": 1795219200}


@contextmanager
def serve(suite, profile, issuer=ISSUER):
    """Runs the local example behind TLS for a suite at this URL, until the context ends."""
    address = urlsplit(issuer)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        file = Path(folder) / "records.json"
        file.write_text(json.dumps(records(profile, suite)))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        stop_proxy = start_proxy(certificate(address.hostname, Path(folder)), address.port or 443, port)
        command = [*EXAMPLE, "--port", str(port), "--issuer", issuer, "--records", str(file)]
        command += ["--signing-algorithm", "RS256" if profile == "openid" else "ES256"]
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("w") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
            try:
                wait_until_listening(process, port)
                yield
            finally:
                process.terminate()
                stop_proxy()


def certificate(host, folder):
    """Creates a key and a certificate for a host. The suite accepts every certificate."""
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Those of TLS 1.2 that RFC 9325 (BCP 195) section 4.2 recommends. FAPI allows no others.
    context.set_ciphers("ECDHE+AESGCM")
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def start_proxy(context, port, target):
    """Passes the bytes of each TLS connection on to a port. Returns a function that stops it."""
    loop = asyncio.new_event_loop()

    async def copy(reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader, writer):
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            return writer.close()
        await asyncio.gather(copy(reader, forth), copy(back, writer))

    try:
        server = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", port, ssl=context))
    except OSError as error:
        raise SystemExit(f"countersign: cannot listen on port {port}: {error}") from None
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def stop():
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    return stop


def wait_until_listening(process, port):
    """Waits until a process listens on a port. A build of the example takes minutes."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise SystemExit(f"countersign: the local example did not start; see {LOG}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="openid", help="the profile of the clients")
    parser.add_argument("--suite", default="https://localhost:8443", help="the URL of the suite")
    parser.add_argument("--issuer", default=ISSUER, help="the issuer, whose port is served with TLS")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt), serve(options.suite, options.profile, options.issuer):
        print(f"countersign: {options.issuer} is ready; stop it with Ctrl-C", file=sys.stderr)
        threading.Event().wait()


if __name__ == "__main__":
    main()
