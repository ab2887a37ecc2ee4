//! The conditional writes of the store, as functions of the stored family.
//!
//! DynamoDB evaluates the expressions in `src/store/refresh_families.rs`. `tests/it/conditional_writes.rs` compares these
//! functions with them, for every combination of values that a condition can tell apart.

use countersign::refresh::Family;

/// Returns true if the rotation to `next` may replace `found`: `used` is the active generation, and the login is valid.
pub fn may_rotate(found: &Family, used: u32, next: &Family) -> bool {
    found.generation == used
        && !found.revoked
        && found.client_id == next.client_id
        && found.expires_at > next.rotated_at
        && found.absolute_expires_at > next.rotated_at
}

/// Returns the family after the rotation to `next`.
pub fn rotated(found: &Family, next: &Family) -> Family {
    Family {
        generation: next.generation,
        rotated_at: next.rotated_at,
        rotated_by: next.rotated_by.clone(),
        expires_at: next.expires_at,
        ..found.clone()
    }
}

/// Returns true if a login may store its family: none is stored under that id.
pub fn may_begin(found: Option<&Family>) -> bool {
    found.is_none()
}

/// Returns the family after a revocation.
pub fn revoked(found: &Family) -> Family {
    Family { revoked: true, ..found.clone() }
}
