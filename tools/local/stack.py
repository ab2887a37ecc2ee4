"""What is deployed on a local cloud, as `template.yaml` says."""

import json
import subprocess

import yaml

from local.program import ROOT, TOOLS, Fault, say

NAME = "countersign"


class _Template(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as the long ones."""


def _function(loader, suffix, node):
    value = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)](node)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Template.add_multi_constructor("!", _function)


def template():
    return yaml.load((ROOT / "template.yaml").read_text(), _Template)


def build(cloud, mode):
    """Builds the function with SAM; `mode` is debug or release. SAM finds what it built in .aws-sam."""
    say(f"building the function ({mode}; the first time takes minutes) ...")
    environment = cloud.environment() | ({"SAM_BUILD_MODE": mode} if mode == "debug" else {})
    environment["PATH"] = f"{TOOLS / 'lambda/bin'}:{environment['PATH']}"
    _sam(["build", "--config-env", "local"], environment, "the function could not be built")


def deploy(cloud, parameters=None, name=NAME):
    """Deploys what was built as a new stack."""
    say(f"deploying the stack {name} on {cloud.endpoint} ...")
    arguments = ["deploy", "--config-env", "local", "--stack-name", name]
    if parameters:
        arguments += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())]
    _sam(arguments, cloud.environment(), "the stack could not be deployed")
    return Stack(cloud, name)


def deploy_data(cloud):
    """Deploys the tables and the secret of the stack alone: what a function that runs elsewhere needs."""
    parts = template()
    parts["Resources"] = {
        logical_id: resource
        for logical_id, resource in parts["Resources"].items()
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret")
    }
    cloudformation = cloud.client("cloudformation")
    body = json.dumps({"Resources": parts["Resources"]})
    cloudformation.create_stack(StackName=NAME, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})
    return Stack(cloud, NAME)


def _sam(arguments, environment, fault):
    process = subprocess.run(
        [TOOLS / "sam/bin/sam", *arguments], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if process.returncode != 0:
        raise Fault(f"{process.stdout.rstrip()}\n{fault}; SAM's words are above")


class Stack:
    """A stack that stands."""

    def __init__(self, cloud, name=NAME):
        self.cloud, self.name = cloud, name
        resources = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}

    @classmethod
    def standing(cls, cloud):
        """The stack of this cloud, if there is one."""
        cloudformation = cloud.client("cloudformation")
        try:
            cloudformation.describe_stacks(StackName=NAME)
        except cloudformation.exceptions.ClientError:
            return None
        return cls(cloud)

    @property
    def outputs(self):
        stack = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @property
    def token_url(self):
        """The API's token endpoint, as it can be called on this machine."""
        return f"{self.cloud.endpoint}/_aws/execute-api/{self.resources['Api']}/oauth/token"

    def log(self):
        """What the function has logged, line by line."""
        logs, group = self.cloud.client("logs"), self.resources["ApiLogGroup"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def function_environment(self, issuer):
        """The variables of the function, for one that runs elsewhere and has another issuer."""
        parts = template()
        variables = parts["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]

        def value(of):
            reference = of.get("Ref") or of["Fn::GetAtt"][0]
            return self.resources.get(reference) or str(parts["Parameters"][reference]["Default"])

        return {name: value(of) for name, of in variables.items() if name != "ISSUER"} | {"ISSUER": issuer}
