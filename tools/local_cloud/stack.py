"""Builds and deployments of `template.yaml` on a local cloud."""

import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from local_cloud.program import ROOT, TOOLS, LocalCloudError, Program, print_status

NAME = "countersign"
DEFAULTS = {
    # The emulator runs the function as a process of this machine.
    "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
    # The emulator has no composite alarms, saved queries and metric math.
    "Watch": "basic",
}


class _Template(yaml.SafeLoader):
    """Expands the short forms of CloudFormation's functions (`!Ref`) to the long forms."""


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
    """Builds the functions for a cloud: with SAM as for AWS ("release"), or as `cargo test` does ("debug")."""
    if sys.platform != "linux":
        raise LocalCloudError("the local cloud runs the function only on Linux; use `make watch` instead")
    print_status(f"building the functions ({mode}; the first time takes minutes) ...")
    environment = cloud.environment() | {"PATH": f"{TOOLS / 'lambda/bin'}:{os.environ['PATH']}"}
    # SAM does not show the output of cargo, so cargo builds first.
    # Of this package only, as SAM does. Otherwise the features of the CLI's dependencies would be built, too.
    arguments = ["build"] if mode == "debug" else ["lambda", "build", "--release", "--package", "countersign"]
    command = ["cargo", *arguments, "--bin", "api", "--bin", "rotate"]
    with Program.start("cargo", command, environment) as program:
        if _exit_code(cloud, program) != 0:
            raise LocalCloudError("building the functions failed; see cargo's output above")
    cloud.built = ROOT / ".aws-sam" / ("debug" if mode == "debug" else "build")
    if mode == "debug":
        _pack_debug_build(cloud.built)
    else:
        _sam(cloud, ["build", *_overrides({})], "building the functions failed", environment)


def _pack_debug_build(folder):
    """Writes the debug build in the form in which `sam build` writes its own. SAM would compile all dependencies again."""
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    metadata = subprocess.run(metadata, cwd=ROOT, capture_output=True, check=True).stdout
    built = Path(json.loads(metadata)["target_directory"]) / "debug"
    shutil.rmtree(folder, ignore_errors=True)
    parts = template()
    # Names files in the folder of the template.
    del parts["Metadata"]["AWS::ServerlessRepo::Application"]
    for name, resource in parts["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            (folder / name).mkdir(parents=True)
            shutil.copy2(built / resource["Metadata"]["BuildProperties"]["Binary"], folder / name / "bootstrap")
            resource["Properties"]["CodeUri"] = name
    (folder / "template.yaml").write_text(json.dumps(parts))


def deploy(cloud, parameters=None, name=NAME, options=()):
    """Deploys the built functions. Creates the stack or updates it."""
    print_status(f"deploying the stack {name} on {cloud.endpoint} ...")
    arguments = ["deploy", "--template-file", cloud.built / "template.yaml", "--stack-name", name, *options, *_overrides(parameters or {})]
    _sam(cloud, arguments, "deploying the stack failed")
    return Stack(cloud, name)


def _overrides(parameters):
    return ["--parameter-overrides", *(f"{k}={v}" for k, v in (DEFAULTS | parameters).items())]


def _sam(cloud, arguments, failure, environment=None):
    command = [TOOLS / "sam/bin/sam", *arguments, "--config-file", ROOT / "samconfig.toml", "--config-env", "local"]
    log = cloud.folder / "sam.txt"
    with Program.start("sam", command, environment or cloud.environment(), log) as program:
        if _exit_code(cloud, program) != 0:
            raise LocalCloudError(f"{log.read_text(errors='replace').strip()}\n{failure}; see SAM's output above")


def _exit_code(cloud, program):
    """Waits until a program has exited, and returns its exit code. Fails if the cloud stops."""
    code = None
    while code is None:
        cloud.require_running()
        with suppress(psutil.TimeoutExpired):
            code = program.process.wait(timeout=0.2)
    cloud.require_running()
    return code


def deploy_data(cloud):
    """Deploys only the tables and the secret of the stack, for a function that runs outside the emulator."""
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


def api_url(cloud, api):
    """Returns the URL of an API on this machine. The default issuer is another URL, which only AWS serves."""
    return f"{cloud.endpoint}/_aws/execute-api/{api}"


class Stack:
    """A deployed stack."""

    def __init__(self, cloud, name=NAME):
        self.cloud, self.name = cloud, name
        resources = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        self.resources = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}

    @classmethod
    def find(cls, cloud):
        """Returns the completely deployed stack of a cloud, or None."""
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
    def url(self):
        """Returns the URL of the API on this machine."""
        return api_url(self.cloud, self.resources["Api"])

    @property
    def token_url(self):
        return f"{self.url}/oauth/token"

    def log(self, group="ApiLogGroup"):
        """Returns the log lines of a function."""
        logs, group = self.cloud.client("logs"), self.resources[group]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def function_environment(self, issuer):
        """Returns the environment variables of the API function, with another issuer."""
        parts = template()
        variables = parts["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]

        def resolve(value):
            # Local stacks create their tables and do not use existing tables.
            value = value["Fn::If"][1] if "Fn::If" in value else value
            name = value.get("Ref") or value["Fn::GetAtt"][0]
            return self.resources.get(name) or str(parts["Parameters"][name]["Default"])

        return {name: resolve(value) for name, value in variables.items() if name != "ISSUER"} | {"ISSUER": issuer}
