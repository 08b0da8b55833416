//! The real transports under the faults of a real network: one table for both drivers, which must come to the same; then
//! what only one of them has, and what concerns more than one call.
//!
//! Every row is run in three ways, each with a server and a client of its own:
//!
//! * one attempt meets the fault, and ends as the row says;
//! * the same client then asks again, of a server that is well by now, and succeeds: nothing stays broken;
//! * a client that may try again does so exactly where the decision table says, and succeeds.

mod answers;
mod bodies;
mod bomb;
mod cancelled;
mod client;
mod heads;
mod http2;
mod logs;
mod panics;
mod proxies;
mod reuse;
mod shared;
mod table;
mod tls;

use table::{Row, run_all};

#[test]
fn both_drivers_come_to_the_same() {
    let rows: Vec<Row> = [heads::rows(), bodies::rows(), tls::rows()].into_iter().flatten().collect();
    run_all(&rows);
}
