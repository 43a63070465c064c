//! Which events of children the guest is told of.

use theater_chain::data::EVENT_TYPES;

use super::fields::{Fields, Found};
use super::value::nearest;
use crate::policy::EventFilter;

pub(super) fn read(mut fields: Fields<'_>) -> EventFilter {
    let filter = EventFilter {
        types: fields.required("types", "types = [\"actor_error\"]", types).or_default(),
        children: fields.read("children", |found| found.texts()).or_default(),
        fields: fields.read("fields", |found| found.texts()).or_default(),
    };
    fields.finish();
    filter
}

fn types(found: &Found<'_>) -> Option<Vec<String>> {
    let types = found.texts()?;
    let mut fine = true;
    for unknown in types.iter().filter(|name| !EVENT_TYPES.contains(&name.as_str())) {
        let meant = match nearest(unknown, EVENT_TYPES.iter().copied()) {
            Some(name) => format!("; did you mean \"{name}\"?"),
            None => format!(", there are {}; write some of those", EVENT_TYPES.join(", ")),
        };
        found.findings.fault(found.place, format!("{unknown:?} is no type of event{meant}"));
        fine = false;
    }
    fine.then_some(types)
}
