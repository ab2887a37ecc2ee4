//! The designs of consents: the built design, the previous design, and mutants that each break a promise.

/// A design of consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The design of `src/consent.rs` and `src/store/owners.rs`.
    Built,
    /// The previous design. The condition of a write compares the consent, but no revision.
    ComparesOnlyTheConsent,
    /// The condition of a write compares only the id of the consent.
    ComparesOnlyTheId,
    /// The condition of a removal does not contain the id of the consent.
    RemovesAnyConsent,
    /// A removal responds without waiting for its write.
    RespondsBeforeTheRemoval,
    /// A grant after the end date keeps the id of the consent.
    KeepsTheIdOfAnEndedConsent,
    /// Each consent has the same id.
    GrantsTheSameId,
    /// An exchange or a refresh does not read the consent.
    IgnoresTheConsent,
    /// An exchange or a refresh does not compare the id of the consent.
    AcceptsAnyConsent,
    /// An exchange or a refresh does not compare the end date.
    IgnoresTheEndDate,
    /// The write of a use stores the consent that was read.
    UseStoresTheConsent,
    /// A grant without the page that loses a race does not select the period again.
    SelectsThePeriodOnce,
}
