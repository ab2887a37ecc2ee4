"""docs/deploying-with-ci.md: its commands, CI jobs and policy, and a release on the local cloud."""

import json
import re
import shlex
import subprocess
import tomllib

import pytest
import yaml

from conftest import ROOT
from local_cloud import fixtures, stack
from local_cloud.program import TOOLS
from token_endpoint import SERVICE, fetch_token

PAGE = (ROOT / "docs/deploying-with-ci.md").read_text()
STAGES = {"staging", "production"}
SAM = ".tools/sam/bin/sam"


def blocks(language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)


def jobs():
    """Returns the jobs of GitHub and those of GitLab."""
    github, gitlab = map(yaml.safe_load, blocks("yaml"))
    return github["jobs"], {name: job for name, job in gitlab.items() if "script" in job}


def commands():
    """Returns the commands of the page and of its CI jobs, each in one line."""
    github, gitlab = jobs()
    steps = [step["run"] for job in github.values() for step in job["steps"] if "run" in step]
    scripts = [*blocks("sh"), *steps, *(line for job in gitlab.values() for line in job["script"])]
    return [line.strip() for script in scripts for line in script.replace("\\\n", " ").splitlines()]


def sam_commands():
    return [command for command in commands() if command.startswith(SAM)]


def test_every_command_uses_a_stage_of_the_configuration():
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text())
    stages = {re.search(r"--config-env (\S+)", command)[1] for command in sam_commands()}
    assert stages == STAGES
    names = {configuration[stage]["global"]["parameters"]["stack_name"] for stage in STAGES}
    assert names == {f"countersign-{stage}" for stage in STAGES}
    for stage in STAGES:
        settings = configuration[stage]["deploy"]["parameters"]
        assert settings["confirm_changeset"] is False and settings["fail_on_empty_changeset"] is False
        assert 'Release=""' in settings["parameter_overrides"], "SAM would keep the release of the last deployment"
    assert {command.split()[2] for command in commands() if command.startswith("countersign --stack")} == names
    shown = tomllib.loads(blocks("toml")[0])
    assert shown["production"] == configuration["production"]


def test_every_command_exists():
    options = subprocess.run([TOOLS / "sam/bin/sam", "deploy", "--help"], capture_output=True, text=True, check=True).stdout
    for command in commands():
        program, *arguments = shlex.split(command, posix=True)
        if program == "make":
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, check=True)
        elif program == SAM:
            assert arguments[0] == "deploy"
            assert all(option in options for option in arguments if option.startswith("--"))
        else:
            assert program in {"countersign", "git", "apt-get", "printf", "export", "tar"}, command


def test_a_release_keeps_the_parameters_of_its_stage():
    [command] = [command for command in sam_commands() if "saved_parameters" in command]
    script = command.replace(SAM, "printf '%s\\n'")
    run = {"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=run, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "Watch=full Release=17-1"


def test_the_job_builds_before_it_gets_credentials():
    """The build is in a job that cannot get the role. The jobs that can get it deploy the files of the build."""
    workflow = yaml.safe_load(blocks("yaml")[0])
    github, gitlab = jobs()
    can_get_role = {name for name, job in github.items() if "id-token" in job.get("permissions", workflow["permissions"])}
    assert can_get_role == STAGES == {name for name, job in github.items() if "environment" in job}
    for name, job in github.items():
        steps = [step.get("run") or step["uses"] for step in job["steps"]]
        if name in can_get_role:
            assert not any(step.startswith("make build") for step in steps), name
            assert "credentials" in steps[-2] and steps[-1].startswith(SAM)
            assert job["permissions"] == {"contents": "read", "id-token": "write"}
        else:
            assert "make build" in steps and not any("credentials" in step for step in steps)
    assert {name for name, job in gitlab.items() if "id_tokens" in job} == {"deploy-production"}
    assert {name for name, job in gitlab.items() if "make build" in job["script"]} == {"build"}
    assert not {"variables", "id_tokens", "environment"} & gitlab["build"].keys()
    assert gitlab["build"]["artifacts"]["paths"] == [".aws-sam"] and gitlab["deploy-production"]["needs"] == ["build"]


def test_the_build_keeps_its_permissions_between_the_jobs(tmp_path):
    """GitHub's artifacts have no permissions. Only the build is unpacked, so that it replaces no file of the job."""
    github, _ = jobs()
    [pack] = [step["run"] for step in github["build"]["steps"] if step.get("run", "").startswith("tar")]
    unpack = {step["run"] for name in STAGES for step in github[name]["steps"] if step.get("run", "").startswith("tar")}
    assert len(unpack) == 1
    function = tmp_path / "build/.aws-sam/build/ApiFunction/bootstrap"
    function.parent.mkdir(parents=True)
    function.touch(mode=0o755)
    subprocess.run(shlex.split(pack), cwd=tmp_path / "build", check=True)
    (tmp_path / "build/Makefile").touch()
    subprocess.run(["tar", "-rf", "build.tar", "Makefile"], cwd=tmp_path / "build", check=True)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "build/build.tar").rename(tmp_path / "deploy/build.tar")
    subprocess.run(shlex.split(unpack.pop()), cwd=tmp_path / "deploy", check=True)
    assert {path.name for path in (tmp_path / "deploy").iterdir()} == {"build.tar", ".aws-sam"}
    assert (tmp_path / "deploy/.aws-sam/build/ApiFunction/bootstrap").stat().st_mode & 0o111


def test_the_subjects_of_github_have_ids():
    trust, _ = map(json.loads, blocks("json"))
    [subject] = [value for name, value in trust["Statement"][0]["Condition"]["StringEquals"].items() if name.endswith(":sub")]
    assert subject == "repo:OWNER@1/REPO@2:environment:production"
    assert " repo:OWNER@1/REPO@2:" in (ROOT / "docs/machine-identity.md").read_text()


SERVICES = {"ApiGatewayV2": "apigateway", "Serverless": "lambda"}
UNREADABLE = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "secretsmanager:GetSecretValue", "dynamodb:*"}


def test_the_policy_names_every_service_of_the_template_and_reads_no_data():
    trust, policy = map(json.loads, blocks("json"))
    assert trust["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"
    actions = {action for each in policy["Statement"] for action in [each["Action"]] for action in
               (action if isinstance(action, list) else [action])}
    services = {action.split(":")[0] for action in actions}
    for resource in stack.template()["Resources"].values():
        service = resource["Type"].split("::")[1]
        assert SERVICES.get(service, service.lower()) in services, resource["Type"]
    # CloudWatch rejects a composite alarm if the permission is limited to names.
    if any(each["Type"] == "AWS::CloudWatch::CompositeAlarm" for each in stack.template()["Resources"].values()):
        everywhere = {action for each in policy["Statement"] if each["Resource"] == "*" for action in each["Action"]}
        assert {"cloudwatch:PutCompositeAlarm", "cloudwatch:DescribeAlarms"} <= everywhere
    assert not actions & UNREADABLE and not any(action.startswith("secretsmanager:*") for action in actions)


CODEDEPLOY = {"ReleaseApplication", "ReleaseGroup"}


@pytest.fixture(scope="module")
def template_without_codedeploy(build_folder):
    """The built template for the local cloud, which has no CodeDeploy. Its alias moves all requests immediately."""
    source = build_folder / "template.yaml"
    built = stack.template(source)
    for name in CODEDEPLOY:
        assert built["Resources"].pop(name)["Type"].startswith("AWS::CodeDeploy::")
    del built["Resources"]["ApiAlias"]["UpdatePolicy"]
    changed = build_folder / "without-codedeploy.yaml"
    changed.write_text(yaml.safe_dump(built, sort_keys=False))
    return changed


def test_the_api_invokes_the_version_of_the_release(cloud, template_without_codedeploy):
    functions, apis = cloud.client("lambda"), cloud.client("apigatewayv2")

    def deploy(**parameters):
        # SAM reads the configuration beside the template, unless it is named.
        options = ["--template-file", str(template_without_codedeploy), "--config-file", str(ROOT / "samconfig.toml")]
        return stack.deploy(cloud, parameters, "countersign-release", options)

    def target(deployed):
        [integration] = apis.get_integrations(ApiId=deployed.resources["Api"])["Items"]
        return integration["IntegrationUri"].split("/functions/")[1].removesuffix("/invocations")

    def versions(deployed):
        found = functions.list_versions_by_function(FunctionName=deployed.resources["ApiFunction"])["Versions"]
        return [each["Description"] for each in found if each["Version"] != "$LATEST"]

    def works(deployed):
        return fetch_token(deployed.url, SERVICE, grant_type="client_credentials")

    first = deploy()
    fixtures.seed(first, fixtures.DEMO)
    function = first.resources["ApiFunction"]
    assert target(first).endswith(f":function:{function}") and versions(first) == [] and works(first)
    for release in ("1", "2"):
        released = deploy(Release=release, UserTokenTtl=600)
        assert target(released).endswith(f":function:{function}:released") and works(released)
        assert versions(released) == [f"release {release}"], "the earlier version is deleted"
    # Without a value, SAM keeps that of the last deployment.
    last = deploy(Release='""')
    assert target(last).endswith(f":function:{function}") and versions(last) == [] and works(last)
