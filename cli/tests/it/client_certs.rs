//! The certificates of clients: `countersign client cert`.

use serde_json::{Value, json};

use crate::{command_line, started};
use testing::{SERVICE, file};

/// Returns a test certificate as PEM.
fn pem(name: &str) -> String {
    let certificates = include_str!("../../../tests/it/client_auth/certificate/certificates.json");
    let certificates: Value = serde_json::from_str(certificates).unwrap();
    certificates[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_names_of_a_certificate_are_taken_from_a_file_and_shown() {
    let test = started().await;
    let line = command_line(&test);
    let set = async |name: &str, more: &[&str]| {
        let path = file("certificate", &pem(name));
        line.run(&[&["client", "cert", "set", SERVICE.0, path.to_str().unwrap()], more].concat()).await
    };
    let stored = || test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
    line.run(&["client", "update", SERVICE.0, "--auth-method", "tls_client_auth"]).await.assert(1, "exactly one name");
    let shown = set("certified", &[]).await;
    shown.assert(0, "");
    assert!(shown.out.contains("CN=certified,O=Countersign Test"), "{shown:?}");
    assert!(shown.out.contains("client update billing-cron --auth-method tls_client_auth"), "{shown:?}");
    assert_eq!(stored()["tls_client_auth_subject_dn"], json!({"S": "CN=certified,O=Countersign Test"}));
    assert_eq!(stored()["tls_client_auth_issuer_dn"], json!({"S": "CN=Test CA 1,O=Countersign Test"}));
    line.run(&["client", "update", SERVICE.0, "--auth-method", "tls_client_auth"]).await.assert(0, "");
    assert!(line.run(&["client", "list"]).await.out.contains("certificate"));

    // One name replaces another.
    set("names", &["--by", "san-uri", "--any-issuer"]).await.assert(0, "");
    assert_eq!(stored()["tls_client_auth_san_uri"], json!({"S": "spiffe://a.example/b"}));
    assert_eq!(stored().get("tls_client_auth_subject_dn"), None);
    assert_eq!(stored().get("tls_client_auth_issuer_dn"), None);
    let before = stored();
    set("names", &["--by", "san-dns"]).await.assert(1, "several names of this kind: a.example, b.example");
    set("names", &[]).await.assert(1, "has no subject; choose another name with --by");
    let path = file("certificate", "x");
    let not_pem = "not PEM; give a file that has `-----BEGIN CERTIFICATE-----`";
    line.run(&["client", "cert", "set", SERVICE.0, path.to_str().unwrap()]).await.assert(1, not_pem);
    line.run(&["client", "cert", "set", SERVICE.0, "/nowhere"]).await.assert(1, "/nowhere: ");
    assert_eq!(stored(), before);
    line.run_with(&["client", "cert", "set", SERVICE.0, "-"], &pem("certified")).await.assert(0, "");
    set("server-only", &[])
        .await
        .assert(0, "does not accept this certificate: it is a certificate that is not for client");
    set("certified", &[]).await.assert(0, "");
    let shown = line.run(&["--json", "client", "cert", "show", SERVICE.0]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&shown["used"], &shown["subject_dn"]), (&json!(true), &json!("CN=certified,O=Countersign Test")));
}

#[tokio::test]
async fn s_1025_a_serial_number_is_revoked_in_every_form_and_stays_revoked() {
    let test = started().await;
    let line = command_line(&test);
    for serial in ["0A:BC", "abc", "000ABC", "1001"] {
        line.run(&["client", "cert", "revoke", SERVICE.0, serial]).await.assert(0, "");
    }
    let long = "a".repeat(41);
    for serial in ["", "x", "-1", "0x1001", &long] {
        assert_eq!(line.run(&["client", "cert", "revoke", SERVICE.0, "--", serial]).await.code, 2, "{serial}");
    }
    line.run(&["client", "update", SERVICE.0, "--name", "n"]).await.assert(0, "");
    let stored = test.cloud.item("ClientsTable", &json!({"client_id": SERVICE.0})).unwrap().unwrap();
    assert_eq!(stored["revoked_serials"], json!({"SS": ["1001", "abc"]}));
    let shown = line.run(&["client", "cert", "show", SERVICE.0]).await;
    assert!(shown.out.contains("1001 abc"), "{shown:?}");
}
