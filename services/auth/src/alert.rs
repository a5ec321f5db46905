//! Alerts: notices from people who run an org, or the platform, to its users.

use crate::App;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use fanfare_event::Id;
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_producer::{About, Accepted, Caller, Error, StrictJson};
use serde::Deserialize;

const LONGEST_TITLE: usize = 200;
const LONGEST_MESSAGE: usize = 2_000;
const LONGEST_LINK: usize = 2_000;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/alerts", post(raise))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAlert {
    severity: Severity,
    title: Text<LONGEST_TITLE>,
    message: Text<LONGEST_MESSAGE>,
    #[serde(default)]
    org: Option<Id>,
    #[serde(default)]
    user: Option<Id>,
    #[serde(default)]
    link: Option<Link>,
}

async fn raise(
    State(app): State<App>,
    caller: Caller,
    StrictJson(alert): StrictJson<NewAlert>,
) -> Result<Accepted, Error> {
    let org = audience_org(&caller, alert.org, alert.user.is_some())?;
    let event = Alert {
        org: org.clone(),
        user: alert.user.clone(),
        severity: alert.severity,
        title: alert.title.0,
        message: alert.message.0,
        raised_by: caller.user().to_string(),
        link: alert.link.map(|link| link.0),
    };
    let mut change = app.producer.begin().await?;
    let subject = alert.user.as_ref().map(Id::to_string);
    let id = change.publish(About { org, subject, time: None }, &event).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}

/// The org of the alert: an admin's own, or any that a superadmin names.
///
/// Without an org, an alert to a user reaches that user in every org, and one without a user reaches the admins of the
/// whole platform. Only a superadmin may send either.
fn audience_org(caller: &Caller, named: Option<Id>, names_user: bool) -> Result<Option<Id>, Error> {
    if !caller.is_admin() {
        return Err(Error::Forbidden("only admins raise alerts".into()));
    }
    if caller.is_superadmin() {
        return Ok(named);
    }
    match named {
        Some(org) => caller.require_admin(&org).map(|()| Some(org)),
        None if names_user => caller.org().map(|org| Some(org.clone())),
        None => Err(Error::Forbidden("only a superadmin raises an alert that names neither an org nor a user".into())),
    }
}

/// Printable text of 1 to `MOST` characters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Text<const MOST: usize>(String);

impl<const MOST: usize> TryFrom<String> for Text<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unreadable = |c: char| c.is_control() && c != '\n';
        match !text.trim().is_empty() && text.chars().count() <= MOST && !text.contains(unreadable) {
            true => Ok(Self(text)),
            false => Err(format!("a text here is 1 to {MOST} characters without control characters")),
        }
    }
}

/// A link in a toast: `https`, or a path on the page's own site.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Link(String);

impl TryFrom<String> for Link {
    type Error = &'static str;

    fn try_from(link: String) -> Result<Self, Self::Error> {
        // Browsers read a backslash as a slash, and "//host" as another site.
        let plain = link.len() <= LONGEST_LINK && link.chars().all(|c| c.is_ascii_graphic() && c != '\\');
        let host = link.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let path = link.starts_with('/') && !link.starts_with("//");
        match plain && (host || path) {
            true => Ok(Self(link)),
            false => Err("a link starts with https:// or is a path that starts with one slash"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_https_or_to_the_own_site() {
        for right in ["/", "/tickets/7?tab=2#top", "https://example.com/a"] {
            assert!(Link::try_from(right.to_owned()).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "http://example.com",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "HTTPS://example.com\n",
            "/a b",
            "data:text/html,x",
        ] {
            assert!(Link::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_are_bounded_in_characters() {
        assert!(Text::<5>::try_from("ééééé".to_owned()).is_ok());
        for wrong in ["", " ", "éééééé", "a\u{7}"] {
            assert!(Text::<5>::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
