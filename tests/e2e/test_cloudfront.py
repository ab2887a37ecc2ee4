"""examples/behind-cloudfront: how the distribution forwards and caches requests, and how its web ACL limits them.

`make lint` validates the template. The local cloud has neither CloudFront nor WAF.
"""

import json
import re
from fnmatch import fnmatchcase

import pytest
import yaml

from cloudformation import resolve
from conftest import ROOT
from local_cloud.stack import template

PARAMETERS = {
    "DomainName": "login.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/12ab-34",
    "ApiDomainName": "a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com",
}
ORIGIN = {
    "DomainName": "origin.example.com",
    "CertificateArn": "arn:aws:acm:eu-west-2:123456789012:certificate/12ab-34",
    "TruststoreUri": "s3://example-truststore/ca.pem",
    "ApiId": "a1b2c3d4e5",
}
PUBLISHED = ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]


@pytest.fixture(scope="module")
def example():
    return template("examples/behind-cloudfront/template.yaml")


@pytest.fixture(scope="module")
def resources(example):
    return {name: resource["Properties"] for name, resource in resolve(example, **PARAMETERS).items()}


@pytest.fixture(scope="module")
def distribution(resources):
    return resources["Distribution"]["DistributionConfig"]


def behavior(distribution, path):
    """Returns the first behavior whose pattern matches the path, as CloudFront does."""
    patterns = (found for found in distribution["CacheBehaviors"] if fnmatchcase(path, found["PathPattern"]))
    return next(patterns, distribution["DefaultCacheBehavior"])


def cache_policy(resources, found):
    return resources[found["CachePolicyId"]["Ref"]]["CachePolicyConfig"]


def forwarded(resources, found, part, key):
    """Returns the names that the policies of a behavior send to the API, for example its headers."""
    policies = [cache_policy(resources, found)["ParametersInCacheKeyAndForwardedToOrigin"]]
    if "OriginRequestPolicyId" in found:
        policies.append(resources[found["OriginRequestPolicyId"]["Ref"]]["OriginRequestPolicyConfig"])
    behaviors = {policy[part][key] for policy in policies}
    names = {name for policy in policies for name in policy[part].get("Headers", [])}
    return behaviors - {"none"}, names


@pytest.mark.parametrize("path", ["/oauth/token", "/healthz", "/"])
def test_requests_to_the_api_are_forwarded_and_not_cached(resources, distribution, path):
    found = behavior(distribution, path)
    assert "POST" in found["AllowedMethods"] and set(found["CachedMethods"]) == {"GET", "HEAD"}
    # "no-store" decides for GET: no response is kept without the permission of the service.
    policy = cache_policy(resources, found)
    assert policy["MinTTL"] == policy["DefaultTTL"] == 0 and policy["MaxTTL"] == 1
    documented = yaml.safe_load((ROOT / "openapi.yaml").read_text())["components"]["parameters"].values()
    headers = {parameter["name"] for parameter in documented if parameter["in"] == "header"}
    assert "DPoP" in headers
    headers |= {"Accept", "Accept-Language", "Authorization", "Content-Type", "Sec-Fetch-Site"}
    assert forwarded(resources, found, "HeadersConfig", "HeaderBehavior") == ({"whitelist"}, headers)
    assert forwarded(resources, found, "CookiesConfig", "CookieBehavior") == ({"all"}, set())
    assert forwarded(resources, found, "QueryStringsConfig", "QueryStringBehavior") == ({"all"}, set())


@pytest.mark.parametrize("path", PUBLISHED)
def test_documents_are_cached_as_their_cache_control_allows(resources, distribution, path):
    found = behavior(distribution, path)
    assert set(found["AllowedMethods"]) == {"GET", "HEAD"}
    policy = cache_policy(resources, found)
    assert policy["MinTTL"] == policy["DefaultTTL"] == 0
    assert policy["MaxTTL"] == template()["Parameters"]["KeysMaxAge"]["MaxValue"]
    # One copy for every caller: a caller cannot make the cache miss with a header or a query.
    for part in ("Header", "Cookie", "QueryString"):
        assert forwarded(resources, found, f"{part}sConfig", f"{part}Behavior") == (set(), set())


def test_old_keys_expire_before_a_new_key_signs(resources):
    """A document may be KeysMaxAge old in the function, MaxTTL fresh and MaxTTL stale in CloudFront, and 2 hours in API Gateway."""
    settings = template()["Parameters"]
    cached = resources["PublishedCachePolicy"]["CachePolicyConfig"]["MaxTTL"]
    longest = settings["KeysMaxAge"]["MaxValue"] + 2 * cached + 7200
    assert longest <= settings["KeyPublicFor"]["Default"]
    assert f"`KeyPublicFor` at {longest:,}" in (ROOT / "examples/behind-cloudfront/README.md").read_text()


def test_errors_are_not_cached(distribution):
    assert {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in distribution["CustomErrorResponses"]} == {
        500: 0, 502: 0, 503: 0, 504: 0,
    }
    assert not any("ResponsePagePath" in error for error in distribution["CustomErrorResponses"])


def test_every_connection_requires_tls_1_2(distribution):
    certificate = distribution["ViewerCertificate"]
    assert certificate["MinimumProtocolVersion"].startswith("TLSv1.2")
    assert certificate["AcmCertificateArn"] == PARAMETERS["CertificateArn"]
    for found in [distribution["DefaultCacheBehavior"], *distribution["CacheBehaviors"]]:
        assert found["ViewerProtocolPolicy"] == "https-only"
    assert distribution["Aliases"] == [PARAMETERS["DomainName"]]
    [origin] = distribution["Origins"]
    assert origin["DomainName"] == PARAMETERS["ApiDomainName"]
    assert origin["CustomOriginConfig"] == {"OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}


def test_the_api_accepts_only_the_client_certificate_of_the_distribution(example):
    client = {"ClientCertificateArn": PARAMETERS["CertificateArn"]}
    configured = resolve(example, **PARAMETERS, **client)["Distribution"]["Properties"]["DistributionConfig"]
    [origin] = configured["Origins"]
    assert origin["CustomOriginConfig"]["OriginMtlsConfig"] == client
    resources = resolve(template("examples/behind-cloudfront/origin.yaml"), **ORIGIN)
    domain, mapping = (resources[name]["Properties"] for name in ("Domain", "Mapping"))
    assert domain["MutualTlsAuthentication"] == {"TruststoreUri": ORIGIN["TruststoreUri"]}
    assert domain["DomainName"] == ORIGIN["DomainName"]
    [configuration] = domain["DomainNameConfigurations"]
    assert configuration["SecurityPolicy"] == "TLS_1_2" and configuration["CertificateArn"] == ORIGIN["CertificateArn"]
    # The template of the service must not create this domain, because it would be the issuer.
    assert mapping == {"DomainName": {"Ref": "Domain"}, "ApiId": ORIGIN["ApiId"], "Stage": "$default"}
    proxy = {"Issuer": f"https://{PARAMETERS['DomainName']}", "DefaultUrl": "off"}
    api = resolve(template(), **proxy)["Api"]["Properties"]
    assert api["DisableExecuteApiEndpoint"] is True


def test_one_rule_blocks_addresses_with_too_many_requests(example, resources, distribution):
    assert distribution["WebACLId"] == {"Fn::GetAtt": ["WebAcl", "Arn"]}
    acl = resources["WebAcl"]
    assert acl["Scope"] == "CLOUDFRONT" and acl["DefaultAction"] == {"Allow": {}}
    [rule] = acl["Rules"]
    # Without ScopeDownStatement: every request counts.
    assert rule["Statement"] == {
        "RateBasedStatement": {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 1000},
    }
    changed = resolve(example, **PARAMETERS, RequestLimit=50)["WebAcl"]["Properties"]["Rules"][0]
    assert changed["Statement"]["RateBasedStatement"]["Limit"] == 50
    response = rule["Action"]["Block"]["CustomResponse"]
    assert response["ResponseCode"] == 429
    headers = {header["Name"]: header["Value"] for header in response["ResponseHeaders"]}
    assert headers == {"Cache-Control": "no-store", "Retry-After": "300"}
    body = acl["CustomResponseBodies"][response["CustomResponseBodyKey"]]
    assert body["ContentType"] == "APPLICATION_JSON"
    assert json.loads(body["Content"]).keys() == {"error", "error_description"}
    assert distribution["IPV6Enabled"] is False


def test_no_log_and_no_sample_contains_a_secret(resources, distribution):
    assert "Logging" not in distribution
    acl = resources["WebAcl"]
    assert not any(part["VisibilityConfig"]["SampledRequestsEnabled"] for part in [acl, *acl["Rules"]])


@pytest.mark.parametrize(("name", "invalid"), [
    ("DomainName", ["", "https://login.example.com", "login.example.com/", "localhost"]),
    ("ApiDomainName", ["", "https://a.execute-api.eu-west-2.amazonaws.com", "a.example/"]),
    ("CertificateArn", ["", PARAMETERS["CertificateArn"].replace("us-east-1", "eu-west-2")]),
])
def test_parameters_accept_only_valid_values(example, name, invalid):
    pattern = example["Parameters"][name]["AllowedPattern"]
    assert re.search(pattern, PARAMETERS[name])
    assert not any(re.search(pattern, value) for value in invalid)
