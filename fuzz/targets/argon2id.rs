//! Passwords, salts and parameters. The tag with AVX2 is that of the crate `argon2`.
//!
//! The first bytes of an input are the parameters and the length of the salt. The rest is the salt and the password.

#![no_main]

use argon2::{Algorithm, Argon2, Block, Params, Version};
use argon2id::FastArgon2id;
use libfuzzer_sys::fuzz_target;

/// The most memory of an input in KiB, more than two groups of 128 addresses in each slice.
const MAX_KIB: u16 = 1_100;

fuzz_target!(|input: &[u8]| {
    let Some(fast) = FastArgon2id::detect() else { return };
    let Some((&[low, high, iterations, salt], texts)) = input.split_first_chunk() else { return };
    let Some((salt, password)) = texts.split_at_checked(8 + usize::from(salt) % 64) else { return };
    let memory = 8 + u16::from_le_bytes([low, high]) % MAX_KIB;
    let params = Params::new(memory.into(), 1 + u32::from(iterations) % 4, 1, Some(32)).expect("valid parameters");
    let mut blocks = vec![Block::new(); params.block_count()];
    let tag = fast.tag(&params, [password, salt], &mut blocks).expect("supported parameters");

    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut expected = [0; 32];
    argon2.hash_password_into_with_memory(password, salt, &mut expected, &mut blocks).expect("valid parameters");
    assert_eq!(tag, expected, "another tag than argon2");
});
