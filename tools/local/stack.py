"""What is deployed on a local cloud, as `template.yaml` says."""

import json
import os
import platform
import sys
from contextlib import suppress

import psutil
import yaml

from local.program import ROOT, TOOLS, Fault, Program, say

NAME = "countersign"
# The function runs on this machine.
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


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


def template(path="template.yaml"):
    return yaml.load((ROOT / path).read_text(), _Template)


def build(cloud, mode):
    """Builds the function with SAM, which finds it in .aws-sam afterwards; `mode` is debug or release."""
    if sys.platform != "linux":
        raise Fault("the local cloud runs the function as a process, which takes Linux; `make watch` runs anywhere")
    say(f"building the function ({mode}; the first time takes minutes) ...")
    environment = {"PATH": f"{TOOLS / 'lambda/bin'}:{os.environ['PATH']}"}
    environment |= {"SAM_BUILD_MODE": "debug"} if mode == "debug" else {}
    _sam(cloud, ["build", *_overrides({})], "the function could not be built", environment)


def deploy(cloud, parameters=None, name=NAME, options=()):
    """Deploys what was built as a new stack, or an existing one again."""
    say(f"deploying the stack {name} on {cloud.endpoint} ...")
    arguments = ["deploy", "--stack-name", name, *options, *_overrides(parameters or {})]
    _sam(cloud, arguments, "the stack could not be deployed")
    return Stack(cloud, name)


def _overrides(parameters):
    return ["--parameter-overrides", *(f"{k}={v}" for k, v in ({"Architecture": ARCHITECTURE} | parameters).items())]


def _sam(cloud, arguments, fault, environment=None):
    command = [TOOLS / "sam/bin/sam", *arguments, "--config-env", "local"]
    log = cloud.folder / "sam.txt"
    with Program.start("sam", command, cloud.environment() | (environment or {}), log) as program:
        code = None
        while code is None:
            cloud.require_alive()
            with suppress(psutil.TimeoutExpired):
                code = program.process.wait(timeout=0.2)
        if code != 0:
            cloud.require_alive()
            raise Fault(f"{log.read_text(errors='replace').strip()}\n{fault}; SAM's words are above")


def deploy_data(cloud):
    """Deploys the tables and the secret of the stack alone: what a function that runs elsewhere needs."""
    parts = template()
    resources = {
        logical_id: resource
        for logical_id, resource in parts["Resources"].items()
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret")
    }
    body = {"Parameters": parts["Parameters"], "Conditions": parts["Conditions"], "Resources": resources}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=NAME, TemplateBody=json.dumps(body))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})
    return Stack(cloud, NAME)


class Stack:
    """A stack that stands."""

    def __init__(self, cloud, name=NAME):
        self.cloud, self.name = cloud, name
        resources = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}

    @classmethod
    def standing(cls, cloud):
        """The stack of this cloud, if there is one and it is whole."""
        cloudformation = cloud.client("cloudformation")
        try:
            [stack] = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return None
        return cls(cloud) if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE") else None

    @property
    def outputs(self):
        [stack] = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @property
    def token_url(self):
        """The API's token endpoint, as it can be called on this machine."""
        return f"{self.cloud.endpoint}/_aws/execute-api/{self.resources['Api']}/oauth/token"

    def log(self, group="ApiLogGroup"):
        """What a function has logged, line by line."""
        logs, group = self.cloud.client("logs"), self.resources[group]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def function_environment(self, issuer):
        """The variables of the function, for one that runs elsewhere and has another issuer."""
        parts = template()
        variables = parts["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]

        def value(of):
            # Tables of the stack's own: no local stack uses existing ones.
            of = of["Fn::If"][1] if "Fn::If" in of else of
            reference = of.get("Ref") or of["Fn::GetAtt"][0]
            return self.resources.get(reference) or str(parts["Parameters"][reference]["Default"])

        return {name: value(of) for name, of in variables.items() if name != "ISSUER"} | {"ISSUER": issuer}
