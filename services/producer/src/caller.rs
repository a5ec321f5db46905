//! The caller of a request, and its rights.

use crate::Error;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use fanfare_event::Id;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The header in which a client names its org.
pub const ORG_HEADER: &str = "x-organization-id";

/// The role that administers its own org.
pub const ADMIN: &str = "admin";
/// The role that may do everything in every org.
pub const SUPERADMIN: &str = "superadmin";

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not valid, or no longer.
    #[error("the token is not valid")]
    Invalid,
    /// It cannot be checked at the moment.
    #[error("tokens cannot be checked at the moment: {0}")]
    Unavailable(String),
}

/// The content of a valid token.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The user.
    pub user: Id,
    /// The user's org, if the token names one.
    pub org: Option<Id>,
    /// The user's roles in that org.
    pub roles: Vec<String>,
    /// The session the token was issued for.
    pub session: Option<Id>,
}

/// The future that [`Authenticate::authenticate`] returns.
pub type Authentication<'a> = Pin<Box<dyn Future<Output = Result<Identified, Denied>> + Send + 'a>>;

/// Authenticates a bearer token.
pub trait Authenticate: Send + Sync + 'static {
    /// Checks the token.
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a>;

    /// Checks the token against the current state: logouts since it was issued, and the current roles.
    ///
    /// An implementation that always does so need not override this.
    fn authenticate_now<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        self.authenticate(token)
    }

    /// Whether tokens can be checked at the moment.
    fn is_ready(&self) -> bool {
        true
    }
}

/// The service's authentication, as part of its state.
#[derive(Clone)]
pub struct Authenticator(Arc<dyn Authenticate>);

impl Authenticator {
    /// Wraps an authentication.
    pub fn new(authenticate: impl Authenticate) -> Self {
        Self(Arc::new(authenticate))
    }

    /// Whether tokens can be checked at the moment.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }
}

/// The authenticated sender of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    identified: Identified,
    /// The org that the request names outside the path; a superadmin may name any.
    named_org: Option<Id>,
}

impl Caller {
    /// The user.
    pub fn user(&self) -> &Id {
        &self.identified.user
    }

    /// The session of the token, if it has one.
    pub fn session(&self) -> Option<&Id> {
        self.identified.session.as_ref()
    }

    /// The caller's org: the one that the request names, else the user's own.
    ///
    /// # Errors
    /// Forbidden if there is none.
    pub fn org(&self) -> Result<&Id, Error> {
        self.named_org
            .as_ref()
            .or(self.identified.org.as_ref())
            .ok_or_else(|| Error::Forbidden("the token names no org".into()))
    }

    /// Whether the caller may do everything in every org.
    pub fn is_superadmin(&self) -> bool {
        self.has_role(SUPERADMIN)
    }

    /// Whether the caller is an admin, of any org.
    pub fn is_admin(&self) -> bool {
        self.has_role(ADMIN) || self.is_superadmin()
    }

    /// Whether the caller belongs to the org, or is a superadmin.
    pub fn belongs_to(&self, org: &Id) -> bool {
        self.is_superadmin() || self.identified.org.as_ref() == Some(org)
    }

    /// Whether the caller is an admin of the org, or a superadmin.
    pub fn administers(&self, org: &Id) -> bool {
        self.is_admin() && self.belongs_to(org)
    }

    /// Admits members of the org (and superadmins).
    ///
    /// # Errors
    /// Forbidden for all others.
    pub fn require_member(&self, org: &Id) -> Result<(), Error> {
        match self.belongs_to(org) {
            true => Ok(()),
            false => Err(Error::Forbidden(format!("only members of {org} may do this"))),
        }
    }

    /// Admits admins of the org (and superadmins).
    ///
    /// # Errors
    /// Forbidden for all others.
    pub fn require_admin(&self, org: &Id) -> Result<(), Error> {
        match self.administers(org) {
            true => Ok(()),
            false => Err(Error::Forbidden(format!("only admins of {org} may do this"))),
        }
    }

    fn has_role(&self, role: &str) -> bool {
        self.identified.roles.iter().any(|held| held == role)
    }

    /// Applies the rule for `X-Organization-Id` and `?org=`.
    fn working_in(identified: Identified, named: Vec<String>) -> Result<Self, Error> {
        let mut caller = Self { identified, named_org: None };
        for name in named {
            let org = Id::parse(&name).map_err(|error| Error::BadRequest(format!("the named org: {error}")))?;
            if !caller.belongs_to(&org) {
                return Err(Error::Forbidden(format!("the token is not for {org}")));
            }
            if caller.named_org.as_ref().is_some_and(|before| *before != org) {
                return Err(Error::BadRequest("the request names two orgs".into()));
            }
            caller.named_org = Some(org);
        }
        Ok(caller)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let token = bearer(&parts.headers).ok_or(Error::Unauthorized)?;
        let Authenticator(authenticator) = Authenticator::from_ref(state);
        caller(authenticator.authenticate(token).await, parts)
    }
}

/// The sender of a request that changes or reveals something: checked against the current state, and not only against
/// the token.
#[derive(Clone, Debug)]
pub struct CurrentCaller(pub Caller);

impl<S> FromRequestParts<S> for CurrentCaller
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let token = bearer(&parts.headers).ok_or(Error::Unauthorized)?;
        let Authenticator(authenticator) = Authenticator::from_ref(state);
        caller(authenticator.authenticate_now(token).await, parts).map(Self)
    }
}

fn caller(identified: Result<Identified, Denied>, parts: &Parts) -> Result<Caller, Error> {
    let identified = match identified {
        Ok(identified) => identified,
        Err(Denied::Invalid) => return Err(Error::Unauthorized),
        Err(denied @ Denied::Unavailable(_)) => {
            tracing::warn!(error = %denied, "a token could not be checked");
            return Err(Error::Unavailable("tokens cannot be checked at the moment".into()));
        }
    };
    Caller::working_in(identified, named_orgs(&parts.headers, &parts.uri)?)
}

/// The token of the only Authorization header, if it is a Bearer token.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn named_orgs(headers: &HeaderMap, uri: &Uri) -> Result<Vec<String>, Error> {
    #[derive(serde::Deserialize)]
    struct Pair(String, String);

    let mut named = Vec::new();
    for value in headers.get_all(ORG_HEADER) {
        let name =
            value.to_str().map_err(|_| Error::BadRequest(format!("{ORG_HEADER} holds characters that no org has")))?;
        named.push(name.to_owned());
    }
    let query =
        axum::extract::Query::<Vec<Pair>>::try_from_uri(uri).map_err(|error| Error::BadRequest(error.body_text()))?;
    named.extend(query.0.into_iter().filter(|pair| pair.0 == "org").map(|pair| pair.1));
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).expect("id")
    }

    fn with(roles: &[&str], org: Option<&str>, named: &[&str]) -> Result<Caller, Error> {
        let identified = Identified {
            user: id("u"),
            org: org.map(id),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            session: None,
        };
        Caller::working_in(identified, named.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn an_admin_administers_the_own_org_alone() {
        let admin = with(&["admin"], Some("acme"), &[]).expect("caller");
        assert!(admin.administers(&id("acme")));
        assert!(!admin.administers(&id("globex")));
        let user = with(&["user"], Some("acme"), &[]).expect("caller");
        assert!(user.require_member(&id("acme")).is_ok());
        assert!(user.require_admin(&id("acme")).is_err());
        let nobody = with(&["admin"], None, &[]).expect("caller");
        assert!(!nobody.administers(&id("acme")));
        assert!(nobody.org().is_err());
    }

    #[test]
    fn a_superadmin_administers_every_org_and_works_in_the_named_one() {
        let root = with(&["superadmin"], Some("platform"), &["globex"]).expect("caller");
        assert!(root.administers(&id("acme")));
        assert_eq!(root.org().expect("org"), &id("globex"));
    }

    #[test]
    fn naming_another_org_is_forbidden_and_naming_two_is_wrong() {
        assert!(with(&["admin"], Some("acme"), &["acme", "acme"]).is_ok());
        let other = with(&["admin"], Some("acme"), &["globex"]);
        assert!(matches!(other, Err(Error::Forbidden(_))));
        let two = with(&["superadmin"], Some("acme"), &["globex", "acme"]);
        assert!(matches!(two, Err(Error::BadRequest(_))));
        assert!(matches!(with(&[], Some("acme"), &[" "]), Err(Error::BadRequest(_))));
    }

    #[test]
    fn one_bearer_token_or_none() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("authorization", (*value).parse().expect("value"));
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer abc"])), Some("abc"));
        for wrong in [&[][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn orgs_are_named_in_the_header_and_in_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert(ORG_HEADER, "acme".parse().expect("value"));
        let uri: Uri = "/x?a=b&org=glo%62ex&org=third".parse().expect("uri");
        assert_eq!(named_orgs(&headers, &uri).expect("orgs"), ["acme", "globex", "third"]);
        let none: Uri = "/x".parse().expect("uri");
        assert!(named_orgs(&HeaderMap::new(), &none).expect("orgs").is_empty());
    }
}
