//! `countersign user list`.

use countersign::password_hash::Hash;
use countersign::store::{StoreError, Stored};
use countersign::user::User;

use super::View;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::{Outcome, output};

pub async fn run(deployment: &Deployment, json: bool) -> Result<Outcome, Error> {
    let (mut rows, mut outcome) = (Vec::new(), Outcome::Done);
    let visit = |username: String, stored: Result<Stored<User>, StoreError>| {
        let Ok(Stored { record: user, .. }) = stored else {
            output::remark(&format!("the record of user {username} is malformed; see `countersign doctor`"));
            outcome = Outcome::NeedsAttention;
            return Ok(());
        };
        if json {
            // One object per line, because there may be millions of users.
            let line = serde_json::to_string(&View::new(&user)).map_err(|error| Error::new(error.to_string()))?;
            return output::line(&line);
        }
        let state = if user.enabled { "enabled" } else { "disabled" };
        let scheme = user.password_hash.as_ref().map_or("no password", Hash::scheme);
        rows.push(vec![username, state.to_owned(), scheme.to_owned(), user.user_id]);
        Ok::<_, Error>(())
    };
    deployment.store.scan(visit).await?;
    match (json, rows.is_empty()) {
        (true, _) => {}
        (false, true) => output::line("No users. Create one with `countersign user create`.")?,
        (false, false) => output::line(&output::table(&["USERNAME", "STATE", "PASSWORD", "USER_ID"], rows))?,
    }
    Ok(outcome)
}
