//! `src/http`: the rules that need no deployment.

mod request;
