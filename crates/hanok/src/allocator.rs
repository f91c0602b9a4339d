//! How soon the allocator gives memory back that is free.
//!
//! Its own default is a second. While spans come at full rate that is some 40 MB that nobody uses any more, and more
//! of the machine's caches than is worth it. It reads its settings from the environment, before anything of ours runs,
//! so that the program begins anew with them: the same process, one or two milliseconds later.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the allocator calls it; in milliseconds.
const DELAY: &str = "MIMALLOC_PURGE_DELAY";
const MILLISECONDS: &str = "20";

/// Begins the program anew where the environment says nothing of it. Where that cannot be, all goes on as it is.
pub(crate) fn give_back_soon() {
    let (None, Ok(program)) = (env::var_os(DELAY), env::current_exe()) else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(DELAY, MILLISECONDS).exec();
    tracing::debug!(%error, "memory that is free is given back late");
}
