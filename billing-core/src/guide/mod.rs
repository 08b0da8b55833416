//! The rules that the code keeps, as chapters to read.
//!
//! * [Design rules](design_rules): D1 to D17, which every machine, driver and program keeps, and the decision table, which says
//!   what happens after each kind of reply.
//! * [Billing rules](billing_rules): B1 to B15, by which the rows of a billing overview become charges, totals and
//!   comparisons.
//! * [Recipes](recipes): short examples that run without a network.
//!
//! Comments cite these numbers ("rule D9", "rules B3 and B7"), and the name of a test begins with the number of the rule that
//! it checks (`d09_…`, `b03_…`).

#[doc = include_str!("design-rules.md")]
pub mod design_rules {}

#[doc = include_str!("billing-rules.md")]
pub mod billing_rules {}

#[doc = include_str!("recipes.md")]
pub mod recipes {}
