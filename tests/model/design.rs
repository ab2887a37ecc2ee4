//! The designs of a refresh: the one that is built, the one before it, and mutants that each break one promise.

/// A design of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The design of `src/grant/refresh_token.rs`.
    Built,
    /// The design before it: it rotates and reads the user simultaneously, marks the family if the user cannot be read,
    /// and takes a rotation that came too late for a replay.
    Before,
    /// Reads the user after the rotation.
    RotatesBeforeTheUserIsRead,
    /// Ends the family if a rotation finds that its token was used, and its successor too.
    EndsTheFamilyAfterALostRotation,
    /// Does not compare `rotated_by`.
    IgnoresItsOwnWrite,
    /// Does not look at `revoked` when it compares `rotated_by`.
    AcceptsItsOwnRevokedWrite,
    /// The condition of the rotation does not contain `revoked`.
    RotatesRevokedFamilies,
    /// The condition of the rotation does not contain `generation`.
    RotatesAnyGeneration,
    /// The write of a login has no condition.
    OverwritesTheFamily,
    /// Does not compare `session_generation`.
    IgnoresLogOut,
    /// Rejects a replay without ending the family.
    OnlyRejectsReplays,
    /// Judges every used token as a retry.
    AcceptsEveryUsedToken,
    /// Judges a token that is used in the future, by the clock, as a replay.
    IgnoresTheClockBehind,
    /// Makes a further generation for a retry.
    RotatesForRetries,
    /// Responds without waiting for the write.
    RespondsBeforeTheWrite,
}

impl Design {
    /// Returns true if the rotation is sent before the user is known.
    pub fn rotates_before_user(self) -> bool {
        matches!(self, Self::Before | Self::RotatesBeforeTheUserIsRead)
    }

    /// Returns true if a rotation that finds a replay ends the family.
    pub fn ends_after_lost_rotation(self) -> bool {
        matches!(self, Self::Before | Self::EndsTheFamilyAfterALostRotation)
    }
}
