//! Warnings about clients that are valid, but probably a mistake.

use crate::{command_line, started};

#[tokio::test]
async fn warnings_say_that_a_client_gets_no_token_or_has_an_odd_lifetime() {
    let test = started().await;
    let create = ["client", "create", "cron", "--grant-type", "client_credentials"];
    let none =
        "warning: cron has no scopes, and can get no token without one; add one with `countersign client update cron";
    let line = command_line(&test);
    line.run(&create).await.assert(0, none);
    let update = ["client", "update", "cron"];
    let quiet = line.run(&[&update[..], &["--scope", "a b", "--default-scope", "a"]].concat()).await;
    assert!(!quiet.assert(0, "a b").err.contains("warning"), "{quiet:?}");
    for (more, said) in [
        (&["--remove-scope", "a b", "--unset", "default-scopes"][..], "no scopes"),
        (&["--access-token-ttl", "10s"], "gets access tokens that expire after 10s"),
        (&["--refresh-token-ttl", "365d"], "but every login ends after 90d (RefreshTokenMaxTtl)"),
        (&["--grant-type", "refresh_token", "--refresh-token-ttl", "5s"], "not longer than the lifetime of its access"),
    ] {
        line.run(&[&update[..], more].concat()).await.assert(0, "warning: cron ").assert(0, said);
    }
    let public = ["client", "create", "web", "--public", "--grant-type", "client_credentials", "--scope", "a"];
    let said = "warning: web has the grant type client_credentials, which a public client may not use";
    line.run(&public).await.assert(0, said);
    let path = testing::file("warned.toml", "[clients.x]\ngrant_types = ['password']\n[clients.y]\nscopes = ['a,b']\n");
    let planned = line.run(&["plan", path.to_str().unwrap()]).await;
    planned.assert(3, "warning: x has no scopes").assert(3, "which is one scope with a comma, and not a list");
}
