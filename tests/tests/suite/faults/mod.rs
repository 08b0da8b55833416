//! The real transports under the faults of a real network. Both drivers must give the same results for one table of faults.
//! Separate tests cover the features of one driver and faults that concern more than one call.
//!
//! Every row runs in three ways, each with a server and a client of its own:
//!
//! * one attempt meets the fault and must end as the row says;
//! * the same client then repeats the request and must succeed, because the server now works: no broken state remains;
//! * a client with retries must retry exactly where the decision table says so, and then succeed.

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
