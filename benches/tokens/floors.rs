//! What the parts of a token cost by themselves: no grant can cost less than those that it needs.

use argon2::{Algorithm as Argon2Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use countersign::aws;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use oauth2::url::form_urlencoded;
use serde::Serialize;
use std::hint::black_box;
use tokio::runtime::Runtime;

use crate::argon2_cores::{compared, with_other_core};
use crate::deployment::{Ask, canned, client, config, pem, pkcs8, sdk, seeded};
use crate::measure::{Comparison, median, milliseconds, timed};
use crate::process::{CloudProcess, first_random};
use crate::report::{Report, at_most, figure, note, row, table};
use testing::cloud::{self, BoxError, Cloud};

const TURNS: usize = 25;
/// About as long as what is signed of a token.
pub const MESSAGE: [u8; 420] = [b'e'; 420];
/// What stands before an RSA key of 2048 bits in PKCS#8. The JWT library wants the key alone.
const RSA_HEADER_BYTES: usize = 26;
const EVENT: &str = include_str!("../../events/client_credentials.json");

/// The signature of each algorithm, by a key that is parsed already.
pub fn with_signatures(comparison: Comparison<'_>) -> Result<Comparison<'_>, BoxError> {
    let rsa = RsaKeyPair::from_pkcs8(pkcs8(Algorithm::RS256))?;
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8(Algorithm::ES256))?;
    let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8(Algorithm::EdDSA))?;
    let mut signature = vec![0; rsa.public_modulus_len()];
    Ok(comparison
        .with_same("RS256", move || {
            rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &MESSAGE, &mut signature).unwrap();
        })
        .with_same("ES256", move || {
            black_box(p256.sign(&SystemRandom::new(), &MESSAGE).unwrap());
        })
        .with_same("EdDSA", move || {
            black_box(ed25519.try_sign(&MESSAGE).unwrap());
        }))
}

/// The hash of a password as it is stored by default, with one block of memory that is kept.
pub fn with_hash<'a>(comparison: Comparison<'a>, name: &'static str) -> Comparison<'a> {
    let argon2 = argon2();
    let mut memory = vec![Block::new(); argon2.params().block_count()];
    comparison.with_same(name, move || {
        argon2.hash_password_into_with_memory(b"secret-password", &[1; 16], &mut [0; 32], &mut memory).unwrap();
    })
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, Some(32)).unwrap();
    Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, params)
}

fn with_library(comparison: Comparison<'_>) -> Comparison<'_> {
    let rsa = EncodingKey::from_rsa_der(&pkcs8(Algorithm::RS256)[RSA_HEADER_BYTES..]);
    let p256 = EncodingKey::from_ec_der(pkcs8(Algorithm::ES256));
    let ed25519 = EncodingKey::from_ed_der(pkcs8(Algorithm::EdDSA));
    comparison
        .with_same("library RS256", move || {
            black_box(sign(&MESSAGE, &rsa, Algorithm::RS256).unwrap());
        })
        .with_same("library ES256", move || {
            black_box(sign(&MESSAGE, &p256, Algorithm::ES256).unwrap());
        })
        .with_same("library EdDSA", move || {
            black_box(sign(&MESSAGE, &ed25519, Algorithm::EdDSA).unwrap());
        })
}

fn with_small_things(comparison: Comparison<'_>) -> Comparison<'_> {
    let secret = client(0).1;
    let expected = digest(&SHA256, secret.as_bytes());
    let form = Ask::client_credentials(None).form;
    comparison
        .with_same("secret", move || {
            let is = digest(&SHA256, black_box(secret.as_bytes()));
            verify_slices_are_equal(is.as_ref(), expected.as_ref()).unwrap();
        })
        .with_same("form", move || {
            let pairs = form_urlencoded::parse(black_box(form.as_bytes()));
            black_box(pairs.into_owned().collect::<Vec<_>>());
        })
        .with_same("answer", || {
            black_box(serde_json::to_vec(black_box(&Answer::default())).unwrap());
        })
        .with_same("event", || {
            black_box(lambda_http::request::from_str(black_box(EVENT)).unwrap());
        })
}

#[derive(Serialize)]
struct Answer {
    token_type: &'static str,
    expires_in: u32,
    access_token: String,
    scope: &'static str,
}

impl Default for Answer {
    fn default() -> Self {
        let access_token = String::from_utf8(MESSAGE.to_vec()).unwrap();
        Self { token_type: "Bearer", expires_in: 43_200, access_token, scope: "legacy:autonomy.read" }
    }
}

/// A read of the demo's service by the SDK alone, its answer not made into a record.
pub fn with_get_item<'a>(
    comparison: Comparison<'a>,
    name: &'static str,
    runtime: &'a Runtime,
    dynamodb: Client,
) -> Comparison<'a> {
    comparison.with(name, move |count| {
        timed(count, || {
            runtime.block_on(async {
                for _ in 0..count {
                    let read = dynamodb.get_item().table_name("ClientsTable").consistent_read(true);
                    let read = read.return_consumed_capacity(ReturnConsumedCapacity::Total);
                    let read = read.key("client_id", AttributeValue::S(client(0).0.to_owned())).send().await.unwrap();
                    assert!(read.item.is_some());
                }
            });
        })
    })
}

/// The part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    note(&format!(
        "argon2 and argon2-rust agree on the tags of {} random passwords, salts and parameters.",
        compared()?
    ));
    let argon2 = argon2();
    let emulator = CloudProcess::start()?;
    let cloud = Cloud::open(None)?;
    seeded(&cloud, config()?)?;
    let canned = canned(&cloud, &pem(Algorithm::ES256))?;
    let settings = |loader| runtime.block_on(aws::load(loader));
    let (near, far) = (Client::new(&settings(sdk(&canned))), Client::new(&settings(cloud::sdk(emulator.door()))));

    let comparison = with_signatures(with_hash(Comparison::default(), "argon2id"))?;
    let comparison = with_other_core(comparison, "argon2id argon2-rust", argon2.params())?;
    let comparison = with_small_things(with_library(comparison)).with_same("argon2id default", move || {
        argon2.hash_password_into(b"secret-password", &[1; 16], &mut [0; 32]).unwrap();
    });
    let comparison = with_get_item(comparison, "GetItem canned", runtime, near);
    let measured = with_get_item(comparison, "GetItem", runtime, far).run(TURNS);

    let mut rows = Vec::new();
    for (what, name, beside) in [
        ("argon2id, 19 MiB, t=2, p=1, one kept block", "argon2id", Some("argon2id")),
        ("... the crate's default call", "argon2id default", Some("argon2id")),
        ("... by another crate, argon2-rust", "argon2id argon2-rust", Some("argon2id")),
        ("RS256 (2048 bits), key parsed once", "RS256", Some("RS256")),
        ("... by the JWT library", "library RS256", Some("RS256")),
        ("ES256, key parsed once", "ES256", Some("ES256")),
        ("... by the JWT library", "library ES256", Some("ES256")),
        ("EdDSA, key parsed once", "EdDSA", Some("EdDSA")),
        ("... by the JWT library", "library EdDSA", Some("EdDSA")),
        ("SHA-256 of a secret and the comparison", "secret", None),
        ("the form of a request", "form", None),
        ("the JSON of an answer", "answer", None),
        ("a gateway event to a request", "event", None),
        ("GetItem by the SDK, with a ready answer", "GetItem canned", None),
        ("GetItem by the SDK, with the emulator in another process", "GetItem", None),
    ] {
        let ratio = beside.map(|beside| figure(measured.ratio(name, beside))).unwrap_or_default();
        rows.push(row([&what, &figure(measured.cpu(name)), &figure(measured.wall(name)), &ratio]));
    }
    let random: Vec<_> = (0..TURNS).map(|_| first_random()).collect::<Result<_, _>>()?;
    let first = median(random.iter().map(|(cpu, _)| milliseconds(*cpu)));
    let first_wall = median(random.iter().map(|(_, wall)| milliseconds(*wall)));
    rows.push(row([&"first random number of a process", &figure(first * 1000.0), &figure(first_wall * 1000.0), &""]));
    table("Floors (medians of turns)", &["what", "CPU us", "wall us", "x the floor"], &rows);
    let of = |name| figure(measured.cpu(name));
    report.sum_up(
        "floors",
        &format!(
            "argon2id {} ms, RS256 {} us, ES256 {} us, EdDSA {} us, GetItem {} us (ready answer: {} us), first random number {}",
            figure(measured.cpu("argon2id") / 1000.0),
            of("RS256"),
            of("ES256"),
            of("EdDSA"),
            of("GetItem"),
            of("GetItem canned"),
            at_most(first, " ms", 5.0),
        ),
    );
    Ok(())
}
