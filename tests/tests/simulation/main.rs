//! The simulations in virtual time. The gate runs many more of both, in the optimized profile `simulation`.

mod clients;
mod fleets;
