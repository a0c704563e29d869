//! The drivers of this machine.

use arrow_odbc::odbc_api::Environment;
use std::path::{Path, PathBuf};

/// Where distributions keep drivers that `odbcinst.ini` names without their folder.
const FOLDERS: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu/odbc",
    "/usr/lib/aarch64-linux-gnu/odbc",
    "/usr/lib/odbc",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
];

/// The attributes with the driver's file instead of its name, where the driver manager that is
/// built in would not find the file: it looks nowhere but where the linker does.
pub(super) fn placed(attributes: &str, environment: &Environment) -> String {
    let Some((start, end)) = driver(attributes) else { return attributes.into() };
    let name = attributes[start..end].trim().trim_matches(['{', '}']);
    let Ok(drivers) = environment.drivers() else { return attributes.into() };
    let known = drivers.iter().find(|driver| driver.description.eq_ignore_ascii_case(name));
    let file = known.and_then(|driver| {
        let named = driver.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case("driver"))?;
        file(named.1)
    });
    match file {
        Some(file) => format!("{}{}{}", &attributes[..start], file.display(), &attributes[end..]),
        None => attributes.into(),
    }
}

/// The names of the drivers.
pub(super) fn names() -> Vec<String> {
    let drivers = arrow_odbc::odbc_api::environment().and_then(Environment::drivers).unwrap_or_default();
    drivers.into_iter().map(|driver| driver.description).collect()
}

/// Where the attributes name the driver.
fn driver(attributes: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    for part in attributes.split(';') {
        if let Some((key, _)) = part.split_once('=')
            && key.trim().eq_ignore_ascii_case("driver")
        {
            return Some((start + key.len() + 1, start + part.len()));
        }
        start += part.len() + 1;
    }
    None
}

fn file(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_found_among_the_attributes() {
        let attributes = "Server=a; driver ={PostgreSQL Unicode};Port=1";
        let (start, end) = driver(attributes).unwrap();
        assert_eq!(&attributes[start..end], "{PostgreSQL Unicode}");
        assert_eq!(driver("DSN=a;Description=driver"), None);
    }
}
