//! `src/user.rs`: the form of usernames.

use countersign::user::Username;

#[test]
fn a_username_has_one_form_for_comparison() {
    for (text, form) in [
        ("john", "john"),
        ("John.Smith@Example.COM", "john.smith@example.com"),
        ("  john  ", "john"),
        // Full-width letters, and a letter with a combining accent.
        ("\u{ff4a}\u{ff4f}\u{ff48}\u{ff4e}", "john"),
        ("jo\u{308}hn", "j\u{f6}hn"),
        ("J\u{d6}HN", "j\u{f6}hn"),
        // Look-alikes stay different: a Cyrillic letter, and a sharp s.
        ("j\u{43e}hn", "j\u{43e}hn"),
        ("stra\u{df}e", "stra\u{df}e"),
        ("john+tag@example.com", "john+tag@example.com"),
    ] {
        let username = Username::parse(text).unwrap_or_else(|| panic!("{text:?} is rejected"));
        assert_eq!(username.as_str(), form, "{text:?}");
    }
}

#[test]
fn a_text_that_cannot_be_a_username_is_rejected() {
    for text in [
        "",
        "   ",
        "john smith",
        "john\t",
        "john\n",
        "\0",
        // A no-break space, a zero-width space, and a character that changes the direction of text.
        "john\u{a0}",
        "john\u{200b}",
        "\u{202e}john",
        // The profile has no lower case of this letter.
        "\u{13a0}",
    ] {
        assert_eq!(Username::parse(text), None, "{text:?}");
    }
}
