//! What keeps the events of one org from other orgs.

use fanfare_event::EventType;

use crate::document::section::Section;

/// The name, or an alias, of the field that says the org of an event.
pub(super) const ORG: &str = "org";

/// An event without an org would reach groups of the same name in every org.
pub(super) fn check(section: &Section<'_>, event_type: &EventType) {
    let schema = event_type.newest();
    if schema.index_of(ORG).is_some() {
        return;
    }
    let message = format!("{} says no org, so groups of other orgs would hear of it too", event_type.name());
    let help = "give its schema a field `org`, or the alias `org` to the field that holds it; if all may hear it, say \
                cross_org = true; if the platform has one org, say single_org = \"name\" in [routes]";
    section.fault("event", message, Some(help.to_owned()));
}

/// What keeps other orgs from hearing of events of a type through a route, as people read it.
pub(super) fn explain(event_type: &EventType, cross_org: bool, single_org: Option<&str>) -> String {
    let schema = event_type.newest();
    match (cross_org, schema.field(ORG), single_org) {
        (true, ..) => "any org: the route says cross_org".to_owned(),
        (_, Some(field), _) if field.nullable => {
            format!("the org in `{}`; whoever is in the groups where it is null", field.name)
        }
        (_, Some(field), _) => format!("the org in `{}` alone", field.name),
        (_, None, Some(org)) => format!("the platform has one org, {org}"),
        (_, None, None) => "nothing: the event says no org".to_owned(),
    }
}
