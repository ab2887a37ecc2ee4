//! The parts of a token, each measured by itself. They are the floor of a grant: its cost is at least that of the parts
//! that it needs.

use std::hint::black_box;

use argon2::{Algorithm as Argon2Algorithm, Argon2, Block, Params, Version};
use argon2id::FastArgon2id;
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
use tokio::runtime::Runtime;

use crate::deployment::{canned, client, config, pem, pkcs8, sdk, seeded_cloud};
use crate::measure::{Compared, Comparison, median, milliseconds};
use crate::process::{CloudProcess, first_random};
#[cfg(target_arch = "x86_64")]
use crate::report;
use crate::report::{Report, at_most, figure, row, table};
use crate::request::TokenRequest;
use testing::cloud::{self, BoxError};

const TURNS: usize = 25;
/// A message of about the length of the signed part of a token.
pub const MESSAGE: [u8; 420] = [b'e'; 420];
/// The length of the PKCS#8 header of an RSA key of 2048 bits. The JWT library expects the key without the header.
const RSA_HEADER_BYTES: usize = 26;
const EVENT: &str = include_str!("../../events/client_credentials.json");

/// The rows of the table: the label, the subject, and the subject that is its floor.
const ROWS: [(&str, &str, Option<&str>); 17] = [
    ("argon2id, 19 MiB, t=2, p=1, as the function verifies it", "argon2id", Some("argon2id")),
    ("... by the crate argon2, memory reused", "argon2id by argon2", Some("argon2id")),
    ("... and memory allocated for each hash", "argon2id default", Some("argon2id")),
    ("argon2id, 7 MiB, t=5, p=1, as the function verifies it", "argon2id 7 MiB", Some("argon2id 7 MiB")),
    ("... by the crate argon2, memory reused", "argon2id 7 MiB by argon2", Some("argon2id 7 MiB")),
    ("RS256 (2048 bits), key parsed once", "RS256", Some("RS256")),
    ("... by the JWT library", "library RS256", Some("RS256")),
    ("ES256, key parsed once", "ES256", Some("ES256")),
    ("... by the JWT library", "library ES256", Some("ES256")),
    ("EdDSA, key parsed once", "EdDSA", Some("EdDSA")),
    ("... by the JWT library", "library EdDSA", Some("EdDSA")),
    ("SHA-256 of a client secret, and the comparison", "secret", None),
    ("parse a form", "form", None),
    ("serialize a response", "response", None),
    ("convert a gateway event to a request", "event", None),
    ("GetItem by the SDK, with a fixed response", "GetItem canned", None),
    ("GetItem by the SDK, with the emulator in another process", "GetItem", None),
];

/// Adds the signature of each algorithm, with a key that was parsed before.
pub fn add_signatures(comparison: &mut Comparison<'_>) -> Result<(), BoxError> {
    let rsa = RsaKeyPair::from_pkcs8(pkcs8(Algorithm::RS256))?;
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8(Algorithm::ES256))?;
    let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8(Algorithm::EdDSA))?;
    let mut signature = vec![0; rsa.public_modulus_len()];
    comparison.add("RS256", move || {
        rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &MESSAGE, &mut signature).unwrap();
    });
    comparison.add("ES256", move || {
        black_box(p256.sign(&SystemRandom::new(), &MESSAGE).unwrap());
    });
    comparison.add("EdDSA", move || {
        black_box(ed25519.try_sign(&MESSAGE).unwrap());
    });
    Ok(())
}

/// The cost of a password hash: memory in KiB, and passes.
pub const DEFAULT_COST: (u32, u32) = (19_456, 2);

/// Adds the verification of a password hash as in the function: with AVX2, if the processor has it. It reuses its memory.
pub fn add_password_hash(comparison: &mut Comparison<'_>, name: &'static str, cost: (u32, u32)) {
    let Some(fast) = FastArgon2id::detect() else { return add_hash_by_argon2(comparison, name, cost) };
    let params = params(cost);
    let mut memory = vec![Block::new(); params.block_count()];
    comparison.add(name, move || {
        black_box(fast.tag(&params, [b"secret-password", &[1; 16]], &mut memory).unwrap());
    });
}

fn add_hash_by_argon2(comparison: &mut Comparison<'_>, name: &'static str, cost: (u32, u32)) {
    let argon2 = Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, params(cost));
    let mut memory = vec![Block::new(); argon2.params().block_count()];
    comparison.add(name, move || {
        argon2.hash_password_into_with_memory(b"secret-password", &[1; 16], &mut [0; 32], &mut memory).unwrap();
    });
}

fn params((memory, passes): (u32, u32)) -> Params {
    Params::new(memory, passes, 1, Some(32)).unwrap()
}

/// Adds the signature of each algorithm by the JWT library, which parses the key for each signature.
fn add_library_signatures(comparison: &mut Comparison<'_>) {
    let rsa = EncodingKey::from_rsa_der(&pkcs8(Algorithm::RS256)[RSA_HEADER_BYTES..]);
    let p256 = EncodingKey::from_ec_der(pkcs8(Algorithm::ES256));
    let ed25519 = EncodingKey::from_ed_der(pkcs8(Algorithm::EdDSA));
    for (name, key, algorithm) in [
        ("library RS256", rsa, Algorithm::RS256),
        ("library ES256", p256, Algorithm::ES256),
        ("library EdDSA", ed25519, Algorithm::EdDSA),
    ] {
        comparison.add(name, move || {
            black_box(sign(&MESSAGE, &key, algorithm).unwrap());
        });
    }
}

/// Adds the parts of a request that are neither hash, signature nor store call.
fn add_small_parts(comparison: &mut Comparison<'_>) {
    let secret = client(0).1;
    let expected = digest(&SHA256, secret.as_bytes());
    comparison.add("secret", move || {
        let actual = digest(&SHA256, black_box(secret.as_bytes()));
        verify_slices_are_equal(actual.as_ref(), expected.as_ref()).unwrap();
    });
    let form = TokenRequest::client_credentials(None).form;
    comparison.add("form", move || {
        let pairs = form_urlencoded::parse(black_box(form.as_bytes()));
        black_box(pairs.into_owned().collect::<Vec<_>>());
    });
    comparison.add("response", || {
        black_box(serde_json::to_vec(black_box(&Issued::default())).unwrap());
    });
    comparison.add("event", || {
        black_box(lambda_http::request::from_str(black_box(EVENT)).unwrap());
    });
}

/// The body of a response.
#[derive(Serialize)]
struct Issued {
    token_type: &'static str,
    expires_in: u32,
    access_token: String,
    scope: &'static str,
}

impl Default for Issued {
    fn default() -> Self {
        let access_token = String::from_utf8(MESSAGE.to_vec()).unwrap();
        Self { token_type: "Bearer", expires_in: 43_200, access_token, scope: "legacy:autonomy.read" }
    }
}

/// Adds a read of the demo's service by the SDK. The item is not converted to a record.
pub fn add_get_item(comparison: &mut Comparison<'_>, name: &'static str, dynamodb: Client) {
    comparison.add_async(name, async move || {
        let read = dynamodb.get_item().table_name("ClientsTable").consistent_read(true);
        let read = read.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let read = read.key("client_id", AttributeValue::S(client(0).0.to_owned())).send().await.unwrap();
        assert!(read.item.is_some());
    });
}

/// Runs the part.
pub fn run(runtime: &Runtime, report: &mut Report) -> Result<(), BoxError> {
    #[cfg(target_arch = "x86_64")]
    {
        let has = |feature| if feature { "has" } else { "does not have" };
        let (avx2, avx512) = (has(is_x86_feature_detected!("avx2")), has(is_x86_feature_detected!("avx512f")));
        report::note(&format!("This processor {avx2} AVX2 and {avx512} AVX-512."));
    }
    let measured = measure(runtime)?;
    let mut rows: Vec<_> = ROWS
        .into_iter()
        .map(|(label, name, floor)| {
            let ratio = floor.map(|floor| figure(measured.ratio(name, floor))).unwrap_or_default();
            row([&label, &figure(measured.cpu(name)), &figure(measured.wall(name)), &ratio])
        })
        .collect();
    let random: Vec<_> = (0..TURNS).map(|_| first_random()).collect::<Result<_, _>>()?;
    let first = median(random.iter().map(|(cpu, _)| milliseconds(*cpu)));
    let first_wall = median(random.iter().map(|(_, wall)| milliseconds(*wall)));
    rows.push(row([&"first random number of a process", &figure(first * 1000.0), &figure(first_wall * 1000.0), &""]));
    table("Floors (medians of turns)", &["operation", "CPU us", "wall us", "x the floor"], &rows);
    let cpu = |name| figure(measured.cpu(name));
    report.sum_up(
        "floors",
        &format!(
            "argon2id {} ms, RS256 {} us, ES256 {} us, EdDSA {} us, GetItem {} us (fixed response: {} us), \
             first random number {}",
            figure(measured.cpu("argon2id") / 1000.0),
            cpu("RS256"),
            cpu("ES256"),
            cpu("EdDSA"),
            cpu("GetItem"),
            cpu("GetItem canned"),
            at_most(first, " ms", 5.0),
        ),
    );
    Ok(())
}

fn measure(runtime: &Runtime) -> Result<Compared, BoxError> {
    let emulator = CloudProcess::start()?;
    let canned = canned(&seeded_cloud(&config()?)?, &pem(Algorithm::ES256))?;
    let dynamodb = |settings| Client::new(&runtime.block_on(aws::load(settings)));
    let mut comparison = Comparison::new(runtime);
    add_password_hash(&mut comparison, "argon2id", DEFAULT_COST);
    add_hash_by_argon2(&mut comparison, "argon2id by argon2", DEFAULT_COST);
    add_password_hash(&mut comparison, "argon2id 7 MiB", (7_168, 5));
    add_hash_by_argon2(&mut comparison, "argon2id 7 MiB by argon2", (7_168, 5));
    add_signatures(&mut comparison)?;
    add_library_signatures(&mut comparison);
    add_small_parts(&mut comparison);
    let argon2 = Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, params(DEFAULT_COST));
    comparison.add("argon2id default", move || {
        argon2.hash_password_into(b"secret-password", &[1; 16], &mut [0; 32]).unwrap();
    });
    add_get_item(&mut comparison, "GetItem canned", dynamodb(sdk(&canned)));
    add_get_item(&mut comparison, "GetItem", dynamodb(cloud::sdk(emulator.address())));
    Ok(comparison.run(TURNS))
}
