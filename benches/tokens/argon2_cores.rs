//! A second implementation of argon2: its cost, and a check that both implementations compute the same tags.

use argon2::{Algorithm, Argon2, Params, Version};
use argon2_rust::params::{Memory, TagLen};
use aws_lc_rs::rand;

use crate::measure::Comparison;
use testing::cloud::BoxError;

const SAMPLES: usize = 1_000;

/// Returns argon2-rust with the same parameters.
fn argon2_rust(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    tag_bytes: usize,
) -> Result<argon2_rust::Argon2, BoxError> {
    let algorithm = match algorithm {
        Algorithm::Argon2d => argon2_rust::Algorithm::Argon2d,
        Algorithm::Argon2i => argon2_rust::Algorithm::Argon2i,
        Algorithm::Argon2id => argon2_rust::Algorithm::Argon2id,
    };
    let version = match version {
        Version::V0x10 => argon2_rust::Version::V0x10,
        Version::V0x13 => argon2_rust::Version::V0x13,
    };
    let params = argon2_rust::Params::builder()
        .memory(Memory::kib(params.m_cost().into()))
        .passes(params.t_cost())
        .lanes(params.p_cost())
        .tag_len(TagLen::bytes(tag_bytes.try_into()?))
        .build()
        .map_err(|error| error.to_string())?;
    Ok(argon2_rust::Argon2::new(algorithm, version, params))
}

/// Adds a password hash by argon2-rust, which reuses its memory, too.
pub fn add_argon2_rust(comparison: &mut Comparison<'_>, name: &'static str, params: &Params) -> Result<(), BoxError> {
    let mut hasher = argon2_rust(Algorithm::Argon2id, Version::V0x13, params, 32)?.hasher();
    comparison.add(name, move || hasher.hash_into(b"secret-password", &[1; 16], &mut [0; 32]).unwrap());
    Ok(())
}

/// Hashes random passwords with random salts and parameters in both implementations. Returns the number of passwords.
///
/// # Errors
/// The parameters of the first tag that differs.
pub fn compare_tags() -> Result<usize, BoxError> {
    for _ in 0..SAMPLES {
        let mut random = [0; 8];
        rand::fill(&mut random)?;
        let [algorithm, version, memory, passes, lanes, salt, tag, password] = random.map(usize::from);
        let algorithm = [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id][algorithm % 3];
        let version = [Version::V0x10, Version::V0x13][version % 2];
        let (lanes, passes) = (1 + lanes % 8, 1 + passes % 4);
        let (salt, tag, password) = (8 + salt % 57, 4 + tag % 125, 2 * password);
        let params = Params::new((8 * lanes + memory).try_into()?, passes.try_into()?, lanes.try_into()?, Some(tag))?;
        let (mut salt, mut password) = (vec![0; salt], vec![0; password]);
        rand::fill(&mut salt)?;
        rand::fill(&mut password)?;
        let (mut one, mut two) = (vec![0; tag], vec![0; tag]);
        Argon2::new(algorithm, version, params.clone()).hash_password_into(&password, &salt, &mut one)?;
        argon2_rust(algorithm, version, &params, tag)?
            .hash_into(&password, &salt, &mut two)
            .map_err(|error| error.to_string())?;
        if one != two {
            return Err(format!("argon2 and argon2-rust disagree: {algorithm}, {version:?}, {params:?}").into());
        }
    }
    Ok(SAMPLES)
}
