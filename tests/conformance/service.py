"""The local example behind TLS, with the clients and the user of the conformance suite."""

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
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
ISSUER = "https://localhost:9443"
LOG = ROOT / ".tools/conformance.log"
EXAMPLE = ["cargo", "run", "--quiet", "--locked", "--example", "local", "--"]


def read(name, **values):
    """Returns a JSON file of this folder. Each value replaces its name in braces."""
    text = (FOLDER / name).read_text()
    for placeholder, value in values.items():
        text = text.replace("{" + placeholder + "}", value)
    return json.loads(text)


@contextmanager
def serve(suite, issuer=ISSUER, example=EXAMPLE):
    """Runs the local example behind TLS for a suite at this URL, until the context ends."""
    address = urlsplit(issuer)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        records = Path(folder) / "records.json"
        records.write_text(json.dumps(read("records.json", suite=suite)))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        start_proxy(certificate(address.hostname, Path(folder)), address.port or 443, port)
        command = [*example, "--port", str(port), "--issuer", issuer, "--records", str(records)]
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("w") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
            try:
                wait_until_listening(process, port)
                yield
            finally:
                process.terminate()


def certificate(host, folder):
    """Creates a key and a certificate for a host. The suite accepts every certificate."""
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def start_proxy(context, port, target):
    """Passes the bytes of each TLS connection on to a port, until this process ends."""
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
        loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", port, ssl=context))
    except OSError as error:
        raise SystemExit(f"countersign: cannot listen on port {port}: {error}") from None
    threading.Thread(target=loop.run_forever, daemon=True).start()


def wait_until_listening(process, port):
    """Waits until a process listens on a port. A build of the example takes minutes."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise SystemExit(f"countersign: the local example did not start; see {LOG}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="https://localhost:8443", help="the URL of the suite")
    parser.add_argument("--issuer", default=ISSUER, help="the issuer, whose port is served with TLS")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt), serve(options.suite, options.issuer):
        print(f"countersign: {options.issuer} is ready; stop it with Ctrl-C", file=sys.stderr)
        threading.Event().wait()


if __name__ == "__main__":
    main()
