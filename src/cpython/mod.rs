//! Everything that knows CPython: which files hold an interpreter, where its
//! frames can be observed, and how its objects are laid out.
//!
//! Nothing here loads BPF or attaches anything. The product is a [`Plan`]: a list
//! of addresses, what it means when each is reached, and how to find the frame
//! there. The kernel programs know no versions; all they need is in the plan.

mod layout;
mod plan;

pub use layout::Layout;
pub use plan::{FrameSource, Meaning, Plan, PlanKind, Probe, Register, ThreadStateSource, Version};
