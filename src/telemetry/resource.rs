//! What is said of the agent itself with everything that it sends. Pure.

use super::Otlp;
use std::collections::BTreeMap;

/// The longest value that is taken over from the environment, in bytes.
const MAX_VALUE: usize = 1024;

/// What is known of this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub attributes: Option<String>,
    pub host: Option<String>,
    /// Tells this run from others.
    pub instance: Option<String>,
}

/// The attributes of the resource. What the file says stands; where it says nothing, the environment does.
pub(super) fn attributes(settings: &Otlp, around: &Surroundings) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    all.extend(around.host.clone().map(|host| ("host.name".to_owned(), host)));
    all.extend(around.instance.clone().map(|instance| ("service.instance.id".to_owned(), instance)));
    all.extend(around.attributes.as_deref().into_iter().flat_map(listed));
    all.extend(settings.attributes.clone());
    let own = || settings.attributes.get("service.name").cloned();
    let given = settings.service_name.clone().or_else(own).or_else(|| around.service_name.clone());
    // As the specification has it, the variable for the name alone goes before the one for all attributes.
    match given.filter(|name| !name.is_empty()) {
        Some(name) => _ = all.insert("service.name".into(), name),
        None => _ = all.entry("service.name".into()).or_insert_with(|| "mcpfleet".into()),
    }
    all.insert("service.version".into(), env!("CARGO_PKG_VERSION").into());
    all
}

/// `key=value,key=value`, with values in percent encoding. What is malformed is left out.
fn listed(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (key.trim(), decoded(value.trim())?);
        (!key.is_empty() && value.len() <= MAX_VALUE).then(|| (key.to_owned(), value))
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(settings: &Otlp, name: Option<&str>, attributes: Option<&str>) -> BTreeMap<String, String> {
        let around = Surroundings {
            service_name: name.map(str::to_owned),
            attributes: attributes.map(str::to_owned),
            host: Some("h1".into()),
            instance: Some("i1".into()),
        };
        super::attributes(settings, &around)
    }

    #[test]
    fn the_file_stands_before_the_environment() {
        let mut settings = Otlp::new("http://c".into());
        let name = |found: &BTreeMap<String, String>| found.get("service.name").cloned().unwrap_or_default();
        assert_eq!(name(&resource(&settings, None, None)), "mcpfleet");
        assert_eq!(name(&resource(&settings, None, Some("service.name=a"))), "a");
        assert_eq!(name(&resource(&settings, Some("b"), Some("service.name=a"))), "b");
        settings.attributes.insert("service.name".into(), "c".into());
        assert_eq!(name(&resource(&settings, Some("b"), Some("service.name=a"))), "c");
        settings.service_name = Some("d".into());
        assert_eq!(name(&resource(&settings, Some("b"), Some("service.name=a"))), "d");
        settings.attributes.insert("zone".into(), "file".into());
        let found = resource(&settings, None, Some("zone=environment,k8s.pod.name=p%2C1, host.name = other"));
        let get = |key: &str| found.get(key).map(String::as_str);
        assert_eq!((get("zone"), get("k8s.pod.name"), get("host.name")), (Some("file"), Some("p,1"), Some("other")));
        assert_eq!((get("service.instance.id"), get("service.version")), (Some("i1"), Some(env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        let long = format!("long={}", "x".repeat(MAX_VALUE + 1));
        for text in ["", "a", "=b", "a=%zz", "a=%f", "a=%ff", &long] {
            assert_eq!(listed(text).count(), 0, "{text}");
        }
    }
}
