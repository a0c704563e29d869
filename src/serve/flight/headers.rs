//! What clients say in the headers of a call besides who they are. Drivers send every connection
//! property that they do not know as a header, so most of what comes here is not for the hub.

use super::status;
use crate::engine::CATALOG;
use crate::policy::enforce;
use crate::release::as_of;
use crate::serve::wire::Types;
use chrono::{DateTime, Utc};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// What pins one call to an instant.
const AS_OF: [&str; 2] = ["x-muster-as-of", "as_of"];
/// The words of drivers for the catalog, of which there is one.
const DATABASE: [&str; 2] = ["database", "catalog"];
/// With what a client says that it reads views.
const VIEWS: &str = "x-muster-views";
/// Where names without a schema are looked up.
const SCHEMA: [&str; 1] = ["schema"];

/// The properties of a connection, as one call carries them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Properties {
    /// The header that pins the call, and the instant.
    pub(super) as_of: Option<(&'static str, DateTime<Utc>)>,
    /// The schema of names that have none.
    pub(super) schema: Option<String>,
    /// The types that the client takes: more than the plain ones only when it says so.
    pub(super) types: Types,
}

impl Properties {
    /// Reads them. One that cannot be obeyed is an error: the call would otherwise be answered
    /// from something else than was asked for.
    pub(super) fn read(headers: &MetadataMap) -> Result<Self, Status> {
        if let Some((name, database)) = one(headers, &DATABASE)?
            && !database.is_empty()
            && !database.eq_ignore_ascii_case(CATALOG)
        {
            return Err(Status::invalid_argument(format!(
                "there is no database '{database}' (hint: leave {name} away, or set it to {CATALOG})"
            )));
        }
        let schema = match one(headers, &SCHEMA)? {
            None | Some((_, "")) => None,
            Some((_, name)) => Some(schema(name)?),
        };
        let as_of = match one(headers, &AS_OF)? {
            None => None,
            Some((name, text)) => Some((name, as_of::instant(text).map_err(status)?)),
        };
        let types =
            match headers.get(VIEWS).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
                true => Types::Views,
                false => Types::Plain,
            };
        Ok(Self { as_of, schema, types })
    }
}

/// The schema that a client calls `name`.
pub(super) fn schema(name: &str) -> Result<String, Status> {
    enforce::schema(name).map(str::to_string).ok_or_else(|| {
        let known = enforce::SCHEMAS.join(", ");
        Status::invalid_argument(format!("there is no schema '{name}' (hint: known schemas: {known})"))
    })
}

/// The header and its value under any of `names`, of which only one may be there, once.
fn one<'a>(
    headers: &'a MetadataMap,
    names: &[&'static str],
) -> Result<Option<(&'static str, &'a str)>, Status> {
    let mut found = None;
    for name in names {
        for value in headers.get_all(*name) {
            if found.is_some() {
                let names = names.join(" or ");
                return Err(Status::invalid_argument(format!("{names} was sent more than once")));
            }
            let text = value.to_str().map_err(|_| Status::invalid_argument(format!("{name} is not text")))?;
            found = Some((*name, text.trim()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Properties, String> {
        let mut headers = MetadataMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Properties::read(&headers).map_err(|status| status.message().to_string())
    }

    #[test]
    fn only_what_is_known_is_looked_at() {
        assert_eq!(read(&[("chunkbuffercapacity", "5"), ("database", "")]), Ok(Properties::default()));
        assert_eq!(
            read(&[("database", "MUSTER"), ("catalog", "x")]).unwrap_err(),
            "database or catalog was sent more than once"
        );
        let properties = read(&[("database", "Muster"), ("schema", "Marts")]).unwrap();
        assert_eq!(properties.schema.as_deref(), Some("marts"));
        let (name, _) = read(&[("as_of", "2026-03-31T17:00:00Z")]).unwrap().as_of.unwrap();
        assert_eq!(name, "as_of");
    }

    #[test]
    fn what_cannot_be_obeyed_is_an_error() {
        let wrong = |pairs| read(pairs).unwrap_err();
        assert!(wrong(&[("database", "sales")]).starts_with("there is no database 'sales'"));
        assert!(wrong(&[("schema", "raw")]).starts_with("there is no schema 'raw'"));
        assert!(wrong(&[("as_of", "")]).contains("not an instant"));
        let twice = [("as_of", "2026-03-31T17:00:00Z"), ("x-muster-as-of", "2026-03-31T17:00:00Z")];
        assert_eq!(wrong(&twice), "x-muster-as-of or as_of was sent more than once");
    }
}
