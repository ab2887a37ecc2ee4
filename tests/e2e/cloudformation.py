"""The translated template as CloudFormation sees it with certain parameters: conditions decided, what they exclude gone."""

import re

ABSENT = object()
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-2", "AWS::AccountId": "000000000000",
          "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "countersign", "AWS::NoValue": ABSENT}


def resolved(template, **given):
    """The resources that a deployment with these parameters has. References to other resources stay as they are."""
    defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    assert given.keys() <= defaults.keys()
    values = {**PSEUDO, **defaults, **given}

    def holds(condition):
        return decided(template["Conditions"][condition])

    def decided(part):
        [(function, operands)] = part.items()
        match function:
            case "Fn::Equals":
                left, right = map(value, operands)
                return str(left) == str(right)
            case "Fn::Not":
                return not decided(operands[0])
            case "Fn::And":
                return all(map(decided, operands))
            case "Fn::Or":
                return any(map(decided, operands))
            case "Condition":
                return holds(operands)
        raise AssertionError(part)

    def substituted(text):
        return re.sub(r"\$\{([\w:]+)\}", lambda found: str(values.get(found[1], found[0])), text)

    def value(part):
        match part:
            case {"Ref": name} if len(part) == 1 and name in values:
                return values[name]
            case {"Fn::If": [condition, yes, no]}:
                return value(yes if holds(condition) else no)
            case {"Fn::Sub": str(text)}:
                return substituted(text)
            case dict():
                members = {name: value(member) for name, member in part.items()}
                return {name: member for name, member in members.items() if member is not ABSENT}
            case list():
                return [one for one in map(value, part) if one is not ABSENT]
        return part

    resources = template["Resources"].items()
    return {name: value(one) for name, one in resources if "Condition" not in one or holds(one["Condition"])}
