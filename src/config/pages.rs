//! The login pages: their switch, the lifetimes of browser sessions, and the brand.

use std::fmt;
use std::net::IpAddr;

use super::{ConfigError, Variables};

/// The largest number of characters of `BRAND_NAME`. Together with [`MAX_URL_BYTES`] it keeps pages within 8 KiB.
const MAX_NAME_CHARS: usize = 64;
/// The largest size of a URL of the brand.
const MAX_URL_BYTES: usize = 256;
/// The least contrast of text (WCAG 2.2, success criterion 1.4.3).
const MIN_CONTRAST: f64 = 4.5;

/// The settings of the login pages.
#[derive(Clone, Debug)]
pub struct Pages {
    /// `SESSION_IDLE_TTL`: the seconds after which an unused browser session ends.
    pub session_idle: u32,
    /// `SESSION_MAX_TTL`: the seconds after the login at which a browser session ends, even if it is in use.
    pub session_max: u32,
    /// `BRAND_NAME`: the name at the top of every page.
    pub brand_name: Option<String>,
    /// `BRAND_LOGO_URL`: the `https` URL of the image at the top of every page, without a query.
    pub brand_logo_url: Option<String>,
    /// `BRAND_COLOR`: the colour of buttons and links.
    pub brand_color: Color,
    /// `SUPPORT_URL`: an `https` link at the bottom of every page.
    pub support_url: Option<String>,
    /// `PRIVACY_URL`: an `https` link at the bottom of every page.
    pub privacy_url: Option<String>,
    /// `TERMS_URL`: an `https` link at the bottom of every page.
    pub terms_url: Option<String>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            session_idle: 3_600,
            session_max: 43_200,
            brand_name: None,
            brand_logo_url: None,
            brand_color: Color([0x1d, 0x4f, 0xd7]),
            support_url: None,
            privacy_url: None,
            terms_url: None,
        }
    }
}

impl Pages {
    /// Reads the settings. Returns `None` if `LOGIN_PAGES` is `off`, which is the default.
    pub(super) fn read(variables: &Variables<'_>, issuer: &str) -> Result<Option<Self>, ConfigError> {
        let default = Self::default();
        let is_on = match variables.optional("LOGIN_PAGES")?.as_deref() {
            Some("on") => true,
            None | Some("off") => false,
            Some(_) => return Err(ConfigError::new("LOGIN_PAGES", "must be on or off")),
        };
        let pages = Self {
            session_idle: variables.positive("SESSION_IDLE_TTL", default.session_idle)?,
            session_max: variables.positive("SESSION_MAX_TTL", default.session_max)?,
            brand_name: brand_name(variables)?,
            brand_logo_url: logo(variables)?,
            brand_color: color(variables)?.unwrap_or(default.brand_color),
            support_url: url(variables, "SUPPORT_URL")?,
            privacy_url: url(variables, "PRIVACY_URL")?,
            terms_url: url(variables, "TERMS_URL")?,
        };
        if is_on && !keeps_cookies(issuer) {
            let problem = "must be https or a loopback address, because LOGIN_PAGES is on";
            return Err(ConfigError::new("ISSUER", problem));
        }
        Ok(is_on.then_some(pages))
    }
}

/// Returns true if browsers keep cookies with the attribute `Secure` for pages of this origin.
fn keeps_cookies(issuer: &str) -> bool {
    let Some(rest) = issuer.strip_prefix("http://") else {
        return true;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn brand_name(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    let name = variables.optional("BRAND_NAME")?;
    if name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARS) {
        return Err(ConfigError::new("BRAND_NAME", "must have at most 64 characters"));
    }
    Ok(name)
}

fn color(variables: &Variables<'_>) -> Result<Option<Color>, ConfigError> {
    let Some(text) = variables.optional("BRAND_COLOR")? else {
        return Ok(None);
    };
    let invalid = |problem| ConfigError::new("BRAND_COLOR", problem);
    let color = Color::parse(&text).ok_or_else(|| invalid("must have the form #rrggbb"))?;
    if color.contrast_with_white() < MIN_CONTRAST {
        return Err(invalid("must be darker: white text on it has a contrast below 4.5"));
    }
    Ok(Some(color))
}

fn url(variables: &Variables<'_>, variable: &'static str) -> Result<Option<String>, ConfigError> {
    let url = variables.optional(variable)?;
    let is_valid = |url: &String| {
        let rest = url.strip_prefix("https://").unwrap_or_default();
        let mut bytes = rest.bytes();
        url.len() <= MAX_URL_BYTES
            && bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte))
    };
    match url {
        Some(url) if !is_valid(&url) => Err(ConfigError::new(variable, "must be an https URL of at most 256 bytes")),
        url => Ok(url),
    }
}

/// Reads the URL of the logo, which is also a source in the content security policy. There `;` and `,` are separators,
/// and a query is not allowed (CSP Level 3 section 2.3.1).
fn logo(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    let logo = url(variables, "BRAND_LOGO_URL")?;
    if logo.as_ref().is_some_and(|url| url.contains(['?', '#', ';', ',', '\'', '[', ']', '@'])) {
        let problem = "must be the URL of an image without a query, a fragment and any of ; , ' [ ] @";
        return Err(ConfigError::new("BRAND_LOGO_URL", problem));
    }
    Ok(logo)
}

/// A colour: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Parses `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Returns the contrast ratio of this colour and white (WCAG 2.2, "contrast ratio" and "relative luminance").
    fn contrast_with_white(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    }

    /// Returns the colour for the dark theme: 40 % of this colour and 60 % white.
    #[must_use]
    pub fn on_dark(self) -> Self {
        let mixed = |channel: u8| (2 * u16::from(channel) + 3 * 255 + 2) / 5;
        Self(self.0.map(|channel| u8::try_from(mixed(channel)).unwrap_or(u8::MAX)))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}
