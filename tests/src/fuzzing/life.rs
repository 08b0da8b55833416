//! A fuzz target for whole client lifetimes in the simulation, driven by a tape of bytes.

use crate::simulation;

/// Checks that the simulation's checker finds no violation for any tape of bytes, which decides the
/// scenario, the replies, the faults and the times. A violation is reported with its trace.
pub fn life(data: &[u8]) {
    if let Err(violation) = simulation::run_tape(data, |_| {}) {
        let _ = simulation::run_tape(data, |event| eprintln!("{event}"));
        panic!("{violation}");
    }
}
