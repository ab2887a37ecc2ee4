//! The designs of a refresh: the built design, the previous design, and mutants that each break a promise.

/// A design of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The design of `src/grant/refresh_token.rs`.
    Built,
    /// The previous design. It rotates and reads the user simultaneously, marks the family if the user cannot be read, and
    /// treats a rotation that lost a race as a replay.
    Before,
    /// Reads the user after the rotation.
    RotatesBeforeTheUserIsRead,
    /// Revokes the family if a rotation finds that its token and the successor were used.
    EndsTheFamilyAfterALostRotation,
    /// Does not compare `rotated_by`.
    IgnoresItsOwnWrite,
    /// Ignores `revoked` when it compares `rotated_by`.
    AcceptsItsOwnRevokedWrite,
    /// The condition of the rotation does not contain `revoked`.
    RotatesRevokedFamilies,
    /// The condition of the rotation does not contain `generation`.
    RotatesAnyGeneration,
    /// The write of a login has no condition.
    OverwritesTheFamily,
    /// Does not compare `session_generation`.
    IgnoresLogOut,
    /// Rejects a replay without revoking the family.
    OnlyRejectsReplays,
    /// Treats every used token as a retry.
    AcceptsEveryUsedToken,
    /// Treats a token as a replay if the clock is before its use.
    IgnoresTheClockBehind,
    /// Rotates again for a retry.
    RotatesForRetries,
    /// Responds without waiting for the write.
    RespondsBeforeTheWrite,
    /// A revocation responds without waiting for its write.
    RevokesAfterTheResponse,
    /// An introspection does not compare `revoked`.
    IntrospectsRevokedFamilies,
    /// An introspection does not compare `session_generation`.
    IntrospectsLoggedOutFamilies,
}

impl Design {
    /// Returns true if the rotation is sent before the user is known.
    pub fn rotates_before_user(self) -> bool {
        matches!(self, Self::Before | Self::RotatesBeforeTheUserIsRead)
    }

    /// Returns true if a rotation that finds a replay revokes the family.
    pub fn ends_after_lost_rotation(self) -> bool {
        matches!(self, Self::Before | Self::EndsTheFamilyAfterALostRotation)
    }
}
