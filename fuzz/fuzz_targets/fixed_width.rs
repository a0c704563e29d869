#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_fuzz::files::{Family, Reader};
use std::sync::LazyLock;

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new(Family::FixedWidth));

fuzz_target!(|input: &[u8]| READER.read(input));
