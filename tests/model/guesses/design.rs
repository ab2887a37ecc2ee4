//! The designs of a guess: the built design, and mutants that each break a promise.

/// A design of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The design of `src/throttle/`.
    Built,
    /// A right guess reads the item again instead of counting.
    OnlyReadsAgainIfRight,
    /// Responds without waiting for the count.
    RespondsBeforeTheCount,
    /// The count has no condition.
    CountsWithoutACondition,
    /// The count stores the failures that were read, and one more. It has no condition.
    StoresWhatItRead,
    /// Responds if the count failed.
    RespondsIfTheCountFails,
    /// Responds to a right guess if the count was rejected.
    RespondsIfRightAndRejected,
    /// Does not compare `by`.
    IgnoresItsOwnCount,
    /// Remembers each block for 60 seconds.
    RemembersBlocksTooLong,
    /// Judges and counts guesses from a known network like all others.
    KnowsNoNetwork,
    /// A right guess from a known network also ends the block of the common lane.
    SuccessEndsEveryBlock,
}
