//! `argon2id/`: its tags are those of the crate `argon2`, and of the reference implementation.

use argon2::{Algorithm, Argon2, AssociatedData, Block, Params, ParamsBuilder, Version};
use argon2id::FastArgon2id;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use countersign::password_hash::{Hash, Hasher};

use testing::CHEAP_ARGON2;
use testing::LogLines;
use testing::guess::verify_password;

/// Random sets of parameters in each run.
const SAMPLES: usize = 1_000;

/// Returns the implementation, or `None` on a processor without AVX2.
fn fast() -> Option<FastArgon2id> {
    let fast = FastArgon2id::detect();
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("fma") {
        assert!(fast.is_some(), "the self-test fails");
    }
    fast
}

fn params(memory: u32, iterations: u32) -> Params {
    Params::new(memory, iterations, 1, Some(32)).unwrap()
}

fn by_argon2(params: &Params, [password, salt]: [&[u8]; 2]) -> [u8; 32] {
    let mut tag = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into(password, salt, &mut tag).unwrap();
    tag
}

#[test]
fn random_parameters_have_the_tag_of_argon2() {
    let Some(fast) = fast() else { return };
    // The memory is not cleared, as in the function.
    let mut memory = vec![Block::new(); 2_304];
    for _ in 0..SAMPLES {
        let mut random = [0; 6];
        rand::fill(&mut random).unwrap();
        let [kind, low, high, iterations, salt, password] = random;
        // Sizes around a group of 128 addresses, and small ones.
        let kib = u32::from(low) + if kind % 4 == 0 { 8 * u32::from(high) } else { u32::from(high) / 4 };
        let params = params(8 + kib, 1 + u32::from(iterations) % 5);
        let (mut salt, mut password) = (vec![0; 8 + usize::from(salt) % 60], vec![0; 16 * usize::from(password)]);
        rand::fill(&mut salt).unwrap();
        rand::fill(&mut password).unwrap();
        let texts = [password.as_slice(), &salt];
        assert_eq!(fast.tag(&params, texts, &mut memory), Some(by_argon2(&params, texts)), "{params:?}, {texts:?}");
    }
}

/// The vectors of the reference implementation (`src/test.c`), and the parameters of new hashes.
#[test]
fn known_tags() {
    let vectors = [
        (256, 2, Some("9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe")),
        (65_536, 2, Some("09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7")),
        (19_456, 2, None),
        // More than 256 groups of addresses in a slice, and passes and references that need more than 16 bits.
        (132_000, 1, None),
        (9, 70_000, None),
    ];
    for (memory, iterations, expected) in vectors {
        let (params, texts): (_, [&[u8]; 2]) = (params(memory, iterations), [b"password", b"somesalt"]);
        let tag = by_argon2(&params, texts);
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(expected.unwrap_or(&hex), hex);
        if let Some(fast) = fast() {
            assert_eq!(fast.tag(&params, texts, &mut vec![Block::new(); 132_000]), Some(tag), "{memory}");
        }
    }
}

#[test]
fn other_forms_and_too_little_memory_have_no_tag() {
    let Some(fast) = fast() else { return };
    let mut memory = vec![Block::new(); 64];
    let texts: [&[u8]; 2] = [b"password", b"somesalt"];
    for (kib, lanes, tag) in [(64, 2, 32), (64, 1, 31), (64, 1, 33), (68, 1, 32)] {
        let params = Params::new(kib, 1, lanes, Some(tag)).unwrap();
        assert_eq!(fast.tag(&params, texts, &mut memory), None, "{params:?}");
    }
    assert_eq!(fast.tag(&Params::new(64, 1, 1, None).unwrap(), texts, &mut memory), None);
    let data = AssociatedData::new(b"data").unwrap();
    let with_data = ParamsBuilder::new().m_cost(64).p_cost(1).output_len(32).data(data).build().unwrap();
    assert_eq!(fast.tag(&with_data, texts, &mut memory), None);
    assert!(fast.tag(&params(67, 1), texts, &mut memory).is_some());
}

/// Every variant of an imported hash, and the form of new hashes.
#[test]
fn hashers_with_and_without_avx2_accept_the_same_passwords() {
    let hashers = [Hasher::new(CHEAP_ARGON2).unwrap(), Hasher::without_avx2(CHEAP_ARGON2).unwrap()];
    let mut hashes = vec![hashers[0].hash("secret").unwrap(), hashers[1].hash("secret").unwrap()];
    let salt = STANDARD_NO_PAD.encode("0123456789abcdef");
    for algorithm in [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id] {
        for version in [Version::V0x10, Version::V0x13] {
            for (lanes, length) in [(1, 32), (1, 16), (2, 32)] {
                let argon2 = Argon2::new(algorithm, version, Params::new(64, 2, lanes, Some(length)).unwrap());
                let mut tag = vec![0; length];
                argon2.hash_password_into(b"secret", b"0123456789abcdef", &mut tag).unwrap();
                let (version, tag) = (u32::from(version), STANDARD_NO_PAD.encode(tag));
                let text = format!("${algorithm}$v={version}$m=64,t=2,p={lanes}${salt}${tag}");
                hashes.push(Hash::try_from(text).unwrap());
            }
        }
    }
    LogLines::install();
    let log = LogLines::collect();
    let avx2 = hashers.each_ref().map(|hasher| {
        verify_password(hasher, Some(&hashes[0]), "secret");
        log.take_hashes()[0].1.iter().find(|(name, _)| name == "avx2").unwrap().1
    });
    assert_eq!(avx2, [u64::from(fast().is_some()), 0]);
    for hash in &hashes {
        for hasher in &hashers {
            assert!(verify_password(hasher, Some(hash), "secret").is_some(), "{}", hash.as_str());
            assert!(verify_password(hasher, Some(hash), "secreT").is_none(), "{}", hash.as_str());
        }
    }
}
