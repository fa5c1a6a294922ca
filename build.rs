//! Compiles the kernel programs.
fn main() {}
