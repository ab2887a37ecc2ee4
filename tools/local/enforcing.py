"""Runs ministack with one addition: it knows `dynamodb:Attributes` of writes, and not only of projections.

On AWS that condition key lists each top-level attribute that a request names: those of the key and of the item, and those
in its expressions (DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control"). Without the
addition, the local cloud would allow what AWS denies.
"""

import json
import re
import sys

from ministack import app
from ministack.core import iam_actions

# A name in an expression that begins a path; not a value (:x), and not a later part of a path (a.x).
NAME = re.compile(r"(?<![\w:#.])#?[A-Za-z_]\w*")
KEYWORDS = {"set", "remove", "add", "delete", "and", "or", "not", "between", "in"}
FUNCTIONS = {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
             "if_not_exists", "list_append"}
_known = iam_actions.dynamodb_service_context


def written_attributes(request):
    """The top-level attributes that a PutItem, UpdateItem or DeleteItem names."""
    aliases = request.get("ExpressionAttributeNames") or {}
    expressions = f"{request.get('UpdateExpression') or ''} {request.get('ConditionExpression') or ''}"
    words = [word for word in NAME.findall(expressions) if word.lower() not in KEYWORDS and word not in FUNCTIONS]
    names = {aliases.get(word, word) for word in words}
    for member in ("Key", "Item", "AttributeUpdates", "Expected"):
        names |= set(request.get(member) or {})
    return sorted(names)


def service_context(body):
    context = _known(body)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return context
    writes = {"UpdateExpression", "ConditionExpression", "AttributeUpdates", "Item"}
    if isinstance(request, dict) and writes & request.keys():
        context["dynamodb:Attributes"] = written_attributes(request)
    return context


if __name__ == "__main__":
    iam_actions.dynamodb_service_context = service_context
    sys.exit(app.main())
