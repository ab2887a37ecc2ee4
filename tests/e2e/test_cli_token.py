"""`countersign token`, which needs the URL of the API but no AWS credentials."""

from token_endpoint import SERVICE


def test_a_fetched_token_is_valid_and_a_changed_token_is_not(cli_stack, countersign):
    secret, without_aws = SERVICE["secrets"][0]["secret"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    token = ["--url", cli_stack.url, "token"]
    get = [*token, "get", "--client-id", SERVICE["client_id"]]
    without_stack = countersign.on_stack(None)
    for version in ("1", "2"):
        fetched = without_stack(*get, "--token-version", version, input=f"{secret}\n", environment=without_aws)
        assert (fetched.stdout.count("\n"), fetched.stderr) == (1, ""), "scripts use the output"
        inspected = without_stack(*token, "inspect", input=fetched.stdout, environment=without_aws)
        assert "The token is valid." in inspected.stdout and cli_stack.outputs["Issuer"] in inspected.stdout
        header, claims, signature = fetched.stdout.strip().split(".")
        forged = f"{header}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
        inspected = without_stack(*token, "inspect", input=forged, code=3, environment=without_aws)
        assert "The signature is wrong" in inspected.stdout
    rejected = countersign(*get, input="cs_never-to-be-shown", code=1)
    assert "invalid_client" in rejected.stderr and "never-to-be-shown" not in rejected.stderr + rejected.stdout
