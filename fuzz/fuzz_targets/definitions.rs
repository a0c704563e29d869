#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_fuzz::definitions::Project;
use std::sync::LazyLock;

static PROJECT: LazyLock<Project> = LazyLock::new(Project::new);

fuzz_target!(|input: &[u8]| PROJECT.check(input));
