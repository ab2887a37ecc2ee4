"""CloudFormation's evaluation of a template: conditions, parameters, and resources that are left out."""

import re

ABSENT = object()
PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws", "AWS::Region": "eu-west-2", "AWS::AccountId": "000000000000",
    "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "countersign", "AWS::NoValue": ABSENT,
}


def resolve(template, **parameters):
    """Returns the resources that a deployment with these parameters has. Keeps functions that refer to other resources."""
    declared = template["Parameters"]
    defaults = {name: parameter["Default"] for name, parameter in declared.items() if "Default" in parameter}
    assert declared.keys() - defaults.keys() <= parameters.keys() <= declared.keys()
    values = {**PSEUDO_PARAMETERS, **defaults, **parameters}

    def is_true(condition):
        return evaluate(template["Conditions"][condition])

    def evaluate(expression):
        [(function, operands)] = expression.items()
        match function:
            case "Fn::Equals":
                left, right = map(resolve_value, operands)
                return str(left) == str(right)
            case "Fn::Not":
                return not evaluate(operands[0])
            case "Fn::And":
                return all(map(evaluate, operands))
            case "Fn::Or":
                return any(map(evaluate, operands))
            case "Condition":
                return is_true(operands)
        raise AssertionError(expression)

    def substitute(text):
        return re.sub(r"\$\{([\w:]+)\}", lambda found: str(values.get(found[1], found[0])), text)

    def resolve_value(value):
        match value:
            case {"Ref": name} if len(value) == 1 and name in values:
                return values[name]
            case {"Fn::If": [condition, yes, no]}:
                return resolve_value(yes if is_true(condition) else no)
            case {"Fn::Sub": str(text)}:
                return substitute(text)
            case dict():
                members = {name: resolve_value(member) for name, member in value.items()}
                return {name: member for name, member in members.items() if member is not ABSENT}
            case list():
                return [element for element in map(resolve_value, value) if element is not ABSENT]
        return value

    resources = template["Resources"].items()
    return {
        name: resolve_value(resource) for name, resource in resources
        if "Condition" not in resource or is_true(resource["Condition"])
    }
