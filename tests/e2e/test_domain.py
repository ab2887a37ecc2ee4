"""A stack with its own domain, and parameters that CloudFormation rejects."""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import Service, signing_key
from http_client import request
from local_cloud import fixtures, stack
from token_endpoint import SERVICE
from verification import verify

DOMAIN = "login.example.com"
CERTIFICATE = "arn:aws:acm:eu-west-2:000000000000:certificate/11111111-2222-3333-4444-555555555555"


def test_the_domain_is_the_issuer_and_the_only_endpoint(cloud, build_folder):
    parameters = {"DomainName": DOMAIN, "CertificateArn": CERTIFICATE, "UserTokenTtl": 600, "ServiceTokenTtl": 900}
    deployed = stack.deploy(cloud, parameters, name="countersign-domain")
    fixtures.seed(deployed, fixtures.DEMO)
    outputs = deployed.outputs
    assert outputs["Issuer"] == f"https://{DOMAIN}" and outputs["TokenUrl"] == f"https://{DOMAIN}/oauth/token"
    assert outputs["DomainTarget"]
    api = cloud.client("apigatewayv2").get_api(ApiId=outputs["ApiId"])
    assert api["DisableExecuteApiEndpoint"] is True

    # The local cloud routes by the Host header, according to the mapping of the domain.
    form = f"grant_type=client_credentials&client_id=demo-service&client_secret={SERVICE['secrets'][0]['secret']}"
    headers = {"host": DOMAIN, "content-type": "application/x-www-form-urlencoded"}
    response = request("POST", f"{cloud.endpoint}/oauth/token", headers, form.encode())
    assert response.status == 200, response.body
    service = Service(cloud.endpoint, outputs["Issuer"], signing_key(deployed).public_key())
    claims = verify(response.json["access_token"], service)
    assert claims["aud"] == f"https://{DOMAIN}"
    assert response.json["expires_in"] == claims["exp"] - claims["iat"] == 900


@pytest.fixture(scope="module")
def template_url(cloud, translated):
    """The template in a bucket, because it is too long for a request. Without SAM, which takes ten seconds for a deployment."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    s3.put_object(Bucket="templates", Key="template.json", Body=json.dumps(translated))
    return f"{cloud.endpoint}/templates/template.json"


@pytest.mark.parametrize(("parameters", "reason"), [
    ({"DomainName": DOMAIN}, "DomainName and CertificateArn"),
    ({"CertificateArn": CERTIFICATE}, "DomainName and CertificateArn"),
    ({"DomainName": DOMAIN, "CertificateArn": CERTIFICATE, "Issuer": "https://a.b"}, "leave Issuer empty"),
    ({"DefaultUrl": "off"}, "set Issuer if DefaultUrl is off"),
    ({"DefaultUrl": "off", "DomainName": DOMAIN, "CertificateArn": CERTIFICATE}, "set Issuer if DefaultUrl is off"),
    ({"UserTokenTtl": 1}, "must be a number not less than 60"),
    ({"Tracing": "Sometimes"}, "is not in AllowedValues"),
])
def test_invalid_parameters_are_rejected_before_a_resource_is_created(cloud, template_url, parameters, reason):
    name, cloudformation = "countersign-rejected", cloud.client("cloudformation")
    parameters = [
        {"ParameterKey": key, "ParameterValue": str(value)} for key, value in (stack.DEFAULTS | parameters).items()
    ]
    with pytest.raises(ClientError) as error:
        cloudformation.create_stack(
            StackName=name, TemplateURL=template_url, Parameters=parameters, Capabilities=["CAPABILITY_IAM"],
        )
    assert reason in str(error.value)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stack_resources(StackName=name)
