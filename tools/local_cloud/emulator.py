"""Ministack with two additions.

The condition key `dynamodb:Attributes` has the attributes of writes, too. On AWS this key lists each top-level attribute that a
request names: the attributes of the key, of the item, and in expressions (DynamoDB developer guide, "Using IAM policy conditions
for fine-grained access control"). Ministack sets it for projections only, so it would allow writes that AWS denies.

`OPTIONS` reaches the routes of an HTTP API without CORS settings. On AWS only an API with CORS settings responds to preflight
requests itself (API Gateway developer guide, "Configure CORS for HTTP APIs"). Ministack rejects them.
"""

import json
import re
import sys

from ministack import app
from ministack.core import iam_actions
from ministack.services import apigateway

# A name in an expression that begins a path. Does not match a value (:x) or a later part of a path (a.x).
NAME = re.compile(r"(?<![\w:#.])#?[A-Za-z_]\w*")
KEYWORDS = {"set", "remove", "add", "delete", "and", "or", "not", "between", "in"}
FUNCTIONS = {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
             "if_not_exists", "list_append"}
_ministack_context = iam_actions.dynamodb_service_context
_ministack_execute = apigateway.handle_execute


def written_attributes(request):
    """Returns the top-level attributes that a PutItem, UpdateItem or DeleteItem names."""
    aliases = request.get("ExpressionAttributeNames") or {}
    expressions = f"{request.get('UpdateExpression') or ''} {request.get('ConditionExpression') or ''}"
    words = [word for word in NAME.findall(expressions) if word.lower() not in KEYWORDS and word not in FUNCTIONS]
    names = {aliases.get(word, word) for word in words}
    for member in ("Key", "Item", "AttributeUpdates", "Expected"):
        names |= set(request.get(member) or {})
    return sorted(names)


def service_context(body):
    context = _ministack_context(body)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return context
    writes = {"UpdateExpression", "ConditionExpression", "AttributeUpdates", "Item"}
    if isinstance(request, dict) and writes & request.keys():
        context["dynamodb:Attributes"] = written_attributes(request)
    return context


class Preflight(str):
    """A method that equals no other, so Ministack sends its request to a route."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        return False


async def execute(api_id, stage, path, method, *arguments, **options):
    """Executes a request of an HTTP API. The APIs of the local cloud have no CORS settings."""
    method = Preflight(method) if method == "OPTIONS" else method
    return await _ministack_execute(api_id, stage, path, method, *arguments, **options)


if __name__ == "__main__":
    apigateway.handle_execute = execute
    iam_actions.dynamodb_service_context = service_context
    sys.exit(app.main())
