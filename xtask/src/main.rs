//! Steadfast.

fn main() {}
