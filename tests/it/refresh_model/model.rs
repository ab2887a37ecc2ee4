//! The rules of refresh token families, without code of the service.

/// The grace, in seconds.
pub const GRACE: i64 = 10;
/// The idle time of a refresh token, in seconds.
pub const IDLE: u64 = 1_000;
/// The maximum lifetime of a family, in seconds.
pub const MAX: u64 = 1_500;

/// The presented token of a family.
#[derive(Clone, Copy, Debug)]
pub enum Presented {
    Active,
    Previous,
    /// A token before the previous one.
    Older(usize),
    /// The successor of the active token, which was not issued yet.
    Ahead,
    Forged,
}

/// The requested scope.
#[derive(Clone, Copy, Debug)]
pub enum RequestedScope {
    Unspecified,
    Narrower,
    /// The client has the scope, and the login does not.
    Wider,
    /// The client does not have the scope.
    NotAllowed,
}

impl RequestedScope {
    pub fn text(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Narrower => "legacy:autonomy.read",
            Self::Wider => "legacy:autonomy.read legacy:other",
            Self::NotAllowed => "payments",
        }
    }
}

/// A fault during a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    None,
    /// The response to the first write is lost. The SDK repeats the write.
    LostResponse,
    /// The users cannot be read.
    Outage,
}

/// A use of a refresh token.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The number of logins after the login of the family.
    pub family: usize,
    pub token: Presented,
    /// True if another client presents the token.
    pub by_other_client: bool,
    pub scope: RequestedScope,
    pub fault: InjectedFault,
}

/// The expected result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    LoggedIn,
    Rotated,
    SameSuccessor,
    /// The request is rejected, and nothing changes.
    InvalidClient,
    InvalidScope,
    OtherClient,
    ForgedToken,
    RevokedFamily,
    Expired,
    Undecided,
    /// The response is a 503 because of a fault.
    Unavailable,
    /// The request is rejected, and the family is revoked.
    Replayed,
    LoginEnded,
    RolledBack,
    /// A login is rejected.
    LoginRejected,
}

impl Expected {
    /// Returns the status and the error of the response, or `None` for a token response.
    pub fn error_response(self) -> Option<(u16, &'static str)> {
        match self {
            Self::LoggedIn | Self::Rotated | Self::SameSuccessor => None,
            Self::InvalidClient => Some((401, "invalid_client")),
            Self::InvalidScope => Some((400, "invalid_scope")),
            Self::Undecided | Self::Unavailable => Some((503, "temporarily_unavailable")),
            _ => Some((400, "invalid_grant")),
        }
    }
}

/// A family.
#[derive(Debug)]
pub struct Family {
    /// The tokens by generation. The last one is active, unless the family is revoked.
    pub tokens: Vec<String>,
    pub logged_in_at: u64,
    /// The number of log-outs before the login.
    pub session_generation: u64,
    pub rotated_at: u64,
    pub expires_at: u64,
    pub absolute_expires_at: u64,
    pub revoked: bool,
}

/// The state of the client, the user and their families.
pub struct Model {
    pub now: u64,
    pub client_enabled: bool,
    pub user_enabled: bool,
    pub user_narrowed: bool,
    pub session_generation: u64,
    pub families: Vec<Family>,
}

impl Model {
    pub fn log_in(&self) -> Expected {
        match (self.client_enabled, self.user_enabled) {
            (false, _) => Expected::InvalidClient,
            (true, false) => Expected::LoginRejected,
            (true, true) if self.user_narrowed => Expected::InvalidScope,
            (true, true) => Expected::LoggedIn,
        }
    }

    pub fn logged_in(&mut self, token: String) {
        let now = self.now;
        let (expires_at, absolute_expires_at) = (now + IDLE, now + MAX);
        let tokens = vec![token];
        self.families.push(Family {
            tokens,
            logged_in_at: now,
            session_generation: self.session_generation,
            rotated_at: now,
            expires_at,
            absolute_expires_at,
            revoked: false,
        });
    }

    /// Returns the expected result of a refresh, and applies it to the family. The caller fills in the text of a successor.
    pub fn refresh(&mut self, family: usize, presented: Use) -> Expected {
        let Use { token, by_other_client, scope, fault, .. } = presented;
        let family = &mut self.families[family];
        if !self.client_enabled && !by_other_client {
            return Expected::InvalidClient;
        }
        if matches!(scope, RequestedScope::NotAllowed) {
            return Expected::InvalidScope;
        }
        let behind = match token {
            Presented::Forged => return Expected::ForgedToken,
            _ if by_other_client => return Expected::OtherClient,
            _ if family.revoked => return Expected::RevokedFamily,
            _ if self.now >= family.expires_at.min(family.absolute_expires_at) => return Expected::Expired,
            Presented::Ahead => {
                family.revoked = true;
                return Expected::RolledBack;
            }
            presented => family.tokens.len() - 1 - family.index(presented),
        };
        let since_rotation = self.now.cast_signed() - family.rotated_at.cast_signed();
        let again = match behind {
            0 => false,
            1 if since_rotation < -GRACE => return Expected::Undecided,
            1 if since_rotation <= GRACE => true,
            _ => {
                family.revoked = true;
                return Expected::Replayed;
            }
        };
        // The user is read before anything is consumed.
        if fault == InjectedFault::Outage {
            return Expected::Unavailable;
        }
        if !self.user_enabled || self.session_generation != family.session_generation {
            family.revoked = true;
            return Expected::LoginEnded;
        }
        let is_narrowed = self.user_narrowed && matches!(scope, RequestedScope::Narrower);
        if is_narrowed || matches!(scope, RequestedScope::Wider) {
            return Expected::InvalidScope;
        }
        if !again {
            family.rotated_at = self.now;
            family.expires_at = (self.now + IDLE).min(family.absolute_expires_at);
            family.tokens.push(String::new());
        }
        if again { Expected::SameSuccessor } else { Expected::Rotated }
    }
}

impl Family {
    /// Returns the generation of a presented token. The first token of a family is its own predecessor.
    pub fn index(&self, presented: Presented) -> usize {
        let active = self.tokens.len() - 1;
        match presented {
            Presented::Previous => active.saturating_sub(1),
            Presented::Older(steps) => active.saturating_sub(2 + steps),
            _ => active,
        }
    }
}
