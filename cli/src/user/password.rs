//! New passwords, which must not be easy to guess.

use countersign::client::Client;
use countersign::login::PASSWORD;
use countersign::password_hash::password_form;
use countersign::store::{StoreError, Stored};
use zxcvbn::{Score, zxcvbn};

use crate::deployment::Deployment;
use crate::error::Error;
use crate::input;

/// The minimum length of a password in characters (NIST SP 800-63B section 3.1.1).
const MIN_CHARACTERS: usize = 8;
/// The minimum score of a password. zxcvbn estimates that an attacker needs 10^8 guesses for it.
const MIN_SCORE: Score = Score::Three;
/// The maximum number of clients whose names are read: about two pages of a scan.
const MAX_CLIENTS: usize = 1_000;
/// The minimum length in characters of a part of a name that counts as a word.
const MIN_WORD_CHARACTERS: usize = 3;

/// The end of a scan before the end of the table.
enum Stop {
    Enough,
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Reads a new password of the user from a prompt or from stdin. Returns it in its form for hashing.
///
/// # Errors
/// The error if the password is too short, too long or, unless `accept_weak` is true, easy to guess. No error contains a
/// part of the password.
pub async fn read_new(deployment: &Deployment, username: &str, accept_weak: bool) -> Result<String, Error> {
    // Read before the password is entered.
    let known = if accept_weak { None } else { Some(known_words(deployment, username).await?) };
    let password = password_form(&input::new_secret("Password", &format!("at least {MIN_CHARACTERS} characters"))?);
    PASSWORD.check(&password).map_err(|error| Error::new(error.reason()))?;
    if password.chars().count() < MIN_CHARACTERS {
        return Err(Error::new(format!("the password is too short; use at least {MIN_CHARACTERS} characters")));
    }
    if known.is_some_and(|words| is_weak(&password, &words)) {
        return Err(Error::new(
            "the password is easy to guess; choose a longer one, for example four random words, or accept it with \
             --accept-weak-password",
        ));
    }
    Ok(password)
}

/// Returns true if a password or a secret is easy to guess for an attacker who knows these words.
///
/// zxcvbn evaluates only the first 100 characters, because its time grows faster than the length. More characters would
/// not make the password weaker.
pub fn is_weak(password: &str, known: &[String]) -> bool {
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    zxcvbn(password, &known).score() < MIN_SCORE
}

/// Returns words that an attacker tries first (OWASP ASVS 5.0, 6.1.2): the username, the issuer, the ids and names of
/// clients, and the parts of each. Reads at most [`MAX_CLIENTS`] clients.
async fn known_words(deployment: &Deployment, username: &str) -> Result<Vec<String>, Error> {
    let mut names = vec![username.to_owned(), deployment.config.issuer.clone()];
    let mut clients = 0;
    let visit = |client_id, stored: Result<Stored<Client>, StoreError>| {
        names.push(client_id);
        names.extend(stored.ok().and_then(|stored| stored.record.name));
        clients += 1;
        if clients < MAX_CLIENTS { Ok(()) } else { Err(Stop::Enough) }
    };
    match deployment.store.scan(visit).await {
        Ok(()) | Err(Stop::Enough) => Ok(names.iter().flat_map(|name| words(name)).map(ToOwned::to_owned).collect()),
        Err(Stop::Failed(error)) => Err(error.into()),
    }
}

/// Returns a name and its parts.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|character: char| !character.is_alphanumeric());
    [name].into_iter().chain(parts.filter(|part| part.chars().count() >= MIN_WORD_CHARACTERS))
}
