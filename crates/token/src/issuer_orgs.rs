//! The orgs that each issuer may name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::claims::Claims;
use crate::name_list::NameList;

/// The orgs that each issuer may name; cheap to copy.
#[derive(Debug, Clone, Default)]
pub struct IssuerOrgs(Arc<HashMap<String, NameList>>);

impl IssuerOrgs {
    /// Whether the issuer of these claims may name this org, which its token does not name itself.
    #[must_use]
    pub fn may_name(&self, claims: &Claims, org: &str) -> bool {
        self.0.get(&*claims.issuer).is_some_and(|orgs| orgs.allows(org))
    }
}

impl FromIterator<(String, NameList)> for IssuerOrgs {
    fn from_iter<I: IntoIterator<Item = (String, NameList)>>(issuers: I) -> Self {
        Self(Arc::new(issuers.into_iter().collect()))
    }
}
