//! The comparison of `htu` with the URL of a request.

use countersign::dpop::is_same_url;

#[test]
fn s_1018_scheme_host_port_and_path_decide() {
    const URL: &str = "https://auth.example/oauth/token";
    for (htu, url, expected) in [
        (URL, URL, true),
        ("HTTPS://AUTH.EXAMPLE/oauth/token", URL, true),
        ("https://auth.example:443/oauth/token", URL, true),
        ("https://auth.example/oauth/token?", URL, true),
        ("https://auth.example/oauth/token?a=https://b.example", URL, true),
        ("https://auth.example/oauth/token#", URL, true),
        ("https://auth.example/oauth/token#?", URL, true),
        (URL, "https://Auth.Example:443/oauth/token", true),
        ("https://auth.example", "https://auth.example/", true),
        ("https://auth.example?a", "https://auth.example/", true),
        ("http://127.0.0.1:9000/oauth/token", "http://127.0.0.1:9000/oauth/token", true),
        ("http://127.0.0.1/oauth/token", "http://127.0.0.1:80/oauth/token", true),
        ("http://[::1]:9000/oauth/token", "http://[::1]:9000/oauth/token", true),
        ("", URL, false),
        ("auth.example/oauth/token", URL, false),
        ("//auth.example/oauth/token", URL, false),
        ("/oauth/token", URL, false),
        ("https:/auth.example/oauth/token", URL, false),
        ("http://auth.example/oauth/token", URL, false),
        ("http://auth.example:443/oauth/token", URL, false),
        ("https://auth.example:80/oauth/token", URL, false),
        ("https://auth.example:8443/oauth/token", URL, false),
        ("https://auth.example:4430443/oauth/token", URL, false),
        ("https://auth.example.evil.example/oauth/token", URL, false),
        ("https://auth.example@evil.example/oauth/token", URL, false),
        ("https://user@auth.example/oauth/token", URL, false),
        ("https://evil.example/oauth/token", URL, false),
        ("ftp://auth.example/oauth/token", URL, false),
        ("https://auth.example", URL, false),
        ("https://auth.example?/oauth/token", URL, false),
        ("https://auth.example/oauth/Token", URL, false),
        ("https://auth.example/oauth/token/", URL, false),
        ("https://auth.example//oauth/token", URL, false),
        ("https://auth.example/oauth/./token", URL, false),
        ("https://auth.example/oauth/%74oken", URL, false),
        ("https://auth.example/oauth/token ", URL, false),
        (" https://auth.example/oauth/token", URL, false),
        ("https://auth.example/stage/oauth/token", URL, false),
    ] {
        assert_eq!(is_same_url(htu, url), expected, "{htu} {url}");
    }
}
