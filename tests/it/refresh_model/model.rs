//! The rules of refresh families, written once more, and without a line of the service's.

pub const GRACE: i64 = 10;
pub const IDLE: u64 = 1_000;
pub const MAX: u64 = 1_500;

/// Which token of a family is presented.
#[derive(Clone, Copy, Debug)]
pub enum Presented {
    Live,
    Previous,
    /// Any before that.
    Older(usize),
    /// One that the family will only come to.
    Ahead,
    Forged,
}

/// The scope that is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Nothing,
    Narrower,
    /// The client may have it; the login did not.
    Wider,
    NotTheClients,
}

impl Asked {
    pub fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Narrower => "legacy:autonomy.read",
            Self::Wider => "legacy:autonomy.read legacy:other",
            Self::NotTheClients => "payments",
        }
    }
}

/// What goes wrong on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Nothing,
    /// The response to the first write is lost, and nobody notices.
    LostAnswer,
    /// Users cannot be read.
    Outage,
}

/// A use of a refresh token.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Of the family that began so many logins before the last.
    pub family: usize,
    pub token: Presented,
    /// By another client.
    pub foreign: bool,
    pub scope: Asked,
    pub trouble: Trouble,
}

/// What the model expects of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    LoggedIn,
    Rotated,
    GivenAgain,
    /// Refused, and nothing has changed.
    InvalidClient,
    InvalidScope,
    Foreign,
    NotOurs,
    Over,
    Expired,
    NobodyKnows,
    /// No response, for a fault of ours.
    NoAnswer,
    /// Refused, and the family has ended.
    Replayed,
    UserGone,
    RolledBack,
    /// A login that is refused.
    NoLogin,
}

impl Expected {
    /// The status of the response, and its error.
    pub fn error_response(self) -> Option<(u16, &'static str)> {
        match self {
            Self::LoggedIn | Self::Rotated | Self::GivenAgain => None,
            Self::InvalidClient => Some((401, "invalid_client")),
            Self::InvalidScope => Some((400, "invalid_scope")),
            Self::NobodyKnows | Self::NoAnswer => Some((503, "temporarily_unavailable")),
            _ => Some((400, "invalid_grant")),
        }
    }
}

/// A family, as the rules have it.
#[derive(Debug)]
pub struct Family {
    /// By generation; the last one is live, if any is.
    pub tokens: Vec<String>,
    pub logged_in_at: u64,
    /// The number of log-outs before the login.
    pub session_generation: u64,
    pub rotated_at: u64,
    pub expires_at: u64,
    pub ends_at: u64,
    pub ended: bool,
}

/// The whole world, as the rules have it.
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
            (true, false) => Expected::NoLogin,
            (true, true) if self.user_narrowed => Expected::InvalidScope,
            (true, true) => Expected::LoggedIn,
        }
    }

    pub fn logged_in(&mut self, token: String) {
        let now = self.now;
        let (expires_at, ends_at) = (now + IDLE, now + MAX);
        let tokens = vec![token];
        self.families.push(Family {
            tokens,
            logged_in_at: now,
            session_generation: self.session_generation,
            rotated_at: now,
            expires_at,
            ends_at,
            ended: false,
        });
    }

    /// What comes of presenting a token; what happens to its family is noted, but for the successor's text.
    pub fn refresh(&mut self, family: usize, presented: Use) -> Expected {
        let Use { token, foreign, scope, trouble, .. } = presented;
        let family = &mut self.families[family];
        if !self.client_enabled && !foreign {
            return Expected::InvalidClient;
        }
        if matches!(scope, Asked::NotTheClients) {
            return Expected::InvalidScope;
        }
        let behind = match token {
            Presented::Forged => return Expected::NotOurs,
            _ if foreign => return Expected::Foreign,
            _ if family.ended => return Expected::Over,
            _ if self.now >= family.expires_at.min(family.ends_at) => return Expected::Expired,
            Presented::Ahead => {
                family.ended = true;
                return Expected::RolledBack;
            }
            presented => family.tokens.len() - 1 - family.index(presented),
        };
        let since_rotation = self.now.cast_signed() - family.rotated_at.cast_signed();
        let again = match behind {
            0 => false,
            1 if since_rotation < -GRACE => return Expected::NobodyKnows,
            1 if since_rotation <= GRACE => true,
            _ => {
                family.ended = true;
                return Expected::Replayed;
            }
        };
        // The user is read before anything is consumed.
        if trouble == Trouble::Outage {
            return Expected::NoAnswer;
        }
        if !self.user_enabled || self.session_generation != family.session_generation {
            family.ended = true;
            return Expected::UserGone;
        }
        let is_narrowed = self.user_narrowed && matches!(scope, Asked::Narrower);
        if is_narrowed || matches!(scope, Asked::Wider) {
            return Expected::InvalidScope;
        }
        if !again {
            family.rotated_at = self.now;
            family.expires_at = (self.now + IDLE).min(family.ends_at);
            family.tokens.push(String::new());
        }
        if again { Expected::GivenAgain } else { Expected::Rotated }
    }
}

impl Family {
    /// The generation of a token that is presented; a family that has none before its first presents that.
    pub fn index(&self, presented: Presented) -> usize {
        let live = self.tokens.len() - 1;
        match presented {
            Presented::Previous => live.saturating_sub(1),
            Presented::Older(steps) => live.saturating_sub(2 + steps),
            _ => live,
        }
    }
}
