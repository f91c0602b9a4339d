//! One case: an input run through a decoder, with a bound on its memory and its panic caught.

use crate::decoders::Decoder;
use crate::features::Features;
use cap::Cap;
use std::alloc::System;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Counts what is allocated, and refuses more than a case may have. A refusal ends the process, since
/// allocation cannot fail otherwise; whoever started it finds the input in the slot.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Longer than this is too long for any input of the fuzzer's sizes, even on a busy machine.
const SLOW: Duration = Duration::from_secs(2);

thread_local! {
    /// Where the last panic was.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes panics instead of printing them.
pub(crate) fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or("a panic");
        PANIC.with_borrow_mut(|panic| *panic = format!("panic at {place}\n{said}"));
    }));
}

/// Runs `bytes` through `decoder`.
///
/// # Errors
///
/// What is wrong, in words: a panic, a law that does not hold, or more time than anything may take.
pub(crate) fn run(decoder: Decoder, bytes: &[u8], features: &mut Features) -> Result<(), String> {
    // Values of parsed JSON are many times larger than their text, and are encoded for all dialects.
    let bound = (32 << 20) + 512 * bytes.len();
    if MEMORY.set_limit(MEMORY.allocated() + bound).is_err() {
        return Err("the bound on memory cannot be set".to_owned());
    }
    let begun = Instant::now();
    features.clear();
    let done = catch_unwind(AssertUnwindSafe(|| decoder.run(bytes, features)));
    let took = begun.elapsed();
    // Lifting a limit cannot fail.
    let _ = MEMORY.set_limit(usize::MAX);
    match done {
        Err(_) => Err(PANIC.with_borrow(Clone::clone)),
        Ok(Err(broken)) => Err(broken),
        Ok(Ok(())) if took > SLOW => Err(format!("too slow\n{took:?}")),
        Ok(Ok(())) => Ok(()),
    }
}

/// What makes two failures the same: their first line. What differs from input to input stands below it.
pub(crate) fn class(failure: &str) -> &str {
    failure.lines().next().unwrap_or_default()
}
