"""A stack with a domain of its own, and parameters that CloudFormation must refuse."""

import pytest

from conftest import Service, public_key
from http_client import request
from local import fixtures, stack
from local.program import Fault
from verification import claims

DOMAIN = "login.example.com"
CERTIFICATE = "arn:aws:acm:eu-west-2:000000000000:certificate/11111111-2222-3333-4444-555555555555"
SERVICE = fixtures.DEMO["clients"][0]


def test_the_domain_is_the_issuer_and_the_only_way_in(cloud, built):
    parameters = {"DomainName": DOMAIN, "CertificateArn": CERTIFICATE, "UserTokenTtl": 600, "ServiceTokenTtl": 900}
    deployed = stack.deploy(cloud, parameters, name="countersign-domain")
    fixtures.seed(deployed, fixtures.DEMO)
    outputs = deployed.outputs
    assert outputs["Issuer"] == f"https://{DOMAIN}" and outputs["TokenUrl"] == f"https://{DOMAIN}/oauth/token"
    assert outputs["DomainTarget"]
    api = cloud.client("apigatewayv2").get_api(ApiId=outputs["ApiId"])
    assert api["DisableExecuteApiEndpoint"] is True

    # The local cloud routes by the name, as the domain's mapping says.
    form = f"grant_type=client_credentials&client_id=demo-service&client_secret={SERVICE['secrets'][0]['secret']}"
    headers = {"host": DOMAIN, "content-type": "application/x-www-form-urlencoded"}
    answer = request(f"{cloud.endpoint}/oauth/token", "POST", "/oauth/token", headers, form.encode())
    assert answer.status == 200, answer.body
    service = Service("domain", outputs["TokenUrl"], outputs["Issuer"], public_key(deployed))
    verified = claims(answer.json["access_token"], service)
    assert verified["aud"] == f"https://{DOMAIN}"
    assert answer.json["expires_in"] == verified["exp"] - verified["iat"] == 900


@pytest.mark.parametrize(("parameters", "reason"), [
    ({"DomainName": DOMAIN}, "DomainName and CertificateArn are given together"),
    ({"CertificateArn": CERTIFICATE}, "DomainName and CertificateArn are given together"),
    ({"DomainName": DOMAIN, "CertificateArn": CERTIFICATE, "Issuer": "https://a.b"}, "leave Issuer empty"),
    ({"UserTokenTtl": 1}, "must be a number not less than 60"),
    ({"Tracing": "Sometimes"}, "is not in AllowedValues"),
])
def test_parameters_that_make_no_sense_are_refused_before_anything_is_made(cloud, built, parameters, reason):
    name = "countersign-refused"
    with pytest.raises(Fault) as refusal:
        stack.deploy(cloud, parameters, name)
    assert reason in str(refusal.value)
    cloudformation = cloud.client("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError, match="does not exist"):
        cloudformation.describe_stack_resources(StackName=name)
