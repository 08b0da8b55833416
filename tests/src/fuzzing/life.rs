//! Whole lives of clients in the simulator, as a tape of the fuzzer's tells them.

use crate::simulation;

/// Whatever a tape of bytes decides (the scenario, the replies, what happens on the way, and when), the checker of the
/// simulator finds nothing that a rule forbids. What was found is told with the trace that led to it.
pub fn life(data: &[u8]) {
    if let Err(violation) = simulation::run_tape(data, |_| {}) {
        let _ = simulation::run_tape(data, |event| eprintln!("{event}"));
        panic!("{violation}");
    }
}
