//! The form of the JWT: types, depth, and members that are repeated or not known (RFC 7515 section 4).

use super::*;

/// Returns objects that are nested to this depth.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({"a": inner}))
}

/// Returns the JSON of a header and of claims with these members besides the usual ones.
fn texts(jti: usize, header: &str, claims: &str) -> (String, String) {
    let usual = format!(r#""iss":"{0}","sub":"{0}","aud":"{ISSUER}","exp":{1},"jti":"{jti}""#, SERVICE.0, NOW + 60);
    (format!(r#"{{"alg":"ES256"{header}}}"#), format!("{{{usual}{claims}}}"))
}

#[tokio::test]
async fn an_assertion_may_have_each_type_and_members_that_are_not_known() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let (deep, lists) = (nested(7), "[".repeat(7) + &"]".repeat(7));
    for (jti, (header, claims)) in [
        ("", ""),
        (r#","typ":"jwt""#, ""),
        (r#","typ":"application/JWT""#, ""),
        (r#","typ":"client-authentication+jwt""#, ""),
        (r#","typ":"APPLICATION/Client-Authentication+JWT""#, ""),
        (r#","zip":"DEF","b64":false,"x5t":1,"jwk":[]"#, r#","scope":[null],"nonce":true"#),
        (&format!(r#","x":{deep}"#), &format!(r#","x":{deep},"y":{lists}"#)),
        (r#","a":{"a":1},"b":{"a":1}"#, r#","a":[{"a":1},{"a":1}]"#),
        ("", r#","iat":1e9,"nbf":-0"#),
    ]
    .into_iter()
    .enumerate()
    {
        let (header, claims) = texts(jti, header, claims);
        let response = send(&test, &key.sign_text(&header, &claims, None)).await;
        assert_eq!(response.status, 200, "{header} {claims}");
    }
}

#[tokio::test]
async fn s_1011_other_types_repeated_members_and_deep_json_are_rejected() {
    let key = ClientKeyPair::generate("ES256");
    let test = started(&key).await;
    let (deep, lists) = (nested(8), "[".repeat(8) + &"]".repeat(8));
    for (header, claims) in [
        (r#","typ":"""#, ""),
        (r#","typ":null"#, ""),
        (r#","typ":["JWT"]"#, ""),
        (r#","typ":"application/""#, ""),
        (r#","typ":"application/application/jwt""#, ""),
        (r#","typ":"secevent+jwt""#, ""),
        (r#","typ":"JWT","typ":"JWT""#, ""),
        (r#","al\u0067":"ES256""#, ""),
        (r#","x":{"a":1,"b":[],"a":1}"#, ""),
        (&format!(r#","x":{deep}"#), ""),
        ("", r#","s\u0075b":"billing-cron""#),
        ("", r#","x":[{"a":1,"a":2}]"#),
        ("", &format!(r#","x":{deep}"#)),
        ("", &format!(r#","x":{lists}"#)),
        ("", r#","nbf":-0.5"#),
        ("", r#","x":1e999"#),
        ("", "}x"),
        ("}{", ""),
    ] {
        let (header, claims) = texts(1, header, claims);
        let response = send(&test, &key.sign_text(&header, &claims, None)).await;
        assert_eq!(response.status, 401, "{header} {claims}");
    }
    for (header, claims) in [("[]", "{}"), (r#""x""#, "{}"), (r#"{"alg":"ES256"}"#, "[]"), ("", "")] {
        send(&test, &key.sign_text(header, claims, None)).await.assert_error(401, "invalid_client");
    }
    assert_eq!(used(&test), 0);
}
