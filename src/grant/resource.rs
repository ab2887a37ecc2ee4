//! The resource of a token request (RFC 8707 section 2): the audience of the access token.

use super::Caller;
use crate::app::App;
use crate::error::Error;
use crate::params::{Grammar, Param};
use crate::refresh_token::Family;
use crate::resource::{MAX_RESOURCE_BYTES, TargetError, is_same};
use crate::token::TokenVersion;

/// `resource` (RFC 8707 section 2), which all grants have.
pub const RESOURCE: Param = Param::new("resource", MAX_RESOURCE_BYTES, Grammar::Resources);

impl Caller {
    /// Returns the audience that the values of [`RESOURCE`] name. `None` if there is no value.
    ///
    /// # Errors
    /// `invalid_target`
    pub(super) fn resource(&self, app: &App, values: &[String]) -> Result<Option<String>, Error> {
        match values {
            [] => Ok(None),
            [value] => self.audience(app, value).map(Some),
            _ => Err(Error::invalid_target(TargetError::Several)),
        }
    }

    /// Returns the audience of a token of a login, from the audience that the request named. A login that named a resource
    /// has no tokens for another (S-1003). The client must still have the resource.
    ///
    /// # Errors
    /// `invalid_target`
    pub(super) fn resource_of_login(
        &self,
        app: &App,
        family: &Family,
        requested: Option<String>,
    ) -> Result<Option<String>, Error> {
        let Some(of_login) = &family.resource else { return Ok(requested) };
        let of_login = self.audience(app, of_login)?;
        match requested {
            Some(requested) if !is_same(&requested, &of_login) => Err(Error::invalid_target(TargetError::OtherLogin)),
            _ => Ok(Some(of_login)),
        }
    }

    fn audience(&self, app: &App, resource: &str) -> Result<String, Error> {
        let own = self.client.own_audience(&app.config.issuer);
        let audience = self.client.resources.audience(own, resource).map_err(Error::invalid_target)?;
        match self.version {
            TokenVersion::V1 => Err(Error::invalid_target(TargetError::Version1)),
            TokenVersion::V2 => Ok(audience.to_owned()),
        }
    }
}
