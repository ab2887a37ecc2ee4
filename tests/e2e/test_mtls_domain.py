"""The second domain, which requires certificates (RFC 8705), in template.yaml after SAM's translation."""

import re

import pytest

from cloudformation import resolve
from test_template import DOMAIN

MTLS = {
    "MtlsDomainName": "mtls.example.com", "MtlsCertificateArn": DOMAIN["CertificateArn"],
    "MtlsTruststoreUri": "s3://trust/store.pem", "MtlsTruststoreVersion": "v.1_a-B",
}
OWNERSHIP = {"MtlsOwnershipCertificateArn": "arn:aws:acm:eu-west-2:123456789012:certificate/own"}


def test_s_1026_without_the_mtls_parameters_there_is_no_second_domain(translated):
    without, with_mtls = resolve(translated, **DOMAIN), resolve(translated, **DOMAIN, **MTLS)
    assert with_mtls.keys() - without.keys() == {"MtlsDomain", "MtlsDomainMapping"}
    changed = {name for name in without if without[name] != with_mtls[name]}
    assert changed == {"ApiFunction"}, "the issuer, the API and its first domain stay"
    variables = [resources["ApiFunction"]["Properties"]["Environment"]["Variables"] for resources in (without, with_mtls)]
    assert [each.pop("MTLS_DOMAIN") for each in variables] == ["", "mtls.example.com"]
    assert variables[0] == variables[1]


@pytest.mark.parametrize("ownership", [{}, OWNERSHIP])
def test_s_1024_the_second_domain_requires_a_certificate_of_the_truststore(translated, ownership):
    resources = resolve(translated, **MTLS, **ownership)
    domain = resources["MtlsDomain"]["Properties"]
    assert domain["DomainName"] == "mtls.example.com"
    assert domain["MutualTlsAuthentication"] == {"TruststoreUri": "s3://trust/store.pem", "TruststoreVersion": "v.1_a-B"}
    [configuration] = domain["DomainNameConfigurations"]
    assert configuration["SecurityPolicy"] == "TLS_1_2" and configuration["EndpointType"] == "REGIONAL"
    assert configuration["CertificateArn"] == MTLS["MtlsCertificateArn"]
    assert configuration.get("OwnershipVerificationCertificateArn") == ownership.get("MtlsOwnershipCertificateArn")
    mapping = resources["MtlsDomainMapping"]["Properties"]
    assert mapping == {"DomainName": {"Ref": "MtlsDomain"}, "ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApiStage"}}
    assert resources["Api"]["Properties"]["DisableExecuteApiEndpoint"] is False, "only DomainName disables the default URL"


def test_the_mtls_parameters_are_set_together(translated):
    def holds(assertion, values):
        match assertion:
            case {"Fn::Or": operands}:
                return any(holds(each, values) for each in operands)
            case {"Fn::And": operands}:
                return all(holds(each, values) for each in operands)
            case {"Fn::Not": [operand]}:
                return not holds(operand, values)
            case {"Fn::Equals": [{"Ref": name}, {"Ref": other}]}:
                return values.get(name, "") == values.get(other, "")
            case {"Fn::Equals": [{"Ref": name}, text]}:
                return values.get(name, "") == text
        raise AssertionError(assertion)

    def accepts(**values):
        rules = [translated["Rules"][name] for name in ("MtlsParameters", "TwoDomains")]
        return all(holds(each["Assert"], values) for rule in rules for each in rule["Assertions"])

    assert accepts() and accepts(**MTLS) and accepts(**MTLS, **OWNERSHIP) and accepts(**MTLS, **DOMAIN)
    for name in MTLS:
        assert not accepts(**{name: MTLS[name]})
        assert not accepts(**{other: value for other, value in MTLS.items() if other != name})
    assert not accepts(**OWNERSHIP)
    assert not accepts(**MTLS, **{**DOMAIN, "DomainName": MTLS["MtlsDomainName"]})


@pytest.mark.parametrize(("name", "valid", "invalid"), [
    ("MtlsDomainName", ["", "mtls.example.com"], ["Mtls.example.com", "https://x.y", "x", "a.b/"]),
    ("MtlsCertificateArn", ["", MTLS["MtlsCertificateArn"]], ["certificate", "arn:aws:iam::1:x"]),
    ("MtlsOwnershipCertificateArn", ["", MTLS["MtlsCertificateArn"]], ["certificate", "arn:aws:iam::1:x"]),
    ("MtlsTruststoreUri", ["", "s3://my-bucket/a/trust.pem"], ["https://a.s3.amazonaws.com/b", "s3://a", "s3://abc/", "s3://A_b/c"]),
    ("MtlsTruststoreVersion", ["", "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"], ["a b", "a#b"]),
])
def test_an_mtls_parameter_accepts_only_valid_values(translated, name, valid, invalid):
    pattern = translated["Parameters"][name]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in valid)
    assert not any(re.search(pattern, value) for value in invalid)
