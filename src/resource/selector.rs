//! Label selectors: one matcher for `app_service.resources[].labels`, `app_labels` and `rules[].labels`.

use serde::Serialize;
use std::collections::BTreeMap;

/// A map from label key to the values that match it. See the module's documentation for the rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Selector(BTreeMap<String, Vec<String>>);
