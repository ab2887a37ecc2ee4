"""Clients, users and a signing key in the form in which the function stores them."""

import base64
import hashlib
import json

import argon2
import bcrypt
from boto3.dynamodb.types import TypeSerializer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local_cloud.program import ROOT

DEMO = json.loads((ROOT / "testing/src/demo.json").read_text())


def seed(stack, fixtures):
    """Writes clients and users to the tables of a stack, and hashes their secrets and passwords."""
    dynamodb = stack.cloud.client("dynamodb")
    for client in fixtures["clients"]:
        if "secrets" in client:
            client = client | {"secrets": [_hashed(secret, "secret", "hash") for secret in client["secrets"]]}
        dynamodb.put_item(TableName=stack.resources["ClientsTable"], Item=_item(client))
    for user in fixtures["users"]:
        user = _hashed(user, "password", "password_hash")
        dynamodb.put_item(TableName=stack.resources["UsersTable"], Item=_item(user))


def put_signing_key(stack):
    """Writes a new RSA key to the secret of a stack that has no rotation function."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secret = stack.resources["SigningSecret"]
    stack.cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=pem)


def _hashed(record, plain, hashed):
    record = dict(record)
    scheme = record.pop("scheme", None)
    if secret := record.pop(plain, None):
        record[hashed] = _hash(secret, scheme)
    return record


def _hash(secret, scheme):
    if scheme is None and secret.startswith("cs_"):
        return "$sha256$" + base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode().rstrip("=")
    if scheme in (None, "argon2id"):
        return argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(secret)
    if scheme == "bcrypt-2y-cost-10":
        return "$2y$" + bcrypt.hashpw(secret.encode(), bcrypt.gensalt(10)).decode().removeprefix("$2b$")
    raise ValueError(f"unknown scheme {scheme}")


def _item(record):
    """Returns a record as a DynamoDB item. Lists of strings become string sets."""

    def native(value):
        if isinstance(value, list) and value and all(isinstance(element, str) for element in value):
            return set(value)
        return value

    serialize = TypeSerializer().serialize
    return {name: serialize(native(value)) for name, value in record.items()}
