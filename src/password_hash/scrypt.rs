//! Imported scrypt (RFC 7914).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use scrypt::Params;

use super::HashError;
use super::phc::Phc;

const MAX_MEMORY_BYTES: u64 = 64 << 20;
/// The limit for all lanes, which run one after the other: as many passes over the memory as for argon2.
const MAX_BYTES_PASSES: u64 = 4 * MAX_MEMORY_BYTES;
const MAX_PARALLELISM: u32 = 16;
/// The largest logarithm of N. With a larger one, even `r=1` exceeds the memory limit.
const MAX_LOG_N: u32 = 19;

/// A hash in PHC form: `$scrypt$ln=14,r=8,p=1$salt$output`, where `ln` is the logarithm of N.
#[derive(Clone)]
pub(super) struct Scrypt {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Scrypt {
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let phc = Phc::parse(text).filter(|phc| phc.id == "scrypt").ok_or(HashError::Malformed)?;
        let [log_n, r, p] = phc.params(["ln", "r", "p"]).ok_or(HashError::Malformed)?;
        if log_n > MAX_LOG_N {
            return Err(HashError::TooCostly);
        }
        let memory = (128 << log_n) * u64::from(r);
        if memory > MAX_MEMORY_BYTES || memory * u64::from(p) > MAX_BYTES_PASSES || p > MAX_PARALLELISM {
            return Err(HashError::TooCostly);
        }
        let log_n = u8::try_from(log_n).ok().filter(|log_n| *log_n > 0).ok_or(HashError::Malformed)?;
        let params = Params::new(log_n, r, p).map_err(|_| HashError::Malformed)?;
        Ok(Self { params, salt: phc.salt, output: phc.output })
    }

    pub fn verify(&self, password: &str) -> bool {
        let mut candidate = vec![0; self.output.len()];
        scrypt::scrypt(password.as_bytes(), &self.salt, &self.params, &mut candidate).is_ok()
            && verify_slices_are_equal(&self.output, &candidate).is_ok()
    }
}
