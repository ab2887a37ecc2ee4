//! The settings of the login pages.

use countersign::config::{Config, ConfigError, Pages};

use testing::ISSUER;
use testing::cloud::environment;

/// Returns the settings with these variables besides those of every deployment.
fn pages(variables: &[(&str, &str)]) -> Result<Option<Pages>, ConfigError> {
    let config = Config::from_variables(|name| {
        let given = variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| environment(ISSUER).get(name).cloned()).map(Into::into)
    });
    config.map(|config| config.pages)
}

const ON: (&str, &str) = ("LOGIN_PAGES", "on");

#[test]
fn the_login_pages_are_off_by_default() {
    for variables in [&[][..], &[("LOGIN_PAGES", "")], &[("LOGIN_PAGES", "off"), ("ISSUER", "http://auth.example")]] {
        assert!(pages(variables).unwrap().is_none(), "{variables:?}");
    }
    for value in ["true", "On", "1", " on"] {
        let error = pages(&[("LOGIN_PAGES", value)]).unwrap_err();
        assert_eq!(error.to_string(), "environment variable LOGIN_PAGES must be on or off");
    }
}

#[test]
fn the_defaults_of_the_login_pages() {
    let pages = pages(&[ON]).unwrap().unwrap();
    assert_eq!((pages.session_idle, pages.session_max), (3_600, 43_200));
    assert_eq!(
        (pages.brand_color.to_string(), pages.brand_color.on_dark().to_string()),
        ("#1d4fd7".into(), "#a5b9ef".into())
    );
    assert_eq!((pages.brand_name, pages.brand_logo_url), (None, None));
    assert_eq!((pages.support_url, pages.privacy_url, pages.terms_url), (None, None, None));
}

#[test]
fn the_login_pages_require_an_issuer_whose_cookies_browsers_keep() {
    for issuer in [
        "https://auth.example/tenant",
        "http://127.0.0.1",
        "http://127.0.0.1:9000/tenant",
        "http://localhost:9000",
        "http://[::1]",
        "http://[::1]:9000",
    ] {
        assert!(pages(&[ON, ("ISSUER", issuer)]).unwrap().is_some(), "{issuer}");
    }
    for issuer in [
        "http://auth.example",
        "http://10.0.0.1:9000",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://localhost@auth.example",
        "http://[::2]",
    ] {
        let error = pages(&[ON, ("ISSUER", issuer)]).unwrap_err();
        let expected = "environment variable ISSUER must be https or a loopback address, because LOGIN_PAGES is on";
        assert_eq!(error.to_string(), expected, "{issuer}");
    }
}

#[test]
fn a_brand_color_is_dark_enough_for_white_text() {
    for (color, on_dark) in
        [("#1d4fd7", "#a5b9ef"), ("#000000", "#999999"), ("#767676", "#c8c8c8"), ("#C00000", "#e69999")]
    {
        let color = pages(&[ON, ("BRAND_COLOR", color)]).unwrap().unwrap().brand_color;
        assert_eq!(color.on_dark().to_string(), on_dark, "{color}");
    }
    // #777777 has a contrast of 4.48.
    for color in ["#777777", "#ffffff", "#00ff00", "#0a84ff"] {
        let error = pages(&[ON, ("BRAND_COLOR", color)]).unwrap_err().to_string();
        let expected = "environment variable BRAND_COLOR must be darker: white text on it has a contrast below 4.5";
        assert_eq!(error, expected, "{color}");
    }
    for color in ["1d4fd7", "#1d4", "#1d4fd7ff", "#1d4fdg", "blue", "#+d4fd7", "#1d4fd\u{e4}"] {
        let error = pages(&[ON, ("BRAND_COLOR", color)]).unwrap_err().to_string();
        assert_eq!(error, "environment variable BRAND_COLOR must have the form #rrggbb", "{color}");
    }
}

#[test]
fn urls_of_the_brand_are_https() {
    for variable in ["SUPPORT_URL", "PRIVACY_URL", "TERMS_URL", "BRAND_LOGO_URL"] {
        let long = format!("https://example.org/{}", "a".repeat(236));
        assert!(pages(&[ON, (variable, &long)]).unwrap().is_some(), "{variable}");
        for url in [
            "http://example.org/",
            "HTTPS://example.org/",
            "https://",
            "https:///a",
            "javascript:alert(1)",
            "https://example.org/\"><script>",
            "https://example.org/a b",
            "https://\u{e4}.example",
            &format!("{long}a"),
        ] {
            assert_eq!(pages(&[ON, (variable, url)]).unwrap_err().variable, variable, "{url}");
        }
    }
    let help = "https://example.org/help?a=1&b='2';c,d#e";
    let read = pages(&[ON, ("SUPPORT_URL", help), ("PRIVACY_URL", "https://a"), ("TERMS_URL", "https://b")]);
    let read = read.unwrap().unwrap();
    assert_eq!(read.support_url.as_deref(), Some(help));
    assert_eq!((read.privacy_url.as_deref(), read.terms_url.as_deref()), (Some("https://a"), Some("https://b")));
    for part in ["?v=2", "#a", ";", ",", "'", "@evil.example"] {
        let logo = format!("https://example.org/logo.svg{part}");
        assert_eq!(pages(&[ON, ("BRAND_LOGO_URL", &logo)]).unwrap_err().variable, "BRAND_LOGO_URL", "{logo}");
    }
}

#[test]
fn invalid_settings_of_the_login_pages_stop_the_start_even_if_they_are_off() {
    let name = "\u{e4}".repeat(64);
    assert_eq!(pages(&[ON, ("BRAND_NAME", &name)]).unwrap().unwrap().brand_name, Some(name.clone()));
    let long = format!("{name}a");
    for (variable, value) in
        [("BRAND_NAME", long.as_str()), ("SESSION_IDLE_TTL", "0"), ("SESSION_MAX_TTL", "1h"), ("TERMS_URL", "x")]
    {
        assert_eq!(pages(&[(variable, value)]).unwrap_err().variable, variable, "{value}");
    }
}
