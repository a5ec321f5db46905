//! The users of the demo platform.

use super::roles::{Role, Roles};
use super::store;
use crate::credential::Passwords;
use fanfare_producer::{Error, Producer};

const PASSWORD: &str = "demo";

/// User, org, role.
const USERS: [(&str, &str, &str); 4] = [
    ("alice", "acme", "user"),
    ("bob", "acme", "admin"),
    ("carol", "globex", "user"),
    ("root", "platform", "superadmin"),
];

/// Creates the demo users, unless there are users.
///
/// # Errors
/// If the database or the cryptographic library fails.
pub async fn create(producer: &Producer, passwords: &Passwords) -> Result<(), Error> {
    let mut change = producer.begin().await?;
    if store::any(&mut change).await? {
        return Ok(());
    }
    for (user, org, role) in USERS {
        let role = Role::try_from(role.to_owned()).map_err(Error::internal)?;
        let roles = Roles::try_from(vec![role]).map_err(Error::internal)?;
        let hash = passwords.hash(PASSWORD).await?;
        store::insert(&mut change, user, org, &roles, &hash).await?;
    }
    change.commit().await?;
    tracing::warn!("demo users were created; everybody knows their password");
    Ok(())
}
