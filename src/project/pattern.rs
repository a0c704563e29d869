//! How vendors write dates and times: `dd-MON-yyyy` becomes the chrono pattern `%d-%b-%Y`.

/// Vendors' tokens, longest first, with chrono's.
const TOKENS: [(&str, &str); 9] = [
    ("yyyy", "%Y"),
    // Months are compared without case, as chrono does.
    ("MON", "%b"),
    ("SSS", "%3f"),
    ("yy", "%y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
];

/// What a pattern must be able to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Day,
    Time,
    Both,
}

/// The chrono pattern for a vendor's, or what is wrong with it and what would be right.
pub(super) fn chrono_pattern(vendor: &str, says: Says) -> Result<String, (String, String)> {
    let mut pattern = String::new();
    let mut rest = vendor;
    while let Some(next) = rest.chars().next() {
        if let Some((token, chrono)) = TOKENS.iter().find(|(token, _)| rest.starts_with(token)) {
            pattern.push_str(chrono);
            rest = &rest[token.len()..];
            continue;
        }
        // ISO 8601 puts a T between day and time; any other letter is a token we do not know.
        if next.is_alphanumeric() && next != 'T' {
            let known = TOKENS.map(|(token, _)| token).join(", ");
            return Err((
                format!("unknown \"{next}\" in format \"{vendor}\""),
                format!("known parts: {known}"),
            ));
        }
        if next == '%' {
            pattern.push('%');
        }
        pattern.push(next);
        rest = &rest[next.len_utf8()..];
    }
    let has = |chrono: &str| pattern.contains(chrono);
    let day = (has("%Y") || has("%y")) && (has("%m") || has("%b")) && has("%d");
    let time = has("%H") && has("%M");
    let (fits, example) = match says {
        Says::Day => (day && !has("%H"), "dd/MM/yyyy"),
        Says::Time => (time && !has("%d"), "HH:mm:ss"),
        Says::Both => (day && time, "dd/MM/yyyy HH:mm:ss"),
    };
    match fits {
        true => Ok(pattern),
        false => {
            Err((format!("format \"{vendor}\" does not fit the type"), format!("for example {example}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, NaiveDateTime};

    #[test]
    fn vendors_patterns_read_what_vendors_write() {
        let day = |pattern, text| {
            NaiveDate::parse_from_str(text, &chrono_pattern(pattern, Says::Day).unwrap()).unwrap().to_string()
        };
        assert_eq!(day("dd-MON-yyyy", "31-DEC-4712"), "4712-12-31");
        assert_eq!(day("yyyyMMdd", "20260401"), "2026-04-01");
        assert_eq!(day("dd.MM.yyyy", "01.04.2026"), "2026-04-01");
        let instant = |pattern, text| {
            NaiveDateTime::parse_from_str(text, &chrono_pattern(pattern, Says::Both).unwrap())
                .unwrap()
                .to_string()
        };
        assert_eq!(instant("yyyyMMddHHmm", "202604012359"), "2026-04-01 23:59:00");
        assert_eq!(instant("dd/MM/yyyy HH:mm:ss", "01/04/2026 23:59:58"), "2026-04-01 23:59:58");
        assert_eq!(instant("yyyy-MM-ddTHH:mm", "2026-04-01T23:59"), "2026-04-01 23:59:00");
    }

    #[test]
    fn unknown_tokens_and_wrong_parts_are_named() {
        assert_eq!(
            chrono_pattern("dd/MM/JJJJ", Says::Day).unwrap_err().0,
            "unknown \"J\" in format \"dd/MM/JJJJ\""
        );
        assert!(chrono_pattern("HH:mm", Says::Day).is_err());
        assert!(chrono_pattern("dd/MM/yyyy", Says::Both).is_err());
    }
}
