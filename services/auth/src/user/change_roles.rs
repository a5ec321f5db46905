//! Granting and withdrawing roles.

use super::roles::Roles;
use super::store::{self, LockedUser};
use crate::App;
use axum::extract::State;
use fanfare_event::vocabulary::auth::RolesChanged;
use fanfare_event::{Id, Timestamp};
use fanfare_producer::{About, Accepted, Caller, Error, PathIds, StrictJson};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoles {
    roles: Roles,
}

pub(super) async fn change_roles(
    State(app): State<App>,
    caller: Caller,
    PathIds(user): PathIds<Id>,
    StrictJson(NewRoles { roles }): StrictJson<NewRoles>,
) -> Result<Accepted, Error> {
    // Checked before the user is looked up; otherwise the answers would reveal who exists.
    if !caller.is_admin() {
        return Err(Error::Forbidden("only admins change roles".into()));
    }
    let mut change = app.producer.begin().await?;
    let Some(before) = store::lock(&mut change, &user).await? else {
        return Err(Error::NotFound(format!("there is no user {user}")));
    };
    may_change(&caller, &before, &roles)?;
    if before.roles == roles {
        return Ok(Accepted(None));
    }
    let revision = change.next_revision(before.roles_revision);
    store::set_roles(&mut change, &user, &roles, revision).await?;
    let event = RolesChanged {
        user: user.clone(),
        org: before.org.clone(),
        roles: roles.names(),
        changed_by: caller.user().to_string(),
        revision: Some(revision),
    };
    // Readers of the event apply it to tokens dated at or before its second, and a token that was issued right after a
    // logout is dated slightly ahead.
    let time = Timestamp(change.now().0.max(before.last_issued_at * 1000));
    let about = About { time: Some(time), ..About::org(&before.org, user.as_str()) };
    let id = change.publish(about, &event).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}

fn may_change(caller: &Caller, before: &LockedUser, roles: &Roles) -> Result<(), Error> {
    caller.require_admin(&before.org)?;
    let superadmin_changes = before.roles.include_superadmin() != roles.include_superadmin();
    if superadmin_changes && !caller.is_superadmin() {
        return Err(Error::Forbidden("only a superadmin gives or takes the role superadmin".into()));
    }
    Ok(())
}
