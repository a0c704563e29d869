//! The protobuf `Any` around every Flight SQL message: a type and the bytes of a message.
//!
//! `arrow-flight` reads and writes the messages; the envelope needs a trait of `prost` that it
//! does not re-export, and has two fields.

use arrow_flight::sql::{Any, Command, ProstMessageExt};
use bytes::Bytes;
use tonic::Status;

const LENGTH_DELIMITED: u64 = 2;

/// `message` in its envelope.
pub(super) fn pack<M: ProstMessageExt>(message: &M) -> Bytes {
    let any = message.as_any();
    let mut out = Vec::with_capacity(any.type_url.len() + any.value.len() + 16);
    for (number, bytes) in [(1, any.type_url.as_bytes()), (2, &any.value)] {
        out.push(number << 3 | LENGTH_DELIMITED as u8);
        write_varint(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    out.into()
}

/// The command in an envelope.
pub(super) fn command(bytes: &Bytes) -> Result<Command, Status> {
    open(bytes)
        .and_then(|any| Command::try_from(any).ok())
        .ok_or_else(|| Status::invalid_argument("not a Flight SQL command"))
}

/// The message of one type in an envelope.
pub(super) fn message<M: ProstMessageExt>(bytes: &Bytes) -> Result<M, Status> {
    open(bytes)
        .and_then(|any| any.unpack().ok().flatten())
        .ok_or_else(|| Status::invalid_argument("not the Flight SQL message that this action takes"))
}

fn open(bytes: &Bytes) -> Option<Any> {
    let mut any = Any { type_url: String::new(), value: Bytes::new() };
    let mut at = 0;
    while at < bytes.len() {
        let key = read_varint(bytes, &mut at)?;
        if key & 7 != LENGTH_DELIMITED {
            return None;
        }
        let length = usize::try_from(read_varint(bytes, &mut at)?).ok()?;
        let end = at.checked_add(length).filter(|end| *end <= bytes.len())?;
        let field = bytes.slice(at..end);
        at = end;
        match key >> 3 {
            1 => any.type_url = String::from_utf8(field.to_vec()).ok()?,
            2 => any.value = field,
            _ => {}
        }
    }
    Some(any)
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::sql::{CommandGetCatalogs, CommandStatementQuery};

    #[test]
    fn what_is_packed_can_be_opened() {
        let query = CommandStatementQuery { query: "x".repeat(300), transaction_id: None };
        let packed = pack(&query);
        assert_eq!(message::<CommandStatementQuery>(&packed).unwrap(), query);
        assert!(matches!(command(&packed).unwrap(), Command::CommandStatementQuery(q) if q == query));
        assert!(matches!(command(&pack(&CommandGetCatalogs {})).unwrap(), Command::CommandGetCatalogs(_)));
    }

    #[test]
    fn damaged_envelopes_are_refused() {
        let packed = pack(&CommandStatementQuery { query: "select 1".into(), transaction_id: None });
        for cut in 1..packed.len() {
            // Cut anywhere, it is an error or an unknown command, never a panic or another query.
            if let Ok(Command::CommandStatementQuery(query)) = command(&packed.slice(..cut)) {
                assert_eq!(query.query, "", "{cut}");
            }
        }
        assert!(message::<CommandGetCatalogs>(&packed).is_err());
        assert!(command(&Bytes::from_static(&[0xff; 12])).is_err());
    }
}
