//! Names that usually mean personal data, such as `email`.

/// Words that name it; `mail` is the claim of a directory.
const WORDS: [&str; 8] = ["email", "mail", "phone", "mobile", "telephone", "msisdn", "ssn", "passport"];

/// Whether a field, claim or argument of this name holds personal data, as far as a name can tell: `email`, `user_email`,
/// `userEmail`, `profile.phone_number`.
#[must_use]
pub fn is_personal(name: &str) -> bool {
    let joined = name.to_ascii_lowercase().replace("e_mail", "email").replace("e-mail", "email");
    let in_words = words(name).any(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()));
    in_words || joined.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Whether a text contains something that looks like a mail address.
#[must_use]
pub fn holds_address(text: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || "._+-".contains(c);
    text.match_indices('@').any(|(at, _)| {
        let domain: String = text[at + 1..].chars().take_while(|c| part(*c)).collect();
        text[..at].ends_with(part) && domain.trim_end_matches('.').contains('.')
    })
}

/// The words of a name in `snake_case`, `kebab-case`, `camelCase`, or separated by dots.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let bytes = name.as_bytes();
    let cuts = (1..=bytes.len()).filter(move |at| {
        let Some(next) = bytes.get(*at) else { return true };
        let (before, next) = (bytes[at - 1], *next);
        !next.is_ascii_alphanumeric() || (before.is_ascii_lowercase() && next.is_ascii_uppercase())
    });
    cuts.filter_map(move |end| {
        let word = name.get(start..end)?.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        start = end;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_by_their_words() {
        for name in [
            "email",
            "Email",
            "user_email",
            "userEmail",
            "e_mail",
            "contact.phone",
            "phone-number",
            "mail",
            "MobilePhone",
        ] {
            assert!(is_personal(name), "{name}");
        }
        for name in ["user", "ticketId", "mailbox", "emailed", "automobile", "phonebook", "sub", "", "teams", "größe"]
        {
            assert!(!is_personal(name), "{name}");
        }
    }

    #[test]
    fn addresses_are_found_within_text() {
        for text in ["alice@example.com", "user:alice.b+c@mail.example.com/x"] {
            assert!(holds_address(text), "{text}");
        }
        for text in ["user:{user}", "@", "a@b", "@example.com", "a @example.com", "12@"] {
            assert!(!holds_address(text), "{text}");
        }
    }
}
