"""Chromium at the login pages, with the servers of clients."""

import datetime
import shutil

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import ROOT, run
from local_cloud.program import RUN


def certificate():
    """Returns a key and a certificate for the servers of the clients, which the browser does not check."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = builder.sign(key, hashes.SHA256())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    return {"key": plain.decode(), "cert": signed.public_bytes(pem).decode()}


def browse(script, scenario, api, clients, users, **settings):
    """Runs a scenario of a script, for users with one password."""
    screenshots = RUN / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    settings |= {
        "scenario": scenario, "api": api, "issuer": api, "certificate": certificate(), "password": users[0]["password"],
        "clients": {client["client_id"]: client for client in clients},
        "users": [user["username"] for user in users],
        "ids": {user["username"]: user["user_id"] for user in users},
        "screenshots": str(screenshots), "chromium": shutil.which("chromium"),
        "axe": str(ROOT / "tests/e2e/node/node_modules/axe-core/axe.min.js"),
    }
    assert run(["node", f"tests/e2e/node/{script}.mjs"], settings) == {"passed": scenario}
